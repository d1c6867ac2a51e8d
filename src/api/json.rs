//! Request bodies: JSON, bounded in size and depth before it is parsed, and refused naming the field.

use super::problem::{Problem, ProblemKind};
use crate::secret::SecretHash;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use http::{StatusCode, header};
use serde::de::DeserializeOwned;
use sha2::Digest as _;

/// The deepest nesting that is looked at. Parsing costs stack for each level.
const DEPTH_MAX: usize = 32;

/// A JSON body.
#[derive(Debug)]
pub struct JsonBody<T> {
    /// What it says.
    pub value: T,
    /// The hash of its bytes, by which a repeat is recognised.
    pub hash: SecretHash,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
            return Err(Problem::new(ProblemKind::MediaType).with_detail("send `Content-Type: application/json`"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            use axum::response::IntoResponse as _;
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemKind::TooLarge),
                _ => Problem::new(ProblemKind::Malformed).with_detail("the body broke off"),
            }
        })?;
        parse(&bytes)
    }
}

/// A JSON body that may be left out altogether, with its default then.
#[derive(Debug)]
pub struct JsonOrNothing<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        use axum::body::HttpBody as _;
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Ok(Self(JsonBody::from_request(request, state).await?.value))
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<JsonBody<T>, Problem> {
    if too_deep(bytes) {
        return Err(Problem::new(ProblemKind::Malformed).with_detail("the body is nested deeper than 32 levels"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(refuse)?;
    deserializer.end().map_err(|_| Problem::new(ProblemKind::Malformed).with_detail("something follows the body"))?;
    Ok(JsonBody { value, hash: SecretHash::of(&data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))) })
}

/// Says which field is at fault. The body may hold secrets, so nothing of a value is said back.
fn refuse(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let error = error.into_inner();
    if !error.is_data() {
        return Problem::new(ProblemKind::Malformed).with_detail(format!(
            "the body is not JSON (line {}, column {})",
            error.line(),
            error.column()
        ));
    }
    let message = error.to_string();
    let quoted = |what: &str| message.strip_prefix(what)?.split('`').next().map(str::to_owned);
    // For a field that should not be there, the path ends with it already.
    if let Some(field) = quoted("unknown field `") {
        return Problem::malformed(if path == "." { &field } else { &path }, "there is no such field");
    }
    if let Some(field) = quoted("missing field `") {
        return Problem::malformed(&field, "the field is missing");
    }
    let expected = message.split_once(", expected ").map(|(_, rest)| rest.split(" at line ").next().unwrap_or(rest));
    match expected {
        Some(expected) => Problem::malformed(&path, format!("expected {expected}")),
        None => Problem::malformed(&path, "the field does not hold what it should"),
    }
}

/// Counts brackets outside of strings, before anything is built from them.
fn too_deep(bytes: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse as _;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Sample {
        name: String,
        inner: Option<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Inner {
        count: u32,
    }

    async fn refusal(text: &str) -> String {
        let response = parse::<Sample>(text.as_bytes()).unwrap_err().into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let bytes = axum::body::to_bytes(response.into_body(), 4_096).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        format!("{}: {}", body["field"].as_str().unwrap_or("-"), body["detail"].as_str().unwrap())
    }

    #[tokio::test]
    async fn a_refusal_names_the_field_and_repeats_no_value() {
        assert_eq!(refusal(r#"{"name":"a","x":1}"#).await, "x: there is no such field");
        assert_eq!(refusal(r#"{"name":"a","inner":{"count":1,"y":2}}"#).await, "inner.y: there is no such field");
        assert_eq!(refusal(r#"{}"#).await, "name: the field is missing");
        assert_eq!(refusal(r#"{"name":"a","inner":{"count":"hunter2"}}"#).await, "inner.count: expected u32");
        assert_eq!(refusal(r#"{"name":"a"} {}"#).await, "-: something follows the body");
        assert_eq!(refusal("{").await, "-: the body is not JSON (line 1, column 1)");
    }

    #[tokio::test]
    async fn depth_is_refused_before_anything_is_parsed() {
        let deep = format!("{}{}", "[".repeat(33), "]".repeat(33));
        assert_eq!(refusal(&deep).await, "-: the body is nested deeper than 32 levels");
        assert!(!too_deep(format!("{}{}", "[".repeat(32), "]".repeat(32)).as_bytes()));
        assert!(!too_deep(format!(r#"{{"name":"{}\"{}"}}"#, "[".repeat(40), "{".repeat(40)).as_bytes()));
    }
}
