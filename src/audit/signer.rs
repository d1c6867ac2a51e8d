//! What the log asks of its signing key. The keyring holds it and is handed in, so that keys and log make no circle.

use crate::{evidence::Keys, store::StoreError};
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// Signs checkpoints.
pub trait Signer: Send + Sync {
    /// Signs a text and returns the note (C2SP `signed-note`). Costs one read, and one signature.
    ///
    /// # Errors
    /// `Sealed` while the vault is.
    fn sign<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<String, SignError>>;

    /// Returns the public keys that this vault itself has signed with: what the database says of them is not asked. Costs a
    /// read, and the opening of each.
    ///
    /// # Errors
    /// `Sealed` while the vault is.
    fn keys(&self) -> BoxFuture<'_, Result<Keys, SignError>>;

    /// Says whether signing can be tried: whether the vault is unsealed.
    fn is_ready(&self) -> bool;
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The vault is sealed.
    #[error("the vault is sealed, and with it the key that signs checkpoints")]
    Sealed,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is not to be had.
    #[error("the key that signs checkpoints is not to be had: {0}")]
    Failed(String),
}

/// Names a vault's log: the first line of its checkpoints, and the name of its keys. It stays when the vault moves.
#[must_use]
pub fn log_origin(vault: Uuid) -> String {
    format!("leasehold/{vault}")
}
