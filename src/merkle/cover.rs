//! Which perfect subtrees a root or a proof is made of: what a log that keeps its hashes has to look up. The hashes
//! themselves are the caller's.

use super::{
    hash::{Hash, node_hash},
    tree::OutOfTree,
};
use std::ops::Range;

/// A perfect subtree: `2^level` leaves from `index · 2^level` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subtree {
    /// How many times its leaves were paired.
    pub level: u32,
    /// Its place among the subtrees of that level, from 0.
    pub index: u64,
}

/// Lists the perfect subtrees that a stretch of leaves decomposes into, largest and leftmost first; [`root_over`] joins
/// their hashes. At most 63.
///
/// The stretch begins where RFC 9162 divides trees: at a multiple of the largest power of two that fits into it.
#[must_use]
pub fn cover(leaves: Range<u64>) -> Vec<Subtree> {
    let mut subtrees = Vec::new();
    let mut start = leaves.start;
    while start < leaves.end {
        let level = (leaves.end - start).ilog2();
        debug_assert_eq!(start & ((1 << level) - 1), 0, "a stretch begins where trees are divided");
        subtrees.push(Subtree { level, index: start >> level });
        start += 1 << level;
    }
    subtrees
}

/// Joins the hashes of the subtrees that [`cover`] listed, in its order. `None` where there are none.
#[must_use]
pub fn root_over(subtrees: &[Hash]) -> Option<Hash> {
    subtrees.iter().rev().copied().reduce(|right, left| node_hash(&left, &right))
}

/// Lists the stretches whose roots prove that the leaf at `index` is in the tree of `size` leaves, deepest first (PATH
/// of RFC 9162 §2.1.3.1).
///
/// # Errors
/// [`OutOfTree`] where there is no such leaf.
pub fn inclusion_path(index: u64, size: u64) -> Result<Vec<Range<u64>>, OutOfTree> {
    if index >= size {
        return Err(OutOfTree { asked: index, size });
    }
    let mut path = Vec::new();
    let mut tree = 0..size;
    while tree.end - tree.start > 1 {
        let middle = divide(&tree);
        if index < middle {
            path.push(middle..tree.end);
            tree.end = middle;
        } else {
            path.push(tree.start..middle);
            tree.start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Lists the stretches whose roots prove that the tree of `older` leaves is the beginning of the tree of `newer`
/// (SUBPROOF of RFC 9162 §2.1.4.1). It is empty where both are the same tree.
///
/// # Errors
/// [`OutOfTree`] where `older` is 0, of which nothing can be proven, or more leaves than there are.
pub fn consistency_path(older: u64, newer: u64) -> Result<Vec<Range<u64>>, OutOfTree> {
    if older == 0 || older > newer {
        return Err(OutOfTree { asked: older, size: newer });
    }
    let mut path = Vec::new();
    let mut tree = 0..newer;
    while tree.end != older {
        let middle = divide(&tree);
        if older <= middle {
            path.push(middle..tree.end);
            tree.end = middle;
        } else {
            path.push(tree.start..middle);
            tree.start = middle;
        }
    }
    // The older tree as a whole is known to who checks; a part of it is not.
    if tree.start > 0 {
        path.push(tree);
    }
    path.reverse();
    Ok(path)
}

/// Returns where a tree of 2 or more leaves divides: after the largest power of two below its size.
fn divide(tree: &Range<u64>) -> u64 {
    tree.start + (1 << (tree.end - tree.start - 1).ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{consistency_proof, inclusion_proof, leaf_hash, root_of};

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
    }

    /// Looks the subtrees up in a tree that is all there.
    fn root(leaves: &[Hash], stretch: Range<u64>) -> Hash {
        let of = |subtree: Subtree| {
            let start = (subtree.index << subtree.level) as usize;
            root_of(&leaves[start..start + (1 << subtree.level)])
        };
        root_over(&cover(stretch).into_iter().map(of).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_stretches_of_every_proof_to_70_leaves_have_the_roots_that_the_definition_gives() {
        for size in 1..70_u64 {
            let leaves = leaves(size);
            assert_eq!(root(&leaves, 0..size), root_of(&leaves));
            for at in 0..size {
                let path = inclusion_path(at, size).unwrap();
                let proof: Vec<Hash> = path.into_iter().map(|stretch| root(&leaves, stretch)).collect();
                assert_eq!(proof, inclusion_proof(&leaves, at as usize).unwrap(), "{at} in {size}");
                let path = consistency_path(at + 1, size).unwrap();
                let proof: Vec<Hash> = path.into_iter().map(|stretch| root(&leaves, stretch)).collect();
                assert_eq!(proof, consistency_proof(&leaves, at as usize + 1).unwrap(), "{} to {size}", at + 1);
            }
        }
    }

    #[test]
    fn what_lies_outside_of_the_tree_has_no_path() {
        assert_eq!(inclusion_path(3, 3), Err(OutOfTree { asked: 3, size: 3 }));
        assert_eq!(consistency_path(0, 3), Err(OutOfTree { asked: 0, size: 3 }));
        assert_eq!(consistency_path(4, 3), Err(OutOfTree { asked: 4, size: 3 }));
        assert!(inclusion_path(u64::MAX / 2, u64::MAX / 2 + 1).is_ok());
    }

    #[test]
    fn nothing_has_no_subtrees() {
        assert_eq!(cover(0..0), []);
        assert_eq!(root_over(&[]), None);
    }
}
