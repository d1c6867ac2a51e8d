//! Reserving uses: a block is written down as gone before any of it is used, so a crash loses at most a block.

use super::{Keyring, KeyringError};
use crate::{
    audit::{Batch, Change, ChangeError},
    envelope::{Key, Level, UseError},
    id::KeyId,
    store::keys::{self, KeyLevel},
};
use std::{convert::Infallible, ops::Range};

/// How many uses of a master, tenant or data key are reserved at once.
pub(super) const BLOCK: u64 = 64;
/// How many uses of a lease key are reserved at once: half a minute at full speed.
pub(super) const LEASE_BLOCK: u64 = 1 << 20;

impl Keyring {
    /// Reserves the next block for `key` if it has none left.
    pub(super) async fn reserve_if_spent<L: Level>(&self, key: &Key<L>, level: KeyLevel) -> Result<(), KeyringError> {
        if key.uses().left() > 0 {
            return Ok(());
        }
        self.reserve(key, level, BLOCK).await
    }

    /// Reserves the next block of `length` for `key`, in one small commit. Who waited meanwhile shares the block.
    pub(super) async fn reserve<L: Level>(
        &self,
        key: &Key<L>,
        level: KeyLevel,
        length: u64,
    ) -> Result<(), KeyringError> {
        // One at a time: a thousand callers at a spent key would else write down a thousand blocks.
        let _turn = self.reserving.lock().await;
        if key.uses().left() > 0 {
            return Ok(());
        }
        let reserve = ReserveUses { level, id: key.id(), length };
        let block = self.sequencer.commit(reserve).await?.output.ok_or(UseError::Exhausted)?;
        // Refused only where a newer block was added: then that one serves.
        let _ = key.uses().reserve(block);
        Ok(())
    }
}

struct ReserveUses {
    level: KeyLevel,
    id: KeyId,
    length: u64,
}

impl Change for ReserveUses {
    type Output = Option<Range<u64>>;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Option<Range<u64>>, ChangeError<Infallible>> {
        Ok(keys::uses_reserve(&mut batch.link(), self.level, self.id, self.length).await?)
    }
}
