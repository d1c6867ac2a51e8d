//! The small words of a provider file: paths, addresses, headers, names.

use super::{Reason, route::RefusedPath};
use crate::policy::path::CanonicalTarget;
use url::Url;

/// Headers that the gateway sets, strips or frames by: a token in one would be lost, or break the request.
const UNUSABLE_HEADERS: [&str; 8] =
    ["connection", "content-length", "cookie", "host", "te", "trailer", "transfer-encoding", "upgrade"];

/// Reads paths under which nothing is forwarded.
pub(super) fn paths(raw: &[String]) -> Result<Vec<RefusedPath>, Reason> {
    let segments = |path: &str| path[1..].split('/').map(str::to_owned).collect();
    raw.iter().map(|text| Ok(RefusedPath(segments(&path(text)?)))).collect()
}

/// Accepts a path that is canonical as written and has no query.
pub(super) fn path(text: &str) -> Result<String, Reason> {
    match CanonicalTarget::parse(text) {
        Ok(target) if target.as_str() == text && target.query().is_none() => Ok(text.to_owned()),
        _ => Err(Reason::BadPath(text.to_owned())),
    }
}

/// Accepts an https address by name, with no credentials, query or fragment.
pub(super) fn address(text: &str) -> Result<Url, Reason> {
    let url = Url::parse(text).map_err(|_| Reason::BadAddress)?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if url.scheme() == "https" && url.domain().is_some() && plain { Ok(url) } else { Err(Reason::BadAddress) }
}

/// Accepts an https address that ends with the host.
pub(super) fn origin(text: &str) -> Result<Url, Reason> {
    let url = address(text)?;
    if url.path() == "/" && !text.ends_with('/') { Ok(url) } else { Err(Reason::BadAddress) }
}

/// Accepts the name of a header that can carry a token.
pub(super) fn header(name: &str) -> Result<http::HeaderName, Reason> {
    let bad = || Reason::BadHeader(name.to_owned());
    let header = http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    if UNUSABLE_HEADERS.contains(&header.as_str()) { Err(bad()) } else { Ok(header) }
}

/// Tells whether `name` is `[a-z][a-z0-9-]*`, at most 64 bytes.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
