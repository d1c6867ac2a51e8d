//! Hashes of leaves and nodes, and how they are written.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};

/// Hashes a leaf: SHA-256 of `0x00 ‖ data` (RFC 9162 §2.1.1). The prefix keeps a leaf from being passed off as a node,
/// which would let one tree be shown as another.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(Sha256::new_with_prefix([0x00]).chain_update(data).finalize().into())
}

/// Hashes a node over its children: SHA-256 of `0x01 ‖ left ‖ right` (RFC 9162 §2.1.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(Sha256::new_with_prefix([0x01]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The hash of a leaf, a node or a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; Hash::LEN]);

impl Hash {
    /// Bytes in a hash.
    pub const LEN: usize = 32;

    /// The root of a tree without leaves: SHA-256 of nothing (RFC 9162 §2.1.1).
    #[must_use]
    pub fn of_empty_tree() -> Self {
        Self(Sha256::digest([]).into())
    }

    /// Takes 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Shows the 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// Reads a hash that a row or a tile held.
impl TryFrom<&[u8]> for Hash {
    type Error = NotAHash;
    fn try_from(bytes: &[u8]) -> Result<Self, NotAHash> {
        bytes.try_into().map(Self).map_err(|_| NotAHash)
    }
}

/// Reads standard base64 with padding, as checkpoints and proofs write hashes (C2SP `tlog-checkpoint`).
impl FromStr for Hash {
    type Err = NotAHash;
    fn from_str(text: &str) -> Result<Self, NotAHash> {
        BASE64.decode(text.as_bytes()).map_err(|_| NotAHash)?.as_slice().try_into()
    }
}

/// Writes standard base64 with padding.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BASE64.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Something was not a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: 32 bytes, or their standard base64 with padding, are expected")]
pub struct NotAHash;

#[cfg(test)]
mod tests {
    use super::*;

    // From RFC 9162's definitions, computed with sha256sum.
    #[test]
    fn the_empty_tree_and_the_empty_leaf_have_their_known_hashes() {
        assert_eq!(Hash::of_empty_tree().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(leaf_hash(b"").to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
    }

    #[test]
    fn a_leaf_that_spells_two_hashes_is_not_their_node() {
        let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
        let spelled = [left.as_bytes().as_slice(), right.as_bytes()].concat();
        assert_ne!(leaf_hash(&spelled), node_hash(&left, &right));
        assert_ne!(node_hash(&left, &right), node_hash(&right, &left));
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = leaf_hash(b"x");
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(serde_json::from_str::<Hash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
        for other in ["", text.trim_end_matches('='), &format!("{text}\n"), &text[4..]] {
            assert_eq!(other.parse::<Hash>(), Err(NotAHash), "{other:?}");
        }
        assert_eq!(Hash::try_from([0; 31].as_slice()), Err(NotAHash));
    }
}
