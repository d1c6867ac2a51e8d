//! Tests against the built-in file, and of files that are refused.

mod amazon;
mod demand;
mod hostile;
mod load;

use super::*;

fn amazon() -> std::sync::Arc<Provider> {
    std::sync::Arc::clone(Catalogue::built_in().provider("amazon-sp-api").unwrap())
}

fn target(text: &str) -> CanonicalTarget {
    CanonicalTarget::parse(text).unwrap()
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

/// Says what a lease must hold for `METHOD /path?query` with `body`.
fn demand(request: &str, body: &str) -> Result<Demand, BodyRefusal> {
    let provider = amazon();
    let (method, path) = request.split_once(' ').unwrap();
    let target = target(path);
    match provider.match_target(Method::parse(method).unwrap(), &target) {
        Match::Route(route) => provider.demand(route, &target, body.as_bytes()),
        other => panic!("{request}: {other:?}"),
    }
}
