//! Looks at stored entries one after the other: their bytes, their payloads, their chains, and the tree over them.
//!
//! It shares nothing with the writer that could hide the same mistake: an entry's bytes are written by another routine than
//! [`EntryHead::write_bytes`](crate::domain::entry::EntryHead::write_bytes), hashed by another crate than `merkle`, and the
//! tree's edge is not the sequencer's.

use super::{edge::Edge, tree::StoredTree};
use crate::{
    clock::Timestamp,
    domain::event::Kind,
    evidence::{Head, HeadMap, Missing, erased_places},
    id::TenantId,
    merkle::Hash,
    store::{
        Link, StoreError,
        log::{self, ChainHead, EntryRow, Stretch},
    },
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use tlog_tiles::tlog;

/// How many entries are read at once.
const PAGE: i64 = 1_000;

/// What is wrong with the stored log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFlaw {
    /// An entry is missing, or stands out of order.
    #[error("entry {expected} is missing: entry {found} stands in its place")]
    Gap {
        /// The sequence number that should have come.
        expected: i64,
        /// The one that came.
        found: i64,
    },
    /// An entry was altered.
    #[error("entry {seq} was altered: {what}")]
    Altered {
        /// Its sequence number.
        seq: i64,
        /// What does not fit.
        what: &'static str,
    },
    /// A payload is missing, and nothing accounts for it.
    #[error("entry {seq}: its payload is missing, and no later entry of its chain says that it was erased")]
    Unaccounted {
        /// The sequence number of the first such entry.
        seq: i64,
    },
    /// A tenant's newest entry is not the one that its head names.
    #[error("the chain of {tenant} does not end at entry {seq}, as its head says")]
    ChainHead {
        /// Whose chain.
        tenant: TenantId,
        /// The entry that the head names, or the newest that there is.
        seq: i64,
    },
    /// A tile does not hold the hashes of what lies below it.
    #[error("tile {place} of level {level}, which begins at entry {seq}, does not fit what lies below it")]
    Tile {
        /// Its level.
        level: i64,
        /// Its place in the level.
        place: i64,
        /// The first entry below it.
        seq: i64,
    },
    /// The head does not fit the entries.
    #[error("the log's head does not fit its entries: {0}")]
    Head(&'static str),
    /// The entries do not give a root that was signed.
    #[error(
        "the first {size} entries do not give the root that was signed for them: something before them was rewritten"
    )]
    Signed {
        /// How many entries the checkpoint covers.
        size: i64,
    },
}

impl LogFlaw {
    /// Returns the entry that it concerns, or the first of them; the log's end where it concerns all before.
    #[must_use]
    pub fn seq(&self) -> Option<i64> {
        match self {
            Self::Gap { expected, .. } => Some(*expected),
            Self::Altered { seq, .. }
            | Self::Unaccounted { seq }
            | Self::ChainHead { seq, .. }
            | Self::Tile { seq, .. } => Some(*seq),
            Self::Signed { size } => Some(size - 1),
            Self::Head(_) => None,
        }
    }
}

/// Why an inspection ended early.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The log is damaged.
    #[error(transparent)]
    Flaw(#[from] LogFlaw),
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Recomputes an entry from its columns: returns its leaf hash where it, and the payload that is there, fit.
///
/// # Errors
/// Where they do not.
pub fn recompute(row: &EntryRow) -> Result<Hash, LogFlaw> {
    #[derive(Serialize)]
    struct Form<'a> {
        v: u8,
        seq: i64,
        at: Timestamp,
        tenant: TenantId,
        tenant_seq: i64,
        tenant_prev: &'a Hash,
        kind: &'a str,
        payload_hash: &'a Hash,
    }
    let head = &row.head;
    let altered = |what| LogFlaw::Altered { seq: head.seq, what };
    match (&row.salt, &row.payload) {
        (Some(salt), Some(payload)) => {
            let hash = Sha256::new_with_prefix(salt).chain_update(payload.as_bytes()).finalize();
            if hash.as_slice() != head.payload_hash.as_bytes() {
                return Err(altered("its payload does not match its hash"));
            }
        }
        (None, None) => {}
        _ => return Err(altered("half of its payload is missing")),
    }
    let form = Form {
        v: 1,
        seq: head.seq,
        at: head.at,
        tenant: head.tenant,
        tenant_seq: head.tenant_seq,
        tenant_prev: &head.tenant_prev,
        kind: &head.kind,
        payload_hash: &head.payload_hash,
    };
    let bytes = serde_json::to_vec(&form).expect("an entry has only text and numbers");
    let leaf = Hash::from_bytes(tlog::record_hash(&bytes).0);
    if leaf == row.leaf_hash { Ok(leaf) } else { Err(altered("its bytes do not match its leaf hash")) }
}

