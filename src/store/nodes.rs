//! The nodes over one database: who lives, what each has stopped, and the newest batch of each.

use super::{
    Link, StoreError,
    db::{execute, optional, rows, within},
    log, notices, postgres, sql,
};
use crate::{clock::Timestamp, id::NodeId};
use std::time::Duration;
use uuid::Uuid;

/// Where the database tells that there is something to follow.
pub const TURN_CHANNEL: &str = "leasehold_turn";
/// Where a node tells that it has stopped what was revoked.
pub const CUT_CHANNEL: &str = "leasehold_cut";

/// A node.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NodeRow {
    /// Its id, drawn at each start.
    pub id: NodeId,
    /// What the operator knows it by.
    pub name: String,
    /// The version that it runs.
    pub version: String,
    /// How often it has shown that it lives.
    pub beat: i64,
    /// The head's turn up to which it has stopped what was revoked.
    pub cut_through: i64,
    /// When it started.
    pub started_at: Timestamp,
}

/// Where a database stands, as one of its sessions sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Vantage {
    /// The history that the server writes; each promotion begins another, in which turns may come a second time.
    pub timeline: i64,
    /// How many batches took the lock on the head.
    pub turn: i64,
    /// How many entries there are.
    pub size: i64,
}

/// Reads where the database stands. Over SQLite there is one history.
///
/// # Errors
/// Where the head is missing, the server is a standby, or the database fails.
pub async fn vantage_show(link: &mut Link<'_>) -> Result<Vantage, StoreError> {
    match link {
        Link::Sqlite(_) => {
            let head = log::head_show(link).await?;
            Ok(Vantage { timeline: 0, turn: head.turn, size: head.size })
        }
        Link::Postgres(connection) => {
            let found = sqlx::query_as(sql::VANTAGE).fetch_optional(&mut **connection);
            within(found).await?.ok_or_else(|| StoreError::corrupt("log_head", "id", 1))
        }
    }
}

/// Writes a node's row, or moves the one that is there.
///
/// # Errors
/// Where the database fails.
pub async fn node_join(link: &mut Link<'_>, row: &NodeRow) -> Result<(), StoreError> {
    let NodeRow { id, name, version, cut_through, started_at, .. } = row;
    let (joined, heard) = notices::listen(async {
        execute!(link, sql::NODE_JOIN, *id, name.as_str(), version.as_str(), *cut_through, *started_at)
    })
    .await;
    // As for a heartbeat.
    if heard.is_empty() { joined.map(drop) } else { Err(StoreError::StandbyGivenUp) }
}

/// Shows that a node lives, and up to which turn it has stopped what was revoked. False where its row is gone: it has to
/// join anew.
///
/// # Errors
/// Where the database fails.
pub async fn node_beat(link: &mut Link<'_>, id: NodeId, cut_through: i64) -> Result<bool, StoreError> {
    let (beaten, heard) = notices::listen(async { execute!(link, sql::NODE_BEAT, id, cut_through) }).await;
    // A primary that was deposed, and does not know it, cannot have its standbys' word: it must not keep a node alive.
    if heard.is_empty() { Ok(beaten? == 1) } else { Err(StoreError::StandbyGivenUp) }
}

/// Says to the other nodes that this one has stopped everything up to a turn. It costs no wait for the disk: an answer
/// that is lost is only waited for.
///
/// # Errors
/// Where the database fails, or is not PostgreSQL.
pub async fn node_confirm(link: &mut Link<'_>, id: NodeId, cut_through: i64) -> Result<(), StoreError> {
    match link {
        Link::Sqlite(_) => Ok(()),
        Link::Postgres(connection) => {
            let confirming = sqlx::query(sql::NODE_CONFIRM).bind(id).bind(cut_through);
            within(confirming.execute(&mut **connection)).await.map(drop)
        }
    }
}

/// Tells all nodes, once the transaction commits, that there is something to follow. Over SQLite there is nobody to tell.
///
/// # Errors
/// Where the database fails.
pub async fn turn_tell(link: &mut Link<'_>, turn: i64) -> Result<(), StoreError> {
    match link {
        Link::Sqlite(_) => Ok(()),
        Link::Postgres(connection) => {
            let telling = sqlx::query(sql::TURN_TELL).bind(turn.to_string());
            within(telling.execute(&mut **connection)).await.map(drop)
        }
    }
}

