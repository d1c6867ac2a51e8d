//! How far the scrub has come.

use super::{
    Link, StoreError,
    db::{execute, optional},
    sql,
};
use crate::{clock::Timestamp, id::NodeId};

/// Where the scrub is, and what it found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubRow {
    /// The next entry that it looks at.
    pub next: i64,
    /// How often it looked at the whole log.
    pub rounds: i64,
    /// Which node moved it last.
    pub node: NodeId,
    /// When.
    pub moved_at: Timestamp,
    /// The first flaw that it knows of.
    pub flaw: Option<ScrubFlaw>,
}

/// A flaw that the scrub found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubFlaw {
    /// The first entry that it concerns, where it concerns one.
    pub seq: Option<i64>,
    /// What it is, in words.
    pub what: String,
    /// When it was found.
    pub found_at: Timestamp,
}

/// Reads where the scrub is; `None` before it begins.
///
/// # Errors
/// Where the database fails.
pub async fn scrub_show(link: &mut Link<'_>) -> Result<Option<ScrubRow>, StoreError> {
    type Row = (i64, i64, NodeId, Timestamp, Option<i64>, Option<String>, Option<Timestamp>);
    let Some((next, rounds, node, moved_at, seq, what, found_at)) = optional!(link, Row, sql::SCRUB_SHOW)? else {
        return Ok(None);
    };
    let flaw = what.zip(found_at).map(|(what, found_at)| ScrubFlaw { seq, what, found_at });
    Ok(Some(ScrubRow { next, rounds, node, moved_at, flaw }))
}

/// Moves the scrub, unless another node has moved it since `stale`. Returns whether it was moved.
///
/// # Errors
/// Where the database fails.
pub async fn scrub_move(link: &mut Link<'_>, row: &ScrubRow, stale: Timestamp) -> Result<bool, StoreError> {
    let ScrubRow { next, rounds, node, moved_at, flaw } = row;
    let (seq, what, found_at) = match flaw {
        Some(flaw) => (flaw.seq, Some(flaw.what.as_str()), Some(flaw.found_at)),
        None => (None, None, None),
    };
    let moved = execute!(link, sql::SCRUB_MOVE, *next, *rounds, *node, *moved_at, seq, what, found_at, stale)?;
    Ok(moved > 0)
}
