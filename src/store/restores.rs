//! What the database itself says of restores: whether the fleet is quarantined, and which restores were accepted.

use super::{
    Link, StoreError,
    db::{execute, optional},
    sql,
};
use crate::{clock::Timestamp, domain::fence::Incarnation, merkle::Hash};

/// The fleet's quarantine.
#[derive(Clone, Debug)]
pub struct QuarantineRow {
    /// Why, for people.
    pub why: String,
    /// How many entries the node had seen that found it out.
    pub anchored_size: i64,
    /// The root of that many entries, where the node knew it.
    pub anchored_root: Option<Hash>,
    /// Which node that was.
    pub node: String,
    /// When.
    pub since: Timestamp,
}

/// What a batch has to know before it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultFence {
    /// The vault's incarnation.
    pub incarnation: Incarnation,
    /// Whether the fleet is quarantined.
    pub is_quarantined: bool,
}

/// Reads what a batch has to know. Costs one statement.
///
/// # Errors
/// Where the vault's row is missing or corrupt, or the database fails.
pub async fn vault_fence(link: &mut Link<'_>) -> Result<VaultFence, StoreError> {
    let row = optional!(link, (Vec<u8>, bool), sql::VAULT_FENCE)?;
    let (incarnation, is_quarantined) = row.ok_or_else(|| StoreError::corrupt("vault", "id", 1))?;
    let incarnation = incarnation.try_into().map_err(|_| StoreError::corrupt("vault", "incarnation", 1))?;
    Ok(VaultFence { incarnation: Incarnation(incarnation), is_quarantined })
}

/// Quarantines the fleet, unless it is already: whoever found it out first is named.
///
/// # Errors
/// Where the database fails.
pub async fn quarantine_set(link: &mut Link<'_>, row: &QuarantineRow) -> Result<(), StoreError> {
    let QuarantineRow { why, anchored_size, anchored_root, node, since } = row;
    let root = anchored_root.as_ref().map(|root| &root.as_bytes()[..]);
    execute!(link, sql::QUARANTINE_SET, why.as_str(), *anchored_size, root, node.as_str(), *since).map(drop)
}

/// Reads why the fleet is quarantined; `None` where it is not.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn quarantine_show(link: &mut Link<'_>) -> Result<Option<QuarantineRow>, StoreError> {
    type Row = (String, i64, Option<Vec<u8>>, String, Timestamp);
    let Some((why, anchored_size, root, node, since)) = optional!(link, Row, sql::QUARANTINE_SHOW)? else {
        return Ok(None);
    };
    let corrupt = |_| StoreError::corrupt("quarantine", "anchored_root", 1);
    let anchored_root = root.map(|root| Hash::try_from(root.as_slice())).transpose().map_err(corrupt)?;
    Ok(Some(QuarantineRow { why, anchored_size, anchored_root, node, since }))
}

/// Says whether an incarnation ended with a restore that was accepted.
///
/// # Errors
/// Where the database fails.
pub async fn restore_ended(link: &mut Link<'_>, incarnation: Incarnation) -> Result<bool, StoreError> {
    Ok(optional!(link, (i64,), sql::RESTORE_ENDED, &incarnation.0[..])?.is_some())
}
