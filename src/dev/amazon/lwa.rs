//! Login with Amazon: `POST /auth/o2/token`.

use super::{
    Amazon,
    caller::{AccessClaim, GrantlessClaim},
    errors::{LwaError, NEVER_CACHED},
    stats::UnderWay,
    steer::{Dialect, interfered},
    token::{Purpose, derive_fingerprint},
};
use crate::secret::SecretText;
use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{collections::HashMap, time::Duration};
use url::form_urlencoded;

pub(super) fn routes() -> Router<Amazon> {
    Router::new().route(PATH, post(token))
}

/// Where all grants are exchanged; one address for all regions.
const PATH: &str = "/auth/o2/token";

async fn token(State(amazon): State<Amazon>, headers: HeaderMap, body: Bytes) -> Response {
    let request_id = amazon.make_id();
    amazon.0.stats.lock().token_requests += 1;
    let parameters = Parameters::parse(&headers, &body);
    let _under_way = parameters.as_ref().ok().and_then(|parameters| {
        let refresh_token = parameters.refresh_token()?;
        Some(UnderWay::begin(&amazon, derive_fingerprint(refresh_token.expose())))
    });
    let answer = async {
        match parameters.and_then(|parameters| amazon.grant(&parameters)) {
            Ok(granted) => granted.into_response(),
            Err(error) => error.respond(&request_id),
        }
    };
    interfered(&amazon, "POST", PATH, Dialect::Lwa(&request_id), answer).await
}

/// What the caller sent. Absent, empty and `null` are one: a PHP client sends a null `scope`.
struct Parameters(HashMap<String, SecretText>);

impl Parameters {
    fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, LwaError> {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let pairs = if media_type.starts_with("application/json") { json(body)? } else { form(body) };
        Ok(Self(pairs.into_iter().filter(|(_, value)| !value.expose().is_empty()).collect()))
    }

    fn required(&self, name: &'static str) -> Result<&str, LwaError> {
        self.0.get(name).map(SecretText::expose).ok_or(LwaError::Missing(name))
    }

    fn refresh_token(&self) -> Option<&SecretText> {
        let refreshes = self.required("grant_type").is_ok_and(|grant_type| grant_type == "refresh_token");
        self.0.get("refresh_token").filter(|_| refreshes)
    }
}

fn json(body: &[u8]) -> Result<HashMap<String, SecretText>, LwaError> {
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|_| LwaError::Unreadable)?;
    let mut pairs = HashMap::new();
    for (name, value) in object {
        match value {
            Value::String(text) => drop(pairs.insert(name, SecretText::new(text))),
            Value::Null => {}
            _ => return Err(LwaError::Unreadable),
        }
    }
    Ok(pairs)
}

fn form(body: &[u8]) -> HashMap<String, SecretText> {
    form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), SecretText::new(value.into_owned()))).collect()
}

/// A good answer. It holds what the caller is meant to have, so it serializes secrets deliberately.
#[derive(Serialize)]
struct Granted {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    token_type: &'static str,
    expires_in: u64,
}

impl IntoResponse for Granted {
    fn into_response(self) -> Response {
        let headers = [(header::CACHE_CONTROL, NEVER_CACHED), (header::PRAGMA, HeaderValue::from_static("no-cache"))];
        (headers, Json(self)).into_response()
    }
}

impl Amazon {
    fn grant(&self, parameters: &Parameters) -> Result<Granted, LwaError> {
        let grant_type = parameters.required("grant_type")?;
        if !matches!(grant_type, "refresh_token" | "authorization_code" | "client_credentials") {
            return Err(LwaError::UnsupportedGrantType);
        }
        let (id, secret) = (parameters.required("client_id")?, parameters.required("client_secret")?);
        if !self.client_known(id, secret) {
            return Err(LwaError::InvalidClient);
        }
        match grant_type {
            "refresh_token" => self.refresh(parameters.required("refresh_token")?),
            "authorization_code" => {
                let authorized =
                    self.exchange_code(parameters.required("code")?, parameters.required("redirect_uri")?)?;
                Ok(self.access(authorized.seller, authorized.refresh_token.expose()))
            }
            _ => self.grantless(parameters.required("scope")?),
        }
    }

    /// Gives a new access token. The refresh token is echoed and not rotated.
    fn refresh(&self, refresh_token: &str) -> Result<Granted, LwaError> {
        let seller = self.recognise_refresh(refresh_token)?;
        Ok(self.access(seller, refresh_token))
    }

    fn access(&self, seller: String, refresh_token: &str) -> Granted {
        let ttl_s = self.token_ttl_s();
        let claim = AccessClaim { seller, dies_at: self.now().plus(Duration::from_secs(ttl_s)) };
        Granted {
            access_token: self.0.mint.seal(Purpose::Access, &claim, self.entropy()),
            refresh_token: Some(refresh_token.to_owned()),
            scope: None,
            token_type: "bearer",
            expires_in: ttl_s,
        }
    }

    fn grantless(&self, scope: &str) -> Result<Granted, LwaError> {
        if !GRANTLESS_SCOPES.contains(&scope) {
            return Err(LwaError::InvalidScope);
        }
        let ttl_s = self.token_ttl_s();
        let claim = GrantlessClaim { scope: scope.into(), dies_at: self.now().plus(Duration::from_secs(ttl_s)) };
        Ok(Granted {
            access_token: self.0.mint.seal(Purpose::Grantless, &claim, self.entropy()),
            refresh_token: None,
            scope: Some(scope.into()),
            token_type: "bearer",
            expires_in: ttl_s,
        })
    }

    fn token_ttl_s(&self) -> u64 {
        self.0.control.lock().settings.token_ttl_s
    }
}

/// May create and read notification destinations.
pub(super) const NOTIFICATIONS_SCOPE: &str = "sellingpartnerapi::notifications";
/// May rotate the client secret.
pub(super) const ROTATION_SCOPE: &str = "sellingpartnerapi::client_credential:rotation";
const GRANTLESS_SCOPES: &[&str] = &[NOTIFICATIONS_SCOPE, ROTATION_SCOPE];
