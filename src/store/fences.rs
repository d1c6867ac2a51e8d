//! Epochs and ended leases: what a batch reads after it holds the lock.

use super::{
    Link, StoreError,
    db::{execute, on, optional, rows},
    sql,
};
use crate::{clock::Timestamp, domain::fence::Fence, id::LeaseId};
use sqlx::QueryBuilder;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The sizes that multi-row statements come in, so that each is prepared once. The largest stays under SQLite's 32,766
/// arguments with ten columns.
const CHUNKS: [usize; 5] = [512, 64, 8, 2, 1];

/// Cuts rows into chunks of the fixed sizes.
pub(super) fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = *CHUNKS.iter().find(|size| **size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// Reads one subject's epoch.
///
/// # Errors
/// Where the database fails.
pub async fn epoch_show(link: &mut Link<'_>, subject: Uuid) -> Result<i64, StoreError> {
    Ok(optional!(link, (i64,), sql::EPOCH_SHOW, subject)?.map_or(0, |(epoch,)| epoch))
}

/// Reads the epochs of many subjects; one without a row is absent, which means 0.
///
/// # Errors
/// Where the database fails.
pub async fn epochs_show(link: &mut Link<'_>, subjects: &[Uuid]) -> Result<HashMap<Uuid, i64>, StoreError> {
    let mut epochs = HashMap::with_capacity(subjects.len());
    for chunk in chunks(subjects) {
        let found: Vec<(Uuid, i64)> = on!(link, c => {
            let mut query = QueryBuilder::<Database>::new("SELECT subject, epoch FROM epochs WHERE subject IN (");
            let mut list = query.separated(", ");
            for subject in chunk {
                list.push_bind(*subject);
            }
            query.push(")");
            query.build_query_as().fetch_all(&mut **c).await
        })?;
        epochs.extend(found);
    }
    Ok(epochs)
}

/// Raises a subject's epoch by one, in the head's `turn`, and returns the new one: everything made under the old one is
/// ended, in O(1).
///
/// # Errors
/// Where the database fails.
pub async fn epoch_raise(link: &mut Link<'_>, subject: Uuid, turn: i64) -> Result<i64, StoreError> {
    let row = optional!(link, (i64,), sql::EPOCH_RAISE, subject, turn)?;
    row.map(|(epoch,)| epoch).ok_or_else(|| StoreError::corrupt("epochs", "epoch", subject))
}

/// An epoch as it was raised last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raise {
    /// Of what, and to which epoch.
    pub fence: Fence,
    /// The head's turn in which it was raised.
    pub turn: i64,
}

/// Lists what was raised after a turn, oldest first. A subject that was raised twice comes once, at its newest epoch.
///
/// # Errors
/// Where the database fails.
pub async fn epochs_raised_after(link: &mut Link<'_>, turn: i64) -> Result<Vec<Raise>, StoreError> {
    let rows = rows!(link, (Uuid, i64, i64), sql::EPOCHS_RAISED_AFTER, turn)?;
    Ok(rows.into_iter().map(|(subject, epoch, turn)| Raise { fence: Fence { subject, epoch }, turn }).collect())
}

/// Ends one lease, in the head's `turn`, until it would have expired anyway.
///
/// # Errors
/// Where the database fails.
pub async fn ended_lease_insert(
    link: &mut Link<'_>,
    lease: LeaseId,
    expires_at: Timestamp,
    turn: i64,
) -> Result<(), StoreError> {
    execute!(link, sql::ENDED_LEASE_INSERT, lease, expires_at, turn).map(drop)
}

/// Lists the leases that were ended early after a turn.
///
/// # Errors
/// Where the database fails.
pub async fn ended_leases_after(link: &mut Link<'_>, turn: i64) -> Result<Vec<LeaseId>, StoreError> {
    let rows = rows!(link, (LeaseId,), sql::ENDED_LEASES_AFTER, turn)?;
    Ok(rows.into_iter().map(|(lease,)| lease).collect())
}

/// Says which of `leases` were ended early.
///
/// # Errors
/// Where the database fails.
pub async fn ended_leases_show(link: &mut Link<'_>, leases: &[LeaseId]) -> Result<HashSet<LeaseId>, StoreError> {
    let mut ended = HashSet::new();
    for chunk in chunks(leases) {
        let found: Vec<(LeaseId,)> = on!(link, c => {
            let mut query = QueryBuilder::<Database>::new("SELECT lease FROM ended_leases WHERE lease IN (");
            let mut list = query.separated(", ");
            for lease in chunk {
                list.push_bind(*lease);
            }
            query.push(")");
            query.build_query_as().fetch_all(&mut **c).await
        })?;
        ended.extend(found.into_iter().map(|(lease,)| lease));
    }
    Ok(ended)
}

/// Says whether one lease was ended early.
///
/// # Errors
/// Where the database fails.
pub async fn ended_lease_show(link: &mut Link<'_>, lease: LeaseId) -> Result<bool, StoreError> {
    Ok(optional!(link, (i32,), sql::ENDED_LEASE_SHOW, lease)?.is_some())
}
