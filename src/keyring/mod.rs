//! The unsealed keys: master, tenant, data and lease keys in memory while the vault is open, and nothing while it is
//! sealed. This module owns which keys exist and how often they may be used; it knows nothing of what they protect.

mod budget;
mod gathering;
pub mod init;
mod leases;
mod master;
mod signer;
mod status;

pub use gathering::{GATHERING_LIFE, Progress, Purpose, ShareRefused, Taken};
pub use leases::TokenError;
pub use status::{KeyStatus, SealStatus};

use crate::{
    audit::{ChangeError, Sequencer, SubmitError},
    clock::Clock,
    entropy::Entropy,
    envelope::{
        Data, DataKey, LeaseKey, MasterKey, OpenError, SealingError, Tenant, TenantKey, UnwrapError, UseBudget,
        UseError, Wrapped, WrongKey,
    },
    id::{KeyId, TenantId},
    seal::{Seal, SealError},
    store::{Db, StoreError, keys},
};
use budget::BLOCK;
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;
use std::{convert::Infallible, sync::Arc};

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
    /// Shares that officers gave, until there are enough.
    gatherings: Mutex<gathering::Gatherings>,
}

/// What is in memory while the vault is unsealed.
struct Open {
    master: MasterKey,
    /// What gave it: the next master key has to be wrapped too.
    seal: Arc<dyn Seal>,
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
        Self {
            db,
            sequencer,
            clock,
            entropy,
            open: RwLock::new(None),
            reserving: tokio::sync::Mutex::default(),
            gatherings: Mutex::default(),
        }
    }

    /// Says whether the vault is unsealed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.read().is_some()
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
