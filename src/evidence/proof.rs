//! Proofs that an entry is in a signed tree (C2SP `tlog-proof`), and that one tree began as another.

use super::{Checkpoint, Flaw, Keys, spelling::decimal, theirs};
use crate::merkle::Hash;
use tlog_tiles::tlog;

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// No tree that a BIGINT can count is deeper.
const HASHES_MAX: usize = 63;

/// An inclusion proof with the checkpoint that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// The sequence number of the entry.
    pub index: u64,
    hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: &'a str,
}

/// Writes a proof.
#[must_use]
pub fn proof_text(index: u64, hashes: &[Hash], checkpoint: &str) -> String {
    let hashes: String = hashes.iter().map(|hash| format!("{hash}\n")).collect();
    format!("{FIRST_LINE}\nindex {index}\n{hashes}\n{checkpoint}")
}

impl<'a> Proof<'a> {
    /// Reads a proof. Extra data, which the form allows and nothing authenticates, are passed over.
    ///
    /// # Errors
    /// Where it is not in its form.
    pub fn parse(text: &'a str) -> Result<Self, Flaw> {
        let form = |why: &str| Flaw::NotIncluded { what: "the entry".into(), why: format!("the proof {why}") };
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| form("has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FIRST_LINE) {
            return Err(form("is not a c2sp.org/tlog-proof@v1"));
        }
        lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).ok_or_else(|| form("has no index"))?;
        let index = decimal(index).ok_or_else(|| form("has an index that is no number"))?;
        let hashes: Vec<Hash> =
            lines.map(str::parse).collect::<Result<_, _>>().map_err(|_| form("has a line that is no hash"))?;
        if hashes.len() > HASHES_MAX {
            return Err(form("has more hashes than any tree is deep"));
        }
        Ok(Self { index, hashes, checkpoint })
    }

    /// Checks that `leaf` stands at this index of the tree that the checkpoint signs, and returns the checkpoint.
    ///
    /// # Errors
    /// Where the checkpoint is not signed by a trusted key, or the proof does not lead to its root.
    pub fn check(&self, what: &str, leaf: &Hash, keys: &Keys) -> Result<Checkpoint, Flaw> {
        let checkpoint = Checkpoint::open(self.checkpoint, keys)?;
        let refused = |why: String| Flaw::NotIncluded { what: what.to_owned(), why };
        // The crate asserts what it takes for granted.
        if self.index >= checkpoint.size || checkpoint.size > i64::MAX as u64 {
            return Err(refused(format!("the tree of {} entries has no entry {}", checkpoint.size, self.index)));
        }
        let hashes = self.hashes.iter().map(theirs).collect();
        tlog::check_record(&hashes, checkpoint.size, theirs(&checkpoint.root), self.index, theirs(leaf))
            .map_err(|why| refused(why.to_string()))?;
        Ok(checkpoint)
    }
}

/// Checks that the tree of `newer` began as the tree of `older`.
///
/// # Errors
/// Where the hashes do not show it.
pub fn check_consistency(older: &Checkpoint, newer: &Checkpoint, hashes: &[Hash]) -> Result<(), Flaw> {
    let refused = |why: String| Flaw::Inconsistent { older: older.size, why };
    if older.size > newer.size {
        return Err(refused(format!("this log has only {} entries: it was shortened", newer.size)));
    }
    if older.size == 0 {
        return Err(refused("a tree without entries shows nothing".into()));
    }
    if hashes.len() > HASHES_MAX + 1 || newer.size > i64::MAX as u64 {
        return Err(refused("the proof has more hashes than any tree is deep".into()));
    }
    let hashes = hashes.iter().map(theirs).collect();
    tlog::check_tree(&hashes, newer.size, theirs(&newer.root), older.size, theirs(&older.root))
        .map_err(|why| refused(why.to_string()))
}
