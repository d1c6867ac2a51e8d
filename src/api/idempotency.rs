//! `Idempotency-Key` on creates: a repeat with the same body answers with what the first one made.

use super::{ApiState, caller::Caller, problem::Problem};
use crate::{register::Once, secret::SecretHash};
use axum::{extract::FromRequestParts, http::request::Parts};
use std::time::Duration;

/// How long a repeat is recognised.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest key.
const KEY_MAX: usize = 255;

/// What a request says about being repeated.
#[derive(Debug)]
pub struct Idempotency {
    key: Option<String>,
    path: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Idempotency {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let path = parts.uri.path().to_owned();
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self { key: None, path }) };
        let key = value.to_str().ok().filter(|key| (1..=KEY_MAX).contains(&key.len()));
        let key = key.ok_or_else(|| Problem::malformed("Idempotency-Key", "expected 1 to 255 visible characters"))?;
        Ok(Self { key: Some(key.to_owned()), path })
    }
}

impl Idempotency {
    /// Binds the key to person, path and body, where there is one.
    #[must_use]
    pub fn once(&self, state: &ApiState, caller: &Caller, body: SecretHash) -> Option<Once> {
        let key = self.key.as_deref()?;
        let user = caller.0.user();
        let request = SecretHash::of(&format!("{user}\n{}\n{key}", self.path));
        Some(Once { request, body, user, expires_at: state.vault.clock.now().plus(LIFE) })
    }
}
