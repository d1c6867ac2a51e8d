//! Randomness as an argument. Every key, nonce, salt, token and id is drawn through [`Entropy`].

use crate::secret::{SecretKey, SecretText};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

/// A source of cryptographically secure random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Panics
    /// Where the operating system gives no randomness: nothing in a vault may go on without it.
    fn fill(&self, bytes: &mut [u8]);
}

/// The kernel's generator (`getrandom(2)`).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the kernel")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the kernel gives randomness once it has booted");
    }
}

/// Draws an array of random bytes.
pub fn make_array<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes);
    bytes
}

/// Draws a random 256-bit key in place.
pub fn make_key(entropy: &dyn Entropy) -> SecretKey {
    SecretKey::filled(|key| entropy.fill(key))
}

/// Draws a bearer secret: `prefix` and 256 random bits in `A-Za-z0-9-_`. Such a secret is recognised by its SHA-256;
/// a slow hash would buy nothing against 2^256 guesses.
pub fn make_bearer(entropy: &dyn Entropy, prefix: &str) -> SecretText {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    entropy.fill(bytes.as_mut());
    let mut text = String::with_capacity(prefix.len() + BASE64URL_NOPAD.encode_len(bytes.len()));
    text.push_str(prefix);
    BASE64URL_NOPAD.encode_append(bytes.as_ref(), &mut text);
    SecretText::new(text)
}
