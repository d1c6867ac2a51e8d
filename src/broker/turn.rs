//! A connection's turn at its provider: a row that one holder has at a time, on whichever node, with a deadline after which
//! it is anybody's. Whoever sends the connection's refresh token anywhere has the turn.

use super::{Broker, lwa::CALL_LIMIT, tokens::TokenFailure};
use crate::{
    audit::{Batch, Change, ChangeError},
    clock::{APART_MAX, Clock, Timestamp, Uptime},
    entropy::make_array,
    id::{ConnectionId, NodeId},
    store::refreshes::{self, RefreshFence},
};
use std::{convert::Infallible, time::Duration};
use tokio::time::Instant;

/// How long a holder may take to read and open what the call needs.
const PREPARING: Duration = Duration::from_secs(20);
/// How long the whole conversation with the provider may take, names resolved, a refusal confirmed by a second call, and
/// the commit before it included.
const TALK: Duration = Duration::from_secs(2 * CALL_LIMIT.as_secs());
/// How long a holder that has sent is waited for. Its time is told by another host's clock.
const SENT: Duration = Duration::from_secs(TALK.as_secs() + 15);
const _: () = assert!(SENT.as_secs() >= TALK.as_secs() + 2 * APART_MAX.as_secs() + 5, "two must not talk at once");
/// How soon to look first whether another's turn has ended, and how seldom at last.
const POLL: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
/// How long an owner waits for the turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a conversation with the provider may go on. Kept on two clocks: timers stand still while the host is suspended,
/// and uptime does not.
pub(super) struct Talk {
    until: Instant,
    until_uptime: Uptime,
}

impl Talk {
    fn begin(clock: &dyn Clock) -> Self {
        Self { until: Instant::now() + TALK, until_uptime: clock.uptime().plus(TALK) }
    }

    /// Makes one call; `None` where it was not over in time, or would have begun too late, after which another node may
    /// talk.
    pub(super) async fn call<T>(&self, clock: &dyn Clock, call: impl Future<Output = T>) -> Option<T> {
        if clock.uptime() >= self.until_uptime {
            return None;
        }
        tokio::time::timeout_at(self.until, call).await.ok()
    }
}

/// What waits longer each time, with a jitter: many nodes may wait for one turn.
pub(super) struct Wait(Duration);

impl Wait {
    pub(super) fn new() -> Self {
        Self(POLL[0])
    }

    async fn once(&mut self, broker: &Broker) {
        let [byte] = make_array::<1>(&*broker.options.entropy);
        tokio::time::sleep(self.0.mul_f64(0.5 + f64::from(byte) / 510.0)).await;
        self.0 = (self.0 * 2).min(POLL[1]);
    }
}

impl Broker {
    /// Takes the turn; `None` where somebody else has it, after a wait. Costs one read, and a commit only where the turn is
    /// free.
    pub(super) async fn turn_take(
        &self,
        id: ConnectionId,
        wait: &mut Wait,
    ) -> Result<Option<RefreshFence>, TokenFailure> {
        let held_until = refreshes::refresh_held_until(&mut self.options.db.reader().await?.link(), id).await?;
        if held_until.is_none_or(|until| until < self.options.clock.now()) {
            let take = TakeRefresh { connection: id, holder: self.options.node };
            if let Some(fence) = self.options.sequencer.commit(take).await?.output {
                return Ok(Some(fence));
            }
        }
        wait.once(self).await;
        Ok(None)
    }

    /// Takes the turn once whoever has it is done.
    ///
    /// # Errors
    /// `Busy` where that takes longer than an owner waits.
    pub(super) async fn turn_await(&self, id: ConnectionId) -> Result<RefreshFence, TokenFailure> {
        let (mut wait, until) = (Wait::new(), Instant::now() + PATIENCE);
        // Between two tries: a commit that is given up may have taken the turn.
        while Instant::now() < until {
            if let Some(fence) = self.turn_take(id, &mut wait).await? {
                return Ok(fence);
            }
        }
        Err(TokenFailure::Busy)
    }

    /// Says that the request goes out now, and begins the conversation; `None` where the turn was lost, and nothing may be
    /// sent.
    pub(super) async fn turn_send(&self, id: ConnectionId, fence: RefreshFence) -> Result<Option<Talk>, TokenFailure> {
        // From before the commit, whose time the others go by.
        let talk = Talk::begin(&*self.options.clock);
        let is_sent = self.options.sequencer.commit(MarkSent { connection: id, fence }).await?.output;
        Ok(is_sent.then_some(talk))
    }

    /// Gives the turn back. A failure is only told: the deadline gives it back as well.
    pub(super) async fn turn_end(&self, id: ConnectionId, fence: RefreshFence) {
        if let Err(error) = self.options.sequencer.commit(GiveBack { connection: id, fence }).await {
            let error = TokenFailure::from(error);
            tracing::warn!(connection = %id, %error, "a turn at the provider is not given back before its deadline");
        }
    }
}

struct TakeRefresh {
    connection: ConnectionId,
    holder: NodeId,
}

impl Change for TakeRefresh {
    type Output = Option<RefreshFence>;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Option<RefreshFence>, ChangeError<Infallible>> {
        let now: Timestamp = batch.at();
        let deadline = now.plus(PREPARING);
        Ok(refreshes::refresh_take(&mut batch.link(), self.connection, self.holder, deadline, now).await?)
    }
}

struct MarkSent {
    connection: ConnectionId,
    fence: RefreshFence,
}

impl Change for MarkSent {
    type Output = bool;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, ChangeError<Infallible>> {
        let now = batch.at();
        let deadline = now.plus(SENT);
        Ok(refreshes::refresh_sent(&mut batch.link(), self.connection, self.fence, deadline, now).await?)
    }
}

struct GiveBack {
    connection: ConnectionId,
    fence: RefreshFence,
}

impl Change for GiveBack {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        refreshes::refresh_done(&mut batch.link(), self.connection, self.fence).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A host's uptime, which a suspension moves on while its timers stand still.
    struct Suspended(AtomicU64);

    impl Clock for Suspended {
        fn now(&self) -> Timestamp {
            SystemClock.now()
        }

        fn uptime(&self) -> Uptime {
            SystemClock.uptime().plus(Duration::from_secs(self.0.load(Ordering::SeqCst)))
        }
    }

    #[tokio::test]
    async fn a_host_that_slept_past_its_turn_makes_no_call() {
        let clock = Suspended(AtomicU64::new(0));
        let talk = Talk::begin(&clock);
        assert_eq!(talk.call(&clock, async { 1 }).await, Some(1));
        clock.0.store(TALK.as_secs(), Ordering::SeqCst);
        let called = talk.call(&clock, async { panic!("it was called") }).await;
        assert!(called.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_outlasts_the_turn_is_given_up() {
        let clock = Suspended(AtomicU64::new(0));
        let talk = Talk::begin(&clock);
        assert!(talk.call(&clock, std::future::pending::<()>()).await.is_none());
    }
}
