//! `leasehold lease`: gets a lease as a worker would, for people who try things out.

use super::{client::ServerOptions, failure::Failure, output::Form, secret_input};
use clap::Args;
use std::path::PathBuf;
use uuid::Uuid;

#[derive(Args, Debug)]
pub(super) struct Lease {
    /// The connection that it is for
    connection: Uuid,
    /// The worker's client id
    #[arg(long)]
    client_id: String,
    /// File that holds the worker's client secret, - for standard input; asked for where none is named
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Scopes, with commas between them; all that the grant holds where none are named
    #[arg(long, value_delimiter = ',')]
    scopes: Vec<String>,
    #[command(flatten)]
    form: Form,
}

impl Lease {
    pub(super) async fn run(self, server: &ServerOptions) -> Result<(), Failure> {
        let client = server.anonymous()?;
        let secret = secret_input::read(self.secret_file.as_ref(), "Client secret: ")?;
        let resource = format!("urn:leasehold:connection:{}", self.connection);
        let scope = self.scopes.join(" ");
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("resource", resource.as_str()),
            ("client_id", self.client_id.as_str()),
            ("client_secret", secret.expose()),
        ];
        if !scope.is_empty() {
            form.push(("scope", scope.as_str()));
        }
        self.form.show(&client.post_form("/oauth2/token", &form).await?)
    }
}
