//! The request as it goes up: the same canonical bytes that were judged, the real token, our own framing.

use super::{admit::Asked, answer::Refusal, headers, types};
use crate::{
    broker::{
        dialer::OutboundBody,
        provider::{Provider, Route},
    },
    domain::secrets::AccessToken,
};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};

/// Builds it from the worker's headers. The dialer sets `Host`, hyper the length or the chunks.
pub(super) fn request(
    asked: &Asked<'_>,
    route: &Route,
    mut headers: HeaderMap,
    token: &AccessToken,
    body: OutboundBody,
) -> Result<Request<OutboundBody>, Refusal> {
    headers::request_clean(&mut headers, &asked.place.provider);
    if types::tells(route) {
        // The answer is read here before it is passed on; compressed, it would not be.
        headers.remove(header::ACCEPT_ENCODING);
    }
    if route.rule().reads_body() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    inject(&mut headers, &asked.place.provider, token)?;
    let uri = format!("{}{}", asked.place.base, asked.target);
    let uri = Uri::try_from(uri).map_err(|_| Refusal::Malformed("The request target cannot be sent on."))?;
    let method = Method::from_bytes(asked.method.as_str().as_bytes()).expect("a known method is a token");
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Puts the real token where the provider looks for it.
pub(super) fn inject(headers: &mut HeaderMap, provider: &Provider, token: &AccessToken) -> Result<(), Refusal> {
    let name = provider.inject_header();
    let value = match *name == header::AUTHORIZATION {
        true => HeaderValue::try_from(format!("Bearer {}", token.expose())),
        false => HeaderValue::from_str(token.expose()),
    };
    let mut value = value.map_err(|_| Refusal::Provider("The provider's token cannot be sent.".to_owned()))?;
    value.set_sensitive(true);
    headers.insert(name.clone(), value);
    Ok(())
}
