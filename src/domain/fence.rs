//! Fences: the epochs that a lease, a session or an operation was made under. Raising one ends everything made under it.

use crate::id::TenantId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The vault's incarnation: 128 random bits, drawn at init and at every accepted restore, so that nothing made before
/// a restore passes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation(pub [u8; 16]);

/// One subject's epoch as it was seen. A subject that was never raised, and has no row, is at epoch 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The id of a tenant, connection, grant, worker, objection or user; nil for the vault itself.
    pub subject: Uuid,
    /// The epoch it was at.
    pub epoch: i64,
}

/// Names the vault itself among fence subjects.
pub const VAULT_SUBJECT: Uuid = TenantId::VAULT.as_uuid();

/// Derives the fence subject of a tenant's objection to a sub-processor: the first 16 bytes of the pair's SHA-256, as
/// a UUID version 8. It exists before anyone objects, so every lease can name it.
#[must_use]
pub fn derive_objection(tenant: Uuid, sub_processor: Uuid) -> Uuid {
    let mut hash = Sha256::new();
    hash.update(b"leasehold objection\0");
    hash.update(tenant.as_bytes());
    hash.update(sub_processor.as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let (head, _) = digest.split_first_chunk::<16>().expect("32 bytes hold 16");
    uuid::Builder::from_custom_bytes(*head).into_uuid()
}
