//! AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and whole 128-bit tags, and nothing above it.
//!
//! Layout of sealed bytes, everywhere in the vault:
//!
//! ```text
//! nonce (12) ‖ ciphertext (as long as the plaintext) ‖ tag (16)
//! ```
//!
//! Nonces are drawn at random by the caller. A nonce used twice under one key gives away the authentication key, which
//! is why every key counts its uses (see [`UseBudget`](super::UseBudget)).

use crate::secret::{SecretBuffer, SecretKey};
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use std::fmt;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes of a tag.
pub const TAG_LEN: usize = 16;
/// Bytes by which sealed bytes are longer than their plaintext.
pub const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// Seals `plaintext` under `key` once. To seal more than once under one key, keep an [`AeadKey`].
///
/// # Panics
/// Where the plaintext is longer than 64 GiB, GCM's limit.
#[must_use]
pub fn seal(key: &SecretKey, nonce: [u8; NONCE_LEN], associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    AeadKey::new(key).seal_into(nonce, associated, plaintext, &mut sealed);
    sealed
}

/// Opens what [`seal`] made.
///
/// # Errors
/// See [`AeadKey::open`].
pub fn open(key: &SecretKey, associated: &[u8], sealed: &[u8]) -> Result<SecretBuffer, DoesNotOpen> {
    AeadKey::new(key).open(associated, sealed)
}

/// Sealed bytes did not open. One error for every cause, since telling them apart helps only a forger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed bytes do not open: another key, another place, or altered")]
pub struct DoesNotOpen;

/// A key expanded for use: the round keys and the GHASH table, computed once. They are wiped when it drops.
pub struct AeadKey {
    /// Boxed, so that moving the key around does not leave copies of the round keys on the stack. One copy is left
    /// where it was built, until that stack is used again: no safe code can prevent it.
    cipher: Box<Aes256Gcm>,
}

impl AeadKey {
    /// Expands `key`, at the cost of about one short seal.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        Self { cipher: Box::new(Aes256Gcm::new(key.expose().into())) }
    }

    /// Seals `plaintext` and appends the sealed bytes to `out`.
    ///
    /// # Panics
    /// Where the plaintext is longer than 64 GiB, GCM's limit.
    pub fn seal_into(&self, nonce: [u8; NONCE_LEN], associated: &[u8], plaintext: &[u8], out: &mut Vec<u8>) {
        // Growing after the plaintext is in would leave a copy of it in the memory that was given back.
        out.reserve(plaintext.len() + OVERHEAD);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce.into(), associated, (&mut out[start..]).into())
            .expect("a slice that memory holds is shorter than 64 GiB");
        out.extend_from_slice(&tag);
    }

    /// Opens `sealed` into a buffer of its own.
    ///
    /// # Errors
    /// [`DoesNotOpen`], alike for another key, other associated data, altered bytes, and bytes too short to be sealed.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<SecretBuffer, DoesNotOpen> {
        let (nonce, ciphertext, tag) = split(sealed)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        self.decrypt(nonce, associated, &mut plaintext, tag)?;
        Ok(plaintext)
    }

    /// Opens `sealed` where it lies and returns the plaintext inside it. It allocates nothing, for the path that every
    /// gateway request takes; wiping the buffer stays the caller's care.
    ///
    /// # Errors
    /// As for [`open`](Self::open). The buffer then still holds what it held.
    pub fn open_in_place<'a>(&self, associated: &[u8], sealed: &'a mut [u8]) -> Result<&'a mut [u8], DoesNotOpen> {
        let (nonce, _, tag) = split(sealed)?;
        let end = sealed.len() - TAG_LEN;
        let plaintext = &mut sealed[NONCE_LEN..end];
        self.decrypt(nonce, associated, plaintext, tag)?;
        Ok(plaintext)
    }

    fn decrypt(&self, nonce: Gcm96, associated: &[u8], text: &mut [u8], tag: Tag) -> Result<(), DoesNotOpen> {
        // The tag is compared, in constant time, before a byte is decrypted.
        self.cipher.decrypt_inout_detached(&nonce, associated, text.into(), &tag).map_err(|_| DoesNotOpen)
    }
}

/// The round keys and the GHASH table are wiped by their own types, under the `zeroize` feature of `aes-gcm`.
impl ZeroizeOnDrop for AeadKey {}
const _: fn() = || {
    fn is_wiped<T: ZeroizeOnDrop>() {}
    is_wiped::<Aes256Gcm>();
};

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

type Gcm96 = Nonce<aes_gcm::aead::consts::U12>;

fn split(sealed: &[u8]) -> Result<(Gcm96, &[u8], Tag), DoesNotOpen> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(DoesNotOpen)?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(DoesNotOpen)?;
    Ok(((*nonce).into(), ciphertext, (*tag).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SecretKey {
        SecretKey::filled(|key| key.fill(byte))
    }

    #[test]
    fn what_was_sealed_opens_both_ways() {
        let mut sealed = seal(&key(1), [9; NONCE_LEN], b"place", b"plaintext");
        assert_eq!(sealed.len(), b"plaintext".len() + OVERHEAD);
        assert_eq!(open(&key(1), b"place", &sealed).unwrap().as_slice(), b"plaintext");
        assert_eq!(AeadKey::new(&key(1)).open_in_place(b"place", &mut sealed).unwrap(), b"plaintext");
    }

    #[test]
    fn sealing_appends_and_leaves_what_was_there() {
        let mut out = b"prefix".to_vec();
        AeadKey::new(&key(1)).seal_into([9; NONCE_LEN], b"", b"text", &mut out);
        let sealed = out.strip_prefix(b"prefix").unwrap();
        assert_eq!(open(&key(1), b"", sealed).unwrap().as_slice(), b"text");
    }

    #[test]
    fn another_key_another_place_and_every_altered_byte_fail_alike() {
        let sealed = seal(&key(1), [9; NONCE_LEN], b"place", b"plaintext");
        assert_eq!(open(&key(2), b"place", &sealed), Err(DoesNotOpen));
        assert_eq!(open(&key(1), b"elsewhere", &sealed), Err(DoesNotOpen));
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(open(&key(1), b"place", &altered), Err(DoesNotOpen), "byte {at}");
        }
    }

    #[test]
    fn a_refused_buffer_is_left_as_it_was() {
        let sealed = seal(&key(1), [9; NONCE_LEN], b"place", b"plaintext");
        let mut buffer = sealed.clone();
        assert_eq!(AeadKey::new(&key(2)).open_in_place(b"place", &mut buffer), Err(DoesNotOpen));
        assert_eq!(buffer, sealed);
    }

    #[test]
    fn every_length_too_short_to_be_sealed_is_refused() {
        for length in 0..OVERHEAD {
            assert_eq!(open(&key(1), b"", &vec![0; length]), Err(DoesNotOpen), "{length} bytes");
            assert_eq!(AeadKey::new(&key(1)).open_in_place(b"", &mut vec![0; length]), Err(DoesNotOpen));
        }
    }

    #[test]
    fn an_expanded_key_prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", AeadKey::new(&key(1))), "[redacted]");
    }
}
