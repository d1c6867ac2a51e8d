//! `leasehold user`: people.

use super::{
    client::Client,
    failure::Failure,
    output::{self, Column, Form},
};
use crate::policy::Role;
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person
    Add {
        /// Their e-mail address
        email: String,
        /// owner or viewer of a tenant; operator, security-officer or auditor among the staff
        #[arg(long)]
        role: Role,
        /// Their tenant; none for staff
        #[arg(long, value_name = "ID")]
        tenant: Option<Uuid>,
        #[command(flatten)]
        form: Form,
    },
    /// List people
    List {
        /// Of this tenant only
        #[arg(long, value_name = "ID")]
        tenant: Option<Uuid>,
        #[command(flatten)]
        form: Form,
    },
    /// End a person's sessions and access keys, for good
    Disable { user: Uuid },
}

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("EMAIL", "/email"),
    ("ROLE", "/role"),
    ("TENANT", "/tenant"),
    ("STATE", "/state"),
    ("CREATED", "/created_at"),
];

impl User {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Add { email, role, tenant, form } => {
                let body = json!({ "email": email, "role": role, "tenant": tenant });
                form.show(&client.post("/v1/users", &body).await?)
            }
            Self::List { tenant, form } => {
                let tenant = tenant.map(|id| id.to_string());
                let filter: Vec<_> = tenant.iter().map(|id| ("tenant", id.as_str())).collect();
                form.list(&client.list("/v1/users", &filter).await?, COLUMNS)
            }
            Self::Disable { user } => {
                client.act(&format!("/v1/users/{user}/disable")).await?;
                output::say("disabled")
            }
        }
    }
}
