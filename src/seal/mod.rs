//! What the master key rests on while the vault is down. A seal turns the master key into bytes that the database may
//! keep, and back. The two here need nothing but this host; one that asks an HSM or a KMS fits the same trait, which is
//! why its methods are futures.
//!
//! This module must not know of tenants, of data keys, or of the store; it keeps nothing of a master key.

mod blob;
mod file;
mod passphrase;
mod passphrase_source;
mod private_file;

pub use file::{FileSeal, KeyFileError};
pub use passphrase::PassphraseSeal;
pub use passphrase_source::{Asking, PassphraseError, PassphraseSource, Surroundings};
pub use private_file::PrivateFileError;

use crate::{
    entropy::Entropy,
    envelope::{MasterKey, OutOfMemory},
    id::KeyId,
    secret::SecretKey,
};
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
}

impl SealKind {
    /// Returns the name that configuration and rows use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::File => "file",
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
        match text {
            "passphrase" => Ok(Self::Passphrase),
            "file" => Ok(Self::File),
            _ => Err(UnknownSeal),
        }
    }
}

/// A name was not that of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a seal that this release has: use passphrase or file")]
pub struct UnknownSeal;

/// A master key was not sealed or unsealed. Each message is one line: the cause, then the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The seal works, and is not the one that this vault was sealed with.
    #[error("wrong {kind} seal, this vault's master key was sealed with another: {remedy}")]
    WrongKey {
        /// The seal offered.
        kind: SealKind,
        /// What to do.
        remedy: String,
    },
    /// The seal offered is of another kind.
    #[error("this vault is sealed by {sealed}, and a {offered} seal was offered: configure the {sealed} seal")]
    OtherKind {
        /// The kind that the row names.
        sealed: SealKind,
        /// The kind offered.
        offered: SealKind,
    },
    /// The row does not hold what this seal wrote there.
    #[error("the sealed master key is corrupt, {what}: restore it from a backup, or recover it from its shares")]
    Corrupt {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A key file was not made or read.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The passphrase's key could not be derived.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// The process is going down.
    #[error("the vault stopped while its passphrase was being checked: start it again")]
    Stopped,
}

impl SealedMaster {
    /// Refuses a sealed key that another kind of seal wrote.
    fn is_for(&self, offered: SealKind) -> Result<(), SealError> {
        if self.kind == offered { Ok(()) } else { Err(SealError::OtherKind { sealed: self.kind, offered }) }
    }
}
