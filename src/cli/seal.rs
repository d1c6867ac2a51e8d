//! `leasehold seal`: shows, opens and closes the seal of a running vault.

use super::{application::exposed, client::Client, failure::Failure, output::Form, secret_input, shares};
use crate::secret::SecretText;
use clap::Subcommand;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Seal {
    /// Show whether the vault is sealed, by what, and how far its shares have come together
    Status {
        #[command(flatten)]
        form: Form,
    },
    /// Unseal: asks for the passphrase or for shares; other seals are opened by the server itself
    #[command(group = clap::ArgGroup::new("secret").args(["passphrase_file", "share_file"]))]
    Open {
        /// File that holds the passphrase, - for standard input; asked for where none is named
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// File that holds one share, - for standard input; shares are asked for where none is named
        #[arg(long, value_name = "FILE")]
        share_file: Option<PathBuf>,
        #[command(flatten)]
        form: Form,
    },
    /// Forget the shares that were given so far
    Cancel {
        #[command(flatten)]
        form: Form,
    },
    /// Seal: nothing is released until it is opened again
    Close {
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Serialize)]
struct Opening {
    #[serde(serialize_with = "exposed")]
    passphrase: SecretText,
}

impl Seal {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Status { form } => form.show(&client.get("/v1/seal").await?),
            Self::Close { form } => form.show(&client.act("/v1/seal/close").await?),
            Self::Cancel { form } => form.show(&client.act("/v1/seal/open/cancel").await?),
            Self::Open { passphrase_file, share_file, form } => {
                let status = client.get("/v1/seal").await?;
                let kind = status.get("seal").and_then(serde_json::Value::as_str).unwrap_or_default();
                let answer = match kind {
                    "shamir" => shares::give(client, "/v1/seal/open", &status, share_file.as_ref()).await?,
                    "passphrase" => {
                        let passphrase = secret_input::read(passphrase_file.as_ref(), "Seal passphrase: ")?;
                        client.post("/v1/seal/open", &Opening { passphrase }).await?
                    }
                    _ => client.post("/v1/seal/open", &serde_json::json!({})).await?,
                };
                form.show(&answer)
            }
        }
    }
}
