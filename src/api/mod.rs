//! The HTTP API: one file a resource, and [`problem`] for everything that does not succeed. A handler reads as a story:
//! look up, refuse, decide, act, answer.
//!
//! This door knows no SQL and no key; what it may do it asks `policy`, and what it does the services do.

mod access_keys;
mod applications;
mod audit;
mod audit_health;
pub mod caller;
mod connections;
mod consent;
mod credential;
mod cuts;
mod events;
mod export;
mod grants;
mod guard;
mod health;
pub mod idempotency;
pub mod json;
mod keys;
mod oauth;
pub mod page;
pub mod problem;
mod proof;
mod quarantine;
mod receipted;
mod request_id;
mod seal;
mod shares;
mod shown_once;
mod sub_processors;
mod tenants;
#[cfg(test)]
mod tests;
mod users;
mod workers;

pub use guard::Rate;

use crate::{
    peer::Peer,
    seal::{Seal, SealError},
    secret::SecretText,
    vault::Vault,
};
use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, FromRequestParts},
    http::request::Parts,
    middleware,
    response::{IntoResponse, Response},
};
use guard::Buckets;
use http::StatusCode;
use problem::{Problem, ProblemKind};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    net::{IpAddr, Ipv4Addr},
    ops::Deref,
    sync::Arc,
    time::Duration,
};
use url::Url;
use utoipa_axum::router::OpenApiRouter;

/// Finds the seal that the configuration names, with the passphrase that an officer gave, where one did.
pub type OpenSeal = Arc<dyn Fn(Option<SecretText>) -> Result<Arc<dyn Seal>, SealError> + Send + Sync>;
/// Writes the metrics in Prometheus' text form.
pub type WriteMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What callers may ask for at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a request may take.
    pub request: Duration,
    /// The largest body, in bytes.
    pub body_bytes: usize,
    /// How many requests one address may make.
    pub rate: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        let rate = Rate { burst: 2_000, per_second: 1_000 };
        Self { request: Duration::from_secs(30), body_bytes: 256 * 1024, rate }
    }
}

/// Whether the API describes itself to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Docs {
    /// `/openapi.json` and `/docs` are there.
    Shown,
    /// They are not.
    Hidden,
}

/// What the API is made of.
pub struct ApiOptions {
    /// The services.
    pub vault: Vault,
    /// Where callers reach this API.
    pub public_url: Url,
    /// What callers may ask for at most.
    pub limits: Limits,
    /// Finds the configured seal.
    pub open_seal: OpenSeal,
    /// Writes the metrics, where `/metrics` is there.
    pub metrics: Option<WriteMetrics>,
    /// Whether the API describes itself.
    pub docs: Docs,
}

/// What handlers share. Cloning shares it.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

/// The options, and what the API keeps itself.
pub struct Shared {
    options: ApiOptions,
    buckets: Buckets,
}

impl ApiState {
    /// Puts the state together.
    #[must_use]
    pub fn new(options: ApiOptions) -> Self {
        let buckets = Buckets::new(options.limits.rate);
        Self(Arc::new(Shared { options, buckets }))
    }
}

impl Deref for ApiState {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Deref for Shared {
    type Target = ApiOptions;
    fn deref(&self) -> &ApiOptions {
        &self.options
    }
}

/// Builds the API.
pub fn router(state: ApiState) -> Router {
    let (router, document) = documented().split_for_parts();
    let mut router = router.merge(health::router(state.metrics.is_some()));
    if state.docs == Docs::Shown {
        router = router.merge(utoipa_swagger_ui::SwaggerUi::new("/docs").url("/openapi.json", document));
    }
    let body_limit = DefaultBodyLimit::max(state.limits.body_bytes);
    // The last one added is the first to see a request.
    router
        .method_not_allowed_fallback(|| async { Problem::new(ProblemKind::MethodNotAllowed) })
        .fallback(|| async { Problem::not_found() })
        .layer(middleware::from_fn_with_state(state.clone(), receipted::receipted))
        .layer(middleware::from_fn_with_state(state.clone(), quarantine::refuse))
        .layer(body_limit)
        .layer(middleware::from_fn(guard::catch_panic))
        .layer(middleware::from_fn_with_state(state.clone(), guard::limit_time))
        .layer(middleware::from_fn_with_state(state.clone(), guard::limit_rate))
        .layer(middleware::from_fn(guard::secure))
        .layer(middleware::from_fn_with_state(state.clone(), request_id::identify))
        .with_state(state)
}

/// Lists every documented route: each file's `router()` is merged here.
fn documented() -> OpenApiRouter<ApiState> {
    let info = utoipa::openapi::InfoBuilder::new().title("Leasehold").version(env!("CARGO_PKG_VERSION")).build();
    let document = utoipa::openapi::OpenApiBuilder::new().info(info).build();
    OpenApiRouter::with_openapi(document)
        // ── the books ──
        .merge(tenants::router())
        .merge(users::router())
        .merge(access_keys::router())
        .merge(applications::router())
        .merge(sub_processors::router())
        .merge(workers::router())
        .merge(connections::router())
        .merge(grants::router())
        .merge(audit::router())
        .merge(audit_health::router())
        .merge(proof::router())
        .merge(export::router())
        .merge(keys::router())
        .merge(seal::router())
        // ── tokens, credentials, consent, cuts, events ──
        .merge(oauth::router())
        .merge(credential::router())
        .merge(consent::router())
        .merge(cuts::router())
        .merge(events::router())
}

/// Returns where a caller is, as the accept loop saw it; unspecified where a request came by no socket.
fn peer_address(peer: Option<&Extension<Peer>>) -> IpAddr {
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(peer)| peer.address.ip())
}

/// An answer to a create, or to what yields nothing.
#[derive(Debug)]
pub enum Reply<T> {
    /// It was made.
    Created(T),
    /// It was done, and yields something.
    Ok(T),
    /// It was done, and what confirms it is missing.
    Accepted(T),
    /// It was done.
    Done,
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Created(body) => (StatusCode::CREATED, Json(body)).into_response(),
            Self::Ok(body) => Json(body).into_response(),
            Self::Accepted(body) => (StatusCode::ACCEPTED, Json(body)).into_response(),
            Self::Done => StatusCode::NO_CONTENT.into_response(),
        }
    }
}

/// What the path names. An id that is none is not found, like one that nobody has.
pub struct PathOf<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|_| Problem::not_found())
    }
}

/// What the query says.
pub struct QueryOf<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Self(query.0)).map_err(|_| {
            Problem::new(ProblemKind::Malformed).with_detail("a parameter of the query is unknown or malformed")
        })
    }
}
