//! Amazon's refusals, letter by letter: bodies, statuses and `x-amzn-ErrorType`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

pub(super) const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A refusal by the SP-API, in its `errors[]` shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No `x-amz-access-token`.
    TokenMissing,
    /// The token is unknown, expired, tampered with, or of another region. Amazon does not say which.
    TokenInvalid,
    /// The path is unknown, or the caller has no role for it. Amazon does not say which.
    Denied,
    /// A parameter is missing or wrong.
    InvalidInput(String),
    /// The resource does not exist, or is another account's.
    NotFound(String),
    /// The caller's quota is used up.
    Throttled,
    /// Something broke inside, with this status (5xx, or what a test asked for).
    Failed(StatusCode),
}

#[derive(Serialize)]
struct Body<'a> {
    errors: [Fault<'a>; 1],
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'a str,
    message: &'a str,
    details: &'a str,
}

impl Refusal {
    const DENIED: &'static str = "Access to requested resource is denied.";

    fn status(&self) -> StatusCode {
        match self {
            Self::TokenMissing | Self::TokenInvalid | Self::Denied => StatusCode::FORBIDDEN,
            Self::InvalidInput(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed(status) => *status,
        }
    }

    fn error_type(&self) -> &'static str {
        match self {
            Self::TokenMissing | Self::TokenInvalid | Self::Denied => "AccessDeniedException",
            Self::InvalidInput(_) => "InvalidInputException",
            Self::NotFound(_) => "ResourceNotFoundException",
            Self::Throttled => "TooManyRequestsException",
            Self::Failed(_) => "InternalFailure",
        }
    }

    /// Returns the body's one entry: what `errors[0]` holds.
    fn fault(&self) -> Fault<'_> {
        let (code, message, details) = match self {
            Self::TokenMissing => ("Unauthorized", Self::DENIED, "Access token is missing in the request header."),
            Self::TokenInvalid => {
                ("Unauthorized", Self::DENIED, "The access token you provided is revoked, malformed or invalid.")
            }
            Self::Denied => ("Unauthorized", Self::DENIED, ""),
            Self::InvalidInput(message) => ("InvalidInput", message.as_str(), ""),
            Self::NotFound(message) => ("NotFound", message.as_str(), ""),
            Self::Throttled => ("QuotaExceeded", "You exceeded your quota for the requested resource.", ""),
            Self::Failed(_) => ("InternalFailure", "We encountered an internal error. Please try again.", ""),
        };
        Fault { code, message, details }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let headers = [(ERROR_TYPE, HeaderValue::from_static(self.error_type()))];
        (self.status(), headers, Json(Body { errors: [self.fault()] })).into_response()
    }
}

/// A refusal by Login with Amazon, in its OAuth shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LwaError {
    /// The refresh token, code or redirect URI, named here, is unknown, spent or revoked.
    InvalidGrant(&'static str),
    /// Client id and secret do not belong together.
    InvalidClient,
    /// A parameter, named here, is missing.
    Missing(&'static str),
    /// The body is neither a form nor a JSON object of strings.
    Unreadable,
    /// The grant type is not one of the three.
    UnsupportedGrantType,
    /// A scope that Amazon does not know.
    InvalidScope,
    /// The client may not do this.
    UnauthorizedClient,
    /// Login with Amazon broke.
    ServerError,
    /// Login with Amazon asks to come back later.
    TemporarilyUnavailable,
    /// Too many requests. No limit is published; Amazon's front does answer so.
    Throttled,
}

#[derive(Serialize)]
struct LwaBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_index: Option<&'a str>,
    error_description: String,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl LwaError {
    /// Writes the answer, with `request_id` in its header and, for most errors, in its body.
    pub(super) fn respond(self, request_id: &str) -> Response {
        let (status, error, description) = self.parts();
        // Recorded traffic: the answer to a wrong secret carries neither index nor request id.
        let bare = self == Self::InvalidClient;
        let body = LwaBody {
            error_index: (!bare).then_some(&request_id[..8]),
            error_description: description,
            error,
            request_id: (!bare).then_some(request_id),
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(ERROR_TYPE, HeaderValue::from_static(self.error_type()));
        headers.insert(header::CACHE_CONTROL, NEVER_CACHED);
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    }

    fn parts(self) -> (StatusCode, &'static str, String) {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::InvalidGrant(parameter) => (
                bad,
                "invalid_grant",
                format!(
                    "The request has an invalid grant parameter : {parameter}. User may have revoked or didn't grant the \
                     permission."
                ),
            ),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", "Client authentication failed".into()),
            Self::Missing(parameter) => {
                (bad, "invalid_request", format!("The request is missing a required parameter : {parameter}"))
            }
            Self::Unreadable => (bad, "invalid_request", "The request body is malformed".into()),
            Self::UnsupportedGrantType => (
                bad,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server".into(),
            ),
            Self::InvalidScope => {
                (bad, "invalid_scope", "The requested scope is invalid, unknown, or malformed".into())
            }
            Self::UnauthorizedClient => (
                bad,
                "unauthorized_client",
                "The client is not authorized to request an authorization code using this method".into(),
            ),
            Self::ServerError => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "The authorization server encountered an unexpected condition".into(),
            ),
            Self::TemporarilyUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "The authorization server is currently unable to handle the request".into(),
            ),
            Self::Throttled => (
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "Request is throttled, please try again later".into(),
            ),
        }
    }

    fn error_type(self) -> &'static str {
        match self {
            Self::InvalidClient => "OA2InvalidClientException:http://internal.amazon.com/coral/com.amazon.panda/",
            Self::ServerError | Self::TemporarilyUnavailable => {
                "OA2ServerErrorException:http://internal.amazon.com/coral/com.amazon.panda/"
            }
            Self::Throttled => "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.availability/",
            _ => "OA2InvalidRequestException:http://internal.amazon.com/coral/com.amazon.panda/",
        }
    }
}

