//! `GET /.well-known/oauth-authorization-server`: where the endpoints are and what they take (RFC 8414).

use crate::api::ApiState;
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

/// The authorization server's metadata.
#[derive(Serialize, ToSchema)]
pub(super) struct Metadata {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    grant_types_supported: Vec<&'static str>,
    response_types_supported: Vec<&'static str>,
    scopes_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    service_documentation: String,
}

/// Says where the endpoints are.
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", operation_id = "discovery_show", tag = "worker",
    responses((status = 200, description = "The metadata of RFC 8414", body = Metadata)))]
pub(super) async fn discovery_show(State(state): State<ApiState>) -> Json<Metadata> {
    let base = state.public_url.as_str().trim_end_matches('/');
    let methods = || vec!["client_secret_basic", "client_secret_post"];
    let catalogue = state.vault.broker.catalogue();
    let mut scopes: Vec<String> =
        catalogue.iter().flat_map(|provider| provider.scopes().map(|(scope, _)| scope.to_string())).collect();
    scopes.sort_unstable();
    scopes.dedup();
    Json(Metadata {
        issuer: base.to_owned(),
        token_endpoint: format!("{base}/oauth2/token"),
        revocation_endpoint: format!("{base}/oauth2/revoke"),
        introspection_endpoint: format!("{base}/oauth2/introspect"),
        grant_types_supported: vec!["client_credentials"],
        response_types_supported: Vec::new(),
        scopes_supported: scopes,
        token_endpoint_auth_methods_supported: methods(),
        revocation_endpoint_auth_methods_supported: methods(),
        introspection_endpoint_auth_methods_supported: methods(),
        service_documentation: format!("{base}/docs"),
    })
}
