//! Reads what requests to Amazon have in common: queries and hosts.

use super::{errors::Refusal, marketplace::Region};
use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::{header, request::Parts};
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use url::form_urlencoded;

/// A query string, in order. SDKs write lists as one key with commas or as one key repeated; both are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads an encoded query string.
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Returns the first value of `name` that is not empty.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.values(name).find(|value| !value.is_empty())
    }

    /// Returns all values of `name`, commas split.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.values(name).flat_map(|value| value.split(',')).map(str::trim).filter(|value| !value.is_empty()).collect()
    }

    /// Returns a page size: `default` where `name` is absent.
    pub(super) fn size(&self, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
        let Some(text) = self.one(name) else { return Ok(default) };
        let size = text.parse().ok().filter(|size| (1..=most).contains(size));
        size.ok_or_else(|| Refusal::InvalidInput(format!("{name} must be between 1 and {most}")))
    }

    /// Writes the query again, without `name`.
    pub(super) fn without(&self, name: &str) -> String {
        let kept = self.0.iter().filter(|(key, _)| key != name);
        form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

/// The host that a request was sent to, with its port.
#[derive(Clone, Debug)]
pub(super) struct Host(pub(super) String);

impl Host {
    pub(super) fn of(parts: &Parts) -> Self {
        let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
        // HTTP/2 says `:authority` instead.
        let named = named.or_else(|| parts.uri.authority().map(ToString::to_string));
        Self(named.unwrap_or_else(|| "localhost".into()))
    }

    /// Returns the region whose endpoint or central site this host stands for, if for one.
    pub(super) fn region(&self) -> Option<Region> {
        Region::of_host(&self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Host {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// A JSON body, whatever its `Content-Type` says: several SDKs say nothing.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let unreadable = |error: String| Refusal::InvalidInput(format!("Could not read the request body: {error}"));
        let body = Bytes::from_request(request, state).await.map_err(|error| unreadable(error.to_string()))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| unreadable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_and_commas_are_the_same_list() {
        let repeated = Query::parse("MarketplaceIds=A1&MarketplaceIds=A2");
        let commas = Query::parse("MarketplaceIds=A1%2CA2");
        assert_eq!(repeated.list("MarketplaceIds"), ["A1", "A2"]);
        assert_eq!(commas.list("MarketplaceIds"), ["A1", "A2"]);
    }

    #[test]
    fn a_page_size_out_of_bounds_is_refused() {
        assert_eq!(Query::parse("").size("n", 100, 100), Ok(100));
        for query in ["n=0", "n=101", "n=many"] {
            assert!(Query::parse(query).size("n", 100, 100).is_err(), "{query}");
        }
    }
}
