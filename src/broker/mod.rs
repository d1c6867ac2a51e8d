//! Credentials to access tokens: what a provider is, how to refresh there without two nodes racing, and the one way out
//! of the vault.

pub mod dialer;
