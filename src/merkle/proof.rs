//! Checking proofs, by the algorithms of RFC 9162. A proof comes from the party that has reason to lie: every length is
//! checked, and a proof with a hash too many is refused like one with a hash too few.

use super::hash::{Hash, node_hash};

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this `root` (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`] where the proof does not show it.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            // At the right edge a node rises, without a sibling, until it is a right child. It is not 0 here.
            let rises = node.trailing_zeros();
            (node, last) = (node >> rises, last >> rises);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    agree(&hash, root)
}

/// Checks that the tree of `size1` leaves with `root1` is the beginning of the tree of `size2` leaves with `root2`
/// (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`ProofError`] where the proof does not show it. Nothing is shown about a tree without leaves, which is the
/// beginning of every other: that is refused, so that nobody takes it for evidence.
pub fn verify_consistency(
    size1: u64,
    root1: &Hash,
    size2: u64,
    root2: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if size1 == 0 || size1 > size2 {
        return Err(ProofError::NoSuchPrefix { size1, size2 });
    }
    if size1 == size2 {
        return if proof.is_empty() { agree(root1, root2) } else { Err(ProofError::Length) };
    }
    // Where the older tree is perfect its root is a node of the newer one, and the proof leaves it out.
    let (seed, rest) = match proof.split_first() {
        None => return Err(ProofError::Length),
        Some(_) if size1.is_power_of_two() => (root1, proof),
        Some((first, rest)) => (first, rest),
    };
    let rises = (size1 - 1).trailing_ones();
    let (mut node, mut last) = ((size1 - 1) >> rises, (size2 - 1) >> rises);
    let (mut older, mut newer) = (*seed, *seed);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            older = node_hash(sibling, &older);
            newer = node_hash(sibling, &newer);
            let rises = node.trailing_zeros();
            (node, last) = (node >> rises, last >> rises);
        } else {
            newer = node_hash(&newer, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    agree(&older, root1)?;
    agree(&newer, root2)
}

/// A proof does not show what it was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf lies outside of the tree.
    #[error("there is no leaf {index} in a tree of {size} leaves")]
    NoSuchLeaf {
        /// The leaf's index.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// The older tree is empty, or larger than the newer.
    #[error("a tree of {size1} leaves cannot be shown to begin one of {size2}")]
    NoSuchPrefix {
        /// The older tree's size.
        size1: u64,
        /// The newer tree's size.
        size2: u64,
    },
    /// Too many hashes, or too few.
    #[error("the proof has too many hashes or too few for these sizes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to root {reached}, not to {expected}")]
    Root {
        /// The root that the proof leads to.
        reached: Hash,
        /// The root it was to lead to.
        expected: Hash,
    },
}

fn agree(reached: &Hash, expected: &Hash) -> Result<(), ProofError> {
    if reached == expected { Ok(()) } else { Err(ProofError::Root { reached: *reached, expected: *expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_beyond_the_tree_and_a_prefix_beyond_it_are_refused_before_any_hash() {
        let hash = Hash::of_empty_tree();
        for (index, size) in [(0, 0), (1, 1), (u64::MAX, u64::MAX)] {
            let refused = ProofError::NoSuchLeaf { index, size };
            assert_eq!(verify_inclusion(&hash, index, size, &[hash], &hash), Err(refused));
        }
        for (size1, size2) in [(0, 0), (0, 1), (1, 0), (3, 2), (u64::MAX, 0)] {
            let refused = ProofError::NoSuchPrefix { size1, size2 };
            assert_eq!(verify_consistency(size1, &hash, size2, &hash, &[hash]), Err(refused));
        }
    }
}
