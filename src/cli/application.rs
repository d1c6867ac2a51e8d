//! `leasehold application`: our own OAuth clients at providers.

use super::{
    client::Client,
    failure::Failure,
    output::{Column, Form},
    secret_input,
};
use crate::secret::SecretText;
use clap::{Args, Subcommand};
use serde::{Serialize, Serializer};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Application {
    /// Store the client id and secret of our application at a provider
    Set(Set),
    /// List our applications, without their secrets
    List {
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// The provider
    #[arg(default_value = "amazon-sp-api")]
    provider: String,
    /// The OAuth client id: amzn1.application-oa2-client.…
    #[arg(long)]
    client_id: String,
    /// The id that the consent page asks for: amzn1.sp.solution.…
    #[arg(long)]
    public_id: String,
    /// The application is still a draft at the provider
    #[arg(long)]
    draft: bool,
    /// File that holds the client secret, - for standard input; asked for where none is named
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    form: Form,
}

/// The only line of a body that a secret crosses: there is no `Serialize` for secrets, so that none is written by
/// accident.
pub(crate) fn exposed<S: Serializer>(secret: &SecretText, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// What is set.
#[derive(Serialize)]
pub(crate) struct NewApplication<'a> {
    pub(crate) client_id: &'a str,
    #[serde(serialize_with = "exposed")]
    pub(crate) client_secret: SecretText,
    pub(crate) public_id: &'a str,
    pub(crate) draft: bool,
}

const COLUMNS: &[Column] = &[
    ("PROVIDER", "/provider"),
    ("CLIENT ID", "/client_id"),
    ("PUBLIC ID", "/public_id"),
    ("DRAFT", "/draft"),
    ("VERSION", "/secret_version"),
];

impl Application {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self {
            Self::Set(command) => command.run(client).await,
            Self::List { form } => form.list(&client.list("/v1/applications", &[]).await?, COLUMNS),
        }
    }
}

impl Set {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let new = NewApplication {
            client_id: &self.client_id,
            client_secret: secret_input::read(self.secret_file.as_ref(), "Client secret: ")?,
            public_id: &self.public_id,
            draft: self.draft,
        };
        self.form.show(&client.put(&format!("/v1/applications/{}", self.provider), &new).await?)
    }
}
