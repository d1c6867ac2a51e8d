//! `POST /oauth2/token`: a lease for a worker, by client credentials (RFC 6749 section 4.4) with the connection as the
//! resource (RFC 8707).

use super::{ClientCredentials, OAuthError, Parameters};
use crate::{
    api::{ApiState, peer_address},
    domain::lease::{DEFAULT_LIFE, JOB_MAX, MAX_LIFE},
    id::ConnectionId,
    identity::{IssueRequest, Issued},
    peer::Peer,
    policy::ScopeSet,
};
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// What the resource parameter begins with.
const RESOURCE: &str = "urn:leasehold:connection:";

/// The form of a token request.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "says the form to OpenAPI; the handler reads it parameter by parameter")]
pub(super) struct TokenRequest {
    /// `client_credentials`.
    grant_type: String,
    /// `urn:leasehold:connection:ID`.
    resource: String,
    /// Scopes, separated by spaces; all of the grant's where it is absent.
    scope: Option<String>,
    /// The worker's id, unless it authenticates by HTTP Basic.
    client_id: Option<String>,
    /// The worker's secret, unless it authenticates by HTTP Basic.
    client_secret: Option<String>,
    /// How long the lease is to live, in seconds: 1 to 3600, 900 where it is absent.
    lease_seconds: Option<u32>,
    /// A name for the job that it is for, at most 64 bytes; it goes into the audit log.
    job: Option<String>,
}

/// A lease, as RFC 6749 section 5.1 answers it.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenResponse<'a> {
    /// The lease token.
    access_token: &'a str,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds that it lives, unless it is revoked.
    expires_in: u64,
    /// Its scopes.
    scope: String,
}

/// Issues a lease.
#[utoipa::path(post, path = "/oauth2/token", operation_id = "token_issue", tag = "worker",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "A lease", body = inline(TokenResponse<'static>)),
        (status = 400, description = "An error of RFC 6749 section 5.2 or RFC 8707"),
        (status = 401, description = "The client is none of ours"),
        (status = 503, description = "The vault is sealed or cannot record")))]
pub(super) async fn token_issue(
    State(state): State<ApiState>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, OAuthError> {
    let parameters = Parameters::from_form(&body)?;
    let client = ClientCredentials::find(&headers, &parameters)?;
    if parameters.required("grant_type")? != "client_credentials" {
        return Err(OAuthError::UnsupportedGrantType);
    }
    let resource = parameters.required("resource")?;
    let connection: Option<ConnectionId> = resource.strip_prefix(RESOURCE).and_then(|id| id.parse().ok());
    let connection = connection.ok_or(OAuthError::InvalidRequest("the resource is not urn:leasehold:connection:ID"))?;
    let scopes = scopes(parameters.text("scope"))?;
    let life = life(parameters.text("lease_seconds"))?;
    let job = job(parameters.text("job"))?;
    let worker = client.authenticate(&state.vault.identity).await?;

    let address = peer_address(peer.as_ref());
    let certificate = peer.and_then(|Extension(peer)| peer.certificate_thumbprint);
    let request = IssueRequest { worker, connection, scopes, life, job, address, certificate };
    let issued = state.vault.identity.issue(request).await?;
    Ok(answer(&issued, life))
}

fn answer(issued: &Issued, life: Duration) -> Response {
    let body = TokenResponse {
        access_token: issued.token.expose(),
        token_type: "Bearer",
        expires_in: life.as_secs(),
        scope: issued.lease.scopes.to_string(),
    };
    let mut response = axum::Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Reads scopes; none at all means all of the grant's.
pub(super) fn scopes(text: Option<&str>) -> Result<Option<ScopeSet>, OAuthError> {
    let read = text.map(str::parse::<ScopeSet>).transpose();
    let read = read.map_err(|_| OAuthError::InvalidScope("a scope is a category and a verb, such as orders:read"))?;
    Ok(read.filter(|scopes| !scopes.is_empty()))
}

fn life(seconds: Option<&str>) -> Result<Duration, OAuthError> {
    let Some(text) = seconds else { return Ok(DEFAULT_LIFE) };
    let life = text.parse().map(Duration::from_secs).ok();
    life.filter(|life| !life.is_zero() && *life <= MAX_LIFE)
        .ok_or(OAuthError::InvalidRequest("lease_seconds is not a number from 1 to 3600"))
}

fn job(text: Option<&str>) -> Result<Option<String>, OAuthError> {
    match text {
        Some(job) if job.len() > JOB_MAX || job.chars().any(char::is_control) => {
            Err(OAuthError::InvalidRequest("job is longer than 64 bytes, or has control characters"))
        }
        job => Ok(job.map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lives_at_most_an_hour() {
        assert_eq!(life(None).unwrap(), DEFAULT_LIFE);
        assert_eq!(life(Some("3600")).unwrap(), MAX_LIFE);
        for wrong in ["0", "3601", "-1", "x", "1e3"] {
            assert!(life(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
