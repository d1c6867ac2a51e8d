//! Faults that other vaults have had, tried on the API. Each test says in which advisory it was seen.

use super::{
    others::{about, holder, introspected},
    world::{World, new_connection, text},
};
use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};

/// OpenBao CVE-2026-40264, CVE-2026-45808, GHSA-c36x-h252-g9x2.
#[tokio::test]
async fn an_id_of_another_tenant_does_nothing_and_tells_nothing() {
    let world = World::make().await;
    let (owner, other) = (&*world.own.owner.key, &world.foreign);
    let (connection, grant) = (world.connection(other).await, world.grant(other).await);
    let receipt = world.receipt(other).await;
    let key = world.access_key(&other.owner.key, &other.viewer.id).await;
    let user = &other.viewer.id;
    let nobodys = text(&world.send("GET", "/v1/nothing", Some(owner), None).await.expect(404)["title"]);
    for (method, path) in [
        ("POST", format!("/v1/connections/{connection}/revoke")),
        ("POST", format!("/v1/connections/{connection}/suspend")),
        ("DELETE", format!("/v1/grants/{grant}")),
        ("POST", format!("/v1/users/{user}/disable")),
        ("DELETE", format!("/v1/users/{user}/access-keys/{key}")),
        // The key of another behind an id of one's own.
        ("DELETE", format!("/v1/users/{}/access-keys/{key}", world.own.owner.id)),
        ("GET", format!("/v1/receipts/{receipt}")),
        ("POST", format!("/v1/tenants/{}/revoke", other.id)),
    ] {
        let body = world.send(method, &path, Some(owner), Some(json!({}))).await.expect(404);
        assert_eq!(text(&body["title"]), nobodys, "{path}");
        assert_eq!(body.as_object().unwrap().len(), 4, "{path} says more than type, title, status and request: {body}");
    }
    let theirs = Some(&*other.owner.key);
    let shown = world.send("GET", &format!("/v1/connections/{connection}"), theirs, None).await.expect(200);
    assert_eq!(shown["state"], "pending");
    assert_eq!(world.send("GET", &format!("/v1/grants/{grant}"), theirs, None).await.expect(200)["state"], "active");
    let keys = world.send("GET", &format!("/v1/users/{user}/access-keys"), theirs, None).await.expect(200);
    assert!(keys["items"].as_array().unwrap().iter().all(|key| key["ended_at"].is_null()), "{keys}");
    world.send("GET", "/v1/connections", Some(&other.viewer.key), None).await.expect(200);
}

/// The same, of receipts that are the vault's own.
#[tokio::test]
async fn the_vaults_receipt_is_no_tenants() {
    let world = World::make().await;
    let officer = Some(&*world.officer.key);
    let receipt = world.send("POST", "/v1/revoke-all", officer, Some(json!({}))).await.expect(200);
    let path = format!("/v1/receipts/{}", text(&receipt["id"]));
    world.send("GET", &path, officer, None).await.expect(200);
    world.send("GET", &path, Some(&world.own.owner.key), None).await.expect(404);
    let path = format!("/v1/audit?tenant={}", uuid::Uuid::nil());
    world.send("GET", &path, Some(&world.own.owner.key), None).await.expect(404);
}

/// OpenBao GHSA-xp3c-3jw3-4vcr.
#[tokio::test]
async fn a_listing_shows_no_more_than_reading_does() {
    let world = World::make().await;
    let marker = world.connection(&world.foreign).await;
    world.grant(&world.foreign).await;
    let foreign = [&*marker, &world.foreign.id, &world.foreign.owner.id, &world.foreign.viewer.id];
    for path in ["/v1/connections", "/v1/grants", "/v1/users", "/v1/audit", "/v1/audit?after=0&limit=1000"] {
        let answer = world.send("GET", path, Some(&world.own.viewer.key), None).await;
        assert!(answer.text.contains(&world.own.id) || path == "/v1/grants", "{path}: {}", answer.text);
        assert!(foreign.iter().all(|id| !answer.text.contains(id)), "{path}: {}", answer.text);
        answer.expect(200);
    }
    // A cursor is an id, and one of another tenant's opens nothing.
    let path = format!("/v1/connections?cursor={}", world.foreign.id);
    let page = world.send("GET", &path, Some(&world.own.viewer.key), None).await;
    assert!(foreign.iter().all(|id| !page.text.contains(id)), "{}", page.text);
}