/// Removes a node's row and its newest batch's, unless it has shown since `beat` that it lives: it may still look for
/// what became of a commit.
///
/// # Errors
/// Where the database fails.
pub async fn node_forget(link: &mut Link<'_>, id: NodeId, beat: i64) -> Result<(), StoreError> {
    match link {
        Link::Sqlite(_) => Ok(()),
        Link::Postgres(connection) => {
            let forgetting = sqlx::query(sql::NODE_FORGET).bind(id).bind(beat);
            within(forgetting.execute(&mut **connection)).await.map(drop)
        }
    }
}

/// Removes this node's rows. It asks for nothing any more.
///
/// # Errors
/// Where the database fails.
pub async fn node_leave(link: &mut Link<'_>, id: NodeId) -> Result<(), StoreError> {
    execute!(link, sql::BATCH_FORGET, id)?;
    execute!(link, sql::NODE_LEAVE, id).map(drop)
}

/// Compares this host's clock with the server's. Over SQLite they are one.
///
/// # Errors
/// `ClocksApart` where they lie further apart than `most`; or the database fails.
pub async fn clocks_compare(
    link: &mut Link<'_>,
    now: impl Fn() -> Timestamp,
    most: Duration,
) -> Result<(), StoreError> {
    let Link::Postgres(connection) = link else { return Ok(()) };
    let before = now();
    let server = postgres::server_clock(connection).await?;
    let host = now();
    // The server looked at its clock at some moment between the two.
    let is_near = before <= server.plus(most) && server <= host.plus(most);
    if is_near { Ok(()) } else { Err(StoreError::ClocksApart { host, server }) }
}

/// Lists all nodes, the dead ones that nobody removed included.
///
/// # Errors
/// Where the database fails.
pub async fn nodes_list(link: &mut Link<'_>) -> Result<Vec<NodeRow>, StoreError> {
    rows!(link, NodeRow, sql::NODES_LIST)
}

/// Writes down, inside a batch, which batch of the node it is.
///
/// # Errors
/// Where the database fails.
pub async fn batch_set(link: &mut Link<'_>, node: NodeId, batch: i64) -> Result<(), StoreError> {
    execute!(link, sql::BATCH_SET, node, batch).map(drop)
}

/// Writes down that a node has had no batch yet.
///
/// # Errors
/// Where the database fails.
pub async fn batch_begin(link: &mut Link<'_>, node: NodeId) -> Result<(), StoreError> {
    execute!(link, sql::BATCH_BEGIN, node).map(drop)
}

/// Reads the newest batch of a node that is durable; `None` where somebody removed it, so that nobody can tell.
///
/// # Errors
/// Where the database fails.
pub async fn batch_show(link: &mut Link<'_>, node: NodeId) -> Result<Option<i64>, StoreError> {
    Ok(optional!(link, (i64,), sql::BATCH_SHOW, node)?.map(|(batch,)| batch))
}

/// Writes down how many requests a node stopped for a raise.
///
/// # Errors
/// Where the database fails.
pub async fn cut_report_insert(
    link: &mut Link<'_>,
    turn: i64,
    subject: Uuid,
    node: NodeId,
    requests: i64,
) -> Result<(), StoreError> {
    execute!(link, sql::CUT_REPORT_INSERT, turn, subject, node, requests).map(drop)
}

/// Adds up how many requests the nodes stopped for a raise.
///
/// # Errors
/// Where the database fails.
pub async fn cut_report_sum(link: &mut Link<'_>, turn: i64, subject: Uuid) -> Result<i64, StoreError> {
    Ok(optional!(link, (i64,), sql::CUT_REPORT_SUM, turn, subject)?.map_or(0, |(requests,)| requests))
}

/// Sweeps out the reports of turns before `turn`.
///
/// # Errors
/// Where the database fails.
pub async fn cut_reports_sweep(link: &mut Link<'_>, turn: i64) -> Result<(), StoreError> {
    execute!(link, sql::CUT_REPORTS_SWEEP, turn).map(drop)
}
