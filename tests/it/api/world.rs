//! A vault with two tenants, an owner and a viewer in each, staff of each role, and the API in front of it.

use crate::test_vault::{TestVault, TestVaultOptions};
use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode, header};
use leasehold::{
    api::{self, ApiOptions, ApiState, Docs, Limits, Rate},
    policy::Delivery,
    seal::FileSeal,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tower::ServiceExt as _;
use url::Url;

pub(super) const PROVIDER: &str = "amazon-sp-api";

/// Somebody with an access key.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) key: String,
}

pub(super) struct Tenant {
    pub(super) id: String,
    pub(super) owner: Person,
    pub(super) viewer: Person,
}

pub(super) struct World {
    pub(super) test: TestVault,
    /// The tenant that the one authorized connection belongs to.
    pub(super) own: Tenant,
    pub(super) foreign: Tenant,
    pub(super) operator: Person,
    pub(super) officer: Person,
    pub(super) auditor: Person,
    pub(super) sub_processor: String,
    router: Router,
    made: AtomicU64,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Returns everything that a caller sees but the request's id, which no two answers share.
    pub(super) fn without_request_id(&self) -> String {
        let id = self.headers.get("x-request-id").and_then(|id| id.to_str().ok()).expect("each answer has an id");
        let mut headers = self.headers.clone();
        headers.remove("x-request-id");
        format!("{} {headers:?} {}", self.status, self.text).replace(id, "")
    }

    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }
}

impl World {
    pub(super) async fn make() -> Self {
        let options = TestVaultOptions { delivery: Delivery::Token, ..TestVaultOptions::default() };
        let test = TestVault::with(options).await;
        let path = test.seal_path();
        let options = ApiOptions {
            vault: test.vault.clone(),
            public_url: Url::parse("https://vault.example").unwrap(),
            limits: Limits {
                // The clock stands still, so nothing is ever refilled.
                rate: Rate { burst: 1_000_000, per_second: 1 },
                body_bytes: 64 * 1_024,
                request: Duration::from_secs(60),
            },
            open_seal: Arc::new(move |_| Ok(Arc::new(FileSeal::open(&path)?))),
            metrics: Some(Arc::new(|| "up 1\n".to_owned())),
            docs: Docs::Shown,
        };
        let nobody = || Person { id: String::new(), key: String::new() };
        let no_tenant = || Tenant { id: String::new(), owner: nobody(), viewer: nobody() };
        let [officer, operator] = test.staff.map(|id| id.to_string());
        let officer = Person { id: officer, key: test.officer_key.expose().to_owned() };
        let operator = Person { id: operator, key: test.operator_key.expose().to_owned() };
        let mut world = Self {
            own: no_tenant(),
            foreign: no_tenant(),
            operator,
            officer,
            auditor: nobody(),
            sub_processor: String::new(),
            router: api::router(ApiState::new(options)),
            made: AtomicU64::new(0),
            test,
        };
        let officer = world.officer.key.clone();
        world.auditor = world.user(&officer, None, "auditor").await;
        let acme = world.test.tenant.to_string();
        let first = world.test.owner_key.expose().to_owned();
        world.own = world.people(acme, &first).await;
        let key = &world.operator.key;
        let other = world.send("POST", "/v1/tenants", Some(key), Some(json!({ "name": "Other" }))).await.expect(201);
        let key = world.operator.key.clone();
        world.foreign = world.people(text(&other["id"]), &key).await;
        let host = json!({ "name": "Host", "service": "Hosts", "country": "DE", "basis": "EU" });
        let host = world.send("POST", "/v1/sub-processors", Some(&world.operator.key), Some(host)).await.expect(201);
        world.sub_processor = text(&host["id"]);
        world
    }

    async fn people(&self, tenant: String, adds: &str) -> Tenant {
        let owner = self.user(adds, Some(&tenant), "owner").await;
        let viewer = self.user(&owner.key, Some(&tenant), "viewer").await;
        Tenant { id: tenant, owner, viewer }
    }

    /// Sends a request through the router, with a JSON body where one is given.
    pub(super) async fn send(&self, method: &str, path: &str, key: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.call(request.body(body).unwrap()).await
    }

    /// Sends a form, as a worker does.
    pub(super) async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.call(request.body(Body::from(body)).unwrap()).await
    }

    pub(super) async fn call(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // A stream of events does not end.
        let endless = kind.starts_with("text/event-stream");
        let bytes = if endless { Vec::new() } else { axum::body::to_bytes(body, 8 << 20).await.unwrap().to_vec() };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: head.status, headers: head.headers, text }
    }

    pub(super) fn fresh(&self, prefix: &str) -> String {
        format!("{prefix}-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a person.
    pub(super) async fn user(&self, by: &str, tenant: Option<&str>, role: &str) -> Person {
        let email = format!("{}@example.com", self.fresh(role));
        let body = json!({ "tenant": tenant, "email": email, "role": role });
        let made = self.send("POST", "/v1/users", Some(by), Some(body)).await.expect(201);
        Person { id: text(&made["id"]), key: text(&made["access_key"]) }
    }

    /// Adds an access key, and returns its id.
    pub(super) async fn access_key(&self, by: &str, user: &str) -> String {
        let path = format!("/v1/users/{user}/access-keys");
        text(&self.send("POST", &path, Some(by), Some(json!({ "label": "spare" }))).await.expect(201)["id"])
    }

    /// Adds a connection, pending.
    pub(super) async fn connection(&self, tenant: &Tenant) -> String {
        let body = new_connection(None, &self.fresh("shop"));
        text(&self.send("POST", "/v1/connections", Some(&tenant.owner.key), Some(body)).await.expect(201)["id"])
    }

    /// Adds a connection and ends it, and returns the receipt's id.
    pub(super) async fn receipt(&self, tenant: &Tenant) -> String {
        let path = format!("/v1/connections/{}/revoke", self.connection(tenant).await);
        text(&self.send("POST", &path, Some(&tenant.owner.key), Some(json!({}))).await.expect(200)["id"])
    }

    /// Grants a module the use of a new connection, and returns the grant's id.
    /// Returns the number of the tenant's newest entry.
    pub(super) async fn entry(&self, tenant: &Tenant) -> String {
        let path = format!("/v1/audit?tenant={}&limit=1", tenant.id);
        let page = self.send("GET", &path, Some(&tenant.owner.key), None).await.expect(200);
        page["items"][0]["seq"].to_string()
    }

    pub(super) async fn grant(&self, tenant: &Tenant) -> String {
        let body = new_grant(&self.connection(tenant).await);
        text(&self.send("PUT", "/v1/grants", Some(&tenant.owner.key), Some(body)).await.expect(200)["id"])
    }

    /// Adds a worker, and returns its id and secret.
    pub(super) async fn worker(&self) -> (String, String) {
        let body = json!({ "name": self.fresh("sync"), "module": "ops", "sub_processor": self.sub_processor });
        let made = self.send("POST", "/v1/workers", Some(&self.operator.key), Some(body)).await.expect(201);
        (text(&made["id"]), text(&made["client_secret"]))
    }
}

pub(super) fn new_connection(tenant: Option<&str>, name: &str) -> Value {
    json!({
        "tenant": tenant, "provider": PROVIDER, "name": name, "kind": "seller", "region": "eu", "country": "DE",
    })
}

pub(super) fn new_grant(connection: &str) -> Value {
    json!({ "connection": connection, "module": "ops", "scopes": ["orders:read"] })
}

#[track_caller]
pub(super) fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}
