//! The hierarchy's keys: one generic, and a level that says whose key it is and what it may do.

use super::{
    aead::{AeadKey, DoesNotOpen, NONCE_LEN},
    associated_data::Cell,
    sealed::{FRAMED_OVERHEAD, MalformedPlaintext, Sealable, Sealed, frame, unframe},
    uses::{UseBudget, UseError},
};
use crate::{
    entropy::{Entropy, make_array, make_key},
    id::{KeyId, TenantId},
    secret::{SecretBuffer, SecretKey},
};
use std::fmt;

/// Wraps tenant keys and lease keys. It is random, versioned, and in memory only while the vault is unsealed.
pub type MasterKey = Key<Master>;
/// Wraps a tenant's data keys. It is random, not derived, so that destroying it destroys the tenant's secrets.
pub type TenantKey = Key<Tenant>;
/// Seals the values of one credential version.
pub type DataKey = Key<Data>;
/// Seals lease tokens. At 30,000 leases a second it reaches [`LIMIT`](super::LIMIT) in 20 hours: rotate it by uses.
pub type LeaseKey = Key<Lease>;

/// A 256-bit key: its id, its level, and the budget that every seal takes from. It is wiped when it drops.
pub struct Key<L> {
    id: KeyId,
    level: L,
    secret: SecretKey,
    cipher: AeadKey,
    uses: UseBudget,
}

impl<L: Level> Key<L> {
    /// Draws a new key. It seals nothing until a block of uses is reserved; see [`UseBudget::reserve`].
    #[must_use]
    pub fn make(id: KeyId, level: L, entropy: &dyn Entropy) -> Self {
        Self::assemble(id, level, make_key(entropy), UseBudget::resumed(0))
    }

    pub(super) fn assemble(id: KeyId, level: L, secret: SecretKey, uses: UseBudget) -> Self {
        let cipher = AeadKey::new(&secret);
        Self { id, level, secret, cipher, uses }
    }

    /// Names the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Returns whose key it is.
    #[must_use]
    pub fn level(&self) -> &L {
        &self.level
    }

    /// Returns the budget that each seal and each wrapping takes one use from. Opening is free.
    #[must_use]
    pub fn uses(&self) -> &UseBudget {
        &self.uses
    }

    pub(super) fn secret_for_wrapping(&self) -> &SecretKey {
        &self.secret
    }

    /// Seals `plaintext` into the stored form, `format ‖ nonce ‖ ciphertext ‖ tag`.
    pub(super) fn seal_framed(
        &self,
        associated: &[u8],
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, UseError> {
        self.uses.take()?;
        let mut bytes = frame(plaintext.len());
        self.cipher.seal_into(make_array::<NONCE_LEN>(entropy), associated, plaintext, &mut bytes);
        debug_assert_eq!(bytes.len(), FRAMED_OVERHEAD + plaintext.len());
        Ok(bytes)
    }

    /// Opens a stored form. Another format fails like an altered tag.
    pub(super) fn open_framed(&self, associated: &[u8], bytes: &[u8]) -> Result<SecretBuffer, DoesNotOpen> {
        self.cipher.open(associated, unframe(bytes).map_err(|_| DoesNotOpen)?)
    }
}

impl MasterKey {
    /// Takes back a master key that a seal or enough shares gave, of which `uses` says what is reserved.
    #[must_use]
    pub fn from_secret(id: KeyId, level: Master, secret: SecretKey, uses: UseBudget) -> Self {
        Self::assemble(id, level, secret, uses)
    }

    /// Shows the key's bytes to the seal that is to wrap them. No other level can show its own.
    #[must_use]
    pub fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

impl DataKey {
    /// Seals `value` for `cell`. Takes one use.
    ///
    /// # Errors
    /// [`SealingError::Foreign`] where the cell is another tenant's, or [`SealingError::Use`].
    pub fn seal<T: Sealable>(
        &self,
        value: &T,
        cell: &Cell<'_>,
        entropy: &dyn Entropy,
    ) -> Result<Sealed<T>, SealingError> {
        if cell.tenant != self.level.tenant {
            return Err(SealingError::Foreign { key: self.id, of: self.level.tenant, asked: cell.tenant });
        }
        let bytes = self.seal_framed(&cell.encode(self.id, T::PURPOSE), value.plaintext(), entropy)?;
        Ok(Sealed::new(self.id, bytes))
    }

