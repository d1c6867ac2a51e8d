//! What a running vault does by itself: it sweeps out the traces of leases, consents and repeated requests that time has
//! ended, and goes on with what a wide cut left to do.

use crate::{
    audit::{Batch, Change, ChangeError, Health, Sequencer},
    store::{consents, idempotency, leases, nodes},
    vault::Vault,
};
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;

/// How often is swept.
const INTERVAL: Duration = Duration::from_secs(60);

/// Sweeps every minute until `shutdown`.
pub async fn keep_up(vault: Vault, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if let Err(error) = sweep(&vault.sequencer).await {
            // What was not swept has ended all the same: each reader compares the time itself.
            tracing::warn!(%error, "nothing was swept out; trying again in a minute");
        }
        if let Err(error) = vault.custody.jobs_run().await {
            tracing::warn!(%error, "a job of a wide cut is not done; trying again in a minute");
        }
        vault.keyring.shares_expire();
    }
}

/// Sweeps once. It is committed after everything that was submitted before it, so that awaiting it at shutdown flushes
/// the notes that nobody waits for.
///
/// # Errors
/// Where it could not be committed; repeating it is safe.
pub async fn sweep(sequencer: &Sequencer) -> Result<(), ChangeError<Infallible>> {
    sequencer.commit(Sweep).await.map(drop)
}

/// How many batches back a node's count of what it cut is kept: whoever asks for one does so within seconds.
const CUT_REPORTS_KEPT: i64 = 1_000_000;

/// Returns why the log is closed, once it is: it was poisoned, or its task broke down.
pub async fn poisoned(sequencer: &Sequencer) -> String {
    let mut health = sequencer.health();
    loop {
        if let Health::Poisoned(why) = &*health.borrow_and_update() {
            return why.clone();
        }
        if health.changed().await.is_err() {
            // Who asks still holds the sequencer, so that it did not end by itself.
            return "the sequencer's task broke down".to_owned();
        }
    }
}

struct Sweep;

impl Change for Sweep {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        let now = batch.at();
        leases::lease_traces_sweep(&mut batch.link(), now).await?;
        consents::consents_sweep(&mut batch.link(), now).await?;
        idempotency::idempotency_sweep(&mut batch.link(), now).await?;
        let oldest_turn = batch.turn() - CUT_REPORTS_KEPT;
        nodes::cut_reports_sweep(&mut batch.link(), oldest_turn).await?;
        Ok(())
    }
}
