//! The right edge of a tree, for who checks the log. [`merkle::Frontier`](crate::merkle::Frontier) is what the sequencer
//! keeps; this one is built otherwise, and hashes with another crate, so that both would have to be wrong in the same way.

use super::tree::StoredTree;
use crate::{merkle::Hash, store::StoreError};
use tlog_tiles::tlog;

/// The roots of the perfect subtrees that a tree is made of, largest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Edge {
    size: u64,
    /// How many times its leaves were paired, and its root.
    peaks: Vec<(u32, tlog::Hash)>,
}

impl Edge {
    /// Reads the edge of the first `size` entries out of a stored tree. What it says is only as true as the tree.
    ///
    /// # Errors
    /// Where the tree is missing or corrupt, or the database fails.
    pub(super) async fn of(tree: &mut StoredTree<'_, '_>, size: u64) -> Result<Self, StoreError> {
        let (mut peaks, mut start) = (Vec::new(), 0);
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            let end = start + (1 << level);
            peaks.push((level, theirs(&tree.stretch(start..end).await?)));
            start = end;
        }
        Ok(Self { size, peaks })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: two subtrees of one height become one, for as long as there are two.
    pub(super) fn append(&mut self, leaf: &Hash) {
        self.peaks.push((0, theirs(leaf)));
        while let [.., (left_level, left), (level, right)] = self.peaks[..]
            && left_level == level
        {
            self.peaks.truncate(self.peaks.len() - 2);
            self.peaks.push((level + 1, tlog::node_hash(left, right)));
        }
        self.size += 1;
    }

    /// Returns the root.
    pub(super) fn root(&self) -> Hash {
        let peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let root = peaks.reduce(|right, left| tlog::node_hash(left, right)).unwrap_or(tlog::EMPTY_HASH);
        Hash::from_bytes(root.0)
    }
}

fn theirs(hash: &Hash) -> tlog::Hash {
    tlog::Hash(*hash.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{Frontier, leaf_hash, root_of};

    #[test]
    fn its_root_is_that_of_the_definition_and_of_the_other_edge() {
        let leaves: Vec<Hash> = (0..300_u32).map(|number| leaf_hash(&number.to_be_bytes())).collect();
        let (mut edge, mut frontier) = (Edge::default(), Frontier::new());
        assert_eq!(edge.root(), root_of(&[]));
        for (at, leaf) in leaves.iter().enumerate() {
            edge.append(leaf);
            frontier.append(*leaf);
            assert_eq!((edge.root(), edge.size()), (root_of(&leaves[..=at]), at as u64 + 1));
            assert_eq!(edge.root(), frontier.root());
        }
    }
}
