//! The vault's own row: which vault this is, and its incarnation.

use super::{
    Link, StoreError,
    db::{execute, optional},
    sql,
};
use crate::{clock::Timestamp, domain::fence::Incarnation};
use uuid::Uuid;

/// Which vault a database holds.
#[derive(Clone, Copy, Debug)]
pub struct VaultRow {
    /// Its id, bound into every wrapping of its master key.
    pub vault: Uuid,
    /// Its incarnation, bound into every lease.
    pub incarnation: Incarnation,
}

/// Writes the vault's row, once.
///
/// # Errors
/// `Taken` where the database holds a vault already.
pub async fn vault_insert(link: &mut Link<'_>, row: &VaultRow, at: Timestamp) -> Result<(), StoreError> {
    execute!(link, sql::VAULT_INSERT, row.vault, &row.incarnation.0[..], at).map(drop)
}

/// Reads the vault's row; `None` where `leasehold init` has not run.
///
/// # Errors
/// Where the row is corrupt, or the database is gone.
pub async fn vault_show(link: &mut Link<'_>) -> Result<Option<VaultRow>, StoreError> {
    let Some((vault, incarnation)) = optional!(link, (Uuid, Vec<u8>), sql::VAULT_SHOW)? else {
        return Ok(None);
    };
    let incarnation = incarnation.try_into().map_err(|_| StoreError::corrupt("vault", "incarnation", vault))?;
    Ok(Some(VaultRow { vault, incarnation: Incarnation(incarnation) }))
}
