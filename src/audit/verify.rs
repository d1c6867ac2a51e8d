//! Recomputes the whole log from the database: every payload hash, leaf, tenant chain and the root. It shares the entry's
//! byte form with the writer, and nothing of how the writer keeps its head.

use crate::{
    domain::entry::{NO_ENTRY, payload_hash},
    id::TenantId,
    merkle,
    store::{Db, Link, StoreError, log},
};
use std::collections::HashMap;

/// How many entries are read at once.
const PAGE: i64 = 2_000;

/// What a verification found to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: i64,
    /// How many chains they form; the vault's own is one.
    pub chains: usize,
    /// How many payloads are erased.
    pub erased: i64,
    /// The root over all of them.
    pub root: merkle::Hash,
}

/// Why a log does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    /// The head does not fit the entries.
    #[error("the log's head does not fit its entries: {0}")]
    Head(&'static str),
}

/// Verifies the log, calling `progress` with the number of entries done. Reads pages of rows; memory grows with the
/// number of tenants only.
///
/// # Errors
/// With the first entry that does not fit, by its sequence number.
pub async fn verify_log(db: &Db, progress: impl FnMut(i64)) -> Result<Verified, VerifyError> {
    let mut reader = db.reader().await?;
    // One view of the whole log: nodes append to it meanwhile.
    reader.link().begin_reading().await?;
    let verified = verify_in(reader.link(), progress).await;
    reader.discard().await;
    verified
}

async fn verify_in(mut link: Link<'_>, mut progress: impl FnMut(i64)) -> Result<Verified, VerifyError> {
    let head = log::head_show(&mut link).await?;
    let mut chains: HashMap<TenantId, (i64, merkle::Hash)> = HashMap::new();
    let mut tree = merkle::Frontier::default();
    let mut bytes = String::new();
    let (mut next, mut erased) = (0, 0);
    while next < head.size {
        let page = log::entry_page(&mut link, log::Stretch::From(next), PAGE.min(head.size - next)).await?;
        if page.is_empty() {
            return Err(VerifyError::Gap { expected: next, found: head.size });
        }
        for entry in page {
            let seq = entry.head.seq;
            let altered = |what| VerifyError::Altered { seq, what };
            if seq != next {
                return Err(VerifyError::Gap { expected: next, found: seq });
            }
            match (&entry.salt, &entry.payload) {
                (Some(salt), Some(payload)) if payload_hash(salt, payload) != entry.head.payload_hash => {
                    return Err(altered("its payload does not match its hash"));
                }
                (Some(_), Some(_)) => {}
                (None, None) => erased += 1,
                _ => return Err(altered("half of its payload is missing")),
            }
            entry.head.write_bytes(&mut bytes);
            if merkle::leaf_hash(bytes.as_bytes()) != entry.leaf_hash {
                return Err(altered("its bytes do not match its leaf hash"));
            }
            let before = chains.insert(entry.head.tenant, (entry.head.tenant_seq, entry.leaf_hash));
            let (tenant_seq, tenant_prev) = before.map_or((0, NO_ENTRY), |(seq, leaf)| (seq + 1, leaf));
            if (entry.head.tenant_seq, entry.head.tenant_prev) != (tenant_seq, tenant_prev) {
                return Err(altered("it does not continue its tenant's chain"));
            }
            tree.append(entry.leaf_hash);
            next += 1;
        }
        progress(next);
    }
    if tree.root() != head.root {
        return Err(VerifyError::Head("its root"));
    }
    for (tenant, (tenant_seq, leaf_hash)) in &chains {
        let stored = log::chain_head_show(&mut link, *tenant).await?;
        if stored != Some(log::ChainHead { tenant_seq: *tenant_seq, leaf_hash: *leaf_hash }) {
            return Err(VerifyError::Head("a tenant's chain"));
        }
    }
    Ok(Verified { entries: next, chains: chains.len(), erased, root: tree.root() })
}
