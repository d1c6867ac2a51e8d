//! `leasehold access-key`: the bearer secrets of people. A new one is printed once.

use super::{
    client::Client,
    failure::Failure,
    output::{self, Column, Form},
};
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum AccessKey {
    /// Make an access key, which is printed once
    Add {
        /// Whose it is
        user: Uuid,
        /// What it is for
        #[arg(long)]
        label: String,
        /// How many days it lives; until it is ended where nothing is said
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3_650))]
        days: Option<u32>,
        #[command(flatten)]
        form: Form,
    },
    /// List a person's access keys, ended ones included
    List {
        /// Whose they are
        user: Uuid,
        #[command(flatten)]
        form: Form,
    },
    /// End an access key
    End {
        /// Whose it is
        user: Uuid,
        key: Uuid,
    },
}

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("LABEL", "/label"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("ENDED", "/ended_at"),
];

impl AccessKey {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Add { user, label, days, form } => {
                let life_s = days.map(|days| u64::from(days) * 24 * 60 * 60);
                let body = json!({ "label": label, "life_s": life_s });
                form.show(&client.post(&format!("/v1/users/{user}/access-keys"), &body).await?)
            }
            Self::List { user, form } => {
                form.list(&client.items(&format!("/v1/users/{user}/access-keys"), &[]).await?, COLUMNS)
            }
            Self::End { user, key } => {
                client.delete(&format!("/v1/users/{user}/access-keys/{key}")).await?;
                output::say("ended")
            }
        }
    }
}
