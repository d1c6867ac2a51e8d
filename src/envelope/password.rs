//! Argon2id (RFC 9106): people's passwords to hashes, and a seal's passphrase to a key. Each call costs tens of
//! milliseconds and the memory that its [`Cost`] says: callers bound how many run at once, and run them where blocking
//! is allowed.

use crate::{
    entropy::{Entropy, make_array},
    secret::{SecretKey, SecretText},
};
use argon2::{Algorithm, Argon2, Block, Params, Version, password_hash::phc};
use data_encoding::BASE64_NOPAD;
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a salt.
pub const SALT_LEN: usize = 16;

/// Derives a key from a passphrase.
///
/// # Errors
/// [`OutOfMemory`] where the host cannot give what `cost` asks.
pub fn derive_key(passphrase: &SecretText, salt: &[u8; SALT_LEN], cost: Cost) -> Result<SecretKey, OutOfMemory> {
    let mut outcome = Ok(());
    let key = SecretKey::filled(|key| outcome = argon2id(passphrase, salt, cost, key));
    outcome.map(|()| key)
}

/// What an attacker pays for each guess, and we for each try. It is stored beside what was made with it, so that the
/// cost for new ones can be raised without losing the old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StatedCost", into = "StatedCost")]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// For people's passwords: 19 MiB, 2 passes, the least that OWASP's password storage guide accepts for Argon2id.
    /// It is the floor too, since a login's cost is ours as much as the attacker's.
    pub const PASSWORD: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// For a seal's passphrase: 64 MiB, 3 passes, 4 lanes (RFC 9106 §4, second recommendation). A seal is opened once a
    /// start, and guessing at it needs no login, only a stolen database.
    pub const SEAL: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };

    const FLOOR: Self = Self::PASSWORD;
    /// The least memory at which OWASP accepts a single pass.
    const SINGLE_PASS_MEMORY_KIB: u32 = 46 * 1024;
    /// Bounds what a row can make us spend: whoever writes to the database could otherwise ask for terabytes.
    const CEILING: Self = Self { memory_kib: 4 * 1024 * 1024, passes: 64, lanes: 64 };

    /// Takes a cost within what is safe and bearable: at least 19 MiB and 2 passes (or 1 pass from 46 MiB), at most
    /// 4 GiB, 64 passes and 64 lanes.
    ///
    /// # Errors
    /// [`CostError`] outside of that.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, CostError> {
        let stated = Self { memory_kib, passes, lanes };
        let least_passes = if memory_kib >= Self::SINGLE_PASS_MEMORY_KIB { 1 } else { Self::FLOOR.passes };
        if memory_kib < Self::FLOOR.memory_kib || passes < least_passes || lanes < Self::FLOOR.lanes {
            return Err(CostError::TooCheap(stated));
        }
        if memory_kib > Self::CEILING.memory_kib || passes > Self::CEILING.passes || lanes > Self::CEILING.lanes {
            return Err(CostError::TooDear(stated));
        }
        Ok(stated)
    }

    /// Returns the memory, in KiB.
    #[must_use]
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Returns how often the memory is passed over.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Returns the cost with twice the memory, at most 4 GiB.
    #[must_use]
    pub fn with_memory_doubled(self) -> Self {
        let memory_kib = self.memory_kib.saturating_mul(2).min(Self::CEILING.memory_kib);
        Self { memory_kib, ..self }
    }

    /// Returns the cost with so many times the passes, at least as many as now and at most 64.
    #[must_use]
    pub fn with_passes_times(self, times: u32) -> Self {
        let passes = self.passes.saturating_mul(times.max(1)).min(Self::CEILING.passes);
        Self { passes, ..self }
    }

    /// Says which of two costs a guesser would rather not pay.
    #[must_use]
    pub fn or_dearer(self, other: Self) -> Self {
        let work = |cost: Self| u64::from(cost.memory_kib) * u64::from(cost.passes);
        if work(other) > work(self) { other } else { self }
    }

    fn params(self) -> Params {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH_LEN)).expect("a cost is within Argon2's bounds")
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB, passes {}, lanes {}", self.memory_kib, self.passes, self.lanes)
    }
}

/// An Argon2id cost was out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// Guessing would be too cheap.
    #[error("Argon2id with {0} is too cheap to guess against: use at least 19456 KiB and 2 passes")]
    TooCheap(Cost),
    /// We could not bear it.
    #[error("Argon2id with {0} costs more than this vault will spend: use at most 4194304 KiB, 64 passes, 64 lanes")]
    TooDear(Cost),
}

