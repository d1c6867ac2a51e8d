//! `leasehold seal`: shows, opens and closes the seal of a running vault.

use super::{application::exposed, client::Client, failure::Failure, output::Form, secret_input};
use crate::secret::SecretText;
use clap::Subcommand;
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Seal {
    /// Show whether the vault is sealed, and by what
    Status {
        #[command(flatten)]
        form: Form,
    },
    /// Unseal: a passphrase seal asks for its passphrase, a file seal is read by the server
    Open {
        /// File that holds the passphrase, - for standard input; asked for where none is named
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
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
            Self::Open { passphrase_file, form } => {
                let status = client.get("/v1/seal").await?;
                let by_file = status.get("seal").and_then(serde_json::Value::as_str) == Some("file");
                if by_file && passphrase_file.is_none() {
                    return form.show(&client.post("/v1/seal/open", &serde_json::json!({})).await?);
                }
                let passphrase = secret_input::read(passphrase_file.as_ref(), "Seal passphrase: ")?;
                form.show(&client.post("/v1/seal/open", &Opening { passphrase }).await?)
            }
        }
    }
}
