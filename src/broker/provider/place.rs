//! Where a provider is: addresses, regions, marketplaces, consent pages.

use crate::domain::words;
use std::time::Duration;
use url::Url;

/// Where access tokens come from, and how long they live.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    /// The address.
    pub url: Url,
    /// How long an access token lives, where the answer does not say.
    pub lifetime: Duration,
    /// How long before its end a token is refreshed: at most a fifth of the lifetime. A margin above the lifetime would
    /// refresh for ever.
    pub refresh_margin: Duration,
    /// How long a customer's authorization lives before it must be renewed, where it ends by itself.
    pub authorization_life: Option<Duration>,
}

/// How a customer is asked for consent.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The path of the consent page on every one of the central hosts.
    pub path: String,
    /// How long the code lives that comes back.
    pub code_life: Duration,
}

/// The API's base addresses for one region.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where customers' data is.
    pub live: Url,
    /// Where test data is.
    pub sandbox: Option<Url>,
}

/// A country's marketplace.
#[derive(Clone, Debug)]
pub struct Marketplace {
    /// The country as the provider abbreviates it. Amazon says `UK`.
    pub country: String,
    /// The provider's id.
    pub id: String,
    /// The region whose endpoint and authorization serve it. One authorization serves a region.
    pub region: Region,
    /// Where a seller consents. Several countries may share a host.
    pub seller_central: Option<Url>,
    /// Where a vendor consents.
    pub vendor_central: Option<Url>,
}

words! {
    /// A provider's region: an endpoint and an authorization each.
    Region, "region" {
        /// North America and Brazil.
        Na = "na",
        /// Europe, the Middle East, Africa and India.
        Eu = "eu",
        /// Japan, Australia and Singapore.
        Fe = "fe",
    }
}

words! {
    /// What a customer is to a marketplace.
    AccountKind, "account kind" {
        /// Sells to customers.
        Seller = "seller",
        /// Sells to the marketplace.
        Vendor = "vendor",
    }
}
