//! The integration tests, one binary. The folders mirror `src`.

mod broker;
mod envelope;
mod merkle;
mod seal;
mod server;
