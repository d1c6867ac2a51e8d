//! The integration tests, one binary. The folders mirror `src`.

#![allow(clippy::unwrap_used, reason = "clippy allows it in test functions only, and these are what they arrange with")]

mod api;
mod audit;
mod broker;
mod cli;
mod custody;
#[path = "../support/databases.rs"]
mod databases;
mod deploy;
mod dev;
mod envelope;
mod evidence;
mod fleet;
#[path = "../support/forger.rs"]
mod forger;
mod gateway;
#[path = "../support/history.rs"]
mod history;
#[path = "../support/hostile_paths.rs"]
mod hostile_paths;
mod keyring;
mod layout;
mod merkle;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/raw_http.rs"]
mod raw_http;
mod seal;
mod server;
mod store;
mod support;
#[path = "../support/tcp_proxy.rs"]
mod tcp_proxy;
#[path = "../support/fleet.rs"]
#[allow(dead_code, reason = "what a test of several nodes may do to them is wider than what today's tests do")]
mod test_fleet;
#[path = "../support/test_log.rs"]
mod test_log;
#[path = "../support/test_vault.rs"]
mod test_vault;
