//! Where providers are: their own addresses, unless the operator's configuration names others.

use super::provider::{AccountKind, Provider, Region};
use std::collections::HashMap;
use url::Url;

/// Addresses that stand in for a provider's own: a sandbox, a simulator.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// In place of the token endpoint.
    pub token_url: Option<Url>,
    /// In place of the API, by region.
    pub endpoints: HashMap<Region, Url>,
    /// In place of the consent page, for everything not named below.
    pub consent_default: Option<Url>,
    /// In place of the consent page, by kind of account and by region or country, in lower case.
    pub consent: HashMap<(AccountKind, String), Url>,
}

impl Addresses {
    /// Returns the token endpoint.
    #[must_use]
    pub fn token_url<'a>(&'a self, provider: &'a Provider) -> &'a Url {
        self.token_url.as_ref().unwrap_or(&provider.token().url)
    }

    /// Returns the API's base address for a region.
    #[must_use]
    pub fn endpoint<'a>(&'a self, provider: &'a Provider, region: Region) -> Option<&'a Url> {
        self.endpoints.get(&region).or_else(|| Some(&provider.endpoint(region)?.live))
    }

    /// Returns the consent page for a kind of account in a country: that country's, else its region's, else the default,
    /// else the provider's own.
    #[must_use]
    pub fn consent_page(&self, provider: &Provider, kind: AccountKind, region: Region, country: &str) -> Option<Url> {
        let named = |place: &str| self.consent.get(&(kind, place.to_lowercase()));
        let other = named(country).or_else(|| named(region.as_str())).or(self.consent_default.as_ref());
        other.cloned().or_else(|| provider.consent_page(kind, country))
    }
}
