//! `leasehold dev`: everything on one machine, with nothing to prepare.

use super::{failure::Failure, output, serve::stop_on_signal};
use crate::{
    config::LogFormat,
    dev::{self, DevOptions, Directory},
    entropy::{SystemEntropy, make_array},
    server::memory,
    telemetry,
};
use clap::Args;
use data_encoding::HEXLOWER;
use serde_json::Value;
use std::{net::SocketAddr, path::PathBuf};
use tokio_util::sync::CancellationToken;

#[derive(Args, Debug)]
pub(super) struct Dev {
    /// Keep everything in this directory, and go on from it at the next start
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write this file, as JSON, once all is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Where the API listens; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where the gateway listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8444")]
    gateway: SocketAddr,
    /// Where the simulated Amazon listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8445")]
    amazon: SocketAddr,
    /// Speak plain HTTP
    #[arg(long)]
    tls_off: bool,
}

impl Dev {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { data, ready_file, listen, gateway, amazon, tls_off } = self;
        for address in [listen, gateway, amazon] {
            if !address.ip().is_loopback() {
                return Err(Failure::usage("a development vault listens on loopback only: use 127.0.0.1"));
            }
        }
        let _ = telemetry::start_log(LogFormat::Text, "warn");
        telemetry::quiet_panics();
        memory::keep_private();
        let shutdown = CancellationToken::new();
        stop_on_signal(shutdown.clone())?;
        let directory = match data {
            Some(path) => Directory::kept(path),
            None => {
                let name = format!("leasehold-dev-{}", HEXLOWER.encode(&make_array::<8>(&SystemEntropy)));
                Directory::temporary(std::env::temp_dir().join(name))
            }
        };
        let directory = directory.map_err(dev::DevError::from)?;
        let options = DevOptions { api: listen, gateway, amazon, tls_off };
        Box::pin(dev::run(&directory, options, shutdown, |ready| {
            if let Some(path) = &ready_file {
                dev::replace(path, ready)?;
            }
            // A closed standard output is no reason to stop.
            let _ = output::say(&next_steps(ready));
            Ok(())
        }))
        .await?;
        Ok(())
    }
}

fn next_steps(ready: &Value) -> String {
    let text = |pointer: &str| ready.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!(
        "Ready. Try next:\n\n\
         LEASE=$(curl -s --cacert {ca} {api}/auth/o2/token -d grant_type=refresh_token -d refresh_token={connection} \\\n  \
         -d client_id={client_id} -d client_secret={client_secret} | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
         curl --cacert {ca} -H \"x-amz-access-token: $LEASE\" \\\n  \
         '{gateway}/orders/v0/orders?MarketplaceIds=A1PA6795UKMFR9&CreatedAfter=2024-01-01T00:00:00Z'\n\
         curl --cacert {ca} -X POST -H 'Authorization: Bearer {customer}' {api}/v1/connections/{connection}/revoke\n\n\
         What reached Amazon: {amazon}/_sim/requests. Stop with Ctrl-C.",
        ca = text("/ca"),
        api = text("/api"),
        gateway = text("/gateway"),
        amazon = text("/amazon"),
        connection = text("/connection"),
        client_id = text("/worker/client_id"),
        client_secret = text("/worker/client_secret"),
        customer = text("/customer/token"),
    )
}
