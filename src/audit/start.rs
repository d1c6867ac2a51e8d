//! What has to hold before a log takes its first operation: head and entries belong together, the clock is not behind, and
//! the database is the newest that this node knows of. Where nobody knows that, the vault starts quarantined.

use super::{
    anchor::{Anchor, AnchorError, Found, Position},
    sequencer::SequencerOptions,
    witness::{Witness, told},
};
use crate::{
    clock::Timestamp,
    domain::{entry::NO_ENTRY, quarantine::Quarantine},
    merkle::Frontier,
    store::{
        Link, StoreError,
        log::{self, HeadRow},
        nodes, restores,
        vault::{self, VaultRow},
    },
};
use std::{sync::Arc, time::Duration};

/// How far the host's clock may lie behind the log before the vault refuses to start.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(300);

/// Why the sequencer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no vault in the database.
    #[error("the database holds no vault: run `leasehold init`")]
    NoVault,
    /// The head and the entries do not belong together.
    #[error("the log's head does not fit its entries ({0}); restore the database from a backup, nothing was altered")]
    HeadMismatch(&'static str),
    /// The host's clock lies behind the log.
    #[error(
        "this host's clock ({clock}) lies behind the newest entry of the audit log ({log}): set the clock and start again"
    )]
    ClockBehind {
        /// What the host says.
        clock: Timestamp,
        /// The newest entry's time.
        log: Timestamp,
    },
    /// The anchor cannot be used.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
}

/// A database as the log's task finds it.
pub(super) struct Start {
    pub(super) witness: Witness,
    /// Why nothing may be released.
    pub(super) quarantine: Option<Quarantine>,
}

/// A vault's row, and where its log stands.
struct Standing {
    vault: VaultRow,
    head: HeadRow,
    position: Position,
}

/// Checks everything, and takes hold of the anchor.
pub(super) async fn check(options: &SequencerOptions) -> Result<Start, StartError> {
    let mut reader = options.db.reader().await?;
    // One view of head, entries and restores: other nodes append meanwhile.
    reader.link().begin_reading().await?;
    let checked = check_in(&mut reader.link(), options).await;
    reader.discard().await;
    let start = checked?;
    let mut own = options.db.own().await?;
    if let Some(why @ (Quarantine::Lacks { .. } | Quarantine::OtherIncarnation)) = &start.quarantine {
        start.witness.declare(&mut own.link(), why).await?;
    }
    if options.db.is_shared() {
        // Before the first batch, so that a row that is missing later means that nobody can tell.
        nodes::batch_begin(&mut own.link(), options.node).await?;
    }
    Ok(start)
}

async fn check_in(link: &mut Link<'_>, options: &SequencerOptions) -> Result<Start, StartError> {
    let standing = standing(link, options).await?;
    let (anchor, found) = Anchor::open(&options.anchor, standing.vault.vault)?;
    let quarantine = judge(link, &standing, found, &options.name).await?;
    let unvouched = quarantine
        .clone()
        .filter(|why| matches!(why, Quarantine::NoAnchor | Quarantine::DamagedAnchor(_) | Quarantine::Superseded));
    match (&quarantine, found) {
        (None, Found::Nothing) => anchor.begin(standing.position)?,
        // What the database holds beyond it was acknowledged too, here or elsewhere.
        (None, _) => anchor.note(standing.position)?,
        (Some(_), _) => {}
    }
    let clock = Arc::clone(&options.clock);
    let witness = Witness::new(Arc::new(anchor), unvouched, clock, options.name.clone());
    Ok(Start { witness, quarantine })
}

/// Compares head, entries and clock.
async fn standing(link: &mut Link<'_>, options: &SequencerOptions) -> Result<Standing, StartError> {
    let vault = vault::vault_show(link).await?.ok_or(StartError::NoVault)?;
    let head = log::head_show(link).await?;
    let frontier = Frontier::from_bytes(&head.right_edge).map_err(|_| StartError::HeadMismatch("its right edge"))?;
    if i64::try_from(frontier.size()) != Ok(head.size) || frontier.root() != head.root {
        return Err(StartError::HeadMismatch("its right edge and root"));
    }
    let newest = log::entry_page(link, log::Stretch::Before(i64::MAX), 1).await?;
    let leaf_hash = match newest.first() {
        None if head.size == 0 => NO_ENTRY,
        Some(entry) if entry.head.seq + 1 == head.size && entry.head.at <= head.at => entry.leaf_hash,
        _ => return Err(StartError::HeadMismatch("its size")),
    };
    let clock = options.clock.now();
    if clock.plus(CLOCK_BEHIND_MAX) < head.at {
        return Err(StartError::ClockBehind { clock, log: head.at });
    }
    let position = Position { incarnation: vault.incarnation, size: head.size, leaf_hash, root: Some(head.root) };
    Ok(Standing { vault, head, position })
}

/// Says whether the database is the newest, as far as the anchor can tell.
async fn judge(
    link: &mut Link<'_>,
    standing: &Standing,
    found: Found,
    node: &str,
) -> Result<Option<Quarantine>, StoreError> {
    if restores::vault_fence(link).await?.is_quarantined {
        return Ok(Some(told(link).await?));
    }
    let anchored = match found {
        Found::Nothing if standing.head.size == 0 => return Ok(None),
        Found::Nothing => return Ok(Some(Quarantine::NoAnchor)),
        Found::Damaged(what) => return Ok(Some(Quarantine::DamagedAnchor(what))),
        Found::Position(position) => position,
    };
    if anchored.incarnation != standing.vault.incarnation {
        let is_accepted = restores::restore_ended(link, anchored.incarnation).await?;
        return Ok(Some(if is_accepted { Quarantine::Superseded } else { Quarantine::OtherIncarnation }));
    }
    let Some((seq, leaf_hash)) = anchored.newest() else { return Ok(None) };
    let is_there = log::entry_leaf(link, seq).await? == Some(leaf_hash);
    let is_same_tree =
        anchored.size != standing.head.size || anchored.root.is_none_or(|root| root == standing.head.root);
    let lacks = || Quarantine::Lacks { seq, node: node.to_owned() };
    Ok((!is_there || !is_same_tree).then(lacks))
}
