//! The integration tests, one binary. The folders mirror `src`.

mod broker;
mod envelope;
mod layout;
mod merkle;
mod seal;
mod server;
mod store;
