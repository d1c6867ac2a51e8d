//! What workers call for a lease: OAuth 2.0's token endpoint and its neighbours, and the same in Login with Amazon's own
//! dialect for SDKs that know nothing else.

mod client;
mod discovery;
mod error;
mod introspect;
mod lwa;
mod parameters;
mod revoke;
mod token;

pub(super) use client::ClientCredentials;
pub(super) use error::OAuthError;
pub(super) use parameters::Parameters;

use super::ApiState;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Returns the routes.
pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(token::token_issue))
        .routes(routes!(lwa::lwa_token_issue))
        .routes(routes!(revoke::token_revoke))
        .routes(routes!(introspect::token_introspect))
        .routes(routes!(discovery::discovery_show))
}
