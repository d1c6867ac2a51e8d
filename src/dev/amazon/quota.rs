//! What stands on every answer: `x-amzn-RequestId`, and the operation's published rate.

use super::{Amazon, errors::REQUEST_ID};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, StatusCode};

const RATE_LIMIT: HeaderName = HeaderName::from_static("x-amzn-ratelimit-limit");

/// Stamps an answer. A 403 carries no rate: it is given before a quota is looked at.
pub(super) async fn stamped(State(amazon): State<Amazon>, request: Request, next: Next) -> Response {
    let rate = rate(request.uri().path());
    let mut response = next.run(request).await;
    let refused = response.status() == StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    if let (false, Some(rate)) = (refused, rate) {
        headers.insert(RATE_LIMIT, HeaderValue::from_static(rate));
    }
    if !headers.contains_key(REQUEST_ID)
        && let Ok(id) = HeaderValue::from_str(&amazon.make_id())
    {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Returns the operation's rate in requests per second, as Amazon writes it; `None` for what is not the SP-API.
fn rate(path: &str) -> Option<&'static str> {
    let family = RATES.iter().find(|(prefix, _)| path.starts_with(prefix));
    let (_, rate) = family?;
    // Reading one order has a rate of its own.
    let one_order = path.starts_with("/orders/v0/orders/");
    Some(if one_order { "0.5" } else { rate })
}

/// The default rates of Amazon's usage plans, by path; the longer of two prefixes first.
const RATES: &[(&str, &str)] = &[
    ("/orders/v0", "0.0167"),
    ("/orders/2026-01-01", "0.0056"),
    ("/catalog/2022-04-01/items", "5.0"),
    ("/listings/2021-08-01", "5.0"),
    ("/fba/inventory/v1", "2.0"),
    ("/fba/inbound/v0", "2.0"),
    ("/reports/2021-06-30/documents", "0.0167"),
    ("/reports/2021-06-30", "0.0222"),
    ("/feeds/2021-06-30/feeds", "0.0083"),
    ("/feeds/2021-06-30", "0.5"),
    ("/batches/products/pricing", "0.1"),
    ("/products/pricing", "0.5"),
    ("/products/fees", "1.0"),
    ("/finances", "0.5"),
    ("/notifications/v1", "1.0"),
    ("/tokens/2021-03-01", "1.0"),
    ("/sellers/v1", "0.016"),
    ("/applications/2023-11-30", "0.0167"),
    ("/vendor", "10.0"),
];