/// How far a log was inspected, and what follows has to continue.
#[derive(Clone, Debug, Default)]
pub(super) struct Inspection {
    edge: Edge,
    at: Option<Timestamp>,
    chains: HashMap<TenantId, ChainHead>,
    /// Whether `chains` holds every chain; else the entry before one that is not there is looked up.
    is_whole: bool,
    missing: HashMap<TenantId, Missing>,
    erased: i64,
}

impl Inspection {
    /// Begins before the first entry.
    pub(super) fn new() -> Self {
        Self { is_whole: true, ..Self::default() }
    }

    /// Begins behind the first `size` entries, whose tree is taken as it is stored: its root is for the caller to compare.
    ///
    /// # Errors
    /// Where the tree is missing or corrupt, or the database fails.
    pub(super) async fn behind(link: &mut Link<'_>, size: u64) -> Result<Self, StoreError> {
        Ok(Self { edge: Edge::of(&mut StoredTree::new(link, size), size).await?, ..Self::default() })
    }

    /// Returns how many entries were inspected, those before its beginning included.
    pub(super) fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Returns the root over them.
    pub(super) fn root(&self) -> Hash {
        self.edge.root()
    }

    /// Returns how many payloads were found erased.
    pub(super) fn erased(&self) -> i64 {
        self.erased
    }

    /// Returns how many chains were seen.
    pub(super) fn chains(&self) -> usize {
        self.chains.len()
    }

    /// Says whether it began before the first entry, or has compared every chain's head since.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Inspects the entries up to `size`, a page at a time; `each` looks at the edge behind every one. What was inspected
    /// before a flaw is not inspected again.
    ///
    /// # Errors
    /// With the first entry that does not fit, or what `each` finds; or the database fails.
    pub(super) async fn advance(
        &mut self,
        link: &mut Link<'_>,
        size: u64,
        mut each: impl FnMut(&Edge) -> Result<(), LogFlaw>,
    ) -> Result<(), InspectError> {
        while self.size() < size {
            let next = stored(self.size());
            let rows = log::entry_page(link, Stretch::From(next), PAGE.min(stored(size) - next)).await?;
            if rows.is_empty() {
                return Err(LogFlaw::Gap { expected: next, found: stored(size) }.into());
            }
            for row in &rows {
                self.take(link, row).await?;
                each(&self.edge)?;
            }
        }
        Ok(())
    }

    async fn take(&mut self, link: &mut Link<'_>, row: &EntryRow) -> Result<(), InspectError> {
        let (seq, tenant, place) = (row.head.seq, row.head.tenant, row.head.tenant_seq);
        let altered = |what| LogFlaw::Altered { seq, what };
        if seq != stored(self.size()) {
            return Err(LogFlaw::Gap { expected: stored(self.size()), found: seq }.into());
        }
        let leaf_hash = recompute(row)?;
        if self.at.is_some_and(|before| row.head.at < before) {
            return Err(altered("it is older than the entry before it").into());
        }
        let before = match self.chains.get(&tenant) {
            Some(head) => Some(*head),
            None if self.is_whole || place == 0 => None,
            None => entry_before(link, tenant, place).await?,
        };
        let (due, prev) = before.map_or((0, Hash::from_bytes([0; 32])), |head| (head.tenant_seq + 1, head.leaf_hash));
        if (place, row.head.tenant_prev) != (due, prev) {
            return Err(altered("it does not continue its tenant's chain").into());
        }
        match &row.payload {
            None => {
                self.erased += 1;
                self.missing.entry(tenant).or_default().note(place.unsigned_abs());
            }
            Some(payload) if row.head.kind == Kind::PayloadsErased.as_str() => {
                let places = erased_places(payload);
                let places = places.ok_or_else(|| altered("it does not say which payloads were erased"))?;
                if let Some(missing) = self.missing.get_mut(&tenant) {
                    missing.account(places, place.unsigned_abs());
                    if missing.first().is_none() {
                        self.missing.remove(&tenant);
                    }
                }
            }
            Some(_) => {}
        }
        self.chains.insert(tenant, ChainHead { tenant_seq: place, leaf_hash });
        self.at = Some(row.head.at);
        self.edge.append(&leaf_hash);
        Ok(())
    }

