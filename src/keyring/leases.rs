//! Lease tokens: a lease, sealed under the lease key.
//!
//! ```text
//! lh_ ‖ base64url( key id 16 ‖ nonce 12 ‖ ciphertext ‖ tag 16 )
//! ```
//! The prefix and the key id are bound as associated data.

use super::{Keyring, KeyringError, LeaseKeys, Open, budget::LEASE_BLOCK};
use crate::{
    audit::{Batch, Change, ChangeError},
    clock::{Timestamp, Uptime},
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        lease::Lease,
    },
    envelope::{self, LeaseKey, MasterKey, UseBudget, UseError, Wrapped},
    id::{KeyId, TenantId},
    secret::{SecretBuffer, SecretText},
    store::keys,
};
use data_encoding::BASE64URL_NOPAD;
use parking_lot::RwLock;
use std::{convert::Infallible, sync::Arc, time::Duration};
use uuid::Uuid;
use zeroize::Zeroizing;

const PREFIX: &str = "lh_";
/// The longest lease token, in bytes: SDKs and proxies carry it in a header.
const TOKEN_MAX: usize = 1_500;
const KEY_ID: usize = 16;
/// How long after one look for the keys of other nodes the next one begins, at least.
const LOOK_APART: Duration = Duration::from_millis(100);

/// Why a string is not a lease of this vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The vault is sealed, so nobody can tell.
    #[error("the vault is sealed")]
    Sealed,
    /// It is malformed, forged, altered, or sealed under a key that is gone.
    #[error("not a lease of this vault")]
    NotOurs,
    /// It names a key that another node may have made, and the database cannot be asked.
    #[error("the database does not say whether another node issued this lease; try again shortly")]
    Unknown,
}

/// A look for lease keys of other nodes.
#[derive(Default)]
pub(super) struct Look {
    /// When it began; none before the first.
    began_at: Option<Uptime>,
    failed: bool,
}

