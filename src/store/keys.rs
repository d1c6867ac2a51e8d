//! Wrapped keys. Each row names the key that wraps it, and counts the uses that were reserved.

use super::{
    Link, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    envelope::{self, HARD_LIMIT, KeyCheck, Level, Wrapped},
    id::{KeyId, TenantId},
    seal::SealedMaster,
};
use std::ops::Range;
use uuid::Uuid;

/// A wrapped key, and how many of its uses are reserved.
#[derive(Debug)]
pub struct KeyRow<L: Level> {
    /// The wrapped key, which names itself and its parent.
    pub wrapped: Wrapped<L>,
    /// Uses that were reserved: used up, or lost in a crash.
    pub uses: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The newest master key, as its seal wrapped it.
#[derive(Clone, Debug)]
pub struct MasterKeyRow {
    /// Its id.
    pub id: KeyId,
    /// Its version, from 1.
    pub version: i64,
    /// What the seal made of it.
    pub sealed: SealedMaster,
    /// Tells a wrong seal from a right one.
    pub key_check: KeyCheck,
    /// Uses that were reserved.
    pub uses: u64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which table a use is reserved in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyLevel {
    /// A master key.
    Master,
    /// A tenant key.
    Tenant,
    /// A data key.
    Data,
    /// A lease key.
    Lease,
}

type RawKey = (KeyId, KeyId, Vec<u8>, i64, Timestamp);

/// Writes a master key.
///
/// # Errors
/// `Taken` where the version is there.
pub async fn master_key_insert(link: &mut Link<'_>, row: &MasterKeyRow) -> Result<(), StoreError> {
    let parameters = row.sealed.parameters.to_string();
    execute!(
        link,
        sql::MASTER_KEY_INSERT,
        row.id,
        row.version,
        row.sealed.kind.as_str(),
        parameters.as_str(),
        row.sealed.blob.as_slice(),
        row.key_check.as_bytes(),
        signed(row.uses),
        row.created_at
    )
    .map(drop)
}

/// Reads the newest master key.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn master_key_newest(link: &mut Link<'_>) -> Result<Option<MasterKeyRow>, StoreError> {
    type Row = (KeyId, i64, String, String, Vec<u8>, Vec<u8>, i64, Timestamp);
    let Some((id, version, kind, parameters, blob, check, uses, created_at)) =
        optional!(link, Row, sql::MASTER_KEY_NEWEST)?
    else {
        return Ok(None);
    };
    let corrupt = |column| StoreError::corrupt("master_keys", column, id);
    let kind = kind.parse().map_err(|_| corrupt("seal_kind"))?;
    let parameters = serde_json::from_str(&parameters).map_err(|_| corrupt("seal_parameters"))?;
    let key_check = KeyCheck::from_stored(check).map_err(|_| corrupt("key_check"))?;
    let uses = u64::try_from(uses).map_err(|_| corrupt("uses"))?;
    let sealed = SealedMaster { kind, parameters, blob };
    Ok(Some(MasterKeyRow { id, version, sealed, key_check, uses, created_at }))
}

/// Writes a tenant's key.
///
/// # Errors
/// `Taken` where the tenant has one.
pub async fn tenant_key_insert(
    link: &mut Link<'_>,
    tenant: TenantId,
    key: &Wrapped<envelope::Tenant>,
    uses: u64,
    at: Timestamp,
) -> Result<(), StoreError> {
    execute!(link, sql::TENANT_KEY_INSERT, key.id(), tenant, key.wrapped_by(), key.as_bytes(), signed(uses), at)
        .map(drop)
}

/// Reads a tenant's key; `None` where it was destroyed.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn tenant_key_show(
    link: &mut Link<'_>,
    tenant: TenantId,
) -> Result<Option<KeyRow<envelope::Tenant>>, StoreError> {
    optional!(link, RawKey, sql::TENANT_KEY_SHOW, tenant)?.map(|row| parse("tenant_keys", row)).transpose()
}

/// A data key to write.
pub struct NewDataKey<'a> {
    /// Whose credential it seals.
    pub tenant: TenantId,
    /// The connection, or the application.
    pub owner: Uuid,
    /// The wrapped key.
    pub key: &'a Wrapped<envelope::Data>,
    /// Uses that are reserved with it.
    pub uses: u64,
}

/// Writes a data key.
///
/// # Errors
/// Where the database fails.
pub async fn data_key_insert(link: &mut Link<'_>, new: &NewDataKey<'_>, at: Timestamp) -> Result<(), StoreError> {
    let NewDataKey { tenant, owner, key, uses } = *new;
    execute!(link, sql::DATA_KEY_INSERT, key.id(), tenant, owner, key.wrapped_by(), key.as_bytes(), signed(uses), at)
        .map(drop)
}

