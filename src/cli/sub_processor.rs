//! `leasehold sub-processor`: the companies whose hosts workers run on.

use super::{
    client::Client,
    failure::Failure,
    output::{self, Column, Form},
};
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum SubProcessor {
    /// Add a company; our own hosts are an entry too
    Add {
        /// The company's name
        name: String,
        /// What it does for us
        #[arg(long)]
        service: String,
        /// Where it does so: an ISO 3166 country code
        #[arg(long)]
        country: String,
        /// The legal basis of transfer
        #[arg(long)]
        basis: String,
        #[command(flatten)]
        form: Form,
    },
    /// List the companies
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Object to a company, as a customer: its workers' leases on your connections end
    Object {
        sub_processor: Uuid,
        /// Who objects
        #[arg(long, value_name = "ID")]
        tenant: Uuid,
    },
    /// Withdraw an objection
    Accept {
        sub_processor: Uuid,
        /// Who objected
        #[arg(long, value_name = "ID")]
        tenant: Uuid,
    },
}

const COLUMNS: &[Column] =
    &[("ID", "/id"), ("NAME", "/name"), ("SERVICE", "/service"), ("COUNTRY", "/country"), ("BASIS", "/basis")];

impl SubProcessor {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Add { name, service, country, basis, form } => {
                let body = json!({ "name": name, "service": service, "country": country, "basis": basis });
                form.show(&client.post("/v1/sub-processors", &body).await?)
            }
            Self::List { form } => form.list(&client.list("/v1/sub-processors", &[]).await?, COLUMNS),
            Self::Object { sub_processor, tenant } => {
                client.put(&format!("/v1/tenants/{tenant}/objections/{sub_processor}"), &json!({})).await?;
                output::say("objected: its workers' leases on your connections have ended")
            }
            Self::Accept { sub_processor, tenant } => {
                client.delete(&format!("/v1/tenants/{tenant}/objections/{sub_processor}")).await?;
                output::say("accepted")
            }
        }
    }
}
