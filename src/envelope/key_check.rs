//! Key-check values: whether a master key is the right one, asked before anything is opened or wrapped with it. Without
//! one, a vault started under the wrong seal would answer with thousands of values that do not open, or worse, write
//! new ones that nobody can read later.

use super::{
    associated_data::Encoder,
    keys::MasterKey,
    sealed::{NotSealed, unframe},
    uses::UseError,
};
use crate::{entropy::Entropy, id::KeyId};
use subtle::ConstantTimeEq;

/// A fixed text sealed under a master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCheck(Vec<u8>);

const CHECK_TEXT: &[u8] = b"leasehold key check";

impl KeyCheck {
    /// Reads back what a row kept. For the store alone.
    ///
    /// # Errors
    /// [`NotSealed`] where the bytes cannot be a check value.
    pub fn from_stored(bytes: Vec<u8>) -> Result<Self, NotSealed> {
        unframe(&bytes)?;
        Ok(Self(bytes))
    }

    /// Shows the stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl MasterKey {
    /// Makes the check value that is stored beside this key's version. Takes one use.
    ///
    /// # Errors
    /// [`UseError`].
    pub fn make_check(&self, entropy: &dyn Entropy) -> Result<KeyCheck, UseError> {
        Ok(KeyCheck(self.seal_framed(&self.check_binding(), CHECK_TEXT, entropy)?))
    }

    /// Checks that this is the key that `check` was made with.
    ///
    /// # Errors
    /// [`WrongKey`] where it is not, or where the check value was altered or is another version's.
    pub fn verify_check(&self, check: &KeyCheck) -> Result<(), WrongKey> {
        let wrong = WrongKey { key: self.id(), version: self.level().version };
        let opened = self.open_framed(&self.check_binding(), &check.0).map_err(|_| wrong)?;
        bool::from(opened.ct_eq(CHECK_TEXT)).then_some(()).ok_or(wrong)
    }

    fn check_binding(&self) -> Vec<u8> {
        let version = self.level().version.to_be_bytes();
        Encoder::new("leasehold key-check v1").key(self.id()).field(&version).finish()
    }
}

/// A master key is not the one that this vault was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("master key {key} (version {version}) fails its check: it is not the key this vault was written with")]
pub struct WrongKey {
    /// The key's id.
    pub key: KeyId,
    /// Its version.
    pub version: i64,
}
