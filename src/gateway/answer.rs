//! What a worker is told when the vault refuses: always in the shape that Amazon's SDKs understand.
//!
//! A dead lease is a 403 with "revoked, malformed or invalid": two SDKs read a bare 401 as success, and one refreshes
//! without bound when it reads "expired" (FACTS section 4).

use crate::{
    audit::{SubmitError, UseError},
    broker::{TokenFailure, dialer::DialError, provider::BodyRefusal},
    keyring::TokenError,
    policy::PathRefusal,
    store::StoreError,
};
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use std::time::Duration;
use uuid::Uuid;

/// Names the request in the audit log.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-leasehold-request-id");
/// Tells our errors from the provider's.
pub(super) const ERROR_OF: HeaderName = HeaderName::from_static("x-leasehold-error");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// How long a worker waits before it tries again what nobody can say more about.
const SHORTLY: Duration = Duration::from_secs(5);

/// Why a request does not go through.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The request could be read in two ways, or not at all.
    Malformed(&'static str),
    /// The target could.
    Target(PathRefusal),
    /// What decides in the body could.
    Body(BodyRefusal),
    /// No lease came with it.
    NoLease,
    /// Two different ones did.
    TwoLeases,
    /// The lease is none of ours, or is not in force.
    DeadLease,
    /// The lease is for a static credential.
    WrongDelivery,
    /// No scope opens this.
    OffPolicy,
    /// The lease lacks a scope.
    Scope(String),
    /// A report, feed or document of a type that nobody knows.
    UnknownDocument,
    /// The body is longer than it may be.
    TooLarge,
    /// The vault is sealed.
    Sealed,
    /// Nobody knows the vault's database to be the newest.
    Quarantined,
    /// Nothing can be recorded or read.
    Unrecordable(String),
    /// Too much is in flight.
    Overloaded,
    /// The provider throttles our token requests.
    Throttled(Duration),
    /// The provider cannot be reached, or refuses us.
    Provider(String),
}

impl Refusal {
    /// Says that this node does not know what the others revoke: it lets nothing through until it does.
    pub(super) fn node_lapsed() -> Self {
        Self::Unrecordable("this node cannot follow the others".to_owned())
    }

    /// Returns the label of the metric.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::Target(_) | Self::Body(_) => "malformed",
            Self::NoLease | Self::TwoLeases => "no_lease",
            Self::DeadLease | Self::WrongDelivery => "dead_lease",
            Self::OffPolicy | Self::UnknownDocument => "off_policy",
            Self::Scope(_) => "scope",
            Self::TooLarge => "too_large",
            Self::Sealed => "sealed",
            Self::Quarantined => "quarantined",
            Self::Unrecordable(_) => "unrecordable",
            Self::Overloaded => "overloaded",
            Self::Throttled(_) => "throttled",
            Self::Provider(_) => "provider_down",
        }
    }

    /// Answers in Amazon's shape.
    pub(super) fn respond(self, request_id: Uuid) -> Response {
        let said = self.say();
        let body = serde_json::json!({
            "errors": [{ "code": said.code, "message": said.message, "details": said.details }]
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = said.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(said.error_type));
        headers.insert(ERROR_OF, HeaderValue::from_static("vault"));
        headers.insert(REQUEST_ID, request_id_value(request_id));
        if let Some(after) = said.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response.into_response()
    }

    fn say(self) -> Said {
        match self {
            Self::Malformed(why) => Said::invalid(StatusCode::BAD_REQUEST, why.to_owned()),
            Self::Target(refusal) => Said::invalid(StatusCode::BAD_REQUEST, refusal.to_string()),
            Self::Body(BodyRefusal::TooLarge) | Self::TooLarge => {
                Said::invalid(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large.".to_owned())
            }
            Self::Body(refusal) => Said::invalid(StatusCode::BAD_REQUEST, refusal.to_string()),
            Self::NoLease => Said::denied("Access token is missing in the request header.".to_owned()),
            Self::TwoLeases => Said::invalid(StatusCode::BAD_REQUEST, "Two different access tokens came.".to_owned()),
            Self::DeadLease => {
                Said::denied("The access token you provided is revoked, malformed or invalid.".to_owned())
            }
            Self::WrongDelivery => Said::denied("This lease is not for the gateway.".to_owned()),
            Self::OffPolicy => Said::denied("No scope of a lease opens this method and path.".to_owned()),
            Self::Scope(missing) => Said::denied(format!("The lease lacks the scope {missing}.")),
            Self::UnknownDocument => Said::denied(
                "The type of this report, feed or document is not known: list or create it first.".to_owned(),
            ),
            Self::Sealed => Said::unavailable("The vault is sealed.".to_owned(), Duration::from_secs(30)),
            Self::Quarantined => Said::unavailable(
                "The vault is quarantined: nobody knows its database to be the newest.".to_owned(),
                Duration::from_secs(30),
            ),
            Self::Unrecordable(why) => Said::unavailable(why, SHORTLY),
            Self::Overloaded => {
                Said::unavailable("Too many requests are in flight.".to_owned(), Duration::from_secs(1))
            }
            Self::Throttled(after) => Said {
                status: StatusCode::TOO_MANY_REQUESTS,
                error_type: "QuotaExceededException",
                code: "QuotaExceeded",
                message: "You exceeded your quota for the requested resource.",
                details: "The provider throttles token requests.".to_owned(),
                retry_after: Some(after),
            },
            Self::Provider(why) => Said {
                status: StatusCode::BAD_GATEWAY,
                error_type: "InternalFailure",
                code: "InternalFailure",
                message: "The provider did not answer.",
                details: why,
                retry_after: Some(SHORTLY),
            },
        }
    }
}

pub(super) fn request_id_value(request_id: Uuid) -> HeaderValue {
    HeaderValue::from_str(&request_id.to_string()).expect("a UUID is visible ASCII")
}

struct Said {
    status: StatusCode,
    error_type: &'static str,
    code: &'static str,
    message: &'static str,
    details: String,
    retry_after: Option<Duration>,
}

impl Said {
    fn denied(details: String) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            error_type: "AccessDeniedException",
            code: "Unauthorized",
            message: "Access to requested resource is denied.",
            details,
            retry_after: None,
        }
    }

    fn invalid(status: StatusCode, details: String) -> Self {
        Self {
            status,
            error_type: "InvalidInputException",
            code: "InvalidInput",
            message: "Request has missing or invalid parameters and cannot be parsed.",
            details,
            retry_after: None,
        }
    }

    fn unavailable(details: String, after: Duration) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error_type: "ServiceUnavailableException",
            code: "ServiceUnavailable",
            message: "Service is temporarily unavailable. Try again later.",
            details,
            retry_after: Some(after),
        }
    }
}

