//! The master key, into memory and out of it again, by way of a seal.

use super::{CACHED_KEYS, Keyring, KeyringError, Open};
use crate::{
    envelope::{Master, MasterKey, UseBudget},
    seal::{MasterIdentity, Seal, SealedMaster},
    store::{StoreError, keys, vault},
};
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use std::sync::Arc;
use uuid::Uuid;

impl Keyring {
    /// Unseals: takes the master key from `seal`, checks it against the key-check value, and loads the lease keys. The
    /// seal is kept with it. Costs one call to the seal, three reads and one small commit.
    ///
    /// # Errors
    /// `Seal` or `WrongKey` where the seal is not this vault's; the keyring then stays as it was.
    pub async fn unseal(&self, seal: &Arc<dyn Seal>) -> Result<(), KeyringError> {
        let (vault, row) = self.newest_master().await?;
        let master = unwrap_master(&**seal, vault, &row).await?;
        let leases = self.load_lease_keys(&master).await?;
        let open = Open {
            master,
            seal: Arc::clone(seal),
            leases: RwLock::new(leases),
            look: tokio::sync::Mutex::default(),
            signer: tokio::sync::Mutex::default(),
            tenants: Cache::new(CACHED_KEYS),
            data: Cache::new(CACHED_KEYS),
        };
        *self.open.write() = Some(Arc::new(open));
        self.gatherings.lock().forget_all();
        Ok(())
    }

    /// Wraps a master key that is to follow the present one under the seal that this vault is sealed with. The seal is
    /// asked for the present one first: another node may have moved the vault to another since. Costs two calls to it.
    ///
    /// # Errors
    /// `Sealed`; `Seal` where the seal fails, or is the vault's no more.
    pub async fn master_wrap(&self, next: &MasterKey) -> Result<SealedMaster, KeyringError> {
        let open = self.open()?;
        let (vault, row) = self.newest_master().await?;
        unwrap_master(&*open.seal, vault, &row).await?;
        Ok(open.seal.wrap(next, vault, &*self.entropy).await?)
    }

    /// Reads the newest master key as its seal wrapped it.
    ///
    /// # Errors
    /// Where the row is missing or corrupt, or the database fails.
    pub async fn sealed_master(&self) -> Result<SealedMaster, KeyringError> {
        Ok(self.newest_master().await?.1.sealed)
    }

    pub(super) async fn newest_master(&self) -> Result<(Uuid, keys::MasterKeyRow), KeyringError> {
        let mut reader = self.db.reader().await?;
        let vault =
            vault::vault_show(&mut reader.link()).await?.ok_or_else(|| StoreError::corrupt("vault", "id", 1))?;
        let row = keys::master_key_newest(&mut reader.link()).await?;
        let row = row.ok_or_else(|| StoreError::corrupt("master_keys", "id", "newest"))?;
        Ok((vault.vault, row))
    }

    /// Seals: drops every key from memory. What is under way finishes with the keys it holds.
    pub fn seal(&self) {
        *self.open.write() = None;
        self.gatherings.lock().forget_all();
    }
}

/// Takes a master key from its seal and checks it.
pub(super) async fn unwrap_master(
    seal: &dyn Seal,
    vault: Uuid,
    row: &keys::MasterKeyRow,
) -> Result<MasterKey, KeyringError> {
    let identity = MasterIdentity { vault, key: row.id, version: row.version };
    let secret = seal.unwrap(&row.sealed, identity).await?;
    let level = Master { version: row.version };
    let master = MasterKey::from_secret(row.id, level, secret, UseBudget::resumed(row.uses));
    master.verify_check(&row.key_check)?;
    Ok(master)
}
