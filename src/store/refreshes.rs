//! The fenced refresh row: at most one holder speaks to the provider for a connection, and a holder that slept past its
//! deadline cannot send.

use super::{
    Link, StoreError,
    db::{execute, optional},
    sql,
};
use crate::{
    clock::Timestamp,
    id::{ConnectionId, NodeId},
};

/// The right to refresh one connection's token until a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshFence(pub i64);

/// Takes the refresh row, as `prepared`, if nobody holds it or its holder's deadline has passed.
///
/// # Errors
/// Where the database fails.
pub async fn refresh_take(
    link: &mut Link<'_>,
    connection: ConnectionId,
    holder: NodeId,
    deadline: Timestamp,
    now: Timestamp,
) -> Result<Option<RefreshFence>, StoreError> {
    let row = optional!(link, (i64,), sql::REFRESH_TAKE, connection, holder, deadline, now)?;
    Ok(row.map(|(fence,)| RefreshFence(fence)))
}

/// Marks the request as sent, and moves the deadline; false where the fence was lost or the deadline has passed, and
/// nothing may be sent.
///
/// # Errors
/// Where the database fails.
pub async fn refresh_sent(
    link: &mut Link<'_>,
    connection: ConnectionId,
    fence: RefreshFence,
    deadline: Timestamp,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(execute!(link, sql::REFRESH_SENT, connection, fence.0, now, deadline)? == 1)
}

/// Reads until when somebody holds the row; `None` where nobody does. Only a commit decides.
///
/// # Errors
/// Where the database fails.
pub async fn refresh_held_until(
    link: &mut Link<'_>,
    connection: ConnectionId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = optional!(link, (String, Timestamp), sql::REFRESH_SHOW, connection)?;
    Ok(row.and_then(|(state, deadline)| (state != "idle").then_some(deadline)))
}

/// Gives the row back; false where another holder took it meanwhile.
///
/// # Errors
/// Where the database fails.
pub async fn refresh_done(
    link: &mut Link<'_>,
    connection: ConnectionId,
    fence: RefreshFence,
) -> Result<bool, StoreError> {
    Ok(execute!(link, sql::REFRESH_DONE, connection, fence.0)? == 1)
}
