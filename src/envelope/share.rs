//! A share of a key as people keep it: a line that says what it belongs to and whether it was copied well.
//!
//! ```text
//! lhs_ (of a seal) or lhr_ (of the recovery key), then in Crockford's base 32, in groups of four:
//! format (1, is 0x01) ‖ set (16) ‖ threshold (1) ‖ place (1) ‖ value (32) ‖ checksum (4)
//! ```
//! The checksum is the beginning of a SHA-256 over all before it, the kind included. It finds slips of the pen, not
//! forgery: whether a share is genuine is told by the hashes that are kept of all of its set.

use super::{
    associated_data::Encoder,
    shamir::{self, Quorum},
};
use crate::{
    entropy::{Entropy, make_array},
    secret::{SecretKey, SecretText},
};
use data_encoding::{BASE64, Encoding, Specification};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, sync::LazyLock};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What a share is a share of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareKind {
    /// The key of a seal.
    Seal,
    /// The recovery key.
    Recovery,
}

impl ShareKind {
    const ALL: [Self; 2] = [Self::Seal, Self::Recovery];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Seal => "lhs_",
            Self::Recovery => "lhr_",
        }
    }
}

impl fmt::Display for ShareKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seal => "seal",
            Self::Recovery => "recovery",
        })
    }
}

/// One share of a key. Its value is wiped when it drops.
pub struct Share {
    kind: ShareKind,
    set: Uuid,
    threshold: u8,
    place: u8,
    value: SecretKey,
}

const FORMAT: u8 = 0x01;
const BODY_LEN: usize = 1 + 16 + 1 + 1 + SecretKey::LEN;
const CHECKSUM_LEN: usize = 4;
const SHARE_LEN: usize = BODY_LEN + CHECKSUM_LEN;
/// Letters between two hyphens: what people can keep in mind while they type it.
const GROUP: usize = 4;
/// No share is longer, whatever it is spaced with.
const TEXT_MAX: usize = 512;

/// Crockford's alphabet: no letter that is taken for a digit. Either case is read, and O, I and L for what they look like.
static ALPHABET: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    specification.translate.from.push_str("ABCDEFGHJKMNPQRSTVWXYZOoIiLl");
    specification.translate.to.push_str("abcdefghjkmnpqrstvwxyz001111");
    specification.encoding().expect("the alphabet is one")
});

impl Share {
    /// Returns its place in its set, from 1.
    #[must_use]
    pub const fn place(&self) -> u8 {
        self.place
    }

    /// Writes the line that people keep.
    #[must_use]
    pub fn to_text(&self) -> SecretText {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SHARE_LEN));
        bytes.extend_from_slice(&self.body());
        let sum = checksum(self.kind, &bytes);
        bytes.extend_from_slice(&sum);
        let mut letters = Zeroizing::new(String::with_capacity(ALPHABET.encode_len(SHARE_LEN)));
        ALPHABET.encode_append(&bytes, &mut letters);
        let mut text = String::with_capacity(self.kind.prefix().len() + 2 * letters.len());
        text.push_str(self.kind.prefix());
        for (at, letter) in letters.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(letter);
        }
        SecretText::new(text)
    }

    /// Reads a line that somebody kept, however it is spaced.
    ///
    /// # Errors
    /// [`NotAShare`], which tells a slip from something else altogether.
    pub fn parse(text: &SecretText, kind: ShareKind) -> Result<Self, NotAShare> {
        let text = text.expose().trim();
        let Some(letters) = text.strip_prefix(kind.prefix()) else {
            let other = ShareKind::ALL.into_iter().find(|other| text.starts_with(other.prefix()));
            return Err(other.map_or(NotAShare::Form, |given| NotAShare::Kind { given, wanted: kind }));
        };
        if letters.len() > TEXT_MAX {
            return Err(NotAShare::Length);
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(TEXT_MAX));
        plain.extend(letters.bytes().filter(|letter| *letter != b'-' && !letter.is_ascii_whitespace()));
        let mut bytes = Zeroizing::new([0; SHARE_LEN]);
        if ALPHABET.decode_len(plain.len()) != Ok(SHARE_LEN) {
            return Err(NotAShare::Length);
        }
        ALPHABET.decode_mut(&plain, bytes.as_mut()).map_err(|_| NotAShare::Mistyped)?;
        let (body, sum) = bytes.split_at(BODY_LEN);
        if !bool::from(checksum(kind, body).ct_eq(sum)) {
            return Err(NotAShare::Mistyped);
        }
        let [FORMAT, rest @ ..] = body else { return Err(NotAShare::Newer) };
        let (set, rest) = rest.split_at(16);
        let [threshold, place, value @ ..] = rest else { return Err(NotAShare::Form) };
        let (Ok(set), Some(value)) = (Uuid::from_slice(set), SecretKey::from_slice(value)) else {
            return Err(NotAShare::Form);
        };
        Ok(Self { kind, set, threshold: *threshold, place: *place, value })
    }

    fn body(&self) -> Zeroizing<Vec<u8>> {
        let mut body = Zeroizing::new(Vec::with_capacity(BODY_LEN));
        body.push(FORMAT);
        body.extend_from_slice(self.set.as_bytes());
        body.extend_from_slice(&[self.threshold, self.place]);
        body.extend_from_slice(self.value.expose());
        body
    }

    /// Hashes the share, so that it can be recognised. A share is 256 random bits: its hash gives nothing away.
    fn hash(&self) -> [u8; 32] {
        let label = Encoder::new("leasehold share v1").field(self.kind.prefix().as_bytes()).finish();
        Sha256::new().chain_update(label).chain_update(&*self.body()).finalize().into()
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} {} of {}, [redacted])", self.kind, self.place, self.set)
    }
}

