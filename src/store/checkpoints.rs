//! Signed checkpoints of the log.

use super::{
    Link, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::clock::Timestamp;

/// A signed checkpoint.
#[derive(Clone, Debug)]
pub struct CheckpointRow {
    /// How many entries it covers.
    pub size: i64,
    /// The entry that commits the map of the tenants' newest entries.
    pub map_seq: i64,
    /// How many entries the log had when that map was made.
    pub map_size: i64,
    /// The signed note.
    pub note: String,
    /// When it was signed.
    pub created_at: Timestamp,
}

/// Keeps a checkpoint; one of that size stays as it is.
///
/// # Errors
/// Where the database fails.
pub async fn checkpoint_insert(link: &mut Link<'_>, row: &CheckpointRow) -> Result<(), StoreError> {
    let CheckpointRow { size, map_seq, map_size, note, created_at } = row;
    execute!(link, sql::CHECKPOINT_INSERT, *size, *map_seq, *map_size, note.as_str(), *created_at).map(drop)
}

/// Reads the newest checkpoint; `None` before the first.
///
/// # Errors
/// Where the database fails.
pub async fn checkpoint_newest(link: &mut Link<'_>) -> Result<Option<CheckpointRow>, StoreError> {
    Ok(optional!(link, RawCheckpoint, sql::CHECKPOINT_NEWEST)?.map(row))
}

/// Lists up to `limit` checkpoints of at most `size` entries, the newest first.
///
/// # Errors
/// Where the database fails.
pub async fn checkpoints_newest(link: &mut Link<'_>, size: i64, limit: i64) -> Result<Vec<CheckpointRow>, StoreError> {
    Ok(rows!(link, RawCheckpoint, sql::CHECKPOINTS_NEWEST, size, limit)?.into_iter().map(row).collect())
}

/// Lists the checkpoints of more than `from` and at most `to` entries, the oldest first.
///
/// # Errors
/// Where the database fails.
pub async fn checkpoints_between(link: &mut Link<'_>, from: i64, to: i64) -> Result<Vec<CheckpointRow>, StoreError> {
    Ok(rows!(link, RawCheckpoint, sql::CHECKPOINTS_BETWEEN, from, to)?.into_iter().map(row).collect())
}

type RawCheckpoint = (i64, i64, i64, String, Timestamp);

fn row((size, map_seq, map_size, note, created_at): RawCheckpoint) -> CheckpointRow {
    CheckpointRow { size, map_seq, map_size, note, created_at }
}
