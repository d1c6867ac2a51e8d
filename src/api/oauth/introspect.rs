//! `POST /oauth2/introspect`: whether a lease is in force, and what it is for (RFC 7662). Only its holder learns anything.

use super::{ClientCredentials, OAuthError, Parameters, revoke::TokenForm};
use crate::{api::ApiState, identity::Introspection};
use axum::{Json, extract::State};
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

/// The state of a lease (RFC 7662 section 2.2).
#[derive(Default, Serialize, ToSchema)]
pub(super) struct IntrospectionResponse {
    /// Whether it is in force.
    active: bool,
    #[serde(flatten)]
    lease: Option<IntrospectedLease>,
}

/// What a lease is for.
#[derive(Serialize, ToSchema)]
pub(super) struct IntrospectedLease {
    /// Its scopes.
    scope: String,
    /// Its holder.
    client_id: String,
    /// `Bearer`.
    token_type: &'static str,
    /// When it ends by itself, in seconds since the Unix epoch.
    exp: i64,
    /// When it was issued.
    iat: i64,
    /// Its id.
    jti: String,
    /// The connection, as the token request named it.
    aud: String,
    /// `gateway`, `token` or `secret`.
    delivery: &'static str,
    /// The module that it is for.
    module: &'static str,
}

/// Says whether a lease is in force.
#[utoipa::path(post, path = "/oauth2/introspect", operation_id = "token_introspect", tag = "worker",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The lease's state", body = IntrospectionResponse),
        (status = 400, description = "An error of RFC 6749 section 5.2"),
        (status = 401, description = "The client is none of ours"),
        (status = 503, description = "The vault is sealed or the database gone")))]
pub(super) async fn token_introspect(
    State(state): State<ApiState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<IntrospectionResponse>, OAuthError> {
    let parameters = Parameters::from_form(&body)?;
    let client = ClientCredentials::find(&headers, &parameters)?;
    let token = parameters.required("token")?;
    let worker = client.authenticate(&state.vault.identity).await?;
    let Introspection::Active(lease) = state.vault.identity.introspect(token, worker.id).await? else {
        return Ok(Json(IntrospectionResponse::default()));
    };
    let lease = IntrospectedLease {
        scope: lease.scopes.to_string(),
        client_id: lease.worker.to_string(),
        token_type: "Bearer",
        exp: lease.expires_at.as_seconds(),
        iat: lease.issued_at.as_seconds(),
        jti: lease.id.to_string(),
        aud: format!("urn:leasehold:connection:{}", lease.connection),
        delivery: lease.delivery.as_str(),
        module: lease.module.as_str(),
    };
    Ok(Json(IntrospectionResponse { active: true, lease: Some(lease) }))
}
