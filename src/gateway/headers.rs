//! Headers that cross the vault: what of the worker's goes up, what of the provider's comes back.

use super::answer::{ERROR_OF, REQUEST_ID, request_id_value};
use crate::{broker::provider::Provider, domain::secrets::AccessToken};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use uuid::Uuid;

/// Never passed on, in either direction: they are about one hop (RFC 9110 section 7.6.1), or framing, which is ours.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Never sent up: who the worker is, where it sits, and what could make the provider act on another path than the one
/// that was judged.
const OURS: [&str; 13] = [
    "host",
    "authorization",
    "x-amz-access-token",
    "x-amz-security-token",
    "cookie",
    "forwarded",
    "via",
    "expect",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-original-uri",
    "x-original-host",
];

const OUR_PREFIXES: [&str; 3] = ["proxy-", "x-forwarded-", "x-leasehold-"];

/// Takes out of a worker's headers what must not go up.
pub(super) fn request_clean(headers: &mut HeaderMap, provider: &Provider) {
    strip_hop_by_hop(headers);
    for name in OURS {
        headers.remove(name);
    }
    for name in provider.lease_headers() {
        headers.remove(name);
    }
    headers.remove(provider.inject_header());
    remove_where(headers, |name| OUR_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix)));
}

/// Takes out of a provider's answer what must not come back, and says whose answer it is.
///
/// The `Location` of a redirect is taken out: an HTTP client would follow it with the lease in a header of its own, which
/// no client drops on the way to another host. Amazon's API does not redirect.
pub(super) fn answer_clean(
    head: &mut http::response::Parts,
    provider: &Provider,
    tokens: &[&AccessToken],
    request_id: Uuid,
) {
    let headers = &mut head.headers;
    let length = headers.get(header::CONTENT_LENGTH).cloned();
    strip_hop_by_hop(headers);
    // The length stays true, since the body passes as it is, and HEAD has nothing else to say it with.
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    headers.remove(header::SET_COOKIE);
    headers.remove("set-cookie2");
    headers.remove(provider.inject_header());
    if head.status.is_redirection() {
        headers.remove(header::LOCATION);
    }
    let echoes = |value: &HeaderValue| tokens.iter().any(|token| contains(value.as_bytes(), token.expose().as_bytes()));
    let echoing: Vec<HeaderName> =
        headers.iter().filter(|(_, value)| echoes(value)).map(|(name, _)| name.clone()).collect();
    for name in echoing {
        headers.remove(name);
    }
    remove_where(headers, |name| name.as_str().starts_with("x-leasehold-"));
    headers.insert(REQUEST_ID, request_id_value(request_id));
    if head.status.is_client_error() || head.status.is_server_error() {
        headers.insert(ERROR_OF, HeaderValue::from_static("provider"));
    }
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// Free for nearly every header: a token is longer than they are.
fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{broker::provider::Catalogue, secret::SecretText};

    fn amazon() -> std::sync::Arc<Provider> {
        std::sync::Arc::clone(Catalogue::built_in().provider("amazon-sp-api").unwrap())
    }

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn nothing_of_the_hop_or_of_the_worker_goes_up() {
        let mut headers = map(&[
            ("connection", "close, x-secret-hop"),
            ("x-secret-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("host", "elsewhere"),
            ("authorization", "Bearer lh_x"),
            ("x-amz-access-token", "lh_x"),
            ("x-amz-security-token", "sts"),
            ("cookie", "a=b"),
            ("forwarded", "for=10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-host", "elsewhere"),
            ("via", "1.1 proxy"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic x"),
            ("x-original-url", "/tokens"),
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("user-agent", "sdk"),
        ]);
        request_clean(&mut headers, &amazon());
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "accept-encoding", "user-agent"]);
    }

    #[test]
    fn no_cookie_no_token_and_no_redirect_comes_back() {
        let token = AccessToken(SecretText::new("Atza|real".into()));
        let response = http::Response::builder().status(302);
        let (mut head, ()) = response.body(()).unwrap().into_parts();
        head.headers = map(&[
            ("set-cookie", "session=1"),
            ("x-debug", "token was Atza|real."),
            ("x-amz-access-token", "whatever"),
            ("location", "https://elsewhere.test/"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-leasehold-error", "vault"),
            ("content-length", "12"),
            ("x-amzn-ratelimit-limit", "0.5"),
        ]);
        answer_clean(&mut head, &amazon(), &[&token], Uuid::nil());
        let mut left: Vec<&str> = head.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-amzn-ratelimit-limit", "x-leasehold-request-id"]);
    }
}
