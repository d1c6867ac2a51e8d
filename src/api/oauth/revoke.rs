//! `POST /oauth2/revoke`: a worker gives a lease back early (RFC 7009). What is in flight under it is stopped.

use super::{ClientCredentials, OAuthError, Parameters};
use crate::{api::ApiState, secret::SecretText};
use axum::extract::State;
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

/// The form of a revocation or introspection request.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "says the form to OpenAPI; the handler reads it parameter by parameter")]
pub(super) struct TokenForm {
    /// The lease token.
    token: String,
    /// Ignored: there is one type of token.
    token_type_hint: Option<String>,
    /// The worker's id, unless it authenticates by HTTP Basic.
    client_id: Option<String>,
    /// The worker's secret, unless it authenticates by HTTP Basic.
    client_secret: Option<String>,
}

/// Ends a lease early. A token that is another worker's, or none, is answered alike (RFC 7009 section 2.2).
#[utoipa::path(post, path = "/oauth2/revoke", operation_id = "token_revoke", tag = "worker",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The lease, if there was one, is ended"),
        (status = 400, description = "An error of RFC 6749 section 5.2"),
        (status = 401, description = "The client is none of ours"),
        (status = 503, description = "The vault is sealed or cannot record")))]
pub(super) async fn token_revoke(
    State(state): State<ApiState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(), OAuthError> {
    let parameters = Parameters::from_form(&body)?;
    let client = ClientCredentials::find(&headers, &parameters)?;
    let token = parameters.required("token")?;
    let worker = client.authenticate(&state.vault.identity).await?;
    Ok(state.vault.custody.lease_end(SecretText::new(token.to_owned()), worker.id).await?)
}
