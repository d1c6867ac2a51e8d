//! Checkpoints: how many entries a log holds, and the root over them (C2SP `tlog-checkpoint`).

use super::{Flaw, Keys, spelling::decimal};
use crate::merkle::Hash;

/// A checkpoint that a trusted key signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many entries the log holds.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Writes what is signed.
#[must_use]
pub fn checkpoint_text(origin: &str, size: u64, root: &Hash) -> String {
    format!("{origin}\n{size}\n{root}\n")
}

impl Checkpoint {
    /// Opens a signed checkpoint.
    ///
    /// # Errors
    /// Where no trusted key signed it, it is malformed, or it is of another log.
    pub fn open(note: &str, keys: &Keys) -> Result<Self, Flaw> {
        const WHAT: &str = "the checkpoint";
        let text = keys.open(WHAT, note)?;
        let malformed = || Flaw::Signature { what: WHAT, why: "it is not a c2sp.org/tlog-checkpoint".into() };
        // Every line ends, and an empty one would be an extension that nobody sees.
        let mut lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed());
        };
        if origin != keys.origin() {
            let (found, expected) = (origin.to_owned(), keys.origin().to_owned());
            return Err(Flaw::Origin { what: WHAT, found, expected });
        }
        // Lines behind these are extensions, which say nothing here; none of them is empty.
        if lines.any(str::is_empty) {
            return Err(malformed());
        }
        let size = decimal(size).ok_or_else(malformed)?;
        Ok(Self { size, root: root.parse().map_err(|_| malformed())? })
    }
}
