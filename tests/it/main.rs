//! The integration tests, one binary. The folders mirror `src`.

mod broker;
mod envelope;
mod gateway;
mod layout;
mod merkle;
mod seal;
mod server;
mod store;
#[path = "../support/test_vault.rs"]
mod test_vault;
