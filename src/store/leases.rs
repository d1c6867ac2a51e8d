//! How many leases live, by connection, worker and expiry minute; and the access tokens that left the vault.
//!
//! Leases themselves are not stored: a revocation ends them by an epoch, and a receipt needs only their number.

use super::{
    Link, StoreError,
    db::{execute, on, optional, rows},
    fences::chunks,
    sql,
};
use crate::{
    clock::Timestamp,
    id::{ConnectionId, TenantId, WorkerId},
};
use sqlx::QueryBuilder;

/// Leases issued to one worker on one connection that expire in one minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseCountKey {
    /// On which connection.
    pub connection: ConnectionId,
    /// To which worker.
    pub worker: WorkerId,
    /// Minutes since the Unix epoch.
    pub expiry_minute: i64,
    /// Whose connection it is.
    pub tenant: TenantId,
}

/// An access token that left the vault, as often as one worker took it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ResidualKey {
    /// Of which connection.
    pub connection: ConnectionId,
    /// Which of the connection's tokens.
    pub generation: i64,
    /// Who took it.
    pub worker: WorkerId,
    /// Whose connection it is.
    pub tenant: TenantId,
    /// When the token dies.
    pub expires_at: Timestamp,
}

/// What a cut covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One connection.
    Connection(ConnectionId),
    /// All connections of a tenant.
    Tenant(TenantId),
    /// All that one worker holds.
    Worker(WorkerId),
    /// Everything.
    Vault,
}

/// Adds newly issued leases to their counts.
///
/// # Errors
/// Where the database fails.
pub async fn lease_counts_add(link: &mut Link<'_>, counts: &[(LeaseCountKey, i64)]) -> Result<(), StoreError> {
    for chunk in chunks(counts) {
        on!(link, c => {
            let mut query = QueryBuilder::<Database>::new(
                "INSERT INTO lease_counts (connection, worker, expiry_minute, tenant, leases) ",
            );
            query.push_values(chunk, |mut row, (key, leases)| {
                row.push_bind(key.connection)
                    .push_bind(key.worker)
                    .push_bind(key.expiry_minute)
                    .push_bind(key.tenant)
                    .push_bind(*leases);
            });
            query.push(" ON CONFLICT (connection, worker, expiry_minute) DO UPDATE SET leases = lease_counts.leases + excluded.leases");
            query.build().execute(&mut **c).await.map(drop)
        })?;
    }
    Ok(())
}

/// Takes one lease off its count, when it is ended early.
///
/// # Errors
/// Where the database fails.
pub async fn lease_count_lower(
    link: &mut Link<'_>,
    connection: ConnectionId,
    worker: WorkerId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    execute!(link, sql::LEASE_COUNT_LOWER, connection, worker, expires_at.as_minutes()).map(drop)
}

/// Counts the leases alive within `reach`, to the minute. Costs one row a worker and minute, however many leases live.
///
/// # Errors
/// Where the database fails.
pub async fn lease_count(link: &mut Link<'_>, reach: Reach, now: Timestamp) -> Result<i64, StoreError> {
    let minute = now.as_minutes();
    let row = match reach {
        Reach::Connection(id) => optional!(link, (i64,), sql::LEASE_COUNT_OF_CONNECTION, id, minute),
        Reach::Tenant(id) => optional!(link, (i64,), sql::LEASE_COUNT_OF_TENANT, id, minute),
        Reach::Worker(id) => optional!(link, (i64,), sql::LEASE_COUNT_OF_WORKER, id, minute),
        Reach::Vault => optional!(link, (i64,), sql::LEASE_COUNT_OF_VAULT, minute),
    }?;
    Ok(row.map_or(0, |(leases,)| leases))
}

/// Forgets the counts within `reach`: their leases were just ended.
///
/// # Errors
/// Where the database fails.
pub async fn lease_counts_clear(link: &mut Link<'_>, reach: Reach) -> Result<(), StoreError> {
    match reach {
        Reach::Connection(id) => execute!(link, sql::LEASE_COUNTS_CLEAR_CONNECTION, id),
        Reach::Tenant(id) => execute!(link, sql::LEASE_COUNTS_CLEAR_TENANT, id),
        Reach::Worker(id) => execute!(link, sql::LEASE_COUNTS_CLEAR_WORKER, id),
        Reach::Vault => execute!(link, sql::LEASE_COUNTS_CLEAR),
    }
    .map(drop)
}

