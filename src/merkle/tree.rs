//! A whole tree over the hashes of its leaves, by the definitions of RFC 9162 and nothing cleverer: what the frontier
//! and the verifiers are tested against, and what makes proofs for as many leaves as fit in memory.

use super::hash::{Hash, node_hash};

/// Returns the root of the tree over `leaves` (RFC 9162 §2.1.1). `n − 1` node hashes.
#[must_use]
pub fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_empty_tree(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root_of(left), &root_of(right))
        }
    }
}

/// Makes the proof that the leaf at `index` is in the tree over `leaves` (RFC 9162 §2.1.3.1), deepest hash first.
///
/// # Errors
/// [`OutOfTree`] where there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: usize) -> Result<Vec<Hash>, OutOfTree> {
    if index >= leaves.len() {
        return Err(OutOfTree { asked: index as u64, size: leaves.len() as u64 });
    }
    let mut proof = Vec::new();
    path(leaves, index, &mut proof);
    Ok(proof)
}

/// Makes the proof that the tree over the first `size` leaves is the beginning of the tree over all (RFC 9162
/// §2.1.4.1). It is empty where both are the same tree.
///
/// # Errors
/// [`OutOfTree`] where `size` is 0, of which nothing can be proven, or more leaves than there are.
pub fn consistency_proof(leaves: &[Hash], size: usize) -> Result<Vec<Hash>, OutOfTree> {
    if size == 0 || size > leaves.len() {
        return Err(OutOfTree { asked: size as u64, size: leaves.len() as u64 });
    }
    let mut proof = Vec::new();
    subproof(leaves, size, Known::Yes, &mut proof);
    Ok(proof)
}

/// A proof was asked about leaves that the tree does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no proof about {asked} in a tree of {size} leaves")]
pub struct OutOfTree {
    /// The index or size asked about.
    pub asked: u64,
    /// The leaves there are.
    pub size: u64,
}

/// Whether the verifier knows the root of the subtree at hand, because it is the older tree as a whole.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    Yes,
    No,
}

/// Returns the largest power of two below `size`, where a tree of 2 or more leaves divides.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// PATH of RFC 9162 §2.1.3.1.
fn path(leaves: &[Hash], index: usize, proof: &mut Vec<Hash>) {
    if leaves.len() == 1 {
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if index < left.len() {
        path(left, index, proof);
        proof.push(root_of(right));
    } else {
        path(right, index - left.len(), proof);
        proof.push(root_of(left));
    }
}

/// SUBPROOF of RFC 9162 §2.1.4.1.
fn subproof(leaves: &[Hash], size: usize, known: Known, proof: &mut Vec<Hash>) {
    if size == leaves.len() {
        if known == Known::No {
            proof.push(root_of(leaves));
        }
        return;
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    if size <= left.len() {
        subproof(left, size, known, proof);
        proof.push(root_of(right));
    } else {
        subproof(right, size - left.len(), Known::No, proof);
        proof.push(root_of(left));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_about_leaves_that_are_not_there_is_refused() {
        let leaves = [Hash::of_empty_tree(); 3];
        assert_eq!(inclusion_proof(&leaves, 3), Err(OutOfTree { asked: 3, size: 3 }));
        assert_eq!(inclusion_proof(&[], 0), Err(OutOfTree { asked: 0, size: 0 }));
        assert_eq!(consistency_proof(&leaves, 0), Err(OutOfTree { asked: 0, size: 3 }));
        assert_eq!(consistency_proof(&leaves, 4), Err(OutOfTree { asked: 4, size: 3 }));
    }
}
