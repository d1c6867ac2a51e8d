//! What the master key rests on while the vault is down. A seal turns the master key into bytes that the database may
//! keep, and back. One file each, one trait: `passphrase` and `shamir` rest on people, `file` on this host.
//!
//! This module must not know of tenants, of data keys, or of the store; it keeps nothing of a master key.

mod backoff;
mod blob;
mod calibration;
mod error;
mod file;
mod passphrase;
mod passphrase_source;
mod private_file;
mod shamir;

pub use backoff::Backoff;
pub use error::SealError;
pub use file::{FileSeal, KeyFileError};
pub use passphrase::PassphraseSeal;
pub use passphrase_source::{Asking, PassphraseError, PassphraseSource, Surroundings};
pub use private_file::PrivateFileError;
pub use shamir::ShamirSeal;

use crate::{entropy::Entropy, envelope::MasterKey, id::KeyId, secret::SecretKey};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Protects the master key.
pub trait Seal: fmt::Debug + Send + Sync {
    /// Returns which seal it is.
    fn kind(&self) -> SealKind;

    /// Wraps a master key for the vault of this id. Repeating it is safe: each call gives new bytes for the same key.
    ///
    /// # Errors
    /// [`SealError`] where the seal cannot be reached or used.
    fn wrap<'a>(
        &'a self,
        master: &'a MasterKey,
        vault: Uuid,
        entropy: &'a dyn Entropy,
    ) -> BoxFuture<'a, Result<SealedMaster, SealError>>;

    /// Unwraps a master key that its row says is `identity`. Retrying is safe.
    ///
    /// # Errors
    /// [`SealError::WrongKey`] where this seal is not the one, [`SealError::OtherKind`] where it is of another kind,
    /// [`SealError::Corrupt`] where the row was altered or belongs to another vault or version.
    fn unwrap<'a>(
        &'a self,
        sealed: &'a SealedMaster,
        identity: MasterIdentity,
    ) -> BoxFuture<'a, Result<SecretKey, SealError>>;
}

/// Says which master key a sealed one is. It is bound into the wrapping, so that neither an older version nor another
/// vault's key can be put in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterIdentity {
    /// The vault's id, drawn at init.
    pub vault: Uuid,
    /// The key's id.
    pub key: KeyId,
    /// The key's version, from 1.
    pub version: i64,
}

impl MasterIdentity {
    /// Returns the identity of `master` in the vault of this id.
    #[must_use]
    pub fn of(master: &MasterKey, vault: Uuid) -> Self {
        Self { vault, key: master.id(), version: master.level().version }
    }
}

/// A master key as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedMaster {
    /// The seal that opens it.
    pub kind: SealKind,
    /// What that seal must know besides its secret, such as a salt. Nothing in it is secret, and nothing in it needs
    /// to be bound into the blob: a changed parameter leads to another key, which does not open it.
    pub parameters: serde_json::Value,
    /// The wrapped key, in the seal's own form.
    pub blob: Vec<u8>,
}

/// The kinds of seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealKind {
    /// A passphrase that a person or systemd gives at each start.
    Passphrase,
    /// A key file beside the vault.
    File,
    /// Shares that officers hold; some of them, together, give it back.
    Shamir,
}

impl SealKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Passphrase, Self::File, Self::Shamir];

    /// Returns the name that configuration and rows use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::File => "file",
            Self::Shamir => "shamir",
        }
    }
}

impl fmt::Display for SealKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SealKind {
    type Err = UnknownSeal;
    fn from_str(text: &str) -> Result<Self, UnknownSeal> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownSeal)
    }
}

/// A name was not that of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a seal that this release has: use passphrase, file or shamir")]
pub struct UnknownSeal;

impl SealedMaster {
    /// Refuses a sealed key that another kind of seal wrote.
    fn is_for(&self, offered: SealKind) -> Result<(), SealError> {
        if self.kind == offered { Ok(()) } else { Err(SealError::OtherKind { sealed: self.kind, offered }) }
    }
}
