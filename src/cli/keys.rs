//! `leasehold keys`: which keys there are, never the keys.

use super::{client::Client, failure::Failure, output::Form};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Show the keys' versions and uses
    Status {
        #[command(flatten)]
        form: Form,
    },
}

impl Keys {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let Self::Status { form } = self;
        form.show(&client.get("/v1/keys").await?)
    }
}
