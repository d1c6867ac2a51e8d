//! Calls to a provider's token endpoint (RFC 6749 section 5; Login with Amazon's dialect): one request, its answer
//! validated before anybody believes it.

use super::{
    dialer::{self, DialError},
    provider::{Failure, Provider},
};
use crate::{
    domain::secrets::{AccessToken, ClientSecret, RefreshToken},
    secret::SecretText,
};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use std::time::Duration;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

/// How long a token endpoint may take, to the last byte of its answer. A refresh row's deadline is longer.
pub(super) const CALL_LIMIT: Duration = Duration::from_secs(15);
/// The longest answer that is read, in bytes. LWA's tokens are at most 2,048.
const ANSWER_MAX: usize = 64 * 1024;
/// The longest token that is believed, in bytes.
const TOKEN_MAX: usize = 8 * 1024;
/// The longest life that is believed.
const LIFE_MAX: u64 = 24 * 60 * 60;

/// Our own client at the provider.
pub(super) struct Client<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a ClientSecret,
}

/// What is given for a token.
pub(super) enum Grant<'a> {
    Code { code: &'a SecretText, redirect_uri: &'a str },
    Refresh(&'a RefreshToken),
}

/// A token endpoint's answer, validated.
pub(super) struct TokenAnswer {
    pub(super) access_token: AccessToken,
    pub(super) refresh_token: Option<RefreshToken>,
    pub(super) life: Duration,
}

/// Why a token endpoint gave no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenCallError {
    /// The provider could not be reached, or broke off.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The provider refused, or failed.
    #[error("the provider answered {status}{}", .code.as_deref().map(|code| format!(", {code}")).unwrap_or_default())]
    Answered {
        /// The HTTP status.
        status: u16,
        /// The OAuth error code, where it is one of plain words.
        code: Option<String>,
        /// What it means.
        failure: Failure,
        /// How long to wait, where the provider says.
        retry_after: Option<Duration>,
    },
    /// The provider's success is none: an empty body, no token, a token with control characters.
    #[error("the provider's answer is not a token response")]
    Malformed,
}

impl TokenCallError {
    /// Says what the failure means for the connection.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Answered { failure, .. } => *failure,
            Self::Dial(_) | Self::Malformed => Failure::Transient,
        }
    }

    /// Says how long the provider asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered { retry_after, .. } => *retry_after,
            Self::Dial(_) | Self::Malformed => None,
        }
    }

    /// Returns a word for the audit log: the provider's own error code, or what happened instead.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            Self::Answered { status, code, .. } => code.clone().unwrap_or_else(|| format!("http_{status}")),
            Self::Dial(_) => "unreachable".to_owned(),
            Self::Malformed => "malformed_answer".to_owned(),
        }
    }
}

#[derive(serde::Deserialize)]
struct RawAnswer {
    access_token: SecretText,
    refresh_token: Option<SecretText>,
    token_type: Option<String>,
    expires_in: Option<u64>,
}

#[derive(serde::Deserialize)]
struct RawError {
    error: Option<String>,
}

/// Asks the token endpoint once.
pub(super) async fn call(
    dialer: &dialer::Dialer,
    url: &Url,
    provider: &Provider,
    client: Client<'_>,
    grant: Grant<'_>,
) -> Result<TokenAnswer, TokenCallError> {
    let until = tokio::time::Instant::now() + CALL_LIMIT;
    let response = dialer.send_within(request(url, &client, &grant), CALL_LIMIT).await?;
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let body = Limited::new(response.into_body(), ANSWER_MAX);
    let body = tokio::time::timeout_at(until, body.collect()).await.ok().and_then(Result::ok);
    let body = Zeroizing::new(body.ok_or(TokenCallError::Malformed)?.to_bytes().to_vec());
    if status != StatusCode::OK {
        let code =
            serde_json::from_slice::<RawError>(&body).ok().and_then(|raw| raw.error).filter(|code| is_plain(code));
        let failure = provider.classify(status, code.as_deref());
        return Err(TokenCallError::Answered { status: status.as_u16(), code, failure, retry_after });
    }
    let raw: RawAnswer = serde_json::from_slice(&body).map_err(|_| TokenCallError::Malformed)?;
    let bearer = raw.token_type.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let refresh_is_sane = raw.refresh_token.as_ref().is_none_or(is_token);
    if !bearer || !is_token(&raw.access_token) || !refresh_is_sane {
        return Err(TokenCallError::Malformed);
    }
    let life = raw.expires_in.map_or(provider.token().lifetime, |seconds| Duration::from_secs(seconds.min(LIFE_MAX)));
    Ok(TokenAnswer {
        access_token: AccessToken(raw.access_token),
        refresh_token: raw.refresh_token.map(RefreshToken),
        life,
    })
}

fn request(url: &Url, client: &Client<'_>, grant: &Grant<'_>) -> Request<dialer::OutboundBody> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    match grant {
        Grant::Code { code, redirect_uri } => {
            form.append_pair("grant_type", "authorization_code");
            form.append_pair("code", code.expose());
            form.append_pair("redirect_uri", redirect_uri);
        }
        Grant::Refresh(token) => {
            form.append_pair("grant_type", "refresh_token");
            form.append_pair("refresh_token", token.expose());
        }
    }
    form.append_pair("client_id", client.id);
    form.append_pair("client_secret", client.secret.expose());
    Request::post(url.as_str())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(dialer::full(form.finish()))
        .expect("a parsed URL and constant headers make a request")
}

/// A token goes into a header: printable ASCII without spaces, of a bounded length.
fn is_token(token: &SecretText) -> bool {
    let text = token.expose();
    !text.is_empty() && text.len() <= TOKEN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An error code goes into the audit log: only plain words do (RFC 6749 section 5.2 has no others).
fn is_plain(code: &str) -> bool {
    !code.is_empty() && code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

pub(super) fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3_600)))
}
