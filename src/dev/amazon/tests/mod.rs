//! Tests of what a caller of the simulator sees, through its router and with a clock that stands still.

mod access;
mod consent;
mod control;
mod lwa;
mod personal;
mod record;
mod reports;
mod restart;
mod selling;
mod vendor;

use super::{Amazon, AmazonOptions};
use crate::{
    clock::{ManualClock, Timestamp},
    entropy::SystemEntropy,
    secret::SecretText,
};
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{collections::HashMap, path::Path, sync::Arc};
use tower::ServiceExt;
use url::{Url, form_urlencoded};

const EU_SELLER: &str = "A2ZV5Q9KQ7MX1D";
const OTHER_EU_SELLER: &str = "A17KQ3W8RT5LNP";
const EU_VENDOR: &str = "amzn1.vg.3482119";
const DE: &str = "A1PA6795UKMFR9";
const REDIRECT: &str = "https://vault.example/callback/amazon-sp-api";
const SECRET: &str = "amzn1.oa2-cs.v1.0123456789";

/// A simulator of its own for one test.
struct Simulated {
    amazon: Amazon,
    clock: Arc<ManualClock>,
}

struct Tokens {
    access: String,
    refresh: String,
}

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns where a 302 leads, and with which parameters.
    fn location(&self) -> (Url, HashMap<String, String>) {
        assert_eq!(self.status, 302, "{}", self.text());
        let url = Url::parse(self.header("location")).unwrap();
        let parameters = url.query_pairs().into_owned().collect();
        (url, parameters)
    }

    /// Asserts a refusal by the SP-API: status, `errors[0].code` and `errors[0].details`.
    #[track_caller]
    fn refused(&self, status: u16, code: &str, details: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        assert_eq!(body["errors"][0]["code"], code, "{body}");
        assert_eq!(body["errors"][0]["details"], details, "{body}");
    }

    /// Asserts a refusal by Login with Amazon.
    #[track_caller]
    fn lwa_refused(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.json()["error"], error);
    }
}

impl Simulated {
    fn new() -> Self {
        Self::open(None)
    }

    fn open(state_file: Option<&Path>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_780_000_000_000_000)));
        let mut options = AmazonOptions::make(&SystemEntropy);
        options.client_secret = SecretText::new(SECRET.into());
        options.redirect_uris = vec![REDIRECT.into()];
        options.state_file = state_file.map(Path::to_owned);
        let amazon = Amazon::open(options, Arc::clone(&clock) as _, Arc::new(SystemEntropy)).unwrap();
        Self { amazon, clock }
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.amazon.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str, token: &str) -> Reply {
        self.call(Method::GET, path, token, Body::empty()).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, token, Body::from(body.to_string())).await
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: Body) -> Reply {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "127.0.0.1:8445");
        self.send(request.header("x-amz-access-token", token).body(body).unwrap()).await
    }

    async fn form(&self, path: &str, host: &str, fields: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::builder().method(Method::POST).uri(path).header(header::HOST, host);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Asks the token endpoint, as the application.
    async fn token(&self, fields: &[(&str, &str)]) -> Reply {
        let client_id = self.amazon.client_id();
        let mut all = vec![("client_id", client_id.as_str()), ("client_secret", SECRET)];
        all.extend_from_slice(fields);
        self.form("/auth/o2/token", "api.amazon.com", &all).await
    }

    async fn refresh(&self, refresh_token: &str) -> Reply {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    async fn exchange(&self, code: &str) -> Reply {
        self.token(&[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)]).await
    }

    /// Confirms on the consent page of `host`.
    async fn confirm(&self, host: &str, seller: &str) -> Reply {
        let application = self.amazon.application_id();
        let fields = [
            ("application_id", application.as_str()),
            ("state", "a state"),
            ("redirect_uri", REDIRECT),
            ("selling_partner_id", seller),
            ("decision", "confirm"),
        ];
        self.form("/apps/authorize/consent", host, &fields).await
    }

    /// Consents and returns the code.
    async fn code(&self, seller: &str) -> String {
        let (_, parameters) = self.confirm("127.0.0.1:8445", seller).await.location();
        parameters["spapi_oauth_code"].clone()
    }

    /// Goes the whole way from consent to tokens.
    async fn connect(&self, seller: &str) -> Tokens {
        let granted = self.exchange(&self.code(seller).await).await;
        assert_eq!(granted.status, 200, "{}", granted.text());
        let granted = granted.json();
        let text = |name: &str| granted[name].as_str().unwrap().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token") }
    }

    async fn grantless(&self, scope: &str) -> String {
        let granted = self.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await.json();
        granted["access_token"].as_str().unwrap().to_owned()
    }

    async fn steer(&self, control: Value) {
        let reply = self.post("/_sim/control", "", &control).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
    }

    async fn revoke(&self, seller: &str) -> Reply {
        self.post("/_sim/revoke", "", &json!({ "selling_partner_id": seller })).await
    }
}
