//! Who is calling, and what they hold: people by access key, workers by secret, and the leases that workers get.
//!
//! Workers and connections are cached. A cached row may only admit: the commit checks its epochs, and a refusal is
//! always decided on a fresh read, so no cache has to be told of a change.

mod issue;
mod leases;
mod people;
mod views;
mod workers;

pub use issue::{IssueError, IssueRequest, Issued, Refused};
pub use leases::{Introspection, LeaseError};
pub use people::{PersonError, normalise_email};
pub use views::ConnectionView;
pub use workers::WorkerError;

use crate::{
    audit::Sequencer,
    clock::Clock,
    entropy::Entropy,
    id::{ConnectionId, WorkerId},
    keyring::Keyring,
    store::{Db, workers::WorkerRow},
};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How many workers stay in memory.
const CACHED_WORKERS: usize = 10_000;
/// How many connections stay in memory.
const CACHED_CONNECTIONS: usize = 50_000;

/// Authenticates people and workers, and issues leases.
pub struct Identity {
    db: Db,
    sequencer: Sequencer,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    workers: Cache<WorkerId, Arc<WorkerRow>>,
    connections: Cache<ConnectionId, Arc<ConnectionView>>,
}

impl Identity {
    /// Puts the service together; caches start empty.
    #[must_use]
    pub fn new(
        db: Db,
        sequencer: Sequencer,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            db,
            sequencer,
            keyring,
            clock,
            entropy,
            workers: Cache::new(CACHED_WORKERS),
            connections: Cache::new(CACHED_CONNECTIONS),
        }
    }
}