impl Keyring {
    /// Seals a lease into its token. Costs no I/O, except one small commit in every million leases.
    ///
    /// # Errors
    /// `Sealed`; or the lease key is spent and no block can be recorded.
    pub async fn seal_lease(&self, lease: &Lease) -> Result<SecretText, KeyringError> {
        let open = self.open()?;
        let claims = Zeroizing::new(lease.to_bytes());
        loop {
            let key = Arc::clone(&open.leases.read().newest);
            match seal(&key, &claims, &*self.entropy) {
                Ok(token) => return Ok(token),
                Err(UseError::ReservationSpent) if key.uses().is_due() => {
                    let next = self.make_lease_key(&open.master).await?;
                    adopt(&open.leases, next);
                }
                Err(UseError::ReservationSpent) => self.reserve(&*key, keys::KeyLevel::Lease, LEASE_BLOCK).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Opens a lease token. Says nothing of whether the lease is still in force: only a commit does. Costs no I/O, except
    /// where the token names a key that is not known here: another node may have made it since.
    ///
    /// # Errors
    /// `NotOurs` for anything that this vault did not seal; `Sealed`; `Unknown` where another node may have sealed it.
    pub async fn open_lease(&self, token: &str) -> Result<Lease, TokenError> {
        let open = self.open().map_err(|_| TokenError::Sealed)?;
        let text = token.strip_prefix(PREFIX).filter(|_| token.len() <= TOKEN_MAX).ok_or(TokenError::NotOurs)?;
        let mut bytes: SecretBuffer =
            Zeroizing::new(BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| TokenError::NotOurs)?);
        let (id, sealed) = bytes.split_at_mut_checked(KEY_ID).ok_or(TokenError::NotOurs)?;
        let id = KeyId::from_uuid(Uuid::from_slice(id).map_err(|_| TokenError::NotOurs)?);
        let known = open.leases.read().find(id);
        let key = match known {
            Some(key) => key,
            None => self.look_for_lease_key(&open, id).await?,
        };
        let claims = key.open_token(&associated(id), sealed).map_err(|_| TokenError::NotOurs)?;
        Lease::from_bytes(claims).map_err(|_| TokenError::NotOurs)
    }

    /// Reads the lease keys anew, though not more often than once in [`LOOK_APART`]: whoever invents key ids waits, and
    /// costs next to nothing. Callers share a look that began after they asked.
    async fn look_for_lease_key(&self, open: &Open, id: KeyId) -> Result<Arc<LeaseKey>, TokenError> {
        if !self.db.is_shared() {
            return Err(TokenError::NotOurs);
        }
        let asked_at = self.clock.uptime();
        let mut look = open.look.lock().await;
        if look.began_at.is_none_or(|began_at| began_at < asked_at) {
            if let Some(before) = look.began_at {
                tokio::time::sleep(LOOK_APART.saturating_sub(self.clock.uptime().since(before))).await;
            }
            look.began_at = Some(self.clock.uptime());
            look.failed = false;
            match self.stored_lease_keys(&open.master).await {
                Ok(all) => open.leases.write().add(all),
                Err(error) => {
                    tracing::warn!(%error, "the lease keys of other nodes cannot be read");
                    look.failed = true;
                }
            }
        }
        match open.leases.read().find(id) {
            Some(key) => Ok(key),
            None if look.failed => Err(TokenError::Unknown),
            None => Err(TokenError::NotOurs),
        }
    }

    /// Loads the lease keys that may still open a living lease; makes the first, or the next where the newest is due.
    pub(super) async fn load_lease_keys(&self, master: &MasterKey) -> Result<LeaseKeys, KeyringError> {
        let mut all = self.stored_lease_keys(master).await?;
        let newest = match all.first() {
            Some(newest) if !newest.uses().is_due() => Arc::clone(newest),
            _ => {
                let made = self.make_lease_key(master).await?;
                all.insert(0, Arc::clone(&made));
                made
            }
        };
        Ok(LeaseKeys { newest, all })
    }

    async fn stored_lease_keys(&self, master: &MasterKey) -> Result<Vec<Arc<LeaseKey>>, KeyringError> {
        let rows = keys::lease_keys_newest(&mut self.db.reader().await?.link()).await?;
        let unwrap = |row: keys::KeyRow<_>| {
            master.unwrap(&row.wrapped, envelope::Lease, UseBudget::resumed(row.uses)).map(Arc::new)
        };
        Ok(rows.into_iter().map(unwrap).collect::<Result<_, _>>()?)
    }

    async fn make_lease_key(&self, master: &MasterKey) -> Result<Arc<LeaseKey>, KeyringError> {
        self.reserve_if_spent(master, keys::KeyLevel::Master).await?;
        let key = LeaseKey::make(self.make_id(), envelope::Lease, &*self.entropy);
        let wrapped = master.wrap(&key, &*self.entropy)?;
        let details = serde_json::json!({ "key": key.id() });
        let payload = Payload { actor: Subject::VAULT, object: Subject::VAULT, outcome: Outcome::Allowed, details };
        let event = Event::make(&*self.entropy, TenantId::VAULT, Kind::LeaseKeyMade, &payload);
        self.sequencer.commit(AddLeaseKey { wrapped, event }).await?;
        key.uses().reserve(0..LEASE_BLOCK).expect("a new key has no block yet");
        Ok(Arc::new(key))
    }
}

impl LeaseKeys {
    fn find(&self, id: KeyId) -> Option<Arc<LeaseKey>> {
        self.all.iter().find(|key| key.id() == id).map(Arc::clone)
    }

    /// Takes in the keys that are not known yet. Which one seals does not change: each node's does until it is spent.
    fn add(&mut self, keys: Vec<Arc<LeaseKey>>) {
        for key in keys {
            if self.find(key.id()).is_none() {
                self.all.push(key);
            }
        }
    }
}

fn adopt(leases: &RwLock<LeaseKeys>, key: Arc<LeaseKey>) {
    let mut leases = leases.write();
    leases.all.insert(0, Arc::clone(&key));
    leases.newest = key;
}

fn seal(key: &LeaseKey, claims: &[u8], entropy: &dyn crate::entropy::Entropy) -> Result<SecretText, UseError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_ID + envelope::aead::OVERHEAD + claims.len()));
    bytes.extend_from_slice(key.id().as_uuid().as_bytes());
    key.seal_token(&associated(key.id()), claims, entropy, &mut bytes)?;
    let mut token = String::with_capacity(PREFIX.len() + BASE64URL_NOPAD.encode_len(bytes.len()));
    token.push_str(PREFIX);
    BASE64URL_NOPAD.encode_append(&bytes, &mut token);
    Ok(SecretText::new(token))
}

fn associated(id: KeyId) -> [u8; PREFIX.len() + KEY_ID] {
    let mut bytes = [0; PREFIX.len() + KEY_ID];
    let (prefix, key) = bytes.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(PREFIX.as_bytes());
    key.copy_from_slice(id.as_uuid().as_bytes());
    bytes
}

struct AddLeaseKey {
    wrapped: Wrapped<envelope::Lease>,
    event: Event,
}

impl Change for AddLeaseKey {
    type Output = Timestamp;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Timestamp, ChangeError<Infallible>> {
        let at = batch.at();
        keys::lease_key_insert(&mut batch.link(), &self.wrapped, LEASE_BLOCK, at).await?;
        batch.record(self.event.clone()).await?;
        Ok(at)
    }
}