    /// Checks that something accounts for each payload that was missing. Only once the log's end was reached: an erasure
    /// stands behind what it covers.
    ///
    /// # Errors
    /// With the first entry of which nothing says that its payload was erased; or the database fails.
    pub(super) async fn check_missing(&mut self, link: &mut Link<'_>) -> Result<(), InspectError> {
        let mut first: Option<i64> = None;
        for (tenant, missing) in &self.missing {
            let Some((place, _)) = missing.first() else { continue };
            let found = log::entry_page(link, Stretch::ChainFrom(*tenant, stored(place)), 1).await?;
            first = found.first().map(|entry| entry.head.seq).into_iter().chain(first).min();
        }
        first.map_or(Ok(()), |seq| Err(LogFlaw::Unaccounted { seq }.into()))
    }

    /// Checks that the tenants' heads, as a map is to commit them, are the chains' ends. Where only some chains were seen,
    /// the others are looked up; the inspection has seen all of them from then on.
    ///
    /// # Errors
    /// With the first head that does not fit; or the database fails.
    pub(super) async fn check_heads(&mut self, link: &mut Link<'_>, map: &HeadMap) -> Result<(), InspectError> {
        for Head { tenant, tenant_seq, leaf_hash } in map.iter() {
            let said = ChainHead { tenant_seq: stored(*tenant_seq), leaf_hash: *leaf_hash };
            let fits = match self.chains.get(tenant) {
                Some(seen) => *seen == said,
                None if self.is_whole => false,
                None => is_chain_end(link, *tenant, said).await?,
            };
            if !fits {
                let newest = log::entry_page(link, Stretch::ChainBefore(*tenant, i64::MAX), 1).await?;
                let seq = newest.first().map_or(0, |entry| entry.head.seq);
                return Err(LogFlaw::ChainHead { tenant: *tenant, seq }.into());
            }
        }
        // A head that was deleted hides a whole chain.
        if let Some(tenant) = self.chains.keys().find(|tenant| map.find_head(**tenant).is_none()) {
            let newest = log::entry_page(link, Stretch::ChainBefore(*tenant, i64::MAX), 1).await?;
            let seq = newest.first().map_or(0, |entry| entry.head.seq);
            return Err(LogFlaw::ChainHead { tenant: *tenant, seq }.into());
        }
        if !self.is_whole {
            let head = |head: &Head| {
                (head.tenant, ChainHead { tenant_seq: stored(head.tenant_seq), leaf_hash: head.leaf_hash })
            };
            self.chains = map.iter().map(head).collect();
            self.is_whole = true;
        }
        Ok(())
    }
}

/// Reads the entry of a chain before a place, as it is stored.
async fn entry_before(link: &mut Link<'_>, tenant: TenantId, place: i64) -> Result<Option<ChainHead>, StoreError> {
    let found = log::entry_page(link, Stretch::ChainBefore(tenant, place), 1).await?;
    Ok(found.first().map(|entry| ChainHead { tenant_seq: entry.head.tenant_seq, leaf_hash: entry.leaf_hash }))
}

/// Says whether a chain ends at this entry.
async fn is_chain_end(link: &mut Link<'_>, tenant: TenantId, end: ChainHead) -> Result<bool, StoreError> {
    let newest = entry_before(link, tenant, i64::MAX).await?;
    Ok(newest == Some(end))
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).expect("no log has more entries than a BIGINT counts")
}
