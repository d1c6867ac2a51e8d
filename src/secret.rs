//! Types that hold secret material: they zeroize on drop, print `[redacted]`, compare in constant time, and neither
//! serialize nor clone by accident. This module knows nothing of what the secrets are for.

use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Holds a secret that is text: a refresh token, a client secret, a passphrase.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Takes ownership of `text`; its buffer is zeroized when the value drops.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Shows the text. Stands only on the line that uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Copies UTF-8 `bytes` into a secret, or `None` where they are not UTF-8.
    #[must_use]
    pub fn from_utf8(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok().map(|text| Self(text.to_owned()))
    }
}

/// The SHA-256 of a secret, kept where a secret need only be recognised. Good for secrets of 256 random bits; people's
/// passwords need a slow hash.
#[derive(Clone, Copy, Debug)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Hashes a presented secret.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Shows the hash, as the store binds it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Compares with a stored hash in constant time.
    #[must_use]
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}

/// Compares contents in constant time; lengths may differ openly.
impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}
impl Eq for SecretText {}

/// Holds secret bytes of any length.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes ownership of `bytes`; the buffer is zeroized when the value drops.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Shows the bytes. Stands only on the line that uses them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Holds a 256-bit key, filled in place.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; SecretKey::LEN]);

impl SecretKey {
    /// Bytes in a key: 256 bits.
    pub const LEN: usize = 32;

    /// Makes a key by letting `fill` write it where it will live.
    pub fn filled(fill: impl FnOnce(&mut [u8; Self::LEN])) -> Self {
        let mut key = Self([0; Self::LEN]);
        fill(&mut key.0);
        key
    }

    /// Copies a key out of `bytes`, or `None` where they are not exactly 32. The caller's copy stays the caller's care.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        Some(Self::filled(|key| key.copy_from_slice(bytes)))
    }

    /// Shows the key. Stands only on the line that uses it.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// Clones deliberately named, because each copy of a key is one more place to wipe.
impl SecretKey {
    /// Copies the key into a second zeroizing buffer.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0)
    }
}

/// A buffer for plaintext on its way through: zeroized when it drops.
pub type SecretBuffer = Zeroizing<Vec<u8>>;

macro_rules! redacted {
    ($($name:ty),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[redacted]")
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[redacted]")
            }
        }
    )*};
}
redacted!(SecretText, SecretBytes, SecretKey);

/// Reads a secret out of a request body. There is deliberately no `Serialize`.
impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let text = SecretText::new("hunter2".into());
        assert_eq!(format!("{text:?} {text}"), "[redacted] [redacted]");
        let key = SecretKey::filled(|k| k.fill(7));
        assert_eq!(format!("{key:?}"), "[redacted]");
    }

    #[test]
    fn equal_secrets_compare_equal_and_others_do_not() {
        assert_eq!(SecretText::new("a".into()), SecretText::new("a".into()));
        assert_ne!(SecretText::new("a".into()), SecretText::new("b".into()));
        assert_ne!(SecretText::new("a".into()), SecretText::new("aa".into()));
    }
}
