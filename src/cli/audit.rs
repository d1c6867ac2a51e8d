//! `leasehold audit`: reads the log from a server, takes a chain of it away, and checks what was taken away, which needs
//! no server.

mod export;
mod verify;

use super::{
    client::ServerOptions,
    failure::Failure,
    output::{self, Column, Form},
};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Show the newest entries
    Tail(Tail),
    /// Take a customer's whole chain away, with the proofs that it is complete
    Export(export::Export),
    /// Check a receipt or an export, or recompute the log from the database; needs no server
    Verify(verify::Verify),
    /// Print the newest signed checkpoint: keep it, to check later that the log went on from it
    Checkpoint,
    /// Print the public keys that sign checkpoints, one a line
    Keys,
}

#[derive(Args, Debug)]
pub(super) struct Tail {
    /// How many entries
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
    lines: u32,
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
            Self::Export(command) => command.run(server).await,
            Self::Verify(command) => command.run().await,
            Self::Checkpoint => {
                let note = server.client()?.get_text("/v1/audit/checkpoint").await?;
                output::say(note.trim_end_matches('\n'))
            }
            Self::Keys => {
                let answer = server.client()?.get("/v1/audit/keys").await?;
                let keys = answer.pointer("/keys").and_then(serde_json::Value::as_array);
                let keys = keys.into_iter().flatten().filter_map(|key| key.get("verifier")?.as_str());
                output::say(&keys.collect::<Vec<_>>().join("\n"))
            }
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
