//! The audit log's rows: its head, whose row is the lock that orders all batches, its entries, and the tenants' chain
//! heads.

use super::{
    Link, StoreError,
    db::{on, optional, rows, within},
    fences::chunks,
    sql,
};
use crate::{
    clock::Timestamp,
    domain::{entry::EntryHead, event::Kind},
    id::TenantId,
    merkle::Hash,
};
use sqlx::QueryBuilder;
use std::collections::{HashMap, HashSet};

/// The head of the log.
#[derive(Clone, Debug)]
pub struct HeadRow {
    /// How many batches took the lock.
    pub turn: i64,
    /// How many entries there are; the sequence number of the next.
    pub size: i64,
    /// The time of the newest entry.
    pub at: Timestamp,
    /// The right edge of the Merkle tree, as `merkle::Frontier` writes it.
    pub right_edge: Vec<u8>,
    /// The Merkle root over all entries.
    pub root: Hash,
}

/// The newest entry of a tenant's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainHead {
    /// Its place in the chain.
    pub tenant_seq: i64,
    /// Its leaf hash.
    pub leaf_hash: Hash,
}

/// An entry as it is stored.
#[derive(Clone, Debug)]
pub struct EntryRow {
    /// What is hashed.
    pub head: EntryHead,
    /// The RFC 6962 leaf hash of the entry's bytes.
    pub leaf_hash: Hash,
    /// The payload's salt; none once it is erased.
    pub salt: Option<[u8; 32]>,
    /// The payload; none once it is erased.
    pub payload: Option<String>,
}

/// An entry that people who follow events are told of.
#[derive(Clone, Debug)]
pub struct AnnouncedRow {
    /// Its sequence number.
    pub seq: i64,
    /// Its time.
    pub at: Timestamp,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it records; none where a newer version wrote what this one does not know.
    pub kind: Option<Kind>,
    /// The payload; none where it is erased already.
    pub payload: Option<String>,
}

type RawHead = (i64, i64, Timestamp, Vec<u8>, Vec<u8>);
type RawEntry = (i64, Timestamp, TenantId, i64, Vec<u8>, String, Vec<u8>, Vec<u8>, Option<Vec<u8>>, Option<String>);

/// Writes the head of an empty log.
///
/// # Errors
/// `Taken` where there is one.
pub async fn head_insert(link: &mut Link<'_>, right_edge: &[u8], root: &Hash, at: Timestamp) -> Result<(), StoreError> {
    super::db::execute!(link, sql::HEAD_INSERT, at, right_edge, &root.as_bytes()[..]).map(drop)
}

/// Takes the lock on the head, alone in its statement: what is read after it, in a later one, is current. Over PostgreSQL
/// it brings the server's time along, of the moment at which the lock was had.
///
/// # Errors
/// Where the head is missing or corrupt, or the lock is not to be had.
pub async fn head_lock(link: &mut Link<'_>) -> Result<(HeadRow, Option<Timestamp>), StoreError> {
    match link {
        Link::Sqlite(_) => Ok((parse_head(optional!(link, RawHead, sql::HEAD_LOCK)?)?, None)),
        Link::Postgres(connection) => {
            let locking = sqlx::query_as::<_, (i64, i64, Timestamp, Vec<u8>, Vec<u8>, i64)>(sql::HEAD_LOCK_SHARED);
            let row = within(locking.fetch_optional(&mut **connection)).await?;
            let server = row.as_ref().map(|row| Timestamp::from_micros(row.5));
            let head = parse_head(row.map(|(turn, size, at, edge, root, _)| (turn, size, at, edge, root)))?;
            Ok((head, server))
        }
    }
}

/// Reads the head without the lock.
///
/// # Errors
/// Where the head is missing or corrupt.
pub async fn head_show(link: &mut Link<'_>) -> Result<HeadRow, StoreError> {
    parse_head(optional!(link, RawHead, sql::HEAD_SHOW)?)
}

fn parse_head(row: Option<RawHead>) -> Result<HeadRow, StoreError> {
    let (turn, size, at, right_edge, root) = row.ok_or_else(|| StoreError::corrupt("log_head", "id", 1))?;
    let root = root.as_slice().try_into().map_err(|_| StoreError::corrupt("log_head", "root", 1))?;
    Ok(HeadRow { turn, size, at, right_edge, root })
}

/// Moves the head behind the batch's last entry.
///
/// # Errors
/// Where the database fails.
pub async fn head_move(
    link: &mut Link<'_>,
    size: i64,
    at: Timestamp,
    right_edge: &[u8],
    root: &Hash,
) -> Result<(), StoreError> {
    super::db::execute!(link, sql::HEAD_MOVE, size, at, right_edge, &root.as_bytes()[..]).map(drop)
}

