//! What a provider is: one TOML file that names its addresses, its errors, and for each scope the methods and paths that
//! the scope opens. Adding a provider is writing a file; what a body means is code ([`BodyRule`]), because a file that
//! could say it would be a programming language.
//!
//! This module knows no credential and calls nothing. It answers two questions of the gateway: which route is this
//! ([`Provider::match_target`]), and what must a lease hold to take it ([`Provider::demand`]).

mod catalogue;
mod demand;
mod error;
mod file;
mod json;
mod load;
mod parse;
mod place;
mod query;
mod route;
#[cfg(test)]
mod tests;
mod type_table;

pub use catalogue::Catalogue;
pub use demand::{BodyRefusal, Demand, Lookup};
pub use error::{ProviderError, Reason};
pub use json::MAX_BODY_BYTES;
pub use place::{AccountKind, Consent, Endpoint, Marketplace, Region, TokenEndpoint};
pub use route::{BodyRule, Match, Restricted, Route};
pub use type_table::TypeTable;

use crate::domain::words;
use crate::policy::{Method, Module, Scope, ScopeSet, TemplateSet, path::CanonicalTarget};
use route::RefusedPath;
use std::collections::BTreeMap;
use url::Url;

/// A kind of external system, as its file describes it. Built once at start, shared, never changed.
#[derive(Debug)]
pub struct Provider {
    name: String,
    title: String,
    token: TokenEndpoint,
    consent: Option<Consent>,
    endpoints: BTreeMap<Region, Endpoint>,
    marketplaces: Vec<Marketplace>,
    inject_header: http::HeaderName,
    lease_headers: Vec<http::HeaderName>,
    errors: BTreeMap<String, Failure>,
    refused: Vec<RefusedPath>,
    restricted: Option<Restricted>,
    modules: BTreeMap<Scope, Vec<Module>>,
    routes: TemplateSet<Route>,
    report_types: TypeTable,
    feed_types: TypeTable,
}

words! {
    /// What a failed refresh means (DESIGN section 9).
    Failure, "failure" {
        /// Passes by itself: back off, with jitter.
        Transient = "transient",
        /// Too fast: wait as long as the answer says.
        Throttled = "throttled",
        /// Our own client is broken: trip its breaker, and mark no customer.
        Application = "application",
        /// The customer's authorization is dead, once confirmed against the current generation.
        Grant = "grant",
    }
}

impl Provider {
    /// Returns the name that connections and configuration use: `amazon-sp-api`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name that people read.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Returns where access tokens come from.
    #[must_use]
    pub const fn token(&self) -> &TokenEndpoint {
        &self.token
    }

    /// Returns how consent is asked for, or `None` where the provider has no consent page.
    #[must_use]
    pub const fn consent(&self) -> Option<&Consent> {
        self.consent.as_ref()
    }

    /// Returns the consent page for a kind of account in a country, without its query, or `None` where there is none.
    #[must_use]
    pub fn consent_page(&self, kind: AccountKind, country: &str) -> Option<Url> {
        let marketplace = self.marketplaces.iter().find(|marketplace| marketplace.country == country)?;
        let central = match kind {
            AccountKind::Seller => marketplace.seller_central.as_ref()?,
            AccountKind::Vendor => marketplace.vendor_central.as_ref()?,
        };
        central.join(&self.consent.as_ref()?.path).ok()
    }

    /// Returns a region's base addresses.
    #[must_use]
    pub fn endpoint(&self, region: Region) -> Option<&Endpoint> {
        self.endpoints.get(&region)
    }

    /// Returns the marketplaces.
    #[must_use]
    pub fn marketplaces(&self) -> &[Marketplace] {
        &self.marketplaces
    }

    /// Returns the header that carries the access token upstream.
    #[must_use]
    pub const fn inject_header(&self) -> &http::HeaderName {
        &self.inject_header
    }

    /// Returns the headers that a worker's lease may come in, in order of preference.
    #[must_use]
    pub fn lease_headers(&self) -> &[http::HeaderName] {
        &self.lease_headers
    }

    /// Returns what personal data needs, or `None` where the provider has no restricted data tokens.
    #[must_use]
    pub const fn restricted(&self) -> Option<&Restricted> {
        self.restricted.as_ref()
    }

    /// Walks the scopes that the file declares, with the modules that are offered each by default.
    pub fn scopes(&self) -> impl Iterator<Item = (&Scope, &[Module])> {
        self.modules.iter().map(|(scope, modules)| (scope, modules.as_slice()))
    }

    /// Tells whether the file declares `scope`. A grant for any other would open nothing.
    #[must_use]
    pub fn declares(&self, scope: &Scope) -> bool {
        self.modules.contains_key(scope)
    }

    /// Returns the scopes that a module is offered by default.
    #[must_use]
    pub fn scopes_of(&self, module: Module) -> ScopeSet {
        let offered = self.modules.iter().filter(|(_, modules)| modules.contains(&module));
        ScopeSet::new(offered.map(|(scope, _)| scope.clone())).expect("a file declares no more scopes than a set holds")
    }

    /// Walks the routes in the order of the file.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.values()
    }

    /// Finds what a request is. Allocates nothing.
    #[must_use]
    pub fn match_target(&self, method: Method, target: &CanonicalTarget) -> Match<'_> {
        if self.refused.iter().any(|refused| refused.covers(target)) {
            return Match::TokenMinting;
        }
        self.routes.find(method, target).map_or(Match::Unknown, Match::Route)
    }

    /// Returns the scope that reports of a type need, or `None` for a type that the file does not list: refused.
    #[must_use]
    pub fn report_scope(&self, report_type: &str) -> Option<&Scope> {
        self.report_types.find(report_type)
    }

    /// Returns the scope that feeds of a type need, or `None` for a type that the file does not list: refused.
    #[must_use]
    pub fn feed_scope(&self, feed_type: &str) -> Option<&Scope> {
        self.feed_types.find(feed_type)
    }

    /// Says what a failed answer of the token endpoint means. The status decides first: a server that is failing or
    /// throttling is not believed about grants. A code that the file does not list is taken to pass, because the
    /// alternative is to mark a customer dead over a word we do not know.
    #[must_use]
    pub fn classify(&self, status: http::StatusCode, code: Option<&str>) -> Failure {
        match status.as_u16() {
            429 => Failure::Throttled,
            500.. => Failure::Transient,
            _ => code.and_then(|code| self.errors.get(code)).copied().unwrap_or(Failure::Transient),
        }
    }
}
