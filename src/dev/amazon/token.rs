//! Mints what Amazon hands out. A token is its own record, sealed under a key of the simulator: nothing grows with the
//! number of tokens issued, and a token outlives a restart of the simulator as it outlives one at Amazon.

use crate::{entropy, entropy::Entropy, secret::SecretKey};
use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// What a token is for. The prefix is part of what is authenticated, so that one kind does not pass as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Calls the SP-API for one selling partner.
    Access,
    /// Stands for one selling partner's authorization.
    Refresh,
    /// Calls an operation of no selling partner.
    Grantless,
    /// Signs the URL of a document.
    Document,
}

impl Purpose {
    /// Returns what tokens of this kind begin with at Amazon; a document's signature begins with nothing.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "Atza|",
            Self::Refresh => "Atzr|",
            Self::Grantless => "Atc|",
            Self::Document => "",
        }
    }
}

/// Seals and opens tokens.
pub(super) struct Mint(SecretKey);

impl Mint {
    pub(super) fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// Seals `claim` into a token of some 400 characters: prefix, then base64url of `nonce || ciphertext || tag`.
    pub(super) fn seal(&self, purpose: Purpose, claim: &impl Serialize, entropy: &dyn Entropy) -> String {
        let mut plain = serde_json::to_vec(claim).expect("a claim is plain data");
        // Amazon's tokens are a few hundred bytes long; JSON may end in spaces.
        plain.resize(plain.len().max(PLAIN_BYTES), b' ');
        let nonce: [u8; NONCE_BYTES] = entropy::make_array(entropy);
        let payload = Payload { msg: &plain, aad: purpose.prefix().as_bytes() };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload).expect("a claim is far below 64 GiB");
        let mut token = purpose.prefix().to_owned();
        BASE64URL_NOPAD.encode_append(&[nonce.as_slice(), &sealed].concat(), &mut token);
        token
    }

    /// Opens a token, or returns `None` where this simulator did not seal it for this purpose.
    pub(super) fn open<T: DeserializeOwned>(&self, purpose: Purpose, token: &str) -> Option<T> {
        let bytes = BASE64URL_NOPAD.decode(token.strip_prefix(purpose.prefix())?.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: purpose.prefix().as_bytes() };
        let plain = self.cipher().decrypt(&Nonce::from(*nonce), payload).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.0.expose().into())
    }
}

/// Draws a random token of 240 bytes behind `prefix`, for the kinds that are looked up and not opened.
pub(super) fn make_opaque(prefix: &str, entropy: &dyn Entropy) -> String {
    let mut token = prefix.to_owned();
    BASE64URL_NOPAD.encode_append(&entropy::make_array::<240>(entropy), &mut token);
    token
}

/// Derives what the simulator keeps of a secret that it need only recognise: its SHA-256, in hex.
pub(super) fn derive_fingerprint(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}

const NONCE_BYTES: usize = 12;
const PLAIN_BYTES: usize = 270;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn a_token_opens_for_its_own_purpose_only() {
        let mint = Mint::new(entropy::make_key(&SystemEntropy));
        let token = mint.seal(Purpose::Access, &"A1", &SystemEntropy);
        assert_eq!(mint.open::<String>(Purpose::Access, &token).as_deref(), Some("A1"));
        let relabelled = token.replace("Atza|", "Atzr|");
        assert_eq!(mint.open::<String>(Purpose::Refresh, &relabelled), None);
        assert_eq!(Mint::new(entropy::make_key(&SystemEntropy)).open::<String>(Purpose::Access, &token), None);
    }

    #[test]
    fn a_token_has_the_length_of_amazons() {
        let mint = Mint::new(entropy::make_key(&SystemEntropy));
        let token = mint.seal(Purpose::Access, &"A1", &SystemEntropy);
        assert!((300..2_048).contains(&token.len()), "{}", token.len());
    }
}
