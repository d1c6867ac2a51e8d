//! The API's client: what the administrative commands, and `leasehold dev` while it sets up, speak through. It sends an
//! access key to the one address it was given, follows no redirect, and waits only so long.

use crate::{config::WebUrl, secret::SecretText};
use clap::Args;
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// A revocation answers when it is true on every node, which takes longer than other calls.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// A long chain is sent as fast as both sides can.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(6 * 3_600);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The most items in one page of a listing.
const PAGE: &str = "200";

/// Where the server is, and who asks.
#[derive(Args, Debug)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerOptions {
    /// Base address of the server's API
    #[arg(long, global = true, env = "LEASEHOLD_URL", value_name = "URL", hide_env_values = true)]
    url: Option<String>,
    /// File that holds the access key, in place of LEASEHOLD_TOKEN
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM of the authority that signed the server's certificate
    #[arg(long, global = true, env = "LEASEHOLD_CA", value_name = "FILE", hide_env_values = true)]
    ca: Option<PathBuf>,
}

impl ServerOptions {
    /// Makes a client with an access key.
    pub(super) fn client(&self) -> Result<Client, ClientError> {
        let token = match &self.token_file {
            Some(path) => super::secret_input::in_file(path).map_err(ClientError::Token)?,
            None => token_of_environment()?,
        };
        Ok(self.anonymous()?.with_token(token))
    }

    /// Makes a client without one.
    pub(super) fn anonymous(&self) -> Result<Client, ClientError> {
        let url = self.url.as_deref().ok_or(ClientError::Incomplete(
            "LEASEHOLD_URL is not set: set it to the server's base address, such as https://vault.example.com:8443",
        ))?;
        Client::new(url, self.ca.as_deref())
    }
}

/// Reads `LEASEHOLD_TOKEN` here rather than through clap, which would keep it in an ordinary string and can print it.
fn token_of_environment() -> Result<SecretText, ClientError> {
    let missing = ClientError::Incomplete(
        "LEASEHOLD_TOKEN is not set: set it to an access key, or name a file that holds one with --token-file",
    );
    let token = std::env::var("LEASEHOLD_TOKEN").map(SecretText::new).map_err(|_| missing)?;
    if token.expose().is_empty() {
        return Err(ClientError::Incomplete("LEASEHOLD_TOKEN is empty: set it to an access key"));
    }
    Ok(token)
}

/// A client of one server. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<SecretText>,
}

impl Client {
    /// Makes a client of the server at `base`; only `ca` is trusted where it is given, else the system's
    /// authorities.
    pub(crate) fn new(base: &str, ca: Option<&Path>) -> Result<Self, ClientError> {
        let base = WebUrl::parse(base).map_err(ClientError::Url)?.as_url().clone();
        let mut http = reqwest::Client::builder()
            .timeout(ANSWER_LIMIT)
            .connect_timeout(CONNECT_LIMIT)
            // An access key belongs to the server that was named, and to nobody it points to.
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("leasehold/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca {
            let failed = |problem: String| ClientError::Ca { path: path.to_owned(), problem };
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            let bundle = Certificate::from_pem_bundle(&pem).map_err(|error| failed(error.to_string()))?;
            if bundle.is_empty() {
                return Err(failed("it holds no certificate".into()));
            }
            http = http.tls_certs_only(bundle);
        }
        let http = http.build().map_err(|source| ClientError::Setup { source })?;
        Ok(Self { http, base, token: None })
    }

    /// Returns a client that sends `token`, over the same connections.
    pub(crate) fn with_token(&self, token: SecretText) -> Self {
        Self { http: self.http.clone(), base: self.base.clone(), token: Some(token) }
    }

    /// Reads `path`, which begins with a slash.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Reads a page of `path` with a query.
    pub(crate) async fn get_with(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.send(self.request(Method::GET, path).query(query)).await
    }

    /// Reads text.
    pub(crate) async fn get_text(&self, path: &str) -> Result<String, ClientError> {
        let response = self.answer(self.request(Method::GET, path)).await?;
        response.text().await.map_err(|source| self.unreachable(&source))
    }

