//! What holds of every tree: three independent ways to a root agree, honest proofs verify, and no altered one does.

use leasehold::merkle::{
    Frontier, Hash, consistency_proof, inclusion_proof, leaf_hash, root_of, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

#[test]
fn the_frontiers_root_is_the_definitions_root_for_every_size_to_300() {
    let leaves = leaves(300);
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), root_of(&[]));
    for (index, leaf) in leaves.iter().enumerate() {
        assert_eq!(frontier.append(*leaf), index as u64);
        assert_eq!(frontier.root(), root_of(&leaves[..=index]), "{} leaves", index + 1);
        assert_eq!(frontier.size(), index as u64 + 1);
    }
}

#[test]
fn every_proof_about_every_tree_to_33_leaves_verifies() {
    let leaves = leaves(33);
    for size2 in 1..=leaves.len() {
        let tree = &leaves[..size2];
        let root2 = root_of(tree);
        for other in 0..size2 {
            let proof = inclusion_proof(tree, other).unwrap();
            verify_inclusion(&leaves[other], other as u64, size2 as u64, &proof, &root2).unwrap();
            let size1 = other + 1;
            let proof = consistency_proof(tree, size1).unwrap();
            verify_consistency(size1 as u64, &root_of(&leaves[..size1]), size2 as u64, &root2, &proof).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_inclusion_proof_verifies_and_nothing_near_it_does(
        (size, index) in size_and_below(), at in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let leaves = leaves(size);
        let (leaf, root) = (leaves[index], root_of(&leaves));
        let (n, i) = (size as u64, index as u64);
        let proof = inclusion_proof(&leaves, index).unwrap();
        prop_assert!(verify_inclusion(&leaf, i, n, &proof, &root).is_ok());

        prop_assert!(verify_inclusion(&flipped(leaf, bit), i, n, &proof, &root).is_err());
        prop_assert!(verify_inclusion(&leaf, i, n, &proof, &flipped(root, bit)).is_err());
        for other in (0..n).filter(|other| *other != i) {
            prop_assert!(verify_inclusion(&leaf, other, n, &proof, &root).is_err(), "at {other}");
        }
        prop_assert!(verify_inclusion(&leaf, n, n, &proof, &root).is_err());
        for altered in altered(&proof, at, bit, root) {
            prop_assert!(verify_inclusion(&leaf, i, n, &altered, &root).is_err());
        }
    }

    #[test]
    fn a_consistency_proof_verifies_and_nothing_near_it_does(
        (size2, below) in size_and_below(), at in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let leaves = leaves(size2);
        let size1 = below + 1;
        let (root1, root2) = (root_of(&leaves[..size1]), root_of(&leaves));
        let (n1, n2) = (size1 as u64, size2 as u64);
        let proof = consistency_proof(&leaves, size1).unwrap();
        prop_assert!(verify_consistency(n1, &root1, n2, &root2, &proof).is_ok());

        prop_assert!(verify_consistency(n1, &flipped(root1, bit), n2, &root2, &proof).is_err());
        prop_assert!(verify_consistency(n1, &root1, n2, &flipped(root2, bit), &proof).is_err());
        prop_assert!(verify_consistency(0, &root1, n2, &root2, &proof).is_err());
        prop_assert!(verify_consistency(n2 + 1, &root1, n2, &root2, &proof).is_err());
        for other in (1..=n2).filter(|other| *other != n1) {
            prop_assert!(verify_consistency(other, &root1, n2, &root2, &proof).is_err(), "from {other}");
        }
        for altered in altered(&proof, at, bit, root1) {
            prop_assert!(verify_consistency(n1, &root1, n2, &root2, &altered).is_err());
        }
    }

    #[test]
    fn a_log_that_was_rewritten_has_no_consistency_proof(
        (size2, below) in size_and_below(), at in any::<prop::sample::Index>(),
    ) {
        let honest = leaves(size2);
        let size1 = below + 1;
        let mut rewritten = honest.clone();
        rewritten[at.index(size1)] = leaf_hash(b"rewritten");
        let proof = consistency_proof(&rewritten, size1).unwrap();
        let verdict = verify_consistency(
            size1 as u64, &root_of(&honest[..size1]), size2 as u64, &root_of(&rewritten), &proof,
        );
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn no_proof_however_odd_makes_the_verifier_panic(
        numbers in any::<[u64; 2]>(), lengths in 0_usize..130,
    ) {
        let proof = leaves(lengths);
        let root = leaf_hash(b"root");
        let _ = verify_inclusion(&root, numbers[0], numbers[1], &proof, &root);
        let _ = verify_consistency(numbers[0], &root, numbers[1], &root, &proof);
    }
}

fn size_and_below() -> impl Strategy<Value = (usize, usize)> {
    (1_usize..300).prop_flat_map(|size| (Just(size), 0..size))
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|index| leaf_hash(&index.to_be_bytes())).collect()
}

fn flipped(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

/// Gives every proof near `proof`: one hash altered, doubled or taken out, and one put before, between or after.
fn altered(proof: &[Hash], at: prop::sample::Index, bit: usize, extra: Hash) -> Vec<Vec<Hash>> {
    let mut altered = vec![[&[extra], proof].concat(), [proof, &[extra]].concat()];
    if !proof.is_empty() {
        let at = at.index(proof.len());
        let mut changed = proof.to_vec();
        changed[at] = flipped(proof[at], bit);
        let mut cut = proof.to_vec();
        cut.remove(at);
        altered.extend([changed, cut, [&proof[..=at], &proof[at..]].concat()]);
    }
    altered
}
