//! The form of a provider file, before anything in it is believed. Unknown keys are refused: a misspelt `refused` would
//! otherwise open what it was meant to close.

use super::{Failure, Region};
use crate::policy::Module;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) title: String,
    /// Paths under which nothing is forwarded, whatever the scopes.
    pub(super) refused: Vec<String>,
    pub(super) token: Token,
    pub(super) inject: Inject,
    pub(super) lease_from: LeaseFrom,
    pub(super) endpoints: BTreeMap<Region, Endpoint>,
    pub(super) consent: Option<Consent>,
    #[serde(default)]
    pub(super) marketplace: Vec<Marketplace>,
    #[serde(default)]
    pub(super) errors: BTreeMap<String, Failure>,
    pub(super) scope: Vec<Scope>,
    #[serde(default)]
    pub(super) batch: Vec<Batch>,
    #[serde(default)]
    pub(super) query: Vec<Query>,
    pub(super) restricted: Option<Restricted>,
    #[serde(default)]
    pub(super) reports: Reports,
    #[serde(default)]
    pub(super) feeds: Feeds,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) url: String,
    pub(super) lifetime_s: u64,
    pub(super) refresh_margin_s: u64,
    pub(super) authorization_life_days: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inject {
    pub(super) header: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LeaseFrom {
    pub(super) headers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoint {
    pub(super) live: String,
    pub(super) sandbox: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Consent {
    pub(super) path: String,
    pub(super) code_life_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Marketplace {
    pub(super) country: String,
    pub(super) id: String,
    pub(super) region: Region,
    pub(super) seller_central: Option<String>,
    pub(super) vendor_central: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scope {
    pub(super) name: String,
    pub(super) modules: Vec<Module>,
    pub(super) routes: Vec<String>,
}

/// A route whose body holds further requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    pub(super) route: String,
    pub(super) requests: Vec<String>,
}

/// A parameter that widens what routes show.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub(super) parameter: String,
    pub(super) free: Vec<String>,
    pub(super) scope: String,
    pub(super) routes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restricted {
    pub(super) token_path: String,
    pub(super) scope: String,
    pub(super) routes: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reports {
    pub(super) create: Vec<String>,
    pub(super) list: Vec<String>,
    pub(super) report: Vec<String>,
    pub(super) schedule: Vec<String>,
    pub(super) document: Vec<String>,
    /// Patterns by scope.
    pub(super) types: BTreeMap<String, Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Feeds {
    pub(super) create: Vec<String>,
    pub(super) list: Vec<String>,
    pub(super) feed: Vec<String>,
    pub(super) document: Vec<String>,
    pub(super) upload: Vec<String>,
    /// Patterns by scope.
    pub(super) types: BTreeMap<String, Vec<String>>,
}