/// What Login with Amazon puts on every answer.
pub(super) const NEVER_CACHED: HeaderValue = HeaderValue::from_static("no-cache, no-store, must-revalidate");

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn shown(response: Response) -> (u16, String, String) {
        let error_type = response.headers()[ERROR_TYPE].to_str().unwrap().to_owned();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, error_type, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn the_three_403_bodies_are_amazons_to_the_letter() {
        for (refusal, details) in [
            (Refusal::TokenInvalid, "The access token you provided is revoked, malformed or invalid."),
            (Refusal::TokenMissing, "Access token is missing in the request header."),
            (Refusal::Denied, ""),
        ] {
            let (status, error_type, body) = shown(refusal.into_response()).await;
            assert_eq!((status, error_type.as_str()), (403, "AccessDeniedException"));
            assert_eq!(
                body,
                format!(
                    r#"{{"errors":[{{"code":"Unauthorized","message":"Access to requested resource is denied.","details":"{details}"}}]}}"#
                )
            );
        }
    }

    #[tokio::test]
    async fn throttling_is_quota_exceeded() {
        let (status, _, body) = shown(Refusal::Throttled.into_response()).await;
        assert_eq!(status, 429);
        assert!(body.contains(r#""code":"QuotaExceeded""#), "{body}");
    }

    #[tokio::test]
    async fn a_bad_refresh_token_is_told_in_lwas_own_words() {
        let (status, error_type, body) =
            shown(LwaError::InvalidGrant("refresh_token").respond("0123456789abcdef")).await;
        assert_eq!(status, 400);
        assert!(error_type.starts_with("OA2InvalidRequestException:"), "{error_type}");
        assert_eq!(
            body,
            r#"{"error_index":"01234567","error_description":"The request has an invalid grant parameter : refresh_token. User may have revoked or didn't grant the permission.","error":"invalid_grant","request_id":"0123456789abcdef"}"#
        );
    }

    #[tokio::test]
    async fn a_wrong_secret_is_401_without_index_or_request_id() {
        let (status, error_type, body) = shown(LwaError::InvalidClient.respond("0123456789abcdef")).await;
        assert_eq!(status, 401);
        assert!(error_type.starts_with("OA2InvalidClientException:"), "{error_type}");
        assert_eq!(body, r#"{"error_description":"Client authentication failed","error":"invalid_client"}"#);
    }

    #[tokio::test]
    async fn a_missing_parameter_is_named() {
        let (status, _, body) = shown(LwaError::Missing("refresh_token").respond("0123456789abcdef")).await;
        assert_eq!(status, 400);
        assert!(body.contains(r#""error":"invalid_request""#), "{body}");
        assert!(body.contains("The request is missing a required parameter : refresh_token"), "{body}");
    }
}
