//! The unsealed keys: master, tenant, data and lease keys in memory while the vault is open, and nothing while it is
//! sealed. This module owns which keys exist and how often they may be used; it knows nothing of what they protect.

mod budget;
pub mod init;
mod leases;
mod signer;

pub use leases::TokenError;

use crate::{
    audit::{ChangeError, Sequencer, SubmitError},
    clock::Clock,
    entropy::Entropy,
    envelope::{
        Data, DataKey, LeaseKey, Master, MasterKey, OpenError, SealingError, Tenant, TenantKey, UnwrapError, UseBudget,
        UseError, Wrapped, WrongKey,
    },
    id::{KeyId, TenantId},
    seal::{MasterIdentity, Seal, SealError},
    store::{Db, StoreError, keys, vault},
};
use budget::BLOCK;
use parking_lot::RwLock;
use quick_cache::sync::Cache;
use std::{convert::Infallible, sync::Arc};
use uuid::Uuid;

/// How many tenant keys and data keys stay in memory. A key that is not there costs one read and one unwrapping.
const CACHED_KEYS: usize = 10_000;

/// The vault's keys.
pub struct Keyring {
    db: Db,
    sequencer: Sequencer,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    open: RwLock<Option<Arc<Open>>>,
    /// Held while a block of uses is reserved.
    reserving: tokio::sync::Mutex<()>,
}

/// What is in memory while the vault is unsealed.
struct Open {
    master: MasterKey,
    leases: RwLock<LeaseKeys>,
    /// The newest look for lease keys of other nodes.
    look: tokio::sync::Mutex<leases::Look>,
    /// The key that signs checkpoints, once it was asked for.
    signer: tokio::sync::Mutex<Option<Arc<signer::LogSigner>>>,
    tenants: Cache<TenantId, Arc<TenantKey>>,
    data: Cache<KeyId, Arc<DataKey>>,
}

/// The newest lease key seals; the ones before open until their leases have died.
struct LeaseKeys {
    newest: Arc<LeaseKey>,
    all: Vec<Arc<LeaseKey>>,
}

/// A new tenant key, to be written in the change that adds the tenant.
pub struct NewTenantKey {
    /// The wrapped key.
    pub wrapped: Wrapped<Tenant>,
}

/// A new data key, to be written in the change that adds the credential.
pub struct NewDataKey {
    /// The key, with a block of uses that counts as reserved once the row is there.
    pub key: DataKey,
    /// The wrapped key.
    pub wrapped: Wrapped<Data>,
}

impl NewDataKey {
    /// How many uses are reserved with the row.
    pub const USES: u64 = BLOCK;
}

/// Why a key is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The vault is sealed.
    #[error("the vault is sealed: an officer has to unseal it")]
    Sealed,
    /// The key was destroyed: what it sealed is gone for good.
    #[error("the key was destroyed, and what it sealed with it")]
    Destroyed,
    /// The seal did not give the master key.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The seal gave a key that is not this vault's.
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
    /// A stored key does not open under its parent.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
    /// A stored value does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A key may not be used any more.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A reservation could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

impl From<UseError> for KeyringError {
    fn from(error: UseError) -> Self {
        Self::Sealing(error.into())
    }
}

