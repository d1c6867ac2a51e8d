//! Problems (RFC 9457): what callers are told when a request does not succeed. The only place that knows status codes.
//!
//! A detail says what the caller can act on. What happened inside goes to the diagnostic log, under the same request id.

use super::request_id;
use crate::{
    audit::{ChangeError, FenceRefusal, SubmitError, UseError},
    broker::{ApplicationError, AuthorizeRefusal, ConsentError, ImportError, TokenCallError, TokenFailure},
    custody::{CustodyError, CutRefusal},
    identity::PersonError,
    keyring::{KeyringError, TokenError},
    policy::{Delivery, Refusal},
    register::{Refused, RegisterError},
    seal::SealError,
    store::StoreError,
};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use std::{convert::Infallible, time::Duration};

/// How soon to ask again where nobody knows better.
const SOON: Duration = Duration::from_secs(5);
/// How soon to ask a sealed vault again: a person has to come.
const SEALED: Duration = Duration::from_secs(30);

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

impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken => Self::new(ProblemKind::Taken),
            StoreError::Corrupt { .. } | StoreError::UnknownUrl | StoreError::Migration(_) => Self::internal(&error),
            StoreError::Open(_) | StoreError::Failed(_) => Self::unavailable(&error),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Overloaded => {
                Self::new(ProblemKind::Unavailable).with_reason("overloaded").with_retry_after(Duration::from_secs(1))
            }
            SubmitError::Failed(_) | SubmitError::Closed => Self::unavailable(&error).with_reason("unrecorded"),
            SubmitError::CallerEnded => Self::new(ProblemKind::Unauthenticated).with_detail(error.to_string()),
        }
    }
}

