//! The command line: one file a command. It owns what people type and read; what a command does happens in the
//! services, or on a running server, which the administrative commands speak to over its API like any other client.

mod access_key;
mod application;
mod audit;
pub(crate) mod client;
mod connection;
mod database;
mod dev;
mod doctor;
mod failure;
mod grant;
mod import;
mod init;
mod keys;
mod lease;
mod output;
mod progress;
mod revoke_all;
mod seal;
mod secret_input;
mod serve;
mod shares;
mod sub_processor;
mod tenant;
mod user;
mod worker;

use crate::telemetry;
use clap::{Parser, Subcommand};
use client::ServerOptions;
use failure::Failure;
use std::process::ExitCode;

/// A vault for the credentials that customers entrust to a company
#[derive(Debug, Parser)]
#[command(name = "leasehold", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    server: ServerOptions,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Administrative commands speak to a running server: set LEASEHOLD_URL, LEASEHOLD_TOKEN (an access key) and, where its
certificate is not a public one, LEASEHOLD_CA. Exit status: 0 done, 1 refused or failed, 2 usage.
Begin with `leasehold dev`, which needs nothing.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new vault: its seal, its database and its first staff
    Init(init::Init),
    /// Run the vault
    Serve(serve::Serve),
    /// Run everything on this machine, with a simulated Amazon and a sample tenant
    Dev(dev::Dev),
    /// Show, open or close the seal
    #[command(subcommand)]
    Seal(seal::Seal),
    /// Show the keys' versions
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Customers
    #[command(subcommand)]
    Tenant(tenant::Tenant),
    /// People: customers' owners and viewers, and staff
    #[command(subcommand)]
    User(user::User),
    /// Access keys of people
    #[command(subcommand)]
    AccessKey(access_key::AccessKey),
    /// Our own applications at providers
    #[command(subcommand)]
    Application(application::Application),
    /// Companies whose hosts workers run on
    #[command(subcommand)]
    SubProcessor(sub_processor::SubProcessor),
    /// Customers' accounts at providers
    #[command(subcommand)]
    Connection(connection::Connection),
    /// What modules may do with connections
    #[command(subcommand)]
    Grant(grant::Grant),
    /// Workload identities
    #[command(subcommand)]
    Worker(worker::Worker),
    /// Get a lease, as a worker would
    Lease(lease::Lease),
    /// Follow or verify the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Move the database
    #[command(subcommand)]
    Database(database::Database),
    /// End every lease of every customer
    RevokeAll(revoke_all::RevokeAll),
    /// Check a configuration and what it names
    Doctor(doctor::Doctor),
}

impl Cli {
    /// Runs the command to its end and says how it ended: 0 done, 1 refused or failed, 2 usage.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let done = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(Box::pin(self.command.run(&self.server))),
            Err(error) => Err(Failure::Runtime(error)),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.report(),
        }
    }
}

impl Command {
    async fn run(self, server: &ServerOptions) -> Result<(), Failure> {
        if matches!(self, Self::Init(_) | Self::Audit(_) | Self::Database(_) | Self::Doctor(_)) {
            // They open the database themselves, and one with synchronous standbys is refused where nobody hears it.
            telemetry::hear_database();
        }
        match self {
            Self::Init(command) => command.run().await,
            Self::Serve(command) => command.run().await,
            Self::Dev(command) => command.run().await,
            Self::Seal(command) => command.run(&server.client()?).await,
            Self::Keys(command) => command.run(&server.client()?).await,
            Self::Tenant(command) => command.run(&server.client()?).await,
            Self::User(command) => command.run(&server.client()?).await,
            Self::AccessKey(command) => command.run(&server.client()?).await,
            Self::Application(command) => command.run(&server.client()?).await,
            Self::SubProcessor(command) => command.run(&server.client()?).await,
            Self::Connection(command) => command.run(&server.client()?).await,
            Self::Grant(command) => command.run(&server.client()?).await,
            Self::Worker(command) => command.run(&server.client()?).await,
            Self::Lease(command) => command.run(server).await,
            Self::Audit(command) => command.run(server).await,
            Self::Database(command) => Box::pin(command.run()).await,
            Self::RevokeAll(command) => command.run(&server.client()?).await,
            Self::Doctor(command) => command.run(server).await,
        }
    }
}
