//! `leasehold revoke-all`: ends every lease of every customer.

use super::{client::Client, failure::Failure, output::Form};
use clap::Args;
use serde_json::json;

#[derive(Args, Debug)]
pub(super) struct RevokeAll {
    /// Why, for the audit log
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    form: Form,
}

impl RevokeAll {
    /// Asks nothing back: it destroys nothing, workers come back for new leases, and whoever types it is in a hurry.
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        self.form.show(&client.post("/v1/revoke-all", &json!({ "reason": self.reason })).await?)
    }
}
