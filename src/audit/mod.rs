//! The audit log: the order of events. Every use and every change is one operation, committed by one [`Sequencer`] in
//! batches: no record, no access.
//!
//! This module owns the sequencer, its batches and the verification of the log. It knows nothing of what the operations
//! mean: a use is fences and an event, and a change brings its own code.

mod batch;
mod operation;
mod refusals;
mod sequencer;
pub mod verify;
mod witness;
mod worker;
mod writer;

pub use batch::Batch;
pub use operation::{
    Admitted, Change, ChangeError, Committed, Effect, FenceRefusal, Fenced, SubmitError, Use, UseError,
};
pub use sequencer::{Announcement, Health, Sequencer, SequencerOptions, StartError};
