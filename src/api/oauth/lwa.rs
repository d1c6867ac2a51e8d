//! `POST /auth/o2/token`: the same lease in Login with Amazon's own dialect, for unmodified SP-API SDKs. The handle that
//! stands in for a refresh token is no secret: `<connection>.<worker>`, or a bare connection id.

use super::{ClientCredentials, OAuthError, Parameters};
use crate::{
    api::{ApiState, peer_address, request_id},
    domain::lease::{LWA_EXPIRES_IN, LWA_LIFE},
    id::{ConnectionId, WorkerId},
    identity::IssueRequest,
    peer::Peer,
};
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token request in Login with Amazon's dialect; form or JSON.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "says the form to OpenAPI; the handler reads it parameter by parameter")]
pub(super) struct LwaTokenRequest {
    /// `refresh_token`.
    grant_type: String,
    /// The handle: `<connection>.<worker>`, or the connection's id.
    refresh_token: String,
    /// The worker's id.
    client_id: String,
    /// The worker's secret.
    client_secret: String,
}

/// A lease, in Login with Amazon's dialect.
#[derive(Serialize, ToSchema)]
pub(super) struct LwaTokenResponse<'a> {
    /// The lease token.
    access_token: &'a str,
    /// The handle, echoed.
    refresh_token: &'a str,
    /// `bearer`.
    token_type: &'static str,
    /// 3600; the lease lives a little longer, because SDKs cache for an hour whatever they are told.
    expires_in: u64,
}

/// Issues a lease in Login with Amazon's dialect.
#[utoipa::path(post, path = "/auth/o2/token", operation_id = "lwa_token_issue", tag = "worker",
    request_body(content = LwaTokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "A lease", body = inline(LwaTokenResponse<'static>)),
        (status = 400, description = "An error in Login with Amazon's form"),
        (status = 401, description = "The client is none of ours"),
        (status = 503, description = "The vault is sealed or cannot record")))]
pub(super) async fn lwa_token_issue(
    State(state): State<ApiState>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match issue(&state, peer.as_ref(), &headers, &body).await {
        Ok(response) => response,
        Err(error) => error.into_lwa(&request_id::current().unwrap_or_default()),
    }
}

async fn issue(
    state: &ApiState,
    peer: Option<&Extension<Peer>>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Response, OAuthError> {
    let parameters = if is_json(headers) { Parameters::from_json(body)? } else { Parameters::from_form(body)? };
    match parameters.required("grant_type")? {
        "refresh_token" => {}
        // Operations that belong to the application, not to a seller, are not a worker's.
        _ => return Err(OAuthError::UnsupportedGrantType),
    }
    let handle = parameters.required("refresh_token")?;
    parameters.required("client_id")?;
    parameters.required("client_secret")?;
    let client = ClientCredentials::find(headers, &parameters)?;
    let worker = client.authenticate(&state.vault.identity).await?;
    let invalid = || OAuthError::InvalidTarget(crate::identity::Refused::NoConnection);
    let connection = parse_handle(handle, worker.id).ok_or_else(invalid)?;

    let request = IssueRequest {
        worker,
        connection,
        scopes: None,
        life: LWA_LIFE,
        job: None,
        address: peer_address(peer),
        certificate: peer.and_then(|Extension(peer)| peer.certificate_thumbprint),
    };
    let issued = state.vault.identity.issue(request).await?;
    let body = LwaTokenResponse {
        access_token: issued.token.expose(),
        refresh_token: handle,
        token_type: "bearer",
        expires_in: LWA_EXPIRES_IN.as_secs(),
    };
    let mut response = axum::Json(body).into_response();
    let never = HeaderValue::from_static("no-cache, no-store, must-revalidate");
    response.headers_mut().insert(header::CACHE_CONTROL, never);
    Ok(response)
}

/// Reads a handle. One that names a worker works for that worker only.
fn parse_handle(handle: &str, caller: WorkerId) -> Option<ConnectionId> {
    match handle.split_once('.') {
        None => handle.parse().ok(),
        Some((connection, worker)) => {
            let worker: WorkerId = worker.parse().ok()?;
            (worker == caller).then_some(())?;
            connection.parse().ok()
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_handle_that_names_a_worker_works_for_no_other() {
        let (connection, worker) = (Uuid::from_u128(1), WorkerId::from_uuid(Uuid::from_u128(2)));
        let expected = Some(ConnectionId::from_uuid(connection));
        assert_eq!(parse_handle(&connection.to_string(), worker), expected);
        assert_eq!(parse_handle(&format!("{connection}.{worker}"), worker), expected);
        assert_eq!(parse_handle(&format!("{connection}.{}", Uuid::from_u128(3)), worker), None);
        assert_eq!(parse_handle("Atzr|abc", worker), None);
    }
}