    /// Opens a value that was sealed for this very cell.
    ///
    /// # Errors
    /// [`OpenError::OtherKey`] where the value names another key, [`OpenError::DoesNotOpen`] where it was altered or
    /// moved, [`OpenError::Malformed`] where another release wrote it.
    pub fn open<T: Sealable>(&self, sealed: &Sealed<T>, cell: &Cell<'_>) -> Result<T, OpenError> {
        if sealed.key_id() != self.id {
            return Err(OpenError::OtherKey { named: sealed.key_id(), offered: self.id });
        }
        let plaintext = self.open_framed(&cell.encode(self.id, T::PURPOSE), sealed.as_bytes())?;
        Ok(T::from_plaintext(plaintext)?)
    }
}

impl LeaseKey {
    /// Seals a token's `claims` and appends `nonce ‖ ciphertext ‖ tag` to `out`. Takes one use. What the token's open
    /// part says, its form and the key's id, belongs in `associated`.
    ///
    /// # Errors
    /// [`UseError`]: reserve a block, or rotate.
    pub fn seal_token(
        &self,
        associated: &[u8],
        claims: &[u8],
        entropy: &dyn Entropy,
        out: &mut Vec<u8>,
    ) -> Result<(), UseError> {
        self.uses.take()?;
        self.cipher.seal_into(make_array::<NONCE_LEN>(entropy), associated, claims, out);
        Ok(())
    }

    /// Opens a token where it lies and returns its claims. It allocates nothing.
    ///
    /// # Errors
    /// [`DoesNotOpen`]: forged, altered, or another key's.
    pub fn open_token<'a>(&self, associated: &[u8], token: &'a mut [u8]) -> Result<&'a mut [u8], DoesNotOpen> {
        self.cipher.open_in_place(associated, token)
    }
}

impl<L: Level> fmt::Debug for Key<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key {} [redacted]", L::NAME, self.id)
    }
}

/// Where in the hierarchy a key stands. Only this module adds levels.
pub trait Level: Copy + fmt::Debug + only_here::Level {
    /// Names the level, in messages and in what a wrapped key is bound to.
    const NAME: &'static str;
}

mod only_here {
    /// Says what a level's key is bound to besides its id.
    pub trait Level {
        /// Returns the bytes that go into the associated data of a wrapping.
        fn context(&self) -> Vec<u8>;
    }
}

/// The level of master keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Master {
    /// Counts master keys, from 1. Wrapping is fenced on it, so that a node that lags cannot wrap under an old one.
    pub version: i64,
}

/// The level of tenant keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Whose key it is; [`TenantId::VAULT`] for the vault's own, which protects what belongs to no tenant: the secrets
    /// of the operator's applications and the signing key.
    pub tenant: TenantId,
}

/// The level of data keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// Whose credential it seals.
    pub tenant: TenantId,
}

/// The level of lease keys, which belong to the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease;

impl Level for Master {
    const NAME: &'static str = "master";
}
impl Level for Tenant {
    const NAME: &'static str = "tenant";
}
impl Level for Data {
    const NAME: &'static str = "data";
}
impl Level for Lease {
    const NAME: &'static str = "lease";
}

impl only_here::Level for Master {
    fn context(&self) -> Vec<u8> {
        self.version.to_be_bytes().to_vec()
    }
}
impl only_here::Level for Tenant {
    fn context(&self) -> Vec<u8> {
        self.tenant.as_uuid().into_bytes().to_vec()
    }
}
impl only_here::Level for Data {
    fn context(&self) -> Vec<u8> {
        self.tenant.as_uuid().into_bytes().to_vec()
    }
}
impl only_here::Level for Lease {
    fn context(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// A key refused to seal a value or wrap a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealingError {
    /// Its uses are spent.
    #[error(transparent)]
    Use(#[from] UseError),
    /// It belongs to one tenant, and what it was asked to protect belongs to another.
    #[error("key {key} of tenant {of} was asked to protect what belongs to tenant {asked}")]
    Foreign {
        /// The key.
        key: KeyId,
        /// Whose it is.
        of: TenantId,
        /// Whose the value or the key to wrap is.
        asked: TenantId,
    },
}

/// A sealed value was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It names another key than the one offered.
    #[error("the value is sealed under key {named}, not under {offered}")]
    OtherKey {
        /// The key that the value names.
        named: KeyId,
        /// The key that was to open it.
        offered: KeyId,
    },
    /// It was altered, or moved from another cell.
    #[error(transparent)]
    DoesNotOpen(#[from] DoesNotOpen),
    /// It is authentic, but not in its form.
    #[error(transparent)]
    Malformed(#[from] MalformedPlaintext),
}
