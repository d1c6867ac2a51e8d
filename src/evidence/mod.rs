//! What leaves the vault as evidence, and how it is checked with no server: checkpoints, proofs, receipts and exports.
//!
//! The forms are those of C2SP, so that other people's tools read them: `signed-note`, `tlog-checkpoint`, `tlog-proof`.
//! Checking rests on crates of others (`signed_note`, `tlog_tiles`) and hashes the bytes that were handed over; it shares
//! nothing with the sequencer that wrote them or with [`merkle`](crate::merkle), where the same mistake could hide twice.
//!
//! The file forms are written down in `docs/EVIDENCE.md`.

mod checkpoint;
mod cosignature;
mod export;
mod heads;
mod json;
mod keys;
mod missing;
mod proof;
mod receipt;
mod record;
mod spelling;

pub use checkpoint::{Checkpoint, checkpoint_text};
pub use cosignature::{WitnessKey, Witnessed, cosigned_prefix};
pub use export::{Closing, ExportVerifier, Opening, Verified, closing_line, opening_line};
pub use heads::{Head, HeadMap, Step, root_of_path};
pub use keys::{Keys, introduction_text};
pub use missing::{Missing, erased_places};
pub use proof::{Proof, check_consistency, proof_text};
pub use receipt::{Receipt, ReceiptEntry, VerifiedEntry};
pub use record::record_line;

use crate::merkle::Hash;

/// What is wrong with a piece of evidence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is not in its form.
    #[error("line {line}: {what}")]
    Form {
        /// The line of the file, from 1.
        line: u64,
        /// What is not in its form.
        what: String,
    },
    /// A file of keys is unusable.
    #[error("the verifier keys: {0}")]
    Keys(String),
    /// A note is malformed, or no known key signed it.
    #[error("{what} is not signed by a key that you trust: {why}")]
    Signature {
        /// Which note.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// A witness that is demanded has not co-signed.
    #[error("the checkpoint is not co-signed by the witness {witness}: {why}")]
    Unwitnessed {
        /// The witness's name.
        witness: String,
        /// Why.
        why: String,
    },
    /// A note speaks for another log.
    #[error("{what} is of the log {found}, not of {expected}")]
    Origin {
        /// Which note.
        what: &'static str,
        /// The log that it names.
        found: String,
        /// The log that the keys are of.
        expected: String,
    },
    /// An entry was altered.
    #[error("entry {seq} was altered: {what}")]
    Altered {
        /// Its sequence number.
        seq: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// An entry is missing from a chain, or stands out of order.
    #[error("the chain breaks before entry {seq}: place {found} follows where {expected} belongs")]
    Gap {
        /// The entry that does not fit.
        seq: u64,
        /// Its place in the chain.
        found: u64,
        /// The place that was due.
        expected: u64,
    },
    /// A payload is missing, and nothing accounts for it.
    #[error(
        "the payloads of places {from} to {through} of the chain are missing, and no entry says that they were erased"
    )]
    Unaccounted {
        /// The first of them.
        from: u64,
        /// The last of them.
        through: u64,
    },
    /// A proof does not lead to the signed root.
    #[error("{what} is not in the tree that was signed: {why}")]
    NotIncluded {
        /// What was to be proven.
        what: String,
        /// Why not.
        why: String,
    },
    /// The newest entry of an export is not the newest of the tenant.
    #[error(
        "the map of tenants' newest entries does not name entry {seq} as this tenant's newest: the end was cut off, or the chain was forked"
    )]
    NotNewest {
        /// The newest entry of the export.
        seq: u64,
    },
    /// The older checkpoint is of another log, or of a log that was rewritten since.
    #[error("the older checkpoint, of {older} entries, is not the beginning of this log: {why}")]
    Inconsistent {
        /// Its size.
        older: u64,
        /// Why.
        why: String,
    },
    /// The file ends early, or says other numbers than it holds.
    #[error("the file is not complete: {0}")]
    Incomplete(String),
}

/// The crates that check have their own type for it.
fn theirs(hash: &Hash) -> tlog_tiles::tlog::Hash {
    tlog_tiles::tlog::Hash(*hash.as_bytes())
}
