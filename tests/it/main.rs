//! The integration tests, one binary. The folders mirror `src`.

mod envelope;
mod merkle;
mod seal;
