//! What workers, owners and officers ask of a fleet, each answer with what it says about whether it happened.

use super::{Fleet, world::MARKETPLACE};
use http::StatusCode;
use leasehold::clock::Timestamp;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// It happened.
    Done(T),
    /// It did not happen: the vault refused it.
    Refused(String),
    /// Nobody knows: the answer did not come, or it was one of 500 and more.
    Unknown(String),
}

/// An access token that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) access_token: String,
    pub(crate) expires_at: Timestamp,
}

impl<T> Answer<T> {
    /// Sends a request and judges its answer; `read` takes what is wanted out of a good one's body.
    pub(super) async fn of(request: RequestBuilder, read: impl FnOnce(&Value) -> Option<T>) -> Self {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Self::Unknown(error.to_string()),
        };
        let status = answer.status();
        // What the provider refused was let through by the vault.
        let by_provider = answer.headers().get("x-leasehold-error").is_some_and(|of| of != "vault");
        let text = match answer.text().await {
            Ok(text) => text,
            Err(error) => return Self::Unknown(format!("{status}, then {error}")),
        };
        if status.is_success() {
            let body = serde_json::from_str(&text).unwrap_or_default();
            return read(&body).map_or_else(|| Self::Unknown(format!("not the answer expected: {text}")), Self::Done);
        }
        let refused = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS && !by_provider;
        let why = format!("{status} {text}");
        if refused { Self::Refused(why) } else { Self::Unknown(why) }
    }

    #[track_caller]
    pub(crate) fn done(self) -> T {
        match self {
            Self::Done(value) => value,
            Self::Refused(why) | Self::Unknown(why) => panic!("{why}"),
        }
    }

    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

impl Fleet {
    /// Issues a lease to the first worker at a node.
    pub(crate) async fn issue(&self, node: usize, connection: usize) -> Answer<String> {
        self.issue_to(0, node, connection).await
    }

    /// Issues a lease, which lives an hour, to a worker at a node.
    pub(crate) async fn issue_to(&self, worker: usize, node: usize, connection: usize) -> Answer<String> {
        let (worker, connection) = (&self.workers[worker], &self.connections[connection]);
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", &format!("urn:leasehold:connection:{}", connection.id)),
            ("client_id", &worker.id),
            ("client_secret", &worker.secret),
            ("lease_seconds", "3600"),
        ];
        let request = self.client.post(format!("{}/oauth2/token", self.node(node).api)).form(&form);
        Answer::of(request, |body| body["access_token"].as_str().map(str::to_owned)).await
    }

    /// Asks a node to hand out the access token.
    pub(crate) async fn token(&self, node: usize, lease: &str) -> Answer<Release> {
        let request = self.client.post(format!("{}/v1/credential", self.node(node).api)).bearer_auth(lease);
        Answer::of(request, |body| {
            let access_token = body["access_token"].as_str()?.to_owned();
            Some(Release { access_token, expires_at: serde_json::from_value(body["expires_at"].clone()).ok()? })
        })
        .await
    }

    /// Asks a node's gateway for `path` as an SDK would.
    pub(crate) async fn gateway(&self, node: usize, lease: &str, path: &str) -> Answer<Value> {
        let request = self.client.get(format!("{}{path}", self.node(node).gateway));
        Answer::of(request.header("x-amz-access-token", lease), |body| Some(body.clone())).await
    }

    /// Asks a node's gateway for orders.
    pub(crate) async fn orders(&self, node: usize, lease: &str) -> Answer<Value> {
        self.gateway(node, lease, &orders_path()).await
    }

    /// Revokes a connection at a node, as the security officer; yields the receipt.
    pub(crate) async fn revoke(&self, node: usize, connection: usize) -> Answer<Value> {
        let connection = &self.connections[connection];
        let url = format!("{}/v1/connections/{}/revoke", self.node(node).api, connection.id);
        let request = self.client.post(url).bearer_auth(self.officer.expose()).json(&json!({ "reason": "a test" }));
        Answer::of(request, |body| Some(body.clone())).await
    }

    /// Gives a connection a new credential at a node, as its owner: after a revocation it can be used again.
    pub(crate) async fn authorize(&self, node: usize, connection: usize) -> Answer<()> {
        self.authorize_at(node, &self.connections[connection]).await
    }
}

/// Returns the path of a well-formed question for orders.
pub(crate) fn orders_path() -> String {
    let query = format!("MarketplaceIds={MARKETPLACE}&CreatedAfter=2020-01-01T00%3A00%3A00Z&MaxResultsPerPage=1");
    format!("/orders/v0/orders?{query}")
}