fn checksum(kind: ShareKind, body: &[u8]) -> [u8; CHECKSUM_LEN] {
    let label = Encoder::new("leasehold share checksum v1").field(kind.prefix().as_bytes()).finish();
    let digest = Sha256::new().chain_update(label).chain_update(body).finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// All shares of one key, as far as they need not be secret: what is kept beside what the key opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareSet {
    /// Which splitting it is.
    set: Uuid,
    threshold: u8,
    /// The SHA-256 of each share in base64, by place.
    hashes: Vec<String>,
}

impl ShareSet {
    /// Splits `key` into new shares.
    #[must_use]
    pub fn split(key: &SecretKey, kind: ShareKind, quorum: Quorum, entropy: &dyn Entropy) -> (Self, Vec<Share>) {
        let set = uuid::Builder::from_random_bytes(make_array(entropy)).into_uuid();
        let threshold = quorum.threshold();
        let placed = (1..).zip(shamir::split(key, quorum, entropy));
        let shares: Vec<Share> = placed.map(|(place, value)| Share { kind, set, threshold, place, value }).collect();
        let hashes = shares.iter().map(|share| BASE64.encode(&share.hash())).collect();
        (Self { set, threshold, hashes }, shares)
    }

    /// Returns how many shares are enough, and how many there are.
    ///
    /// # Errors
    /// Where a row that was altered says what cannot be.
    pub fn quorum(&self) -> Result<Quorum, super::NoQuorum> {
        Quorum::new(self.threshold.into(), self.hashes.len() as u64)
    }

    /// Returns which splitting it is.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.set
    }

    /// Checks that a share is one of this set, genuine to the last bit.
    ///
    /// # Errors
    /// [`NotOurs`], which tells another set's share from one that was forged.
    pub fn recognise(&self, share: &Share) -> Result<(), NotOurs> {
        if share.set != self.set {
            return Err(NotOurs::Foreign);
        }
        let known = usize::from(share.place).checked_sub(1).and_then(|at| self.hashes.get(at));
        let known = known.and_then(|hash| BASE64.decode(hash.as_bytes()).ok()).ok_or(NotOurs::Forged)?;
        bool::from(share.hash().as_slice().ct_eq(&known)).then_some(()).ok_or(NotOurs::Forged)
    }

    /// Puts the key together; `None` while there are too few. The shares were recognised, and no place is there twice.
    #[must_use]
    pub fn combine<'a>(&self, shares: impl ExactSizeIterator<Item = &'a Share>) -> Option<SecretKey> {
        let placed: Vec<_> = shares.map(|share| (share.place, &share.value)).collect();
        (placed.len() >= usize::from(self.threshold)).then(|| shamir::combine(&placed))
    }
}

/// A line is not a share of the wanted kind. Each message is a cause and a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAShare {
    /// Nothing like one.
    #[error("this is no share: one begins with lhs_ or lhr_ and has 22 groups of four")]
    Form,
    /// A share of the other kind.
    #[error("this is a {given} share: give a {wanted} share")]
    Kind {
        /// What it is.
        given: ShareKind,
        /// What it should be.
        wanted: ShareKind,
    },
    /// Letters are missing, or there are too many.
    #[error("this share is not whole: it has 22 groups of four after its prefix")]
    Length,
    /// Its checksum does not fit.
    #[error("this share is mistyped: compare it with the original, group by group")]
    Mistyped,
    /// Another release wrote it.
    #[error("this share has a form that this release does not know: use the release that made it")]
    Newer,
}

/// A share is whole, and not one that fits here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is of another set: another vault's, or from before new ones were made.
    #[error("this share belongs to another set: find the ones made last for this vault")]
    Foreign,
    /// It says that it is of this set, and was never made.
    #[error("this share was altered: it is not the one that was made, and its holder should be asked why")]
    Forged,
}