/// OpenBao CVE-2025-6004.
#[tokio::test]
async fn an_address_has_no_alias_by_case_or_spaces() {
    let world = World::make().await;
    let owner = Some(&*world.own.owner.key);
    let add = |email: &str| json!({ "email": email, "role": "viewer" });
    let made = world.send("POST", "/v1/users", owner, Some(add(" Ann@Example.COM "))).await.expect(201);
    assert_eq!(made["email"], "ann@example.com");
    for alias in ["ann@example.com", "ANN@EXAMPLE.COM", "\tann@example.com", "ann@example.com\n", "Ann@example.Com "] {
        world.send("POST", "/v1/users", owner, Some(add(alias))).await.expect(409);
    }
    for none in ["ann @example.com", "ann@exa mple.com", "ann@example.com\0", "ann", "@example.com", ""] {
        world.send("POST", "/v1/users", owner, Some(add(none))).await.expect(400);
    }
}

/// OpenBao CVE-2025-6203.
#[tokio::test]
async fn depth_and_size_are_refused_before_anything_is_parsed() {
    let world = World::make().await;
    let deep = format!(r#"{{"name":{}{}}}"#, "[".repeat(30_000), "]".repeat(30_000));
    let large = json!({ "name": "x".repeat(65 * 1_024) }).to_string();
    for (body, status) in [(deep, 400), (large, 413)] {
        let request = Request::post("/v1/tenants")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.operator.key))
            .header(header::CONTENT_TYPE, "application/json");
        world.call(request.body(Body::from(body)).unwrap()).await.expect(status);
    }
    let form = "a".repeat(17 * 1_024);
    world.form("/oauth2/introspect", &[("token", &form)]).await.expect(400);
    let deep = format!(r#"{{"grant_type":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let request = Request::post("/auth/o2/token").header(header::CONTENT_TYPE, "application/json");
    world.call(request.body(Body::from(deep)).unwrap()).await.expect(400);
}

#[tokio::test]
async fn an_unknown_field_is_named_and_its_value_is_not() {
    let world = World::make().await;
    let owner = Some(&*world.own.owner.key);
    let mut body = new_connection(None, "shop");
    body["state"] = json!("active-canary");
    let answer = world.send("POST", "/v1/connections", owner, Some(body)).await;
    assert!(!answer.text.contains("canary"), "{}", answer.text);
    assert_eq!(answer.expect(400)["field"], "state");
    let path = format!("/v1/connections/{}/import", world.connection(&world.own).await);
    let answer = world.send("POST", &path, owner, Some(json!({ "refresh_token": ["Atzr|canary"] }))).await;
    assert!(!answer.text.contains("canary"), "{}", answer.text);
    assert_eq!(answer.expect(400)["field"], "refresh_token");
}

/// OpenBao CVE-2026-40264 again, where workers reach.
#[tokio::test]
async fn a_lease_that_another_worker_revokes_goes_on() {
    let world = World::make().await;
    let lease = world.test.lease().await;
    let (other, secret) = world.worker().await;
    let foreign = world.form("/oauth2/revoke", &about(&lease, &other, &secret)).await;
    let none = world.form("/oauth2/revoke", &about("lh_none", &other, &secret)).await;
    assert_eq!(foreign.without_request_id(), none.without_request_id());
    foreign.expect(200);
    assert_eq!(introspected(&world, &lease).await["active"], true);
    world.send("POST", "/v1/credential", Some(&lease), None).await.expect(200);
    // With its holder's id and another's secret neither.
    let (holder, _) = holder(&world);
    world.form("/oauth2/revoke", &about(&lease, &holder, &secret)).await.expect(401);
    assert_eq!(introspected(&world, &lease).await["active"], true);
}

