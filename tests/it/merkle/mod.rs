//! Tests of `leasehold::merkle` through its public interface.

mod properties;
mod vectors;
