use super::*;
use crate::{
    register::tests::{TestVault, test_vault},
    seal::FileSeal,
};
use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

struct TestApi {
    test: TestVault,
    router: Router,
}

async fn test_api() -> TestApi {
    let test = test_vault().await;
    let path = test.directory.path().join("seal.key");
    let options = ApiOptions {
        vault: test.vault.clone(),
        public_url: Url::parse("https://vault.example").unwrap(),
        limits: Limits { body_bytes: 1_024, ..Limits::default() },
        open_seal: Arc::new(move |_| Ok(Arc::new(FileSeal::open(&path)?))),
        metrics: Some(Arc::new(|| "up 1\n".to_owned())),
        docs: Docs::Shown,
    };
    TestApi { test, router: router(ApiState::new(options)) }
}

impl TestApi {
    async fn send(&self, request: Request<Body>) -> (StatusCode, http::HeaderMap, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (head.status, head.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn operator(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let key = self.test.staff.operator.key.expose();
        let (status, _, body) = self.send(request(method, path, key, &body)).await;
        (status, body)
    }

    async fn officer(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let key = self.test.staff.officer.key.expose();
        let (status, _, body) = self.send(request(method, path, key, &body)).await;
        (status, body)
    }
}

fn request(method: &str, path: &str, key: &str, body: &Value) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", "one")
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_with_headers_and_a_request_id() {
    let api = test_api().await;
    for (method, path, expected) in
        [("GET", "/nothing", 404), ("PATCH", "/v1/tenants", 405), ("GET", "/v1/tenants", 401)]
    {
        let (status, headers, body) = api.send(request(method, path, "lhk_none", &json!({}))).await;
        assert_eq!(status.as_u16(), expected, "{path}");
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(headers["x-request-id"], body["request_id"].as_str().unwrap());
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    }
}

#[tokio::test]
async fn a_repeated_create_answers_with_the_first_and_shows_no_secret() {
    let api = test_api().await;
    let host = json!({ "name": "Host", "service": "Hosts", "country": "DE", "basis": "EU" });
    let (status, host) = api.operator("POST", "/v1/sub-processors", host).await;
    assert_eq!(status, StatusCode::CREATED, "{host}");
    let worker = json!({ "name": "sync", "module": "ops", "sub_processor": host["id"] });
    let (_, first) = api.operator("POST", "/v1/workers", worker.clone()).await;
    assert!(first["client_secret"].as_str().unwrap().starts_with("lhw_"));
    let (status, second) = api.operator("POST", "/v1/workers", worker).await;
    assert_eq!((status, &second["id"], &second["client_secret"]), (StatusCode::CREATED, &first["id"], &Value::Null));
    assert_eq!(second["secret_shown"], "earlier");
    let other = json!({ "name": "other", "module": "ops", "sub_processor": host["id"] });
    assert_eq!(api.operator("POST", "/v1/workers", other).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_role_that_may_not_is_told_so_and_recorded() {
    let api = test_api().await;
    let (status, _) = api.officer("POST", "/v1/tenants", json!({ "name": "Acme" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(api.operator("POST", "/v1/tenants", json!({ "name": "Acme" })).await.0, StatusCode::CREATED);
    for _ in 0..1_000 {
        let (_, log) = api.operator("GET", "/v1/audit", json!({})).await;
        if log["items"].as_array().unwrap().iter().any(|entry| entry["kind"] == "access.refused") {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the refusal was not recorded");
}

#[tokio::test]
async fn a_body_is_bounded_and_its_fields_are_known() {
    let api = test_api().await;
    let (status, body) = api.operator("POST", "/v1/tenants", json!({ "name": "Acme", "plan": 1 })).await;
    assert_eq!((status, body["field"].as_str()), (StatusCode::BAD_REQUEST, Some("plan")));
    let (status, _) = api.operator("POST", "/v1/tenants", json!({ "name": "x".repeat(2_000) })).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, body) = api.operator("GET", "/v1/tenants", json!({})).await;
    assert_eq!((status, body), (StatusCode::OK, json!({ "items": [], "next_cursor": null })));
}

#[tokio::test]
async fn the_seal_closes_and_opens_and_readiness_follows() {
    let api = test_api().await;
    assert_eq!(api.operator("GET", "/health/ready", json!({})).await.0, StatusCode::OK);
    assert_eq!(api.officer("POST", "/v1/seal/close", json!({})).await.1["open"], false);
    let (status, body) = api.operator("GET", "/health/ready", json!({})).await;
    assert_eq!((status, body["reason"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("sealed")));
    let (status, _) = api.operator("POST", "/v1/tenants", json!({ "name": "Acme" })).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(api.operator("POST", "/v1/seal/open", json!({})).await.0, StatusCode::FORBIDDEN);
    assert_eq!(api.officer("POST", "/v1/seal/open", json!({})).await.1["open"], true);
}

#[tokio::test]
async fn the_api_describes_itself() {
    let api = test_api().await;
    let (status, document) = api.operator("GET", "/openapi.json", json!({})).await;
    assert_eq!(status, StatusCode::OK);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = std::collections::HashSet::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()));
        }
    }
    assert!(ids.contains("tenant_add") && ids.contains("grant_set"));
}
