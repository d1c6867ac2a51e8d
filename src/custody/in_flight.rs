//! Requests in flight through the gateway, so that a revocation stops them and waits until they have stopped.
//!
//! A request registers *before* its fence is committed and looks at its cancellation again after the commit, after the
//! token and before the first byte goes up: a cut between two of these steps is not missed. It looks at the node's lease
//! in the same places: a node that was frozen does not go on with what was revoked meanwhile.

use crate::{
    domain::fence::Fence,
    fleet::{NodeLease, Stint},
};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The requests in flight on this node.
#[derive(Clone)]
pub struct InFlight(Arc<Registry>);

struct Registry {
    lease: NodeLease,
    next: AtomicU64,
    passages: Mutex<HashMap<u64, Registered>>,
}

struct Registered {
    fences: [Fence; 6],
    lease: Uuid,
    cancel: CancellationToken,
    /// Closed when the passage drops.
    gone: watch::Receiver<()>,
}

/// One request on its way through. Dropping it says that nothing of the request moves any more.
pub struct Passage {
    registry: InFlight,
    number: u64,
    stint: Option<Stint>,
    cancel: CancellationToken,
    _alive: watch::Sender<()>,
}

/// What a cut stops.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Everything made under an older epoch of a subject.
    Below(Fence),
    /// One lease.
    Lease(Uuid),
}

impl InFlight {
    /// Makes an empty registry of a node with this lease.
    #[must_use]
    pub fn new(lease: NodeLease) -> Self {
        Self(Arc::new(Registry { lease, next: AtomicU64::new(0), passages: Mutex::default() }))
    }

    /// Registers a request, under the fences of its lease. Without a node's lease it is to stop at once.
    #[must_use]
    pub fn enter(&self, fences: [Fence; 6], lease: Uuid) -> Passage {
        let stint = self.0.lease.stint();
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let cancel = CancellationToken::new();
        let (alive, gone) = watch::channel(());
        self.0.passages.lock().insert(number, Registered { fences, lease, cancel: cancel.clone(), gone });
        Passage { registry: self.clone(), number, stint, cancel, _alive: alive }
    }

    /// Stops what `cut` covers, and returns how many requests that were once all of them have stopped; one that another cut
    /// stops already is waited for and not counted again. Costs one pass over the requests in flight.
    pub async fn cut(&self, cut: Cut) -> usize {
        self.stop(|passage| cut.covers(passage)).await
    }

    async fn stop(&self, covered: impl Fn(&Registered) -> bool) -> usize {
        let mut count = 0;
        let stopped: Vec<watch::Receiver<()>> = {
            let passages = self.0.passages.lock();
            let covered = passages.values().filter(|passage| covered(passage));
            covered
                .map(|passage| {
                    count += usize::from(!passage.cancel.is_cancelled());
                    passage.cancel.cancel();
                    passage.gone.clone()
                })
                .collect()
        };
        for mut gone in stopped {
            // An error says that the sender, and so the passage, is gone.
            while gone.changed().await.is_ok() {}
        }
        count
    }

    /// Stops everything.
    pub async fn cut_all(&self) {
        self.stop(|_| true).await;
    }

    /// Returns how many requests are in flight.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.passages.lock().len()
    }
}

impl Cut {
    fn covers(&self, passage: &Registered) -> bool {
        match self {
            Self::Below(raised) => {
                passage.fences.iter().any(|fence| fence.subject == raised.subject && fence.epoch < raised.epoch)
            }
            Self::Lease(lease) => passage.lease == *lease,
        }
    }
}

impl Passage {
    /// Resolves when the request is to stop.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Says whether the request is to stop: it was cut, or the node's lease ended since it began.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled() || self.has_lapsed()
    }

    /// Says whether the node's lease ended since the request began: then nobody knows here what was revoked meanwhile.
    #[must_use]
    pub fn has_lapsed(&self) -> bool {
        !self.stint.is_some_and(|stint| self.registry.0.lease.holds(stint))
    }

    /// Returns the signal itself, for a body that outlives the handler.
    #[must_use]
    pub fn signal(&self) -> CancellationToken {
        self.cancel.clone()
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.registry.0.passages.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fences(subject: u128, epoch: i64) -> [Fence; 6] {
        [Fence { subject: Uuid::from_u128(subject), epoch }; 6]
    }

    #[tokio::test]
    async fn a_cut_waits_until_what_it_stops_has_stopped() {
        let registry = InFlight::new(NodeLease::endless());
        let passage = registry.enter(fences(1, 3), Uuid::nil());
        let cutter = tokio::spawn({
            let registry = registry.clone();
            async move { registry.cut(Cut::Below(Fence { subject: Uuid::from_u128(1), epoch: 4 })).await }
        });
        passage.cancelled().await;
        assert!(!cutter.is_finished());
        drop(passage);
        assert_eq!(cutter.await.unwrap(), 1);
        assert_eq!(registry.count(), 0);
    }

    #[tokio::test]
    async fn a_cut_leaves_others_and_newer_epochs_alone() {
        let registry = InFlight::new(NodeLease::endless());
        let other = registry.enter(fences(2, 1), Uuid::nil());
        let newer = registry.enter(fences(1, 4), Uuid::nil());
        assert_eq!(registry.cut(Cut::Below(Fence { subject: Uuid::from_u128(1), epoch: 4 })).await, 0);
        assert!(!other.is_cancelled() && !newer.is_cancelled());
    }
}
