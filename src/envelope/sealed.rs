//! The only form in which a secret reaches the store.

use super::aead::OVERHEAD;
use crate::{id::KeyId, secret::SecretBuffer};
use std::{fmt, marker::PhantomData};

/// A secret that may be sealed. Whoever owns the kind of secret implements this; `T` in [`Sealed<T>`] then says which
/// kind a column holds.
pub trait Sealable: Sized {
    /// Names what the secret is for, such as `refresh-token`. It is bound into the ciphertext, so that an access token
    /// cannot be passed off as a client secret. Never change it once values are stored.
    const PURPOSE: &'static str;

    /// Shows the bytes to seal.
    fn plaintext(&self) -> &[u8];

    /// Takes opened bytes back.
    ///
    /// # Errors
    /// Where the bytes are not in the secret's form.
    fn from_plaintext(plaintext: SecretBuffer) -> Result<Self, MalformedPlaintext>;
}

/// A value opened, so it is authentic, but it is not in the form its type expects: another release wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an opened {purpose} is not in the form of one: it was sealed by a release that writes it otherwise")]
pub struct MalformedPlaintext {
    /// What the value is for.
    pub purpose: &'static str,
}

/// Ciphertext of a `T`, and the key that opens it. Only [`DataKey::seal`](super::DataKey) makes one from plaintext, and
/// the store's interface takes and gives nothing else, so that no module can write plaintext.
///
/// ```text
/// format (1, is 0x01) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
/// ```
pub struct Sealed<T> {
    key: KeyId,
    bytes: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    /// Reads back what [`as_bytes`](Self::as_bytes) gave and a row kept. For the store alone.
    ///
    /// This takes bytes on trust, and has to: without the key nobody can tell ciphertext from noise. It is no way
    /// around sealing, since nothing that enters here is ever read without its tag being checked, and since the format
    /// byte is a control character that no token, password or PEM begins with: plaintext passed by mistake is refused.
    ///
    /// # Errors
    /// [`NotSealed`] where the bytes cannot have come from sealing.
    pub fn from_stored(key: KeyId, bytes: Vec<u8>) -> Result<Self, NotSealed> {
        unframe(&bytes)?;
        Ok(Self { key, bytes, of: PhantomData })
    }

    pub(super) fn new(key: KeyId, bytes: Vec<u8>) -> Self {
        Self { key, bytes, of: PhantomData }
    }

    /// Names the data key that opens the value.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key
    }

    /// Shows the stored form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::new(self.key, self.bytes.clone())
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.bytes == other.bytes
    }
}
impl<T> Eq for Sealed<T> {}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes under {})", self.bytes.len(), self.key)
    }
}

/// Bytes that a row held are not sealed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSealed {
    /// Too short to hold a nonce and a tag.
    #[error("{length} bytes are too few to be sealed")]
    TooShort {
        /// How many bytes there were.
        length: usize,
    },
    /// The right length for another key or form.
    #[error("{length} bytes where a wrapped key has {expected}")]
    Length {
        /// How many bytes there were.
        length: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Another format: plaintext, or a later release's.
    #[error("format {format:#04x} is not one that this release seals in")]
    Format {
        /// The first byte.
        format: u8,
    },
}

/// The one format there is: AES-256-GCM with the layout of [`super::aead`].
const FORMAT: u8 = 0x01;

/// Bytes by which a stored form is longer than its plaintext.
pub(super) const FRAMED_OVERHEAD: usize = 1 + OVERHEAD;

/// Begins the stored form of a value of `length` bytes.
pub(super) fn frame(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAMED_OVERHEAD + length);
    bytes.push(FORMAT);
    bytes
}

/// Returns the sealed bytes inside a stored form.
pub(super) fn unframe(bytes: &[u8]) -> Result<&[u8], NotSealed> {
    if bytes.len() < FRAMED_OVERHEAD {
        return Err(NotSealed::TooShort { length: bytes.len() });
    }
    match bytes {
        [FORMAT, sealed @ ..] => Ok(sealed),
        [format, ..] => Err(NotSealed::Format { format: *format }),
        [] => Err(NotSealed::TooShort { length: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Token;
    const KEY: KeyId = KeyId::from_uuid(uuid::Uuid::nil());

    #[test]
    fn stored_bytes_too_short_to_be_sealed_are_refused() {
        for length in [0, 1, FRAMED_OVERHEAD - 1] {
            let refused = Sealed::<Token>::from_stored(KEY, vec![FORMAT; length]);
            assert_eq!(refused, Err(NotSealed::TooShort { length }));
        }
        assert!(Sealed::<Token>::from_stored(KEY, vec![FORMAT; FRAMED_OVERHEAD]).is_ok());
    }

    #[test]
    fn plaintext_passed_for_stored_bytes_is_refused() {
        let token = b"Atzr|IwEBIA-a-refresh-token-that-is-long-enough".to_vec();
        assert_eq!(Sealed::<Token>::from_stored(KEY, token), Err(NotSealed::Format { format: b'A' }));
    }

    #[test]
    fn a_sealed_value_prints_its_length_and_key_alone() {
        let sealed = Sealed::<Token>::from_stored(KEY, vec![FORMAT; 40]).unwrap();
        assert_eq!(format!("{sealed:?}"), format!("Sealed(40 bytes under {KEY})"));
    }
}
