//! `leasehold audit`: reads the log from a server, or recomputes all of it from the database, which needs no server.

use super::{
    client::ServerOptions,
    failure::Failure,
    output::{Column, Form},
    progress::Progress,
};
use crate::{
    audit::verify,
    config::{Config, DatabaseUrl},
    server::assembly,
    store::{Missing, log},
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Show the newest entries
    Tail(Tail),
    /// Recompute the log from the database: every hash, chain and the root
    Verify(Verify),
}

#[derive(Args, Debug)]
pub(super) struct Tail {
    /// How many entries
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    lines: u32,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
pub(super) struct Verify {
    /// Recompute everything, which reads the whole log
    #[arg(long)]
    full: bool,
    /// sqlite:PATH or postgres://USER@HOST/NAME; the configuration's where it is not given
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The configuration, leasehold.toml
    #[arg(long, env = "LEASEHOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

const COLUMNS: &[Column] = &[
    ("SEQ", "/seq"),
    ("AT", "/at"),
    ("TENANT", "/tenant"),
    ("KIND", "/kind"),
    ("ACTOR", "/payload/actor"),
    ("OBJECT", "/payload/object"),
    ("OUTCOME", "/payload/outcome"),
];

impl Audit {
    pub(super) async fn run(self, server: &ServerOptions) -> Result<(), Failure> {
        match self {
            Self::Tail(command) => command.run(server).await,
            Self::Verify(command) => command.run().await,
        }
    }
}

impl Tail {
    async fn run(self, server: &ServerOptions) -> Result<(), Failure> {
        let limit = self.lines.to_string();
        let mut entries = server.client()?.items("/v1/audit", &[("limit", limit.as_str())]).await?;
        // The newest come first; a tail ends with them.
        entries.sort_by_key(|entry| entry.get("seq").and_then(serde_json::Value::as_i64));
        self.form.list(&entries, COLUMNS)
    }
}

impl Verify {
    async fn run(self) -> Result<(), Failure> {
        if !self.full {
            return Err(Failure::usage(
                "say --full: it recomputes the whole log, and is the only verification there is",
            ));
        }
        let mut config = Config::load(self.config.as_deref(), std::env::vars_os())?;
        if let Some(url) = &self.database {
            config.database.url = DatabaseUrl::parse(url).map_err(|why| Failure::usage(format!("--database {why}")))?;
        }
        let db = assembly::database_open(&config, Missing::Refuse).await?;
        let head = log::head_show(&mut db.reader().await?.link()).await?;
        let mut progress = Progress::begin("entries", u64::try_from(head.size).unwrap_or(0));
        let verified = verify::verify_log(&db, |done| progress.reach(u64::try_from(done).unwrap_or(0))).await;
        progress.end();
        db.close().await;
        let verified = verified?;
        self.form.show(&serde_json::json!({
            "verified": true,
            "entries": verified.entries,
            "chains": verified.chains,
            "erased": verified.erased,
            "root": data_encoding::BASE64.encode(verified.root.as_bytes()),
        }))
    }
}
