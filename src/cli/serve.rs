//! `leasehold serve`: runs a vault until it is told to stop.

use super::failure::Failure;
use crate::{
    config::Config,
    server::{
        Listener,
        assembly::{self, Doors, ServeError},
        memory, unsealing,
    },
    telemetry::{self, Metrics},
};
use clap::Args;
use std::{path::PathBuf, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// The configuration, leasehold.toml
    #[arg(long, env = "LEASEHOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Serve {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = Config::load(self.config.as_deref(), std::env::vars_os())?;
        if telemetry::start_log(config.log.format, config.log.filter.as_str()).is_err() {
            return Err(Failure::usage("log.filter does not parse; write it as info or info,leasehold::broker=debug"));
        }
        telemetry::quiet_panics();
        memory::keep_private();
        let shutdown = CancellationToken::new();
        stop_on_signal(shutdown.clone())?;
        serve(&config, shutdown).await?;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn serve(config: &Config, shutdown: CancellationToken) -> Result<(), ServeError> {
    let metrics = Metrics::install();
    // Before the database is touched: a port that is taken should not cost a migration.
    let (tls, certificate) = assembly::tls_open(config)?;
    let api = Listener::bind(config.api.listen, tls.clone()).await?;
    let gateway = Listener::bind(config.gateway.listen, tls).await?;
    let vault = assembly::vault_open(config).await?;
    unsealing::unseal_at_start(config, &vault).await;
    if let Some(files) = certificate {
        tokio::spawn(Arc::clone(&files).reload_on_hangup(shutdown.clone()));
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        api = api.base_url(),
        gateway = gateway.base_url(),
        unsealed = vault.keyring.is_open(),
        anchor = %vault.sequencer.anchor().directory().display(),
        anchored_entries = vault.sequencer.anchor().position().map(|position| position.size),
        quarantined = vault.sequencer.is_quarantined(),
        "serving"
    );
    assembly::serve_doors(config, Doors { vault, api, gateway, metrics }, shutdown).await
}

/// Cancels `shutdown` at the first SIGTERM or SIGINT..
pub(super) fn stop_on_signal(shutdown: CancellationToken) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: no new connections; requests under way may end");
        shutdown.cancel();
    });
    Ok(())
}