/// Reads the newest entry of a tenant's chain; `None` before its first.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn chain_head_show(link: &mut Link<'_>, tenant: TenantId) -> Result<Option<ChainHead>, StoreError> {
    let Some((tenant_seq, leaf_hash)) = optional!(link, (i64, Vec<u8>), sql::TENANT_HEAD_SHOW, tenant)? else {
        return Ok(None);
    };
    Ok(Some(ChainHead { tenant_seq, leaf_hash: parse_chain_hash(tenant, &leaf_hash)? }))
}

/// Reads the newest entries of many tenants' chains: one statement for each fixed-size chunk. A tenant without an entry
/// is absent.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn chain_heads_show(
    link: &mut Link<'_>,
    tenants: &[TenantId],
) -> Result<HashMap<TenantId, ChainHead>, StoreError> {
    let mut heads = HashMap::with_capacity(tenants.len());
    for chunk in chunks(tenants) {
        let found: Vec<(TenantId, i64, Vec<u8>)> = on!(link, c => {
            let mut query = QueryBuilder::<Database>::new("SELECT tenant, tenant_seq, leaf_hash FROM tenant_heads WHERE tenant IN (");
            let mut list = query.separated(", ");
            for tenant in chunk {
                list.push_bind(*tenant);
            }
            query.push(")");
            query.build_query_as().fetch_all(&mut **c).await
        })?;
        for (tenant, tenant_seq, leaf_hash) in found {
            heads.insert(tenant, ChainHead { tenant_seq, leaf_hash: parse_chain_hash(tenant, &leaf_hash)? });
        }
    }
    Ok(heads)
}

fn parse_chain_hash(tenant: TenantId, leaf_hash: &[u8]) -> Result<Hash, StoreError> {
    leaf_hash.try_into().map_err(|_| StoreError::corrupt("tenant_heads", "leaf_hash", tenant))
}

/// Moves the chain heads of a batch's tenants: one statement for each fixed-size chunk.
///
/// # Errors
/// Where the database fails.
pub async fn chain_heads_move(link: &mut Link<'_>, heads: &[(TenantId, ChainHead)]) -> Result<(), StoreError> {
    for chunk in chunks(heads) {
        on!(link, c => {
            let mut query = QueryBuilder::<Database>::new("INSERT INTO tenant_heads (tenant, tenant_seq, leaf_hash) ");
            query.push_values(chunk, |mut row, (tenant, head)| {
                row.push_bind(*tenant).push_bind(head.tenant_seq).push_bind(&head.leaf_hash.as_bytes()[..]);
            });
            query.push(" ON CONFLICT (tenant) DO UPDATE SET tenant_seq = excluded.tenant_seq, leaf_hash = excluded.leaf_hash");
            query.build().execute(&mut **c).await.map(drop)
        })?;
    }
    Ok(())
}

/// Appends a batch's entries, those in `announced` marked for people who follow events: one statement for each
/// fixed-size chunk.
///
/// # Errors
/// Where the database fails.
pub async fn entries_insert(
    link: &mut Link<'_>,
    entries: &[EntryRow],
    announced: &HashSet<i64>,
) -> Result<(), StoreError> {
    for chunk in chunks(entries) {
        on!(link, c => {
            let mut query = QueryBuilder::<Database>::new(
                "INSERT INTO entries (seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash, leaf_hash, salt, payload, announced) ",
            );
            query.push_values(chunk, |mut row, entry| {
                let EntryHead { seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash } = &entry.head;
                row.push_bind(*seq)
                    .push_bind(*at)
                    .push_bind(*tenant)
                    .push_bind(*tenant_seq)
                    .push_bind(&tenant_prev.as_bytes()[..])
                    .push_bind(&**kind)
                    .push_bind(&payload_hash.as_bytes()[..])
                    .push_bind(&entry.leaf_hash.as_bytes()[..])
                    .push_bind(entry.salt.as_ref().map(|salt| &salt[..]))
                    .push_bind(entry.payload.as_deref())
                    .push_bind(announced.contains(seq));
            });
            query.build().execute(&mut **c).await.map(drop)
        })?;
    }
    Ok(())
}

/// Which entries to read, and in which order.
#[derive(Clone, Copy, Debug)]
pub enum Stretch {
    /// All entries from a sequence number on, oldest first.
    From(i64),
    /// All entries before a sequence number, newest first.
    Before(i64),
    /// A tenant's entries from a place in its chain on, oldest first.
    ChainFrom(TenantId, i64),
    /// A tenant's entries before a place in its chain, newest first.
    ChainBefore(TenantId, i64),
}

