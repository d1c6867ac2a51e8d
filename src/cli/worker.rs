//! `leasehold worker`: workload identities.

use super::{
    client::Client,
    failure::Failure,
    output::{Column, Form},
};
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum Worker {
    /// Add a worker; its client secret is printed once
    Add {
        /// Its name
        name: String,
        /// ops, marketing, logistics or finance
        #[arg(long)]
        module: String,
        /// The company whose hosts it runs on
        #[arg(long, value_name = "ID")]
        sub_processor: Uuid,
        #[command(flatten)]
        form: Form,
    },
    /// List workers
    List {
        #[command(flatten)]
        form: Form,
    },
    /// End a worker and all of its leases: prints the receipt
    Disable {
        worker: Uuid,
        /// Why, for the audit log
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Give a worker a further secret, printed once; the one before works on for a while
    RotateSecret {
        worker: Uuid,
        #[command(flatten)]
        form: Form,
    },
}

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("MODULE", "/module"),
    ("SUB-PROCESSOR", "/sub_processor"),
    ("STATE", "/state"),
    ("CREATED", "/created_at"),
];

impl Worker {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Add { name, module, sub_processor, form } => {
                let body = json!({ "name": name, "module": module, "sub_processor": sub_processor });
                form.show(&client.post("/v1/workers", &body).await?)
            }
            Self::List { form } => form.list(&client.list("/v1/workers", &[]).await?, COLUMNS),
            Self::Disable { worker, reason, form } => {
                let path = format!("/v1/workers/{worker}/disable");
                form.show(&client.post(&path, &json!({ "reason": reason })).await?)
            }
            Self::RotateSecret { worker, form } => {
                form.show(&client.act(&format!("/v1/workers/{worker}/secrets")).await?)
            }
        }
    }
}
