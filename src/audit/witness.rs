//! What this node knows of the log, its own entries and others', from its anchor: a database that lacks the newest of them
//! is an older copy, and so is one that has another entry in its place, or another incarnation.

use super::anchor::{Anchor, AnchorError, Position};
use crate::{
    clock::Clock,
    domain::{fence::Incarnation, quarantine::Quarantine},
    store::{
        Link, StoreError, log,
        restores::{self, QuarantineRow},
    },
};
use parking_lot::Mutex;
use std::sync::Arc;

/// Compares databases with the anchor. Clones share it.
#[derive(Clone)]
pub(super) struct Witness(Arc<Shared>);

struct Shared {
    anchor: Arc<Anchor>,
    /// Why nothing can be compared, where it cannot.
    unvouched: Mutex<Option<Quarantine>>,
    clock: Arc<dyn Clock>,
    /// What the operator knows this node by.
    node: String,
}

impl Witness {
    /// Makes the witness of a node whose anchor was read; `unvouched` where it holds nothing to compare with.
    pub(super) fn new(anchor: Arc<Anchor>, unvouched: Option<Quarantine>, clock: Arc<dyn Clock>, node: String) -> Self {
        Self(Arc::new(Shared { anchor, unvouched: Mutex::new(unvouched), clock, node }))
    }

    pub(super) fn anchor(&self) -> &Arc<Anchor> {
        &self.0.anchor
    }

    /// Says whether there is nothing to compare a database with.
    pub(super) fn is_unvouched(&self) -> bool {
        self.0.unvouched.lock().is_some()
    }

    /// Returns the incarnation that this node works under; `None` where it knows of none.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.0.anchor.position().map(|position| position.incarnation)
    }

    /// Takes a database for the newest from here on.
    ///
    /// # Errors
    /// Where that cannot be anchored.
    pub(super) fn begin(&self, position: Position) -> Result<(), AnchorError> {
        self.0.anchor.begin(position)?;
        *self.0.unvouched.lock() = None;
        Ok(())
    }

    /// Checks that a database holds what was seen; where it does not, the whole fleet is quarantined. Costs two reads by
    /// primary key.
    ///
    /// # Errors
    /// `Quarantined` where it does not, or another node found that out; or the database fails.
    pub(super) async fn check(&self, link: &mut Link<'_>) -> Result<(), StoreError> {
        if let Some(why) = self.0.unvouched.lock().clone() {
            return Err(why.into());
        }
        let Some(position) = self.0.anchor.position() else { return Err(Quarantine::NoAnchor.into()) };
        let fence = restores::vault_fence(link).await?;
        if fence.is_quarantined {
            return Err(told(link).await?.into());
        }
        let why = if fence.incarnation == position.incarnation {
            let Some((seq, leaf_hash)) = position.newest() else { return Ok(()) };
            if log::entry_leaf(link, seq).await? == Some(leaf_hash) {
                return Ok(());
            }
            self.lacks(seq)
        } else if restores::restore_ended(link, position.incarnation).await? {
            // Accepted through another node, and not this one's to tell the fleet of.
            return Err(Quarantine::OtherIncarnation.into());
        } else {
            Quarantine::OtherIncarnation
        };
        self.declare(link, &why).await?;
        Err(why.into())
    }

    /// Quarantines the fleet.
    ///
    /// # Errors
    /// Where the database fails.
    pub(super) async fn declare(&self, link: &mut Link<'_>, why: &Quarantine) -> Result<(), StoreError> {
        let position = self.0.anchor.position();
        let row = QuarantineRow {
            why: why.to_string(),
            anchored_size: position.map_or(0, |position| position.size),
            anchored_root: position.and_then(|position| position.root),
            node: self.0.node.clone(),
            since: self.0.clock.now(),
        };
        restores::quarantine_set(link, &row).await
    }

    pub(super) fn lacks(&self, seq: i64) -> Quarantine {
        Quarantine::Lacks { seq, node: self.0.node.clone() }
    }
}

/// Reads why the fleet is quarantined.
pub(super) async fn told(link: &mut Link<'_>) -> Result<Quarantine, StoreError> {
    let why = restores::quarantine_show(link).await?.map(|row| row.why);
    // Between the two reads it was accepted: the next look sees.
    Ok(why.map_or(Quarantine::OtherIncarnation, Quarantine::Told))
}