impl<R: Into<Self>> From<ChangeError<R>> for Problem {
    fn from(error: ChangeError<R>) -> Self {
        match error {
            ChangeError::Refused(refused) => refused.into(),
            ChangeError::Store(error) => error.into(),
            ChangeError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<FenceRefusal> for Problem {
    fn from(refusal: FenceRefusal) -> Self {
        Self::new(ProblemKind::LeaseRefused).with_reason(refusal.as_str()).with_detail(refusal.to_string())
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotOurs => Self::lease_unusable(),
            TokenError::Sealed => Self::from(KeyringError::Sealed),
        }
    }
}

impl From<CutRefusal> for Problem {
    fn from(refusal: CutRefusal) -> Self {
        match refusal {
            CutRefusal::Missing => Self::not_found(),
            CutRefusal::State(_) => Self::new(ProblemKind::Conflict).with_detail(refusal.to_string()),
        }
    }
}

impl From<CustodyError> for Problem {
    fn from(error: CustodyError) -> Self {
        match error {
            CustodyError::Refused(refusal) => refusal.into(),
            CustodyError::Store(error) => error.into(),
            CustodyError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<UseError> for Problem {
    fn from(error: UseError) -> Self {
        match error {
            UseError::Refused(refusal) => refusal.into(),
            UseError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<KeyringError> for Problem {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Sealed => {
                Self::new(ProblemKind::Sealed).with_detail(error.to_string()).with_retry_after(SEALED)
            }
            KeyringError::Store(error) => error.into(),
            KeyringError::Unrecorded(error) => error.into(),
            KeyringError::Destroyed => Self::new(ProblemKind::Conflict).with_detail(error.to_string()),
            KeyringError::Seal(error) => error.into(),
            KeyringError::WrongKey(_) | KeyringError::Unwrap(_) | KeyringError::Open(_) | KeyringError::Sealing(_) => {
                Self::internal(&error)
            }
        }
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        match error {
            // The remedy names files of the host; the officer who asks is told, because nobody else can be here.
            SealError::WrongKey { .. } | SealError::OtherKind { .. } => {
                Self::new(ProblemKind::Conflict).with_reason("wrong_seal").with_detail(error.to_string())
            }
            SealError::Corrupt { .. } => Self::internal(&error),
            SealError::KeyFile(_) | SealError::OutOfMemory(_) | SealError::Stopped => Self::unavailable(&error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Foreign => Self::not_found(),
            Refusal::Role => Self::new(ProblemKind::Forbidden),
        }
    }
}

impl From<PersonError> for Problem {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::Unknown => Self::new(ProblemKind::Unauthenticated).with_detail(error.to_string()),
            PersonError::Store(error) => error.into(),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing(_) => Self::not_found(),
            Refused::OtherBody => Self::new(ProblemKind::KeyReused),
            Refused::Ended(_) | Refused::HasStaff | Refused::HasPeople => {
                Self::new(ProblemKind::Conflict).with_detail(refused.to_string())
            }
        }
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Name(name) => Self::malformed(name.field, name.to_string()),
            RegisterError::Malformed { field, .. } => Self::malformed(field, error.to_string()),
            RegisterError::Undeclared(_) => Self::malformed("scopes", error.to_string()),
            RegisterError::Taken(_) => Self::new(ProblemKind::Taken).with_detail(error.to_string()),
            RegisterError::Refused(refused) => refused.into(),
            RegisterError::Keyring(error) => error.into(),
            RegisterError::Store(error) => error.into(),
            RegisterError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<ApplicationError> for Problem {
    fn from(error: ApplicationError) -> Self {
        match error {
            ApplicationError::NoProvider => Self::malformed("provider", error.to_string()),
            ApplicationError::Changed => Self::new(ProblemKind::Conflict).with_detail(error.to_string()),
            ApplicationError::Keyring(error) => error.into(),
            ApplicationError::Store(error) => error.into(),
            ApplicationError::Unrecorded(error) => error.into(),
        }
    }
}

impl From<TokenCallError> for Problem {
    fn from(error: TokenCallError) -> Self {
        let retry_after = match &error {
            TokenCallError::Answered { retry_after, .. } => *retry_after,
            _ => None,
        };
        let problem = Self::new(ProblemKind::Provider).with_reason(error.failure().as_str());
        Self { retry_after, ..problem.with_detail(error.to_string()) }
    }
}

impl From<TokenFailure> for Problem {
    fn from(failure: TokenFailure) -> Self {
        let detail = failure.to_string();
        match failure {
            TokenFailure::Sealed => KeyringError::Sealed.into(),
            TokenFailure::NotServing(state) => {
                Self::new(ProblemKind::Conflict).with_reason(state.as_str()).with_detail(detail)
            }
            TokenFailure::Transient => Self::new(ProblemKind::Provider).with_detail(detail).with_retry_after(SOON),
            TokenFailure::Throttled(wait) => {
                Self::new(ProblemKind::ProviderThrottled).with_detail(detail).with_retry_after(wait)
            }
            TokenFailure::Application => {
                Self::new(ProblemKind::Provider).with_reason("application").with_detail(detail)
            }
            TokenFailure::Vault(_) => Self::unavailable(&failure),
        }
    }
}

impl From<AuthorizeRefusal> for Problem {
    fn from(refusal: AuthorizeRefusal) -> Self {
        Self::new(ProblemKind::Conflict).with_detail(refusal.to_string())
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::NoConnection => Self::not_found(),
            ImportError::Provider(error) => error.into(),
            ImportError::Client(failure) => failure.into(),
            ImportError::Refused(refusal) => refusal.into(),
            ImportError::Keyring(error) => error.into(),
        }
    }
}

impl From<ConsentError> for Problem {
    fn from(error: ConsentError) -> Self {
        match error {
            ConsentError::NoConnection => Self::not_found(),
            ConsentError::Provider(error) => error.into(),
            ConsentError::Client(failure) => failure.into(),
            ConsentError::Refused(refusal) => refusal.into(),
            ConsentError::Keyring(error) => error.into(),
            ConsentError::Malformed(_) | ConsentError::Unknown => {
                Self::new(ProblemKind::Malformed).with_reason(error.word()).with_detail(error.to_string())
            }
            ConsentError::OtherBrowser | ConsentError::CallerEnded => {
                Self::new(ProblemKind::Forbidden).with_reason(error.word()).with_detail(error.to_string())
            }
            ConsentError::State(_) | ConsentError::NoPage | ConsentError::NoApplication | ConsentError::Declined => {
                Self::new(ProblemKind::Conflict).with_reason(error.word()).with_detail(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