/// The host could not give the memory that an Argon2id cost asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no memory for Argon2id with {0}: free some, or raise this process's limit")]
pub struct OutOfMemory(pub Cost);

/// The hash of a person's password, as a PHC string.
#[derive(Clone)]
pub struct PasswordHash {
    cost: Cost,
    salt: Vec<u8>,
    hash: [u8; HASH_LEN],
}

impl PasswordHash {
    /// Hashes `password` with a new salt.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn make(password: &SecretText, cost: Cost, entropy: &dyn Entropy) -> Result<Self, OutOfMemory> {
        let salt = make_array::<SALT_LEN>(entropy).to_vec();
        let mut hash = [0; HASH_LEN];
        argon2id(password, &salt, cost, &mut hash)?;
        Ok(Self { cost, salt, hash })
    }

    /// Reads a PHC string that a row kept: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
    ///
    /// # Errors
    /// [`MalformedHash`] for another function or version, a cost out of bounds, or a hash that is not 32 bytes.
    pub fn parse(text: &str) -> Result<Self, MalformedHash> {
        let parsed = phc::PasswordHash::new(text).map_err(|_| MalformedHash::NotPhc)?;
        if parsed.algorithm != Algorithm::Argon2id.ident() || parsed.version != Some(Version::V0x13.into()) {
            return Err(MalformedHash::NotArgon2id);
        }
        let params = Params::try_from(&parsed).map_err(|_| MalformedHash::NotPhc)?;
        let cost = Cost::new(params.m_cost(), params.t_cost(), params.p_cost())?;
        let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else {
            return Err(MalformedHash::NotPhc);
        };
        let hash = hash.as_bytes().try_into().map_err(|_| MalformedHash::NotPhc)?;
        Ok(Self { cost, salt: salt.to_vec(), hash })
    }

    /// Tells whether `password` is the one that was hashed, at the cost stored with the hash, in time that does not
    /// depend on how much of it is right.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing is known of the password then.
    pub fn verify(&self, password: &SecretText) -> Result<bool, OutOfMemory> {
        let mut hash = Zeroizing::new([0; HASH_LEN]);
        argon2id(password, &self.salt, self.cost, &mut hash)?;
        Ok(hash.ct_eq(&self.hash).into())
    }

    /// Returns the cost that the hash was made with: one that differs from today's is hashed again at the next login.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }
}

/// Writes the PHC string for the row.
impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cost { memory_kib, passes, lanes } = self.cost;
        let (salt, hash) = (BASE64_NOPAD.encode(&self.salt), BASE64_NOPAD.encode(&self.hash));
        write!(f, "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }
}

/// A hash can be guessed against, so it is no more for logs than a password is.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A stored password hash was not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedHash {
    /// Not a PHC string of salt and 32-byte hash.
    #[error("a stored password hash is not a PHC string with a salt and a hash of 32 bytes")]
    NotPhc,
    /// Another function, or an older version of it.
    #[error("a stored password hash is not Argon2id version 19")]
    NotArgon2id,
    /// Out of bounds.
    #[error(transparent)]
    Cost(#[from] CostError),
}

const HASH_LEN: usize = 32;

fn argon2id(secret: &SecretText, salt: &[u8], cost: Cost, out: &mut [u8; HASH_LEN]) -> Result<(), OutOfMemory> {
    let params = cost.params();
    // Allocated here, and not by `argon2`, because that neither wipes its blocks nor survives a refused allocation.
    let mut blocks = Zeroizing::new(Vec::<Block>::new());
    blocks.try_reserve_exact(params.block_count()).map_err(|_| OutOfMemory(cost))?;
    blocks.resize(params.block_count(), Block::default());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(secret.expose().as_bytes(), salt, out, blocks.as_mut_slice())
        .expect("salt, output and memory are of the lengths that Argon2 asks for");
    Ok(())
}

/// A cost as it is written down, before it is known to be within bounds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatedCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl TryFrom<StatedCost> for Cost {
    type Error = CostError;
    fn try_from(stated: StatedCost) -> Result<Self, CostError> {
        Self::new(stated.memory_kib, stated.passes, stated.lanes)
    }
}

impl From<Cost> for StatedCost {
    fn from(Cost { memory_kib, passes, lanes }: Cost) -> Self {
        Self { memory_kib, passes, lanes }
    }
}
