//! Tests of `leasehold::envelope` through its public interface.

mod hierarchy;
mod password;
mod wycheproof;
