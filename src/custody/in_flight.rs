//! Requests in flight through the gateway, so that a revocation stops them and waits until they have stopped.
//!
//! A request registers *before* its fence is committed and looks at its cancellation again after the commit, after the
//! token and before the first byte goes up: a cut between two of these steps is not missed.

use crate::domain::fence::Fence;
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
#[derive(Clone, Default)]
pub struct InFlight(Arc<Registry>);

#[derive(Default)]
struct Registry {
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
    /// Registers a request, under the fences of its lease.
    #[must_use]
    pub fn enter(&self, fences: [Fence; 6], lease: Uuid) -> Passage {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let cancel = CancellationToken::new();
        let (alive, gone) = watch::channel(());
        self.0.passages.lock().insert(number, Registered { fences, lease, cancel: cancel.clone(), gone });
        Passage { registry: self.clone(), number, cancel, _alive: alive }
    }

    /// Stops what `cut` covers, and returns how many requests that were once all of them have stopped. Costs one pass over
    /// the requests in flight.
    pub async fn cut(&self, cut: Cut) -> usize {
        self.stop(|passage| cut.covers(passage)).await
    }

    async fn stop(&self, covered: impl Fn(&Registered) -> bool) -> usize {
        let stopped: Vec<watch::Receiver<()>> = {
            let passages = self.0.passages.lock();
            let covered = passages.values().filter(|passage| covered(passage));
            covered
                .map(|passage| {
                    passage.cancel.cancel();
                    passage.gone.clone()
                })
                .collect()
        };
        let count = stopped.len();
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

    /// Says whether the request is to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
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
        let registry = InFlight::default();
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
        let registry = InFlight::default();
        let other = registry.enter(fences(2, 1), Uuid::nil());
        let newer = registry.enter(fences(1, 4), Uuid::nil());
        assert_eq!(registry.cut(Cut::Below(Fence { subject: Uuid::from_u128(1), epoch: 4 })).await, 0);
        assert!(!other.is_cancelled() && !newer.is_cancelled());
    }
}
