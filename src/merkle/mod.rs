//! The Merkle tree of the audit log (RFC 6962 §2.1, RFC 9162 §2.1): hashing, the right edge that lets a tree grow, and
//! proofs. It knows neither what a leaf means nor where hashes are kept.

mod cover;
mod frontier;
mod hash;
mod proof;
mod tree;

pub use cover::{Subtree, consistency_path, cover, inclusion_path, root_over};
pub use frontier::{Frontier, MalformedFrontier};
pub use hash::{Hash, NotAHash, leaf_hash, node_hash};
pub use proof::{ProofError, verify_consistency, verify_inclusion};
pub use tree::{OutOfTree, consistency_proof, inclusion_proof, root_of};
