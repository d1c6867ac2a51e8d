//! A connection's turn at its provider: a row that one holder has at a time, on whichever node, with a deadline after which
//! it is anybody's. Whoever sends the connection's refresh token anywhere has the turn.

use super::{Broker, lwa::CALL_LIMIT, tokens::TokenFailure};
use crate::{
    audit::{Batch, Change, ChangeError},
    clock::Timestamp,
    id::{ConnectionId, NodeId},
    store::refreshes::{self, RefreshFence},
};
use std::{convert::Infallible, time::Duration};

/// How long a holder may take: longer than the call, so that nobody else sends while it runs.
const DEADLINE: Duration = Duration::from_secs(2 * CALL_LIMIT.as_secs() + 5);
/// How often to look whether another node's turn has ended.
pub(super) const POLL: Duration = Duration::from_millis(100);
/// How long an owner waits for the turn.
const PATIENCE: Duration = Duration::from_secs(20);

impl Broker {
    /// Takes the turn; `None` where somebody else has it. Costs one commit.
    pub(super) async fn turn_take(&self, id: ConnectionId) -> Result<Option<RefreshFence>, TokenFailure> {
        let now = self.options.clock.now();
        let take = TakeRefresh { connection: id, holder: self.options.node, deadline: now.plus(DEADLINE), now };
        Ok(self.options.sequencer.commit(take).await?.output)
    }

    /// Takes the turn once whoever has it is done.
    pub(super) async fn turn_await(&self, id: ConnectionId) -> Result<RefreshFence, TokenFailure> {
        let taken = async {
            loop {
                if let Some(fence) = self.turn_take(id).await? {
                    return Ok(fence);
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(PATIENCE, taken).await.unwrap_or(Err(TokenFailure::Transient))
    }

    /// Says that the request goes out now; false where the turn was lost, and nothing may be sent.
    pub(super) async fn turn_send(&self, id: ConnectionId, fence: RefreshFence) -> Result<bool, TokenFailure> {
        let sent = MarkSent { connection: id, fence, now: self.options.clock.now() };
        Ok(self.options.sequencer.commit(sent).await?.output)
    }

    /// Gives the turn back.
    pub(super) async fn turn_end(&self, id: ConnectionId, fence: RefreshFence) -> Result<(), TokenFailure> {
        self.options.sequencer.commit(GiveBack { connection: id, fence }).await?;
        Ok(())
    }
}

struct TakeRefresh {
    connection: ConnectionId,
    holder: NodeId,
    deadline: Timestamp,
    now: Timestamp,
}

impl Change for TakeRefresh {
    type Output = Option<RefreshFence>;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Option<RefreshFence>, ChangeError<Infallible>> {
        let Self { connection, holder, deadline, now } = *self;
        Ok(refreshes::refresh_take(&mut batch.link(), connection, holder, deadline, now).await?)
    }
}

struct MarkSent {
    connection: ConnectionId,
    fence: RefreshFence,
    now: Timestamp,
}

impl Change for MarkSent {
    type Output = bool;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, ChangeError<Infallible>> {
        Ok(refreshes::refresh_sent(&mut batch.link(), self.connection, self.fence, self.now).await?)
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
