//! `leasehold keys`: which keys there are, never the keys.

use super::{client::Client, failure::Failure, output::Form};
use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Show the keys' versions and uses
    Status {
        #[command(flatten)]
        form: Form,
    },
    /// Rotate a key
    Rotate {
        /// Which key
        #[arg(value_enum)]
        key: Rotatable,
        #[command(flatten)]
        form: Form,
    },
}

/// The keys that can be rotated.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Rotatable {
    /// The one that signs the audit log's checkpoints; the new one is introduced by the one before it
    Signer,
}

impl Keys {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Status { form } => form.show(&client.get("/v1/keys").await?),
            Self::Rotate { key: Rotatable::Signer, form } => {
                form.show(&client.post("/v1/keys/rotate", &serde_json::json!({ "key": "signer" })).await?)
            }
        }
    }
}