impl From<PathRefusal> for Refusal {
    fn from(refusal: PathRefusal) -> Self {
        Self::Target(refusal)
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Sealed => Self::Sealed,
            TokenError::NotOurs => Self::DeadLease,
            TokenError::Unknown => Self::Unrecordable(error.to_string()),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the gateway cannot read the database");
        Self::Unrecordable("The vault's database does not answer.".to_owned())
    }
}

impl From<UseError> for Refusal {
    fn from(error: UseError) -> Self {
        match error {
            UseError::Refused(_) => Self::DeadLease,
            UseError::Unrecorded(SubmitError::Overloaded) => Self::Overloaded,
            UseError::Unrecorded(SubmitError::Quarantined(_)) => Self::Quarantined,
            UseError::Unrecorded(_) => Self::Unrecordable("The request could not be recorded.".to_owned()),
        }
    }
}

impl From<TokenFailure> for Refusal {
    fn from(failure: TokenFailure) -> Self {
        match failure {
            TokenFailure::Sealed => Self::Sealed,
            TokenFailure::NotServing(_) => Self::DeadLease,
            TokenFailure::Throttled(after) => Self::Throttled(after),
            TokenFailure::Transient | TokenFailure::Busy | TokenFailure::Application => {
                Self::Provider(failure.to_string())
            }
            TokenFailure::Vault(why) => {
                tracing::warn!(why, "no access token: the vault cannot record or read");
                Self::Unrecordable("The vault cannot record the refresh.".to_owned())
            }
        }
    }
}

impl From<DialError> for Refusal {
    fn from(error: DialError) -> Self {
        tracing::warn!(%error, "the provider did not answer");
        Self::Provider("The provider cannot be reached.".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn told(refusal: Refusal) -> (StatusCode, http::HeaderMap, serde_json::Value) {
        let (head, body) = refusal.respond(Uuid::nil()).into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_dead_lease_is_told_in_amazons_own_words() {
        let (status, headers, body) = told(Refusal::DeadLease).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(headers["x-amzn-errortype"], "AccessDeniedException");
        assert_eq!(headers["x-leasehold-error"], "vault");
        let expected = serde_json::json!({ "errors": [{
            "code": "Unauthorized",
            "message": "Access to requested resource is denied.",
            "details": "The access token you provided is revoked, malformed or invalid.",
        }] });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn no_refusal_is_a_401_or_says_expired() {
        for refusal in [
            Refusal::NoLease,
            Refusal::DeadLease,
            Refusal::WrongDelivery,
            Refusal::OffPolicy,
            Refusal::Scope("orders:read".into()),
            Refusal::UnknownDocument,
            UseError::from(crate::audit::FenceRefusal::Expired).into(),
        ] {
            let (status, _, body) = told(refusal).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert!(!body.to_string().contains("expired"), "{body}");
        }
    }

    #[tokio::test]
    async fn what_passes_by_itself_says_when_to_try_again() {
        for (refusal, status) in [
            (Refusal::Sealed, 503),
            (Refusal::Overloaded, 503),
            (Refusal::Throttled(Duration::from_secs(7)), 429),
            (Refusal::Provider(String::new()), 502),
        ] {
            let (told, headers, _) = told(refusal).await;
            assert_eq!(told, status);
            assert!(headers.contains_key(header::RETRY_AFTER));
        }
    }
}
