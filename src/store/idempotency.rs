//! Creates that carried an `Idempotency-Key`: a repeat answers with what the first one made.

use super::{
    Link, StoreError,
    db::{execute, optional},
    sql,
};
use crate::{clock::Timestamp, id::UserId, secret::SecretHash};
use uuid::Uuid;

/// What an earlier create with the same key was, and made.
#[derive(Clone, Debug)]
pub struct EarlierCreate {
    /// The hash of its body.
    pub body_hash: Vec<u8>,
    /// The id that it made.
    pub created: Uuid,
}

/// Remembers a create.
///
/// # Errors
/// `Taken` where a create with the same key came first.
pub async fn idempotency_insert(
    link: &mut Link<'_>,
    request: &SecretHash,
    user: UserId,
    body: &SecretHash,
    created: Uuid,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    execute!(link, sql::IDEMPOTENCY_INSERT, &request.as_bytes()[..], user, &body.as_bytes()[..], created, expires_at)
        .map(drop)
}

/// Finds an earlier create with the same key.
///
/// # Errors
/// Where the database fails.
pub async fn idempotency_show(link: &mut Link<'_>, request: &SecretHash) -> Result<Option<EarlierCreate>, StoreError> {
    let row = optional!(link, (Vec<u8>, Uuid), sql::IDEMPOTENCY_SHOW, &request.as_bytes()[..])?;
    Ok(row.map(|(body_hash, created)| EarlierCreate { body_hash, created }))
}

/// Sweeps out what lapsed before `now`.
///
/// # Errors
/// Where the database fails.
pub async fn idempotency_sweep(link: &mut Link<'_>, now: Timestamp) -> Result<(), StoreError> {
    execute!(link, sql::IDEMPOTENCY_SWEEP, now).map(drop)
}
