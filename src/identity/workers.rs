//! Workers by client id and secret.

use super::Identity;
use crate::{
    domain::standing::Standing,
    id::WorkerId,
    secret::SecretHash,
    store::{StoreError, workers, workers::WorkerRow},
};
use std::sync::Arc;

/// Why a client is no worker of ours.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The client id is unknown, the secret is wrong, or the worker is disabled.
    #[error("client authentication failed")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Identity {
    /// Authenticates a worker by its secret. Costs a hash and a look into memory; a wrong secret or an unknown client costs
    /// one read besides.
    ///
    /// # Errors
    /// `Unknown`, whatever the reason.
    pub async fn worker(&self, client_id: &str, secret: &str) -> Result<Arc<WorkerRow>, WorkerError> {
        let id: WorkerId = client_id.parse().map_err(|_| WorkerError::Unknown)?;
        let hash = SecretHash::of(secret);
        if let Some(worker) = self.workers.get(&id)
            && self.knows(&worker, hash)
        {
            return Ok(worker);
        }
        // A secret may just have been rotated: only a fresh row refuses.
        let worker = self.worker_afresh(id).await?.ok_or(WorkerError::Unknown)?;
        if self.knows(&worker, hash) { Ok(worker) } else { Err(WorkerError::Unknown) }
    }

    /// Reads a worker anew, into the cache.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn worker_afresh(&self, id: WorkerId) -> Result<Option<Arc<WorkerRow>>, StoreError> {
        let row = workers::worker_show(&mut self.db.reader().await?.link(), id).await?;
        let Some(row) = row.map(Arc::new) else {
            self.workers.remove(&id);
            return Ok(None);
        };
        self.workers.insert(id, Arc::clone(&row));
        Ok(Some(row))
    }

    /// Forgets every worker of memory: one of them may have got a new secret, or was disabled, on another node.
    pub fn forget_workers(&self) {
        self.workers.clear();
    }

    fn knows(&self, worker: &WorkerRow, secret: SecretHash) -> bool {
        let current = secret.matches(&worker.secret_hash);
        let previous = worker.previous_secret_hash.as_deref().is_some_and(|stored| secret.matches(stored))
            && worker.previous_secret_ends.is_some_and(|ends| self.clock.now() < ends);
        worker.state == Standing::Active && (current || previous)
    }
}