impl From<ChangeError<Infallible>> for KeyringError {
    fn from(error: ChangeError<Infallible>) -> Self {
        match error {
            ChangeError::Refused(never) => match never {},
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl Keyring {
    /// Makes a sealed keyring.
    #[must_use]
    pub fn sealed(db: Db, sequencer: Sequencer, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { db, sequencer, clock, entropy, open: RwLock::new(None), reserving: tokio::sync::Mutex::default() }
    }

    /// Says whether the vault is unsealed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.read().is_some()
    }

    /// Unseals: takes the master key from `seal`, checks it against the key-check value, and loads the lease keys.
    /// Costs one call to the seal, three reads and one small commit.
    ///
    /// # Errors
    /// `Seal` or `WrongKey` where the seal is not this vault's; the keyring then stays as it was.
    pub async fn unseal(&self, seal: &dyn Seal) -> Result<(), KeyringError> {
        let (vault, row) = {
            let mut reader = self.db.reader().await?;
            let vault = vault::vault_show(&mut reader.link()).await?;
            (vault, keys::master_key_newest(&mut reader.link()).await?)
        };
        let (Some(vault), Some(row)) = (vault, row) else {
            return Err(StoreError::corrupt("master_keys", "id", "newest").into());
        };
        let identity = MasterIdentity { vault: vault.vault, key: row.id, version: row.version };
        let secret = seal.unwrap(&row.sealed, identity).await?;
        let level = Master { version: row.version };
        let master = MasterKey::from_secret(row.id, level, secret, UseBudget::resumed(row.uses));
        master.verify_check(&row.key_check)?;
        let leases = self.load_lease_keys(&master).await?;
        let open = Open {
            master,
            leases: RwLock::new(leases),
            look: tokio::sync::Mutex::default(),
            signer: tokio::sync::Mutex::default(),
            tenants: Cache::new(CACHED_KEYS),
            data: Cache::new(CACHED_KEYS),
        };
        *self.open.write() = Some(Arc::new(open));
        Ok(())
    }

    /// Seals: drops every key from memory. What is under way finishes with the keys it holds.
    pub fn seal(&self) {
        *self.open.write() = None;
    }

    fn open(&self) -> Result<Arc<Open>, KeyringError> {
        self.open.read().as_ref().map(Arc::clone).ok_or(KeyringError::Sealed)
    }

    /// Draws a tenant's key, wrapped under the master key.
    ///
    /// # Errors
    /// `Sealed`; or the master key is spent.
    pub async fn make_tenant_key(&self, tenant: TenantId) -> Result<NewTenantKey, KeyringError> {
        let open = self.open()?;
        self.reserve_if_spent(&open.master, keys::KeyLevel::Master).await?;
        let key = TenantKey::make(self.make_id(), Tenant { tenant }, &*self.entropy);
        Ok(NewTenantKey { wrapped: open.master.wrap(&key, &*self.entropy)? })
    }

    /// Draws a data key for a tenant's credential, wrapped under the tenant's key.
    ///
    /// # Errors
    /// `Sealed`; `Destroyed` where the tenant's key is gone; or the tenant's key is spent.
    pub async fn make_data_key(&self, tenant: TenantId) -> Result<NewDataKey, KeyringError> {
        let parent = self.tenant_key(tenant).await?;
        self.reserve_if_spent(&*parent, keys::KeyLevel::Tenant).await?;
        let key = DataKey::make(self.make_id(), Data { tenant }, &*self.entropy);
        key.uses().reserve(0..NewDataKey::USES).expect("a new key has no block yet");
        let wrapped = parent.wrap(&key, &*self.entropy)?;
        Ok(NewDataKey { key, wrapped })
    }

    /// Returns a data key, to open what it sealed.
    ///
    /// # Errors
    /// `Sealed`; `Destroyed` where it is gone.
    pub async fn data_key(&self, id: KeyId) -> Result<Arc<DataKey>, KeyringError> {
        let open = self.open()?;
        if let Some(key) = open.data.get(&id) {
            return Ok(key);
        }
        let row = keys::data_key_show(&mut self.db.reader().await?.link(), id).await?;
        let (tenant, row) = row.ok_or(KeyringError::Destroyed)?;
        let parent = self.tenant_key(tenant).await?;
        let key = Arc::new(parent.unwrap(&row.wrapped, Data { tenant }, UseBudget::resumed(row.uses))?);
        open.data.insert(id, Arc::clone(&key));
        Ok(key)
    }

    /// Returns a data key that has a use to seal with. May cost one small commit.
    ///
    /// # Errors
    /// As [`Self::data_key`]; or the key is spent.
    pub async fn data_key_to_seal(&self, id: KeyId) -> Result<Arc<DataKey>, KeyringError> {
        let key = self.data_key(id).await?;
        self.reserve_if_spent(&*key, keys::KeyLevel::Data).await?;
        Ok(key)
    }

    /// Forgets a data key that was destroyed.
    pub fn forget_data_key(&self, id: KeyId) {
        if let Some(open) = &*self.open.read() {
            open.data.remove(&id);
        }
    }

    /// Forgets every data key of memory: credentials within some reach were destroyed.
    pub fn forget_data_keys(&self) {
        if let Some(open) = &*self.open.read() {
            open.data.clear();
        }
    }

    async fn tenant_key(&self, tenant: TenantId) -> Result<Arc<TenantKey>, KeyringError> {
        let open = self.open()?;
        if let Some(key) = open.tenants.get(&tenant) {
            return Ok(key);
        }
        let row = keys::tenant_key_show(&mut self.db.reader().await?.link(), tenant).await?;
        let row = row.ok_or(KeyringError::Destroyed)?;
        let key = open.master.unwrap(&row.wrapped, Tenant { tenant }, UseBudget::resumed(row.uses))?;
        let key = Arc::new(key);
        open.tenants.insert(tenant, Arc::clone(&key));
        Ok(key)
    }

    fn make_id(&self) -> KeyId {
        KeyId::make(&*self.clock, &*self.entropy)
    }
}

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
}