/// Reads a data key, and whose it is; `None` where it was destroyed.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn data_key_show(
    link: &mut Link<'_>,
    id: KeyId,
) -> Result<Option<(TenantId, KeyRow<envelope::Data>)>, StoreError> {
    type Row = (KeyId, TenantId, KeyId, Vec<u8>, i64, Timestamp);
    let Some((id, tenant, parent, wrapped, uses, at)) = optional!(link, Row, sql::DATA_KEY_SHOW, id)? else {
        return Ok(None);
    };
    Ok(Some((tenant, parse("data_keys", (id, parent, wrapped, uses, at))?)))
}

/// Destroys all data keys of a connection or application: nothing that they sealed opens again. Returns how many.
///
/// # Errors
/// Where the database fails.
pub async fn data_keys_destroy(link: &mut Link<'_>, owner: Uuid) -> Result<u64, StoreError> {
    execute!(link, sql::DATA_KEYS_DESTROY_OWNER, owner)
}

/// Destroys one data key, of a credential version that was replaced.
///
/// # Errors
/// Where the database fails.
pub async fn data_key_destroy(link: &mut Link<'_>, id: KeyId) -> Result<(), StoreError> {
    execute!(link, sql::DATA_KEYS_DESTROY_ID, id).map(drop)
}

/// Writes a lease key.
///
/// # Errors
/// Where the database fails.
pub async fn lease_key_insert(
    link: &mut Link<'_>,
    key: &Wrapped<envelope::Lease>,
    uses: u64,
    at: Timestamp,
) -> Result<(), StoreError> {
    execute!(link, sql::LEASE_KEY_INSERT, key.id(), key.wrapped_by(), key.as_bytes(), signed(uses), at).map(drop)
}

/// Reads the newest lease keys, the newest first: those that may still have sealed a living lease.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn lease_keys_newest(link: &mut Link<'_>) -> Result<Vec<KeyRow<envelope::Lease>>, StoreError> {
    rows!(link, RawKey, sql::LEASE_KEYS_NEWEST)?.into_iter().map(|row| parse("lease_keys", row)).collect()
}

/// Writes down the next `length` uses as gone, before any of them happens, and returns them. Each caller gets a block of
/// its own, on whichever node. `None` where fewer are left, or the key is gone.
///
/// # Errors
/// Where the database fails.
pub async fn uses_reserve(
    link: &mut Link<'_>,
    level: KeyLevel,
    id: KeyId,
    length: u64,
) -> Result<Option<Range<u64>>, StoreError> {
    let statement = match level {
        KeyLevel::Master => sql::MASTER_KEY_RESERVE,
        KeyLevel::Tenant => sql::TENANT_KEY_RESERVE,
        KeyLevel::Data => sql::DATA_KEY_RESERVE,
        KeyLevel::Lease => sql::LEASE_KEY_RESERVE,
    };
    let most = HARD_LIMIT.saturating_sub(length);
    let Some((end,)) = optional!(link, (i64,), statement, id, signed(length), signed(most))? else { return Ok(None) };
    let end = u64::try_from(end).map_err(|_| StoreError::corrupt("keys", "uses", id))?;
    Ok(Some(end.saturating_sub(length)..end))
}

/// How many keys there are of each kind.
#[derive(Clone, Copy, Debug)]
pub struct KeyCounts {
    /// Tenant keys, the vault's own included.
    pub tenant_keys: i64,
    /// Data keys.
    pub data_keys: i64,
}

/// Counts the keys. Reads whole indexes: for status pages, not for hot paths.
///
/// # Errors
/// Where the database fails.
pub async fn key_counts(link: &mut Link<'_>) -> Result<KeyCounts, StoreError> {
    let tenant_keys = optional!(link, (i64,), sql::TENANT_KEY_COUNT)?.map_or(0, |(count,)| count);
    let data_keys = optional!(link, (i64,), sql::DATA_KEY_COUNT)?.map_or(0, |(count,)| count);
    Ok(KeyCounts { tenant_keys, data_keys })
}

fn parse<L: Level>(table: &'static str, row: RawKey) -> Result<KeyRow<L>, StoreError> {
    let (id, parent, wrapped, uses, created_at) = row;
    let wrapped = Wrapped::from_stored(id, parent, wrapped).map_err(|_| StoreError::corrupt(table, "wrapped", id))?;
    let uses = u64::try_from(uses).map_err(|_| StoreError::corrupt(table, "uses", id))?;
    Ok(KeyRow { wrapped, uses, created_at })
}

/// Uses end at 2^32, far below where the signed and the unsigned part.
fn signed(uses: u64) -> i64 {
    i64::try_from(uses).unwrap_or(i64::MAX)
}
