//! The audit log: the order of events. Every use and every change is one operation, committed by one [`Sequencer`] in
//! batches: no record, no access.
//!
//! This module owns the sequencer, its batches and the verification of the log. It knows nothing of what the operations
//! mean: a use is fences and an event, and a change brings its own code.

pub mod anchor;
mod batch;
mod checkpoint;
mod edge;
mod findings;
mod inspection;
mod operation;
mod receipt;
mod recorded;
mod refusals;
mod scrub;
mod sequencer;
mod signer;
mod start;
mod tree;
pub mod verify;
mod witness;
mod worker;
mod writer;

pub use batch::Batch;
pub use checkpoint::{CheckpointError, Checkpointer, CheckpointerOptions, Covering, Signed};
pub use findings::{Finding, Findings, Inspector};
pub use inspection::{InspectError, LogFlaw, recompute};
pub use operation::{
    Admitted, Change, ChangeError, Committed, Effect, FenceRefusal, Fenced, SubmitError, Use, UseError,
};
pub use receipt::ExportError;
pub use recorded::{on_behalf, recording};
pub use scrub::{Scrub, ScrubError, ScrubOptions, ScrubPace, Step};
pub use sequencer::{Announcement, Health, Sequencer, SequencerOptions, VouchError};
pub use signer::{SignError, Signer, log_origin};
pub use start::StartError;
pub use tree::{ProofError, StoredTree};