#[tokio::test]
async fn an_idempotency_key_opens_nothing_for_another_body_person_or_path() {
    let world = World::make().await;
    let once = |path: &str, key: &str, body: Value| {
        Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "one")
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    let (own, foreign) = (&*world.own.owner.key, &*world.foreign.owner.key);
    let path = format!("/v1/users/{}/access-keys", world.own.owner.id);
    let first = world.call(once(&path, own, json!({ "label": "a" }))).await.expect(201);
    let again = world.call(once(&path, own, json!({ "label": "a" }))).await.expect(201);
    assert_eq!((&again["id"], &again["key"]), (&first["id"], &Value::Null));
    world.call(once(&path, own, json!({ "label": "b" }))).await.expect(422);
    world.call(once(&path, foreign, json!({ "label": "a" }))).await.expect(404);
    let other = world.call(once("/v1/connections", own, new_connection(None, "shop"))).await.expect(201);
    let theirs = world.call(once("/v1/connections", foreign, new_connection(None, "shop"))).await.expect(201);
    assert_ne!(other["id"], theirs["id"]);
    assert_eq!(theirs["tenant"], world.foreign.id);
}

/// OpenBao CVE-2026-3605, GHSA-59w7-v8rr-pr4p.
#[tokio::test]
async fn a_name_with_dots_slashes_and_wildcards_is_only_data() {
    let world = World::make().await;
    for name in ["../../etc/passwd", "..", "*", "a/b", "{id}", "%2e%2e%2f", "<script>", "'; drop table tenants; --"] {
        let body = Some(json!({ "name": name }));
        let tenant = world.send("POST", "/v1/tenants", Some(&world.operator.key), body).await.expect(201);
        assert_eq!(tenant["name"], name);
        let body = Some(new_connection(None, name));
        let made = world.send("POST", "/v1/connections", Some(&world.own.owner.key), body).await.expect(201);
        assert_eq!(made["name"], name);
    }
    for path in [
        "/v1/connections/..%2ftenants",
        "/v1/tenants/..",
        "/v1/tenants/*",
        "/v1/tenants/%2e%2e/users",
        "/v1//tenants",
        "/v1/receipts/..%2f..%2fopenapi.json",
    ] {
        world.send("GET", path, Some(&world.own.owner.key), None).await.expect(404);
    }
    let set = json!({ "client_id": "a", "client_secret": "b", "public_id": "c" });
    let path = "/v1/applications/..%2f..%2famazon-sp-api";
    let refused = world.send("PUT", path, Some(&world.operator.key), Some(set)).await.expect(400);
    assert_eq!(refused["field"], "provider");
}

/// OpenBao CVE-2026-5807.
#[tokio::test]
async fn nobody_without_a_key_reaches_the_seal() {
    let world = World::make().await;
    world.send("POST", "/v1/seal/close", None, None).await.expect(401);
    assert_eq!(world.send("GET", "/health/ready", None, None).await.status, 200);
    world.send("POST", "/v1/seal/close", Some(&world.officer.key), None).await.expect(200);
    for key in [None, Some(&*world.own.owner.key), Some(&*world.operator.key)] {
        let status = world.send("POST", "/v1/seal/open", key, Some(json!({}))).await.status.as_u16();
        assert_eq!(status, if key.is_none() { 401 } else { 403 });
    }
    assert_eq!(world.send("GET", "/health/ready", None, None).await.status, 503);
}

/// OpenBao CVE-2025-62513, CVE-2025-62705.
#[tokio::test]
async fn no_secret_that_was_sent_or_shown_is_in_the_log() {
    let world = World::make().await;
    let path = format!("/v1/connections/{}/import", world.connection(&world.own).await);
    let body = Some(json!({ "refresh_token": "Atzr|canary-in-a-body" }));
    world.send("POST", &path, Some(&world.own.owner.key), body).await.expect(502);
    let (_, secret) = world.worker().await;
    let lease = world.test.lease().await;
    let log = world.send("GET", "/v1/audit?limit=1000", Some(&world.auditor.key), None).await;
    for hidden in ["canary", &secret, &lease, &world.own.owner.key, &world.officer.key, "@example.com"] {
        assert!(!log.text.contains(hidden), "{hidden} is in the log");
    }
    assert!(log.text.contains("worker.added"), "{}", log.text);
}
