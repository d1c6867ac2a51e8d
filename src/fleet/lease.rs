//! A node's own right to send anything out: a few seconds, renewed by a heartbeat, counted on a clock that nobody sets.
//!
//! Whoever revokes waits for each node's confirmation, or until its lease must have ended. So a node that is frozen, or
//! cut off from the database, stops by itself before the revocation is acknowledged, and finds its lease ended when it
//! wakes: it looks before each write upstream.

use crate::clock::{Clock, Uptime};
use parking_lot::Mutex;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long a heartbeat carries a node, counted from before it was sent.
pub const LIFE: Duration = Duration::from_secs(5);

/// How long after its commit a revocation is true on every node, confirmed or not: a lease's life, and what two hosts'
/// clocks may run apart in that time, a hundredfold.
pub const CERTAIN: Duration = Duration::from_secs(7);

/// A node's lease. Clones share it.
#[derive(Clone)]
pub struct NodeLease(Option<Arc<Bounded>>);

struct Bounded {
    clock: Arc<dyn Clock>,
    until: AtomicU64,
    stint: AtomicU64,
    /// Cancelled when the stint that runs has ended for good.
    over: Mutex<CancellationToken>,
}

/// A time in which the lease never ended. What was begun in one does not go on in the next: what was revoked between
/// the two is not known to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stint(u64);

impl NodeLease {
    /// Makes the lease of the only node that there can be, over an embedded database: it does not end.
    #[must_use]
    pub const fn endless() -> Self {
        Self(None)
    }

    /// Makes a lease that has ended, until it is renewed.
    #[must_use]
    pub fn ended(clock: Arc<dyn Clock>) -> Self {
        Self(Some(Arc::new(Bounded {
            clock,
            until: AtomicU64::new(0),
            stint: AtomicU64::new(0),
            over: Mutex::default(),
        })))
    }

    /// Returns the stint that runs; `None` where the lease has ended. Costs one look at the clock.
    #[must_use]
    pub fn stint(&self) -> Option<Stint> {
        let Some(lease) = &self.0 else { return Some(Stint(0)) };
        // The stint first: were it read after the end, a lapse between the two would go unnoticed.
        let stint = Stint(lease.stint.load(Ordering::SeqCst));
        self.holds(stint).then_some(stint)
    }

    /// Returns the stint that runs, and what is cancelled once nothing of it will ever go out again: at the latest when the
    /// next one begins.
    #[must_use]
    pub fn enter(&self) -> Option<(Stint, CancellationToken)> {
        let Some(lease) = &self.0 else { return Some((Stint(0), CancellationToken::new())) };
        let over = lease.over.lock();
        Some((self.stint()?, over.clone()))
    }

    /// Says whether `stint` still runs.
    #[must_use]
    pub fn holds(&self, stint: Stint) -> bool {
        let Some(lease) = &self.0 else { return true };
        lease.clock.uptime().as_nanos() < lease.until.load(Ordering::SeqCst)
            && lease.stint.load(Ordering::SeqCst) == stint.0
    }

    /// Renews the lease by a heartbeat that was sent at `sent`, once everything that was revoked before then has been
    /// stopped here. A lease that had ended begins a new stint.
    pub(super) fn renew(&self, sent: Uptime) {
        let Some(lease) = &self.0 else { return };
        if lease.clock.uptime().as_nanos() >= lease.until.load(Ordering::SeqCst) {
            let mut over = lease.over.lock();
            lease.stint.fetch_add(1, Ordering::SeqCst);
            std::mem::take(&mut *over).cancel();
        }
        lease.until.store(sent.plus(LIFE).as_nanos(), Ordering::SeqCst);
    }

    /// Ends the lease now.
    pub(super) fn end(&self) {
        if let Some(lease) = &self.0 {
            lease.until.store(0, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for NodeLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeLease").field("stint", &self.stint()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    /// An uptime that a test moves.
    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Hand {
        fn advance(&self, span: Duration) {
            self.0.fetch_add(u64::try_from(span.as_nanos()).unwrap(), Ordering::SeqCst);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(0)
        }

        fn uptime(&self) -> Uptime {
            Uptime::from_nanos(self.0.load(Ordering::SeqCst))
        }
    }

    fn lease() -> (Arc<Hand>, NodeLease) {
        let clock = Arc::new(Hand::default());
        let lease = NodeLease::ended(Arc::<Hand>::clone(&clock));
        (clock, lease)
    }

    #[test]
    fn a_stint_is_over_when_the_next_begins() {
        let (clock, lease) = lease();
        assert!(lease.enter().is_none());
        lease.renew(clock.uptime());
        let (stint, over) = lease.enter().unwrap();
        lease.renew(clock.uptime());
        assert!(lease.holds(stint) && !over.is_cancelled());
        lease.end();
        lease.renew(clock.uptime());
        assert!(!lease.holds(stint) && over.is_cancelled());
        assert!(!lease.enter().unwrap().1.is_cancelled());
    }

    #[test]
    fn a_lease_is_counted_from_before_its_heartbeat_was_sent() {
        let (clock, lease) = lease();
        assert_eq!(lease.stint(), None);
        let sent = clock.uptime();
        clock.advance(Duration::from_secs(3));
        lease.renew(sent);
        assert!(lease.stint().is_some());
        clock.advance(Duration::from_secs(2));
        assert_eq!(lease.stint(), None, "five seconds after it was sent, not after it was answered");
    }

    #[test]
    fn what_was_begun_before_a_lapse_does_not_go_on_after_it() {
        let (clock, lease) = lease();
        lease.renew(clock.uptime());
        let before = lease.stint().unwrap();
        clock.advance(Duration::from_secs(1));
        lease.renew(clock.uptime());
        assert!(lease.holds(before), "renewed in time, it is one stint");
        clock.advance(LIFE);
        lease.renew(clock.uptime());
        assert!(!lease.holds(before));
        assert!(lease.stint().is_some());
    }

    #[test]
    fn an_end_is_at_once() {
        let (clock, lease) = lease();
        lease.renew(clock.uptime());
        lease.end();
        assert_eq!(lease.stint(), None);
        assert!(NodeLease::endless().stint().is_some());
    }
}
