//! What `leasehold dev` is made of, so that everything runs on one machine with nothing to prepare.

pub mod amazon;
