//! `leasehold database copy`: moves a stopped vault from its SQLite file into an empty PostgreSQL database.

use super::{failure::Failure, output, output::Form, progress::Progress};
use crate::{audit::verify, config::Config, server::assembly, store::copy::Copying};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Database {
    /// Copy a stopped vault from its SQLite file into an empty PostgreSQL database
    Copy(Copy),
}

#[derive(Args, Debug)]
pub(super) struct Copy {
    /// postgres://USER@HOST/NAME, an empty database; its password from ~/.pgpass or PGPASSFILE
    #[arg(long, value_name = "URL")]
    to: String,
    /// The configuration, leasehold.toml, whose database.url names the source
    #[arg(long, env = "LEASEHOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

impl Database {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Copy(command) => command.run().await,
        }
    }
}

impl Copy {
    async fn run(self) -> Result<(), Failure> {
        let config = Config::load(self.config.as_deref(), std::env::vars_os())?;
        let source = assembly::source_open(&config).await?;
        // Held to the end: a node that starts meanwhile would write what is not copied.
        let _claim = source.claim()?;
        let source_log = verified(&source, "source entries").await?;
        let mut copying = Copying::begin(&source, &self.to).await?;
        let mut progress = Progress::begin("rows, written and read back", copying.rows() * 2);
        let copied = copying.run(|done| progress.reach(done)).await;
        progress.end();
        copied?;
        let target_log = verified(&copying.target(), "target entries").await?;
        if source_log != target_log {
            return Err(Failure::Reported("the two logs differ: drop the target and copy again".to_owned()));
        }
        let rows = copying.rows();
        copying.finish().await?;
        output::complain(
            "Now let database.url name the copy. The source bears a mark: no node starts on it any more, since what the one \
             vault revokes the other would let through.",
        );
        self.form.show(&serde_json::json!({
            "rows": rows,
            "entries": target_log.entries,
            "root": data_encoding::BASE64.encode(target_log.root.as_bytes()),
        }))
    }
}

async fn verified(db: &crate::store::Db, what: &'static str) -> Result<verify::Verified, Failure> {
    let head = crate::store::log::head_show(&mut db.reader().await?.link()).await?;
    let mut progress = Progress::begin(what, head.size.unsigned_abs());
    let verified = verify::verify_log(db, |done| progress.reach(done.unsigned_abs())).await;
    progress.end();
    Ok(verified?)
}
