//! `leasehold tenant`: customers.

use super::{
    client::Client,
    failure::Failure,
    output::{Column, Form},
};
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum Tenant {
    /// Add a customer, with a key of its own
    Add {
        /// The customer's name
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// List customers
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Show one customer
    Show {
        tenant: Uuid,
        #[command(flatten)]
        form: Form,
    },
    /// End all access to all of a customer's connections, and destroy their credentials
    Revoke {
        tenant: Uuid,
        /// Why, for the audit log
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        form: Form,
    },
}

const COLUMNS: &[Column] = &[("ID", "/id"), ("NAME", "/name"), ("STATE", "/state"), ("CREATED", "/created_at")];

impl Tenant {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Add { name, form } => form.show(&client.post("/v1/tenants", &json!({ "name": name })).await?),
            Self::List { form } => form.list(&client.list("/v1/tenants", &[]).await?, COLUMNS),
            Self::Show { tenant, form } => form.show(&client.get(&format!("/v1/tenants/{tenant}")).await?),
            Self::Revoke { tenant, reason, form } => {
                let path = format!("/v1/tenants/{tenant}/revoke");
                form.show(&client.post(&path, &json!({ "reason": reason })).await?)
            }
        }
    }
}
