//! Problems (RFC 9457): what callers are told when a request does not succeed. The only place that knows status codes.
//!
//! A detail says what the caller can act on. What happened inside goes to the diagnostic log, under the same request id.

mod of_services;

use super::request_id;
use crate::{domain::quarantine::REMEDY, policy::Delivery};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::time::Duration;

/// How soon to ask again where nobody knows better.
const SOON: Duration = Duration::from_secs(5);
/// How soon to ask again where a person has to come.
const BY_HAND: Duration = Duration::from_secs(30);

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $word:literal $status:ident $title:literal;)*) => {
        /// The kinds of problem.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemKind {
            $($(#[$doc])* $name,)*
        }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns its stable type.
            #[must_use]
            pub const fn urn(self) -> &'static str {
                match self { $(Self::$name => concat!("urn:leasehold:problem:", $word),)* }
            }

            /// Returns its title, which is the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Returns its status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }
        }
    };
}

problems! {
    /// The request cannot be read, or a field holds what it cannot.
    Malformed = "malformed" BAD_REQUEST "The request is malformed";
    /// No access key, or none that is in force.
    Unauthenticated = "unauthenticated" UNAUTHORIZED "Authentication is needed";
    /// The role does not allow it.
    Forbidden = "forbidden" FORBIDDEN "Your role does not allow this";
    /// A lease does not allow it, or not any more.
    LeaseRefused = "lease-refused" FORBIDDEN "The lease does not allow this";
    /// Not there, or not the caller's to know of.
    NotFound = "not-found" NOT_FOUND "Not found";
    /// The path has no such method.
    MethodNotAllowed = "method-not-allowed" METHOD_NOT_ALLOWED "The method is not allowed here";
    /// The state does not allow it.
    Conflict = "conflict" CONFLICT "The state of things does not allow this";
    /// A unique value is in use.
    Taken = "taken" CONFLICT "The value is in use already";
    /// The body is too large.
    TooLarge = "too-large" PAYLOAD_TOO_LARGE "The request is too large";
    /// The body is not JSON by its content type.
    MediaType = "media-type" UNSUPPORTED_MEDIA_TYPE "JSON is expected";
    /// An idempotency key came back with another body.
    KeyReused = "idempotency-key-reused" UNPROCESSABLE_ENTITY "The idempotency key was used with another body";
    /// Too many requests from one address.
    TooMany = "too-many-requests" TOO_MANY_REQUESTS "Too many requests";
    /// Something broke in here.
    Internal = "internal" INTERNAL_SERVER_ERROR "The vault failed";
    /// The provider refused, or failed.
    Provider = "provider" BAD_GATEWAY "The provider did not do its part";
    /// The provider throttles us.
    ProviderThrottled = "provider-throttled" TOO_MANY_REQUESTS "The provider throttles requests";
    /// The vault is sealed.
    Sealed = "sealed" SERVICE_UNAVAILABLE "The vault is sealed";
    /// Nobody knows the database to be the newest.
    Quarantined = "quarantined" SERVICE_UNAVAILABLE "The vault is quarantined";
    /// The database or the log does not take it.
    Unavailable = "unavailable" SERVICE_UNAVAILABLE "The vault cannot do this now";
    /// It took too long.
    TimedOut = "timed-out" SERVICE_UNAVAILABLE "The request took too long";
}

/// A problem, on its way to the caller.
#[derive(Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: Option<String>,
    field: Option<String>,
    reason: Option<&'static str>,
    retry_after: Option<Duration>,
}

