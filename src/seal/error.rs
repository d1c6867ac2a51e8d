//! Why a master key was not sealed or unsealed.

use super::{KeyFileError, SealKind};
use crate::envelope::OutOfMemory;

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
