//! Reserving uses: a block is written down as gone before any of it is used, so a crash loses at most a block.

use super::{Keyring, KeyringError};
use crate::{
    audit::{Batch, Change, ChangeError},
    envelope::{Key, Level, next_block},
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

    /// Reserves the next block of `length` for `key`, in one small commit.
    pub(super) async fn reserve<L: Level>(
        &self,
        key: &Key<L>,
        level: KeyLevel,
        length: u64,
    ) -> Result<(), KeyringError> {
        let block = next_block(key.uses().reserved(), length)?;
        let written = self.sequencer.commit(ReserveUses { level, id: key.id(), block: block.clone() }).await?;
        // False where another call reserved meanwhile: its block serves us too.
        if written.output {
            let _ = key.uses().reserve(block);
        }
        Ok(())
    }
}

struct ReserveUses {
    level: KeyLevel,
    id: KeyId,
    block: Range<u64>,
}

impl Change for ReserveUses {
    type Output = bool;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, ChangeError<Infallible>> {
        Ok(keys::uses_reserve(&mut batch.link(), self.level, self.id, self.block.clone()).await?)
    }
}
