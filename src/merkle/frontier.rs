//! The right edge of a growing tree.

use super::hash::{Hash, node_hash};

/// The least that must be kept of a tree to append to it: the roots of the perfect subtrees that its size decomposes
/// into, largest and leftmost first. A tree of 13 = 8 + 4 + 1 leaves keeps three hashes; none ever keeps more than 63.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The most leaves a tree may hold: what a BIGINT can count.
    pub const MAX_SIZE: u64 = i64::MAX as u64;

    /// Begins a tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a leaf by its hash and returns its index, from 0. One node hash on average, at most 62.
    ///
    /// # Panics
    /// At [`MAX_SIZE`](Self::MAX_SIZE) leaves: at a million a second that is in 292,000 years.
    pub fn append(&mut self, leaf: Hash) -> u64 {
        assert!(self.size < Self::MAX_SIZE, "the tree is full");
        let mut subtree = leaf;
        // Each trailing one in the size is a perfect subtree that the new leaf completes a pair with, as in binary
        // addition with carry.
        for _ in 0..self.size.trailing_ones() {
            let left = self.subtrees.pop().expect("one subtree stands for each one in the size");
            subtree = node_hash(&left, &subtree);
        }
        self.subtrees.push(subtree);
        self.size += 1;
        self.size - 1
    }

    /// Returns the root of the tree, the hash of nothing where it has no leaves. At most 62 node hashes.
    #[must_use]
    pub fn root(&self) -> Hash {
        let root = self.subtrees.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        root.unwrap_or_else(Hash::of_empty_tree)
    }

    /// Returns the number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Writes the frontier for the log's head row: `size (8, big-endian) ‖ hash (32) for each one in size`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.subtrees.len() * Hash::LEN);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        self.subtrees.iter().for_each(|subtree| bytes.extend_from_slice(subtree.as_bytes()));
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote. Nothing is skipped and nothing is made up: appending to a
    /// frontier read wrongly would fork the log. The caller compares [`root`](Self::root) with what was signed.
    ///
    /// # Errors
    /// [`MalformedFrontier`] where there is a byte more or less than the size demands.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedFrontier> {
        let (size, hashes) = bytes.split_first_chunk::<8>().ok_or(MalformedFrontier::NoSize { length: bytes.len() })?;
        let size = u64::from_be_bytes(*size);
        if size > Self::MAX_SIZE {
            return Err(MalformedFrontier::TooLarge { size });
        }
        let (subtrees, rest) = hashes.as_chunks::<{ Hash::LEN }>();
        if subtrees.len() != size.count_ones() as usize || !rest.is_empty() {
            return Err(MalformedFrontier::Length { size, length: bytes.len() });
        }
        Ok(Self { size, subtrees: subtrees.iter().copied().map(Hash::from_bytes).collect() })
    }
}

/// Bytes that the log's head row held are not a frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedFrontier {
    /// Too short to say a size.
    #[error("a frontier of {length} bytes is too short to say its size")]
    NoSize {
        /// How many bytes there were.
        length: usize,
    },
    /// A size that no log can reach.
    #[error("a frontier of {size} leaves is beyond what a log can hold")]
    TooLarge {
        /// The size said.
        size: u64,
    },
    /// Hashes missing, cut or left over.
    #[error("a frontier of {size} leaves does not have {length} bytes")]
    Length {
        /// The size said.
        size: u64,
        /// How many bytes there were.
        length: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    fn frontier(size: u64) -> Frontier {
        let mut frontier = Frontier::new();
        (0..size).for_each(|index| assert_eq!(frontier.append(leaf_hash(&index.to_be_bytes())), index));
        frontier
    }

    #[test]
    fn a_frontier_read_back_grows_as_if_it_had_never_been_written() {
        for size in 0..70 {
            let mut kept = frontier(size);
            let mut read = Frontier::from_bytes(&kept.to_bytes()).unwrap();
            assert_eq!(read, kept);
            let leaf = leaf_hash(b"next");
            assert_eq!(read.append(leaf), kept.append(leaf));
            assert_eq!(read.root(), kept.root());
        }
    }

    #[test]
    fn a_frontier_keeps_one_hash_for_each_one_in_its_size() {
        assert_eq!(frontier(13).to_bytes().len(), 8 + 3 * Hash::LEN);
        assert_eq!(frontier(64).to_bytes().len(), 8 + Hash::LEN);
    }

    #[test]
    fn bytes_cut_or_left_over_are_refused() {
        let bytes = frontier(13).to_bytes();
        for length in 0..bytes.len() {
            assert!(Frontier::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
        for extra in [1, Hash::LEN] {
            let long = [bytes.clone(), vec![0; extra]].concat();
            let refused = MalformedFrontier::Length { size: 13, length: long.len() };
            assert_eq!(Frontier::from_bytes(&long), Err(refused));
        }
    }

    #[test]
    fn a_size_with_other_ones_than_there_are_hashes_is_refused() {
        let mut bytes = frontier(13).to_bytes();
        bytes[7] = 12;
        assert_eq!(Frontier::from_bytes(&bytes), Err(MalformedFrontier::Length { size: 12, length: bytes.len() }));
    }

    #[test]
    fn a_size_that_no_row_can_hold_is_refused() {
        let size = Frontier::MAX_SIZE + 1;
        let bytes = [size.to_be_bytes().as_slice(), &[0; Hash::LEN]].concat();
        assert_eq!(Frontier::from_bytes(&bytes), Err(MalformedFrontier::TooLarge { size }));
    }

    #[test]
    #[should_panic(expected = "the tree is full")]
    fn a_full_tree_takes_no_leaf() {
        let bytes = [Frontier::MAX_SIZE.to_be_bytes().as_slice(), &[0; 63 * Hash::LEN]].concat();
        Frontier::from_bytes(&bytes).unwrap().append(leaf_hash(b""));
    }
}
