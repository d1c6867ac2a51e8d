//! Leasehold: a vault for the credentials that a company's customers entrust to it.
//!
//! Imports point only downwards through these floors; a test (`tests/it/layout.rs`) reads every `use crate::` and fails
//! on an upward one.
//!
//! | floor | modules | what lives there |
//! |---|---|---|
//! | 5 assembly | `cli`, `server`, `config`, `telemetry`, `dev` | puts the rest together; `dev::amazon` imports only floor 0 |
//! | 4 doors | `api`, `gateway`, `web` | how callers come in; doors never import each other |
//! | 3 services | `audit`, `keyring`, `fleet`, `identity`, `broker`, `custody`, `register`, `vault` | each imports only those named before it |
//! | 2 memory and hardware | `store`, `seal` | the database, and what the master key rests on |
//! | 1 pure mechanisms | `domain`, `policy`, `merkle`, `envelope`, `evidence` | no I/O, no clock, no randomness of their own |
//! | 0 words | `secret`, `clock`, `entropy`, `id`, `peer` | what everything is said in |

pub mod api;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod custody;
pub mod dev;
pub mod domain;
pub mod entropy;
pub mod envelope;
pub mod evidence;
pub mod fleet;
pub mod gateway;
pub mod id;
pub mod identity;
pub mod keyring;
pub mod merkle;
pub mod peer;
pub mod policy;
pub mod register;
pub mod seal;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod vault;
