//! What may be told of the keys, sealed or not.

use super::{Keyring, KeyringError, Progress, Purpose};
use crate::{
    id::KeyId,
    seal::{SealKind, ShamirSeal},
    store::{StoreError, keys, vault},
};
use uuid::Uuid;

/// What a seal-status page says.
#[derive(Clone, Debug)]
pub struct KeyStatus {
    /// Whether the vault is unsealed.
    pub open: bool,
    /// Which vault it is.
    pub vault: Uuid,
    /// The master key, without the key.
    pub master: keys::MasterKeyRow,
    /// How many keys there are.
    pub counts: keys::KeyCounts,
    /// The newest lease key and how many of its uses are reserved.
    pub lease_key: Option<(KeyId, u64)>,
}

/// Whether the vault is sealed, and how.
#[derive(Clone, Debug)]
pub struct SealStatus {
    /// Whether it is unsealed.
    pub open: bool,
    /// What seals it.
    pub kind: SealKind,
    /// How far its shares have come together, where it is sealed and shares open it.
    pub progress: Option<Progress>,
}

impl Keyring {
    /// Says which keys there are. Works while sealed. Counts whole indexes.
    ///
    /// # Errors
    /// Where a row is missing or corrupt, or the database fails.
    pub async fn status(&self) -> Result<KeyStatus, KeyringError> {
        let mut reader = self.db.reader().await?;
        let link = &mut reader.link();
        let vault = vault::vault_show(link).await?.ok_or_else(|| StoreError::corrupt("vault", "id", 1))?.vault;
        let master =
            keys::master_key_newest(link).await?.ok_or_else(|| StoreError::corrupt("master_keys", "id", "newest"))?;
        let counts = keys::key_counts(link).await?;
        let lease_key = keys::lease_keys_newest(link).await?.first().map(|row| (row.wrapped.id(), row.uses));
        Ok(KeyStatus { open: self.is_open(), vault, master, counts, lease_key })
    }

    /// Says whether the vault is sealed, and how. Costs two reads.
    ///
    /// # Errors
    /// Where a row is missing or corrupt, or the database fails.
    pub async fn seal_status(&self) -> Result<SealStatus, KeyringError> {
        let (_, row) = self.newest_master().await?;
        let open = self.is_open();
        let set = (!open).then(|| ShamirSeal::set_of(&row.sealed).ok()).flatten();
        let progress = set.map(|set| self.shares_progress(Purpose::Open, &set));
        Ok(SealStatus { open, kind: row.sealed.kind, progress })
    }
}
