//! Makes plaintext unreadable, and is the only place that can: authenticated encryption, the hierarchy of keys, and
//! what a ciphertext is bound to. It also owns password hashing, and the shares that a key can be split into.
//!
//! ```text
//! seal ─▶ Master ─▶ Tenant ─▶ Data ─▶ Sealed<T>
//!              └──▶ Lease ─▶ lease tokens
//! ```
//!
//! Which key may wrap which is said in types ([`Wraps`]): a data key that wraps, or a master key that seals a value,
//! does not compile. This module must not know where bytes are kept, who asks for them, or what a credential is; it
//! draws no randomness of its own and reads no clock.

pub mod aead;
mod associated_data;
mod key_check;
mod keys;
mod password;
mod sealed;
mod shamir;
mod share;
mod uses;
mod wrapped;

pub use associated_data::Cell;
pub(crate) use associated_data::Encoder;
pub use key_check::{KeyCheck, WrongKey};
pub use keys::{
    Data, DataKey, Key, Lease, LeaseKey, Level, Master, MasterKey, OpenError, SealingError, Tenant, TenantKey,
};
pub use password::{Cost, CostError, MalformedHash, OutOfMemory, PasswordHash, SALT_LEN, derive_key};
pub use sealed::{MalformedPlaintext, NotSealed, Sealable, Sealed};
pub use shamir::{NoQuorum, Quorum};
pub use share::{NotAShare, NotOurs, Share, ShareKind, ShareSet};
pub use uses::{HARD_LIMIT, LIMIT, NotReserved, UseBudget, UseError};
pub use wrapped::{UnwrapError, Wrapped, Wraps};
