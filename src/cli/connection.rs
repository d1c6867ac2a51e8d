//! `leasehold connection`: customers' accounts at providers.

use super::{
    client::Client,
    failure::Failure,
    import::Import,
    output::{self, Column, Form},
};
use crate::broker::provider::{AccountKind, Region};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(super) enum Connection {
    /// Add a connection, pending its owner's consent
    Add(Add),
    /// List connections
    List {
        /// Of this tenant only
        #[arg(long, value_name = "ID")]
        tenant: Option<Uuid>,
        #[command(flatten)]
        form: Form,
    },
    /// Show a connection, never its credential
    Show {
        connection: Uuid,
        #[command(flatten)]
        form: Form,
    },
    /// Begin consent at the provider, as the connection's owner: prints where to send the browser
    Authorize { connection: Uuid },
    /// End all access, cut the requests under way, and destroy the credential: prints the receipt
    Revoke(Cut),
    /// End all access, reversibly: the credential is kept
    Suspend(Cut),
    /// Let a suspended connection be used again
    Resume {
        connection: Uuid,
        #[command(flatten)]
        form: Form,
    },
    /// Add connections in bulk, with refresh tokens that were obtained elsewhere
    Import(Import),
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// Its name
    name: String,
    /// Whose it is
    #[arg(long, value_name = "ID")]
    tenant: Uuid,
    #[arg(long, default_value = "amazon-sp-api")]
    provider: String,
    /// seller or vendor
    #[arg(long)]
    kind: AccountKind,
    /// na, eu or fe
    #[arg(long)]
    region: Region,
    /// The country whose site the owner consents at, as the provider abbreviates it
    #[arg(long)]
    country: String,
    /// The provider's id of the account, where it is known; another account is refused then
    #[arg(long)]
    account: Option<String>,
    #[command(flatten)]
    form: Form,
}

#[derive(Args, Debug)]
pub(super) struct Cut {
    connection: Uuid,
    /// Why, for the audit log
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    form: Form,
}

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("TENANT", "/tenant"),
    ("NAME", "/name"),
    ("PROVIDER", "/provider"),
    ("KIND", "/kind"),
    ("REGION", "/region"),
    ("COUNTRY", "/country"),
    ("STATE", "/state"),
];

impl Connection {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Add(command) => command.run(client).await,
            Self::List { tenant, form } => {
                let tenant = tenant.map(|id| id.to_string());
                let filter: Vec<_> = tenant.iter().map(|id| ("tenant", id.as_str())).collect();
                form.list(&client.list("/v1/connections", &filter).await?, COLUMNS)
            }
            Self::Show { connection, form } => form.show(&client.get(&format!("/v1/connections/{connection}")).await?),
            Self::Authorize { connection } => {
                let begun = client.act(&format!("/v1/connections/{connection}/authorize")).await?;
                let text = |name: &str| begun.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
                output::complain(&format!("open this in a browser before {}:", text("expires_at")));
                output::say(&text("url"))
            }
            Self::Revoke(cut) => cut.run(client, "revoke").await,
            Self::Suspend(cut) => cut.run(client, "suspend").await,
            Self::Resume { connection, form } => {
                form.show(&client.act(&format!("/v1/connections/{connection}/resume")).await?)
            }
            Self::Import(command) => command.run(client).await,
        }
    }
}

impl Add {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let body = json!({
            "tenant": self.tenant,
            "name": self.name,
            "provider": self.provider,
            "kind": self.kind,
            "region": self.region,
            "country": self.country,
            "account": self.account,
        });
        self.form.show(&client.post("/v1/connections", &body).await?)
    }
}

impl Cut {
    async fn run(self, client: &Client, how: &str) -> Result<(), Failure> {
        let path = format!("/v1/connections/{}/{how}", self.connection);
        self.form.show(&client.post(&path, &json!({ "reason": self.reason })).await?)
    }
}