/// Reads up to `limit` entries.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn entry_page(link: &mut Link<'_>, stretch: Stretch, limit: i64) -> Result<Vec<EntryRow>, StoreError> {
    let rows = match stretch {
        Stretch::From(seq) => rows!(link, RawEntry, sql::ENTRY_PAGE, seq, limit),
        Stretch::Before(seq) => rows!(link, RawEntry, sql::ENTRY_TAIL, seq, limit),
        Stretch::ChainFrom(tenant, seq) => rows!(link, RawEntry, sql::ENTRY_TENANT_PAGE, tenant, seq, limit),
        Stretch::ChainBefore(tenant, seq) => rows!(link, RawEntry, sql::ENTRY_TENANT_TAIL, tenant, seq, limit),
    }?;
    rows.into_iter().map(parse_entry).collect()
}

/// Reads the leaf hash of one entry; `None` where the log is shorter.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn entry_leaf(link: &mut Link<'_>, seq: i64) -> Result<Option<Hash>, StoreError> {
    let Some((leaf_hash,)) = optional!(link, (Vec<u8>,), sql::ENTRY_LEAF, seq)? else { return Ok(None) };
    let leaf_hash = leaf_hash.as_slice().try_into();
    leaf_hash.map(Some).map_err(|_| StoreError::corrupt("entries", "leaf_hash", seq))
}

/// Reads one entry; `None` where the log is shorter.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn entry_show(link: &mut Link<'_>, seq: i64) -> Result<Option<EntryRow>, StoreError> {
    let found = entry_page(link, Stretch::From(seq), 1).await?;
    Ok(found.into_iter().find(|entry| entry.head.seq == seq))
}

/// Reads the leaf hashes of the entries from `from` to before `to`.
///
/// # Errors
/// Where an entry is missing or corrupt, or the database fails.
pub async fn entry_leaves(link: &mut Link<'_>, from: i64, to: i64) -> Result<Vec<Hash>, StoreError> {
    let found = rows!(link, (i64, Vec<u8>), sql::ENTRY_LEAVES, from, to)?;
    let mut leaves = Vec::with_capacity(found.len());
    for (due, (seq, leaf_hash)) in (from..to).zip(found) {
        let leaf_hash =
            leaf_hash.as_slice().try_into().map_err(|_| StoreError::corrupt("entries", "leaf_hash", seq))?;
        if seq != due {
            return Err(StoreError::corrupt("entries", "seq", due));
        }
        leaves.push(leaf_hash);
    }
    // What is missing at the end leaves no row to compare with.
    let next = from + i64::try_from(leaves.len()).expect("as many rows as were asked for");
    if next == to { Ok(leaves) } else { Err(StoreError::corrupt("entries", "seq", next)) }
}

/// Reads the newest entry of every tenant's chain, by tenant. Reads one row a tenant.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn chain_heads_list(link: &mut Link<'_>) -> Result<Vec<(TenantId, ChainHead)>, StoreError> {
    let found = rows!(link, (TenantId, i64, Vec<u8>), sql::TENANT_HEADS)?;
    let head = |(tenant, tenant_seq, leaf_hash): (TenantId, i64, Vec<u8>)| {
        Ok((tenant, ChainHead { tenant_seq, leaf_hash: parse_chain_hash(tenant, &leaf_hash)? }))
    };
    found.into_iter().map(head).collect()
}

/// Lists up to `limit` announced entries from `from` to before `to`, oldest first.
///
/// # Errors
/// Where a kind is unknown, or the database fails.
pub async fn entries_announced(
    link: &mut Link<'_>,
    from: i64,
    to: i64,
    limit: i64,
) -> Result<Vec<AnnouncedRow>, StoreError> {
    let found =
        rows!(link, (i64, Timestamp, TenantId, String, Option<String>), sql::ENTRIES_ANNOUNCED, from, to, limit)?;
    let row = |(seq, at, tenant, kind, payload): (_, _, _, String, _)| {
        let known = kind.parse().ok();
        if known.is_none() {
            tracing::warn!(
                seq,
                kind,
                "a newer version recorded what this one does not know: nobody is told of it here"
            );
        }
        AnnouncedRow { seq, at, tenant, kind: known, payload }
    };
    Ok(found.into_iter().map(row).collect())
}

fn parse_entry(row: RawEntry) -> Result<EntryRow, StoreError> {
    let (seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash, leaf_hash, salt, payload) = row;
    let hash = |bytes: &[u8], column| Hash::try_from(bytes).map_err(|_| StoreError::corrupt("entries", column, seq));
    let salt = salt.map(<[u8; 32]>::try_from).transpose().map_err(|_| StoreError::corrupt("entries", "salt", seq))?;
    Ok(EntryRow {
        head: EntryHead {
            seq,
            at,
            tenant,
            tenant_seq,
            tenant_prev: hash(&tenant_prev, "tenant_prev")?,
            kind: kind.into(),
            payload_hash: hash(&payload_hash, "payload_hash")?,
        },
        leaf_hash: hash(&leaf_hash, "leaf_hash")?,
        salt,
        payload,
    })
}