/// Records access tokens that left the vault; a worker that takes the same one again adds no row.
///
/// # Errors
/// Where the database fails.
pub async fn residuals_add(link: &mut Link<'_>, residuals: &[ResidualKey], at: Timestamp) -> Result<(), StoreError> {
    for chunk in chunks(residuals) {
        on!(link, c => {
            let mut query = QueryBuilder::<Database>::new(
                "INSERT INTO residuals (connection, generation, worker, tenant, first_at, expires_at) ",
            );
            query.push_values(chunk, |mut row, key| {
                row.push_bind(key.connection)
                    .push_bind(key.generation)
                    .push_bind(key.worker)
                    .push_bind(key.tenant)
                    .push_bind(at)
                    .push_bind(key.expires_at);
            });
            query.push(" ON CONFLICT (connection, generation, worker) DO NOTHING");
            query.build().execute(&mut **c).await.map(drop)
        })?;
    }
    Ok(())
}

/// Returns the highest generation among a connection's tokens that are out; 0 where none is.
///
/// # Errors
/// Where the database fails.
pub async fn residual_newest(link: &mut Link<'_>, connection: ConnectionId) -> Result<i64, StoreError> {
    Ok(optional!(link, (i64,), sql::RESIDUAL_NEWEST, connection)?.map_or(0, |(generation,)| generation))
}

/// An access token that is out and alive.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ResidualRow {
    /// Of which connection.
    pub connection: ConnectionId,
    /// Who took it.
    pub worker: WorkerId,
    /// Which of the connection's tokens.
    pub generation: i64,
    /// When that worker first took it.
    pub first_at: Timestamp,
    /// When it dies.
    pub expires_at: Timestamp,
}

/// Lists the tokens alive within `reach`, the longest-lived first.
///
/// # Errors
/// Where the database fails.
pub async fn residual_page(
    link: &mut Link<'_>,
    reach: Reach,
    now: Timestamp,
    limit: i64,
    offset: i64,
) -> Result<Vec<ResidualRow>, StoreError> {
    match reach {
        Reach::Connection(id) => rows!(link, ResidualRow, sql::RESIDUALS_OF_CONNECTION, id, now, limit, offset),
        Reach::Tenant(id) => rows!(link, ResidualRow, sql::RESIDUALS_OF_TENANT, id, now, limit, offset),
        Reach::Worker(id) => rows!(link, ResidualRow, sql::RESIDUALS_OF_WORKER, id, now, limit, offset),
        Reach::Vault => rows!(link, ResidualRow, sql::RESIDUALS_OF_VAULT, now, limit, offset),
    }
}

/// Counts the tokens alive within `reach`.
///
/// # Errors
/// Where the database fails.
pub async fn residual_count(link: &mut Link<'_>, reach: Reach, now: Timestamp) -> Result<i64, StoreError> {
    let row = match reach {
        Reach::Connection(id) => optional!(link, (i64,), sql::RESIDUAL_COUNT_OF_CONNECTION, id, now),
        Reach::Tenant(id) => optional!(link, (i64,), sql::RESIDUAL_COUNT_OF_TENANT, id, now),
        Reach::Worker(id) => optional!(link, (i64,), sql::RESIDUAL_COUNT_OF_WORKER, id, now),
        Reach::Vault => optional!(link, (i64,), sql::RESIDUAL_COUNT_OF_VAULT, now),
    }?;
    Ok(row.map_or(0, |(count,)| count))
}

/// Sweeps out counts, residuals and ended leases that time has ended. Cheap, and safe to repeat.
///
/// # Errors
/// Where the database fails.
pub async fn lease_traces_sweep(link: &mut Link<'_>, now: Timestamp) -> Result<(), StoreError> {
    execute!(link, sql::LEASE_COUNTS_SWEEP, now.as_minutes())?;
    execute!(link, sql::RESIDUALS_SWEEP, now)?;
    execute!(link, sql::ENDED_LEASES_SWEEP, now).map(drop)
}
