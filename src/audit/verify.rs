//! Recomputes the whole log from the database: every payload hash, leaf, tenant chain, tile and root, and the roots that were
//! signed. It shares nothing with the writer that could hide the same mistake (see [`inspection`](super::inspection)).

use super::{
    inspection::{InspectError, Inspection, LogFlaw},
    tree::tile_check,
};
use crate::{
    evidence::{Checkpoint, Head, HeadMap, Keys},
    merkle,
    store::{Db, Link, StoreError, checkpoints, log, tiles::WIDTH},
};
use std::collections::HashMap;

/// How many entries are inspected between two reports of progress.
const STRIDE: i64 = 4_096;

/// What a log is held to beside itself.
#[derive(Clone, Debug, Default)]
pub struct Against {
    /// The keys that have to have signed the newest checkpoint in the database.
    pub keys: Option<Keys>,
    /// A checkpoint that was kept elsewhere: the log has to have been this once.
    pub older: Option<Checkpoint>,
}

/// What a verification found to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: i64,
    /// How many chains they form; the vault's own is one.
    pub chains: usize,
    /// How many payloads are erased, each covered by a later entry of its chain that says so.
    pub erased: i64,
    /// How many signed checkpoints were compared with the roots that the entries give.
    pub checkpoints: usize,
    /// The root over all entries.
    pub root: merkle::Hash,
}

/// Why a log does not verify.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log is damaged.
    #[error(transparent)]
    Flaw(#[from] LogFlaw),
    /// The newest checkpoint is not signed by a trusted key.
    #[error(transparent)]
    Untrusted(#[from] crate::evidence::Flaw),
}

impl From<InspectError> for VerifyError {
    fn from(error: InspectError) -> Self {
        match error {
            InspectError::Flaw(flaw) => Self::Flaw(flaw),
            InspectError::Store(error) => Self::Store(error),
        }
    }
}

/// Verifies the log, calling `progress` with the number of entries done. Reads pages of rows; memory grows with the
/// number of tenants, and of stretches of erased payloads whose erasure has not come yet.
///
/// # Errors
/// With the first entry that does not fit, by its sequence number.
pub async fn verify_log(db: &Db, progress: impl FnMut(i64)) -> Result<Verified, VerifyError> {
    verify_against(db, &Against::default(), progress).await
}

/// Verifies the log as [`verify_log`] does, and holds it to what is known from elsewhere.
///
/// # Errors
/// As [`verify_log`]; or where a trusted key did not sign the newest checkpoint, or the log is not what the older one says.
pub async fn verify_against(db: &Db, against: &Against, progress: impl FnMut(i64)) -> Result<Verified, VerifyError> {
    let mut reader = db.reader().await?;
    // One view of the whole log: nodes append to it meanwhile.
    reader.link().begin_reading().await?;
    let verified = verify_in(reader.link(), against, progress).await;
    reader.discard().await;
    verified
}

async fn verify_in(
    mut link: Link<'_>,
    against: &Against,
    mut progress: impl FnMut(i64),
) -> Result<Verified, VerifyError> {
    let link = &mut link;
    let head = log::head_show(link).await?;
    let mut inspection = Inspection::new();
    let mut compared = 0;
    if let Some(older) = against.older.as_ref().filter(|older| older.size > head.size.unsigned_abs()) {
        return Err(LogFlaw::Signed { size: i64::try_from(older.size).unwrap_or(i64::MAX) }.into());
    }
    let mut done = 0;
    while done < head.size {
        let reached = head.size.min(done + STRIDE);
        let mut signed = roots_signed(link, done, reached).await?;
        compared += signed.len();
        let older = against.older.as_ref().filter(|older| (done..reached).contains(&(older.size as i64 - 1)));
        if let Some(older) = older {
            // Where the database has one of that size too, both have to be right.
            let other = signed.insert(older.size, Some(older.root));
            if other.is_some_and(|root| root != Some(older.root)) {
                return Err(LogFlaw::Signed { size: older.size as i64 }.into());
            }
        }
        inspect(link, &mut inspection, reached.unsigned_abs(), &signed).await?;
        done = reached;
        progress(done);
    }
    inspection.check_missing(link).await?;
    let heads = log::chain_heads_list(link).await?.into_iter();
    let map = HeadMap::new(
        heads
            .map(|(tenant, head)| Head {
                tenant,
                tenant_seq: head.tenant_seq.unsigned_abs(),
                leaf_hash: head.leaf_hash,
            })
            .collect(),
    );
    inspection.check_heads(link, &map).await?;
    if inspection.root() != head.root {
        return Err(LogFlaw::Head("its root").into());
    }
    if let Some(keys) = &against.keys
        && let Some(newest) = checkpoints::checkpoint_newest(link).await?
    {
        let mut keys = keys.clone();
        let introductions = crate::store::signers::verifier_list(link).await?;
        keys.introduce(&introductions.into_iter().map(|row| row.introduction).collect::<Vec<_>>())?;
        Checkpoint::open(&newest.note, &keys)?;
    }
    Ok(Verified {
        entries: head.size,
        chains: inspection.chains(),
        erased: inspection.erased(),
        checkpoints: compared,
        root: inspection.root(),
    })
}

/// Inspects up to `size`, with the roots that are due on the way and the tiles that end there.
pub(super) async fn inspect(
    link: &mut Link<'_>,
    inspection: &mut Inspection,
    size: u64,
    signed: &HashMap<u64, Option<merkle::Hash>>,
) -> Result<(), InspectError> {
    let before = inspection.size();
    let fits = |edge: &super::edge::Edge| match signed.get(&edge.size()) {
        Some(root) if *root != Some(edge.root()) => Err(LogFlaw::Signed { size: edge.size() as i64 }),
        _ => Ok(()),
    };
    inspection.advance(link, size, fits).await?;
    for level in 0..u64::BITS / WIDTH.ilog2() - 1 {
        let span = WIDTH.ilog2() * (level + 1);
        for place in before >> span..size >> span {
            tile_check(link, level, place).await?;
        }
    }
    Ok(())
}

/// Reads which roots the checkpoints of more than `from` and at most `to` entries say; none of one that says no root. Whether
/// they are genuine is another question.
pub(super) async fn roots_signed(
    link: &mut Link<'_>,
    from: i64,
    to: i64,
) -> Result<HashMap<u64, Option<merkle::Hash>>, StoreError> {
    let kept = checkpoints::checkpoints_between(link, from, to).await?;
    let root = |note: &str| note.lines().nth(2)?.parse().ok();
    Ok(kept.into_iter().map(|row| (row.size.unsigned_abs(), root(&row.note))).collect())
}
