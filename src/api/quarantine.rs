//! What the API still does while nobody knows the database to be the newest: the calls that mend that, that read the log, and
//! that end access. Everything else is refused before it looks at anything.

use super::{ApiState, oauth::OAuthError, problem::Problem, request_id};
use crate::audit::Health;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::Method;

const UNAVAILABLE: &str = "the vault is quarantined: nobody knows its database to be the newest";

/// Refuses what a quarantined vault does not do, in the form that the caller reads.
pub(super) async fn refuse(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let sequencer = &state.vault.sequencer;
    if !sequencer.is_quarantined() || mends(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    match request.uri().path() {
        "/auth/o2/token" => {
            let request_id = request_id::current().unwrap_or_default();
            OAuthError::Unavailable(UNAVAILABLE).into_lwa(&request_id)
        }
        path if path.starts_with("/oauth2/") => OAuthError::Unavailable(UNAVAILABLE).into_response(),
        _ => match &*sequencer.health().borrow() {
            Health::Quarantined(why) => Problem::quarantined(why).into_response(),
            // It opened between the two looks.
            _ => Problem::quarantined(UNAVAILABLE).into_response(),
        },
    }
}

/// Says whether a call goes on in quarantine.
fn mends(method: &Method, path: &str) -> bool {
    let is_below =
        |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match *method {
        Method::GET => [
            "/health",
            "/metrics",
            "/openapi.json",
            "/docs",
            "/.well-known",
            "/v1/restore",
            "/v1/seal",
            "/v1/keys",
            "/v1/audit",
            "/tile",
            "/v1/receipts",
        ]
        .into_iter()
        .any(is_below),
        Method::POST => matches!(path, "/v1/restore/accept" | "/v1/seal/open" | "/v1/seal/close"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_mends_reads_the_log_or_ends_access_goes_on() {
        for (method, path) in [
            (Method::GET, "/health/ready"),
            (Method::GET, "/v1/audit"),
            (Method::GET, "/v1/audit/checkpoint"),
            (Method::GET, "/tile/0/000"),
            (Method::POST, "/v1/restore/accept"),
        ] {
            assert!(mends(&method, path), "{method} {path}");
        }
        for (method, path) in [
            (Method::POST, "/v1/audit"),
            (Method::GET, "/v1/auditors"),
            (Method::GET, "/v1/connections"),
            (Method::POST, "/v1/credential"),
            (Method::POST, "/v1/keys/rotate"),
            (Method::DELETE, "/v1/grants/1"),
        ] {
            assert!(!mends(&method, path), "{method} {path}");
        }
    }
}
