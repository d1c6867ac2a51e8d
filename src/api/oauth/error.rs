//! The two error dialects of the token endpoints: RFC 6749 section 5.2, and Login with Amazon's (FACTS section 1). They own
//! their status codes, as `problem.rs` owns everybody else's.

use crate::{
    audit::SubmitError,
    identity::{IssueError, LeaseError, Refused, WorkerError},
    keyring::KeyringError,
};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

/// How long a caller is asked to wait when the vault cannot serve, in seconds.
const RETRY_AFTER: &str = "5";

/// Why a token endpoint refuses.
#[derive(Debug)]
pub(in crate::api) enum OAuthError {
    /// A parameter is missing.
    MissingParameter(&'static str),
    /// The request is malformed.
    InvalidRequest(&'static str),
    /// The client is none of ours.
    InvalidClient,
    /// The grant type is not one that we have.
    UnsupportedGrantType,
    /// The scope is malformed or beyond the grant.
    InvalidScope(&'static str),
    /// The connection is not to be had (RFC 8707 section 2).
    InvalidTarget(Refused),
    /// The vault cannot serve now.
    Unavailable(&'static str),
}

impl OAuthError {
    pub(in crate::api) fn invalid_request(why: &'static str) -> Self {
        Self::InvalidRequest(why)
    }

    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::MissingParameter(name) => {
                (StatusCode::BAD_REQUEST, "invalid_request", format!("the parameter {name} is missing"))
            }
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", (*why).to_owned()),
            Self::InvalidClient => {
                (StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed".to_owned())
            }
            Self::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "use client_credentials".to_owned())
            }
            Self::InvalidScope(why) => (StatusCode::BAD_REQUEST, "invalid_scope", (*why).to_owned()),
            Self::InvalidTarget(refused) => (StatusCode::BAD_REQUEST, "invalid_target", describe(*refused)),
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", (*why).to_owned()),
        }
    }

    /// Answers in Login with Amazon's dialect, which SDKs read. `parameter` names what the grant rests on.
    pub(in crate::api) fn into_lwa(self, request_id: &str) -> Response {
        let (status, error, amazon, description) = match &self {
            Self::InvalidClient => {
                let body = json!({ "error_description": "Client authentication failed", "error": "invalid_client" });
                return lwa(StatusCode::UNAUTHORIZED, "OA2InvalidClientException", &body);
            }
            Self::InvalidTarget(_) => (
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "OA2InvalidRequestException",
                "The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the \
                 permission."
                    .to_owned(),
            ),
            Self::MissingParameter(name) => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "OA2InvalidRequestException",
                format!("The request is missing a required parameter : {name}"),
            ),
            Self::UnsupportedGrantType => (
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                "OA2UnsupportedGrantTypeException",
                "The authorization grant type is not supported by the authorization server".to_owned(),
            ),
            other => {
                let (status, error, description) = other.parts();
                (status, error, "OA2InvalidRequestException", description)
            }
        };
        let body = json!({
            "error_index": request_id, "error_description": description, "error": error, "request_id": request_id,
        });
        let mut response = lwa(status, amazon, &body);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

fn lwa(status: StatusCode, amazon: &'static str, body: &serde_json::Value) -> Response {
    let mut response = (status, axum::Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert("x-amzn-errortype", HeaderValue::from_static(amazon));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    response
}

/// A connection that was never granted and one that is not there look the same.
fn describe(refused: Refused) -> String {
    match refused {
        Refused::NoConnection | Refused::NoGrant => "no such connection is granted to this client".to_owned(),
        told => told.to_string(),
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, error, description) = self.parts();
        let body = json!({ "error": error, "error_description": description });
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::InvalidClient => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"leasehold\""));
            }
            Self::Unavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
            }
            _ => {}
        }
        response
    }
}

impl From<WorkerError> for OAuthError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Unknown => Self::InvalidClient,
            WorkerError::Store(error) => {
                tracing::error!(%error, "a worker could not be looked up");
                Self::Unavailable("the vault's database is not answering")
            }
        }
    }
}

impl From<IssueError> for OAuthError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Refused(Refused::WorkerEnded) => Self::InvalidClient,
            IssueError::Refused(Refused::BeyondGrant) => Self::InvalidScope("the scope goes beyond the grant"),
            IssueError::Refused(Refused::Changing) => Self::Unavailable("the connection is being changed"),
            IssueError::Refused(refused) => Self::InvalidTarget(refused),
            IssueError::Keyring(KeyringError::Sealed) => Self::Unavailable("the vault is sealed"),
            IssueError::Unrecorded(error) => error.into(),
            error @ (IssueError::Keyring(_) | IssueError::Store(_)) => {
                tracing::error!(%error, "a lease could not be issued");
                Self::Unavailable("the vault cannot issue leases now")
            }
        }
    }
}

impl From<LeaseError> for OAuthError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Sealed => Self::Unavailable("the vault is sealed"),
            LeaseError::Unknown => Self::Unavailable("the database does not answer"),
            LeaseError::Unrecorded(error) => error.into(),
            LeaseError::Store(error) => {
                tracing::error!(%error, "a lease could not be looked up");
                Self::Unavailable("the vault's database is not answering")
            }
        }
    }
}

impl From<SubmitError> for OAuthError {
    fn from(error: SubmitError) -> Self {
        tracing::warn!(%error, "an operation was not recorded");
        Self::Unavailable("the vault cannot record it, so it was not done")
    }
}
