//! `leasehold grant`: what a module may do with a connection.

use super::{
    client::Client,
    failure::Failure,
    output::{self, Column, Form},
};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum Grant {
    /// Permit a module to use a connection, or change how; as the connection's owner
    Set(Set),
    /// List grants
    List {
        /// Of this tenant only
        #[arg(long, value_name = "ID")]
        tenant: Option<Uuid>,
        #[command(flatten)]
        form: Form,
    },
    /// End a grant and every lease under it
    End { grant: Uuid },
}

#[derive(Args, Debug)]
pub(super) struct Set {
    connection: Uuid,
    /// ops, marketing, logistics or finance
    #[arg(long)]
    module: String,
    /// Scopes such as orders:read, with commas between them
    #[arg(long, value_delimiter = ',', required = true)]
    scopes: Vec<String>,
    /// gateway: workers never hold an access token; token: they may, and it outlives a revocation by up to an hour
    #[arg(long, default_value = "gateway")]
    delivery: String,
    #[command(flatten)]
    form: Form,
}

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("CONNECTION", "/connection"),
    ("MODULE", "/module"),
    ("DELIVERY", "/delivery"),
    ("STATE", "/state"),
    ("SCOPES", "/scopes"),
];

impl Grant {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Set(Set { connection, module, scopes, delivery, form }) => {
                let body =
                    json!({ "connection": connection, "module": module, "scopes": scopes, "delivery": delivery });
                form.show(&client.put("/v1/grants", &body).await?)
            }
            Self::List { tenant, form } => {
                let tenant = tenant.map(|id| id.to_string());
                let filter: Vec<_> = tenant.iter().map(|id| ("tenant", id.as_str())).collect();
                form.list(&client.list("/v1/grants", &filter).await?, COLUMNS)
            }
            Self::End { grant } => {
                client.delete(&format!("/v1/grants/{grant}")).await?;
                output::say("ended")
            }
        }
    }
}