    /// Begins to read a body that may be long.
    pub(crate) async fn download(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, ClientError> {
        self.answer(self.request(Method::GET, path).query(query).timeout(DOWNLOAD_LIMIT)).await
    }

    /// Reads every page of a listing.
    pub(crate) async fn list(&self, path: &str, filter: &[(&str, &str)]) -> Result<Vec<Value>, ClientError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = filter.to_vec();
            query.push(("limit", PAGE));
            if let Some(cursor) = &cursor {
                query.push(("cursor", cursor));
            }
            let mut page = self.get_with(path, &query).await?;
            let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) else {
                return Err(ClientError::Unexpected { path: path.to_owned() });
            };
            items.extend(found);
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// Reads a listing that has no pages.
    pub(crate) async fn items(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, ClientError> {
        match self.get_with(path, query).await?.get_mut("items").map(Value::take) {
            Some(Value::Array(found)) => Ok(found),
            _ => Err(ClientError::Unexpected { path: path.to_owned() }),
        }
    }

    /// Posts JSON to `path`.
    pub(crate) async fn post(&self, path: &str, body: &impl serde::Serialize) -> Result<Value, ClientError> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Posts nothing to `path`.
    pub(crate) async fn act(&self, path: &str) -> Result<Value, ClientError> {
        self.send(self.request(Method::POST, path)).await
    }

    /// Puts JSON at `path`.
    pub(crate) async fn put(&self, path: &str, body: &impl serde::Serialize) -> Result<Value, ClientError> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// Deletes `path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value, ClientError> {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Posts a form to `path`: the token endpoints take nothing else.
    pub(crate) async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.send(self.request(Method::POST, path).form(form)).await
    }

    /// Submits a form to any address, as a browser would, and returns where it is sent next.
    pub(crate) async fn submit(&self, url: &Url, form: &[(String, String)]) -> Result<Option<Url>, ClientError> {
        let response = self.answer(self.http.post(url.clone()).form(form)).await?;
        let location = response.headers().get(http::header::LOCATION).and_then(|value| value.to_str().ok());
        Ok(location.and_then(|location| url.join(location).ok()))
    }

    /// Opens any address, as a browser would, without an access key.
    pub(crate) async fn visit(&self, url: &Url) -> Result<(), ClientError> {
        self.answer(self.http.get(url.clone())).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        // Joined by hand: `Url::join` would drop a base path, and let a path that begins with `//` name another host.
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, ClientError> {
        let response = self.answer(request).await?;
        let path = response.url().path().to_owned();
        let body = response.bytes().await.map_err(|source| self.unreachable(&source))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| ClientError::Unexpected { path })
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await.map_err(|source| self.unreachable(&source))?;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(refusal(status, response).await);
        }
        Ok(response)
    }

    pub(super) fn unreachable(&self, source: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { server: self.base.origin().ascii_serialization(), cause: cause_of(source) }
    }
}

/// Reads a problem (RFC 9457), or the error of a token endpoint (RFC 6749 section 5.2).
async fn refusal(status: StatusCode, response: Response) -> ClientError {
    let body = response.bytes().await.unwrap_or_default();
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let cause = text("detail").or(text("error_description")).or(text("title")).or(text("error"));
    let cause = cause.map_or_else(|| format!("the server answered {status}"), printable);
    let remedy = text("remedy").map(printable);
    let request_id = text("request_id").map(printable);
    let reason = text("reason").map(str::to_owned);
    ClientError::Refused { status: status.as_u16(), cause, remedy, request_id, reason }
}

/// Keeps a server's text on one line, and its control characters from the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// Returns the innermost cause: reqwest's own text stops at "error sending request".
fn cause_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Why a server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{0}")]
    Incomplete(&'static str),
    #[error("the access key cannot be read: {0}")]
    Token(crate::config::SecretUnreadable),
    #[error("the server's address {0}")]
    Url(&'static str),
    #[error("cannot trust the authority in {}: {problem}; name a PEM file with LEASEHOLD_CA", path.display())]
    Ca { path: PathBuf, problem: String },
    #[error("cannot speak TLS: {source}; name the server's authority with LEASEHOLD_CA")]
    Setup { source: reqwest::Error },
    #[error("{server} is not reachable: {cause}; check LEASEHOLD_URL, LEASEHOLD_CA, and that the server runs")]
    Unreachable { server: String, cause: String },
    #[error("{cause}{}{}", with("; ", remedy.as_deref(), ""), with(" (request ", request_id.as_deref(), ")"))]
    Refused { status: u16, cause: String, remedy: Option<String>, request_id: Option<String>, reason: Option<String> },
    #[error("{path} answered something else than this version expects; use the server's own version of leasehold")]
    Unexpected { path: String },
}

impl ClientError {
    /// Says whether the server refused the share that it was given, and waits for another.
    pub(super) fn is_about_the_share(&self) -> bool {
        matches!(self, Self::Refused { reason: Some(reason), .. } if reason.starts_with("share_"))
    }
}

fn with(before: &str, text: Option<&str>, after: &str) -> String {
    text.map_or_else(String::new, |text| format!("{before}{text}{after}"))
}
