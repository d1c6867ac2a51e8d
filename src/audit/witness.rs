//! The newest entry that this node saw in the log, its own or another's: a database that lacks it is an older copy, and
//! so is one that has another entry in its place.

use crate::{
    merkle::Hash,
    store::{Link, StoreError, log},
};
use parking_lot::Mutex;
use std::sync::Arc;

/// Remembers it. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Witness(Arc<Mutex<Option<(i64, Hash)>>>);

impl Witness {
    /// Notes an entry that is durable.
    pub(super) fn saw(&self, seq: i64, leaf_hash: Hash) {
        let mut newest = self.0.lock();
        if newest.is_none_or(|(known, _)| known < seq) {
            *newest = Some((seq, leaf_hash));
        }
    }

    /// Checks that a database holds what was seen. Costs one read by primary key.
    ///
    /// # Errors
    /// `Rollback` where it does not; or the database fails.
    pub(super) async fn check(&self, link: &mut Link<'_>) -> Result<(), StoreError> {
        let Some((seq, leaf_hash)) = *self.0.lock() else { return Ok(()) };
        let found = log::entry_leaf(link, seq).await?;
        if found == Some(leaf_hash) { Ok(()) } else { Err(StoreError::Rollback { seq }) }
    }
}
