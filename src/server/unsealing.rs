//! Unsealing with nobody there: at start, and until the seal answers. A vault whose seal waits for people stays sealed
//! until they come.

use super::{assembly::ServeError, seals::seal_open};
use crate::{config::Config, entropy::SystemEntropy, seal::Backoff, vault::Vault};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a start waits for its seal before it serves, sealed, and goes on trying.
const FIRST_TRY: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a try came to.
enum Tried {
    Open,
    /// Nobody but people can open it.
    WaitsForPeople,
}

/// Unseals where the seal's secret is at hand. Where it is not, or the seal does not answer, the vault goes on sealed: it
/// releases nothing, and its API takes the calls that mend that.
pub async fn unseal_at_start(config: &Config, vault: &Vault) {
    match tokio::time::timeout(FIRST_TRY, unseal(config, vault)).await {
        Ok(Ok(Tried::Open)) => tracing::info!(seal = %config.seal.kind, "unsealed"),
        Ok(Ok(Tried::WaitsForPeople)) => {
            tracing::warn!("sealed: a security officer opens it with `leasehold seal open`");
        }
        Ok(Err(error)) => tracing::error!(%error, "still sealed: nothing is released until this is mended"),
        Err(_) => tracing::error!(seal = %config.seal.kind, "still sealed: the seal does not answer; trying on"),
    }
}

/// Goes on trying until the vault is open, by itself or by an officer's hand, or `shutdown`. What stood in the way is said
/// when it changes, not at each try.
pub async fn keep_unsealing(config: Config, vault: Vault, shutdown: CancellationToken) {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut said = String::new();
    while !vault.keyring.is_open() {
        let pause = tokio::time::sleep(backoff.pause(&SystemEntropy));
        if shutdown.run_until_cancelled(pause).await.is_none() || vault.keyring.is_open() {
            return;
        }
        match unseal(&config, &vault).await {
            Ok(Tried::Open) => tracing::info!(seal = %config.seal.kind, "unsealed: the seal answers again"),
            Ok(Tried::WaitsForPeople) => return,
            Err(error) if error.to_string() == said => {}
            Err(error) => {
                said = error.to_string();
                tracing::error!(%error, "still sealed: nothing is released until this is mended");
            }
        }
    }
}

async fn unseal(config: &Config, vault: &Vault) -> Result<Tried, ServeError> {
    let Some(seal) = seal_open(config)? else { return Ok(Tried::WaitsForPeople) };
    vault.keyring.unseal(&seal).await?;
    Ok(Tried::Open)
}
