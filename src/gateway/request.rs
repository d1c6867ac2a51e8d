//! Reads what was asked, and refuses what could be read in two ways.
//!
//! Of `Content-Length` together with `Transfer-Encoding` nothing is left to refuse here: hyper drops the former, reads by
//! the latter and closes the connection after it. And since no framing of the worker's is passed on, a body smuggled
//! past one of two readers has no second reader.

use super::answer::Refusal;
use crate::policy::{CanonicalTarget, METHOD_OVERRIDE_HEADERS, Method};
use http::{HeaderMap, HeaderName, Version, header, request::Parts};

/// Reads the method and the target.
pub(super) fn parse(head: &Parts) -> Result<(Method, CanonicalTarget), Refusal> {
    if head.method == http::Method::CONNECT {
        return Err(Refusal::Malformed("CONNECT would open a tunnel that nothing judges."));
    }
    // On HTTP/2 every request has a scheme and an authority; on HTTP/1.1 they are absolute form, meant for a proxy.
    if head.version < Version::HTTP_2 && (head.uri.scheme().is_some() || head.uri.authority().is_some()) {
        return Err(Refusal::Malformed("The request target must be in origin form."));
    }
    if head.headers.contains_key(header::UPGRADE) {
        return Err(Refusal::Malformed("The protocol cannot be upgraded here."));
    }
    if METHOD_OVERRIDE_HEADERS.iter().any(|name| head.headers.contains_key(*name)) {
        return Err(Refusal::Malformed("The method cannot be overridden by a header."));
    }
    let method = Method::parse(head.method.as_str()).ok_or(Refusal::Malformed("The method is not known."))?;
    let raw = head.uri.path_and_query().map_or("", |target| target.as_str());
    Ok((method, CanonicalTarget::parse(raw)?))
}

/// Finds the one lease token among the headers where SDKs put theirs. The same token in two places is one token.
pub(super) fn lease_token<'a>(headers: &'a HeaderMap, names: &[HeaderName]) -> Result<&'a str, Refusal> {
    let mut found: Option<&str> = None;
    for name in names {
        for value in headers.get_all(name) {
            let value = value.to_str().map_err(|_| Refusal::DeadLease)?;
            let token = match *name == header::AUTHORIZATION {
                true => bearer(value),
                false => Some(value.trim()),
            };
            match (token, found) {
                (Some(token), Some(other)) if token != other => return Err(Refusal::TwoLeases),
                (Some(token), _) if !token.is_empty() => found = Some(token),
                _ => {}
            }
        }
    }
    found.ok_or(Refusal::NoLease)
}

/// Returns the token of `Bearer TOKEN`. Older SDKs still sign what they send (`AWS4-HMAC-SHA256 …`), beside the token: a
/// scheme that is not `Bearer` carries no lease, and goes no further.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const NAMES: [HeaderName; 2] = [HeaderName::from_static("x-amz-access-token"), header::AUTHORIZATION];

    fn head(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
        build(Request::builder()).body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_same_lease_in_two_places_is_one_and_two_leases_are_refused() {
        let both = |second: &str| head(|b| b.header("x-amz-access-token", "lh_a").header("authorization", second));
        assert!(matches!(lease_token(&both("Bearer lh_a").headers, &NAMES), Ok("lh_a")));
        assert!(matches!(lease_token(&both("AWS4-HMAC-SHA256 Credential=x").headers, &NAMES), Ok("lh_a")));
        assert!(matches!(lease_token(&both("bearer lh_b").headers, &NAMES), Err(Refusal::TwoLeases)));
        assert!(matches!(lease_token(&head(|b| b).headers, &NAMES), Err(Refusal::NoLease)));
        let twice = head(|b| b.header("x-amz-access-token", "lh_a").header("x-amz-access-token", "lh_b"));
        assert!(matches!(lease_token(&twice.headers, &NAMES), Err(Refusal::TwoLeases)));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for bad in [
            head(|b| b.uri("http://elsewhere.test/orders/v0/orders")),
            head(|b| b.method("CONNECT").uri("elsewhere.test:443")),
            head(|b| b.uri("/orders/v0/orders").header("upgrade", "websocket")),
            head(|b| b.uri("/orders/v0/orders").header("x-http-method-override", "DELETE")),
            head(|b| b.method("PROPFIND").uri("/orders/v0/orders")),
            head(|b| b.uri("/orders/v0/orders/1%2Faddress")),
            head(|b| b.uri("/orders/../tokens")),
        ] {
            assert!(parse(&bad).is_err(), "{} {}", bad.method, bad.uri);
        }
        assert!(parse(&head(|b| b.uri("/orders/v0/orders?MarketplaceIds=A"))).is_ok());
    }
}