/// The body of a problem.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The stable type.
    #[serde(rename = "type")]
    #[schema(example = "urn:leasehold:problem:not-found")]
    pub kind: &'static str,
    /// The title of the type.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What the caller can act on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A word for the reason, where programs tell several apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The request, as the vault's own log calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// Makes a problem of a kind.
    #[must_use]
    pub const fn new(kind: ProblemKind) -> Self {
        Self { kind, detail: None, field: None, reason: None, retry_after: None }
    }

    /// Answers for what is not there and for what is not the caller's alike: the two must not be told apart.
    #[must_use]
    pub const fn not_found() -> Self {
        Self::new(ProblemKind::NotFound)
    }

    /// Answers for a call that needs a lease and brought none.
    #[must_use]
    pub fn lease_missing() -> Self {
        Self::new(ProblemKind::Unauthenticated).with_detail("send `Authorization: Bearer` with a lease")
    }

    /// Answers for what is no lease of ours, or is presented without what it is bound to.
    #[must_use]
    pub fn lease_unusable() -> Self {
        Self::new(ProblemKind::LeaseRefused)
            .with_reason("lease_unusable")
            .with_detail("this is no lease that can be used here")
    }

    /// Answers for a lease whose delivery does not allow a token to be handed out.
    #[must_use]
    pub fn delivery(delivery: Delivery) -> Self {
        let detail = format!("this lease is for {delivery} delivery: the tenant's grant decides");
        Self::new(ProblemKind::LeaseRefused).with_reason("delivery").with_detail(detail)
    }

    /// Answers for a database that nobody knows to be the newest: the cause, and what a security officer does about it.
    #[must_use]
    pub fn quarantined(why: &str) -> Self {
        Self::new(ProblemKind::Quarantined).with_detail(format!("{why}; {REMEDY}")).with_retry_after(BY_HAND)
    }

    /// Answers for a field that holds what it cannot.
    #[must_use]
    pub fn malformed(field: &str, detail: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), ..Self::new(ProblemKind::Malformed).with_detail(detail) }
    }

    /// Says what the caller can act on.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds the word that programs tell reasons apart by.
    #[must_use]
    pub const fn with_reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub const fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns the kind.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Answers for a fault of ours: the log has the cause, the caller the request's id.
    fn internal(cause: &dyn std::error::Error) -> Self {
        tracing::error!(error = %cause, "a request failed");
        Self::new(ProblemKind::Internal)
    }

    /// Answers for a task of ours that broke off.
    #[must_use]
    pub fn broken(task: &tokio::task::JoinError) -> Self {
        Self::internal(task)
    }

    fn unavailable(cause: &dyn std::error::Error) -> Self {
        tracing::warn!(error = %cause, "a request could not be served");
        Self::new(ProblemKind::Unavailable).with_retry_after(SOON)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail, field, reason, retry_after } = self;
        let body = ProblemBody {
            kind: kind.urn(),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail,
            field,
            reason,
            request_id: request_id::current(),
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (kind.status(), text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = retry_after {
            // Rounded up: a caller that comes back exactly then must not come too early.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1_000).max(1) as u64));
        }
        if kind == ProblemKind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"leasehold\""));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audit::SubmitError, keyring::KeyringError, policy::Refusal, register::Refused, store::StoreError};

    async fn body(problem: Problem) -> (StatusCode, serde_json::Value) {
        let response = problem.into_response();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 4_096).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_foreign_and_a_missing_object_have_one_body() {
        let foreign = body(Refusal::Foreign.into()).await;
        assert_eq!(foreign, body(Problem::not_found()).await);
        assert_eq!(foreign, body(Refused::Missing("connection").into()).await);
        insta::assert_json_snapshot!(foreign.1, @r#"
        {
          "status": 404,
          "title": "Not found",
          "type": "urn:leasehold:problem:not-found"
        }
        "#);
    }

    #[tokio::test]
    async fn a_fault_of_ours_tells_no_cause() {
        let (status, body) = body(StoreError::corrupt("users", "role", "7").into()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!body.to_string().contains("users"), "{body}");
    }

    #[test]
    fn sealed_and_unrecorded_say_when_to_come_back() {
        for problem in [Problem::from(KeyringError::Sealed), SubmitError::Overloaded.into(), SubmitError::Closed.into()]
        {
            let response = problem.into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(header::RETRY_AFTER));
        }
    }

    #[test]
    fn types_are_unique() {
        let urns: std::collections::HashSet<_> = ProblemKind::ALL.iter().map(|kind| kind.urn()).collect();
        assert_eq!(urns.len(), ProblemKind::ALL.len());
    }
}
