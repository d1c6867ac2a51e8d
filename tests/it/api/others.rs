//! What belongs to nobody's role: for each such operation what it is for, and something that it refuses.

use super::{
    table::{For, OTHERS},
    world::{Answer, PROVIDER, World},
};
use serde_json::{Value, json};

#[tokio::test]
async fn what_asks_for_no_access_key_refuses_in_its_own_way() {
    let world = World::make().await;
    for (operation, whose) in OTHERS {
        match *operation {
            "token_issue" => token_issue(&world).await,
            "lwa_token_issue" => lwa_token_issue(&world).await,
            "token_introspect" => token_introspect(&world).await,
            "token_revoke" => token_revoke(&world).await,
            "credential_release" => credential_release(&world).await,
            "consent_callback" => consent_callback(&world).await,
            "store_visit" => store_visit(&world).await,
            "discovery_show" => discovery_show(&world).await,
            other => panic!("{other}, which is for {whose:?}, has no refusal"),
        }
        if *whose == For::Worker {
            refuse_people(&world, operation).await;
        }
    }
}

/// A person's access key is no worker's secret and no lease.
async fn refuse_people(world: &World, operation: &str) {
    let (id, key) = (&*world.own.owner.id, &*world.own.owner.key);
    let resource = resource(world);
    let answer = match operation {
        "credential_release" => world.send("POST", "/v1/credential", Some(key), None).await,
        "token_issue" => world.form("/oauth2/token", &issue(id, key, &resource)).await,
        "lwa_token_issue" => world.form("/auth/o2/token", &lwa(id, key, &world.test.connection.to_string())).await,
        "token_introspect" => world.form("/oauth2/introspect", &about("x", id, key)).await,
        "token_revoke" => world.form("/oauth2/revoke", &about("x", id, key)).await,
        other => panic!("{other} is no worker's"),
    };
    assert!(matches!(answer.status.as_u16(), 401 | 403), "{operation}: {}", answer.text);
}

#[tokio::test]
async fn probes_and_documents_are_anyones_and_take_nothing() {
    let world = World::make().await;
    for path in ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs/"] {
        assert_eq!(world.send("GET", path, None, None).await.status, 200, "{path}");
    }
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(world.send("POST", path, None, Some(json!({}))).await.status, 405, "{path}");
    }
}

async fn token_issue(world: &World) {
    let (worker, secret) = holder(world);
    let resource = resource(world);
    let lease = world.form("/oauth2/token", &issue(&worker, &secret, &resource)).await.expect(200);
    assert!(lease["access_token"].as_str().unwrap().starts_with("lh_"));
    assert_eq!(
        world.form("/oauth2/token", &issue(&worker, "lhw_wrong", &resource)).await.expect(401)["error"],
        "invalid_client"
    );
    let unknown = world.form("/oauth2/token", &issue(&world.own.id, &secret, &resource)).await;
    assert_eq!(unknown.expect(401)["error"], "invalid_client");
    // One that is not granted and one that is not there look the same.
    let foreign = format!("urn:leasehold:connection:{}", world.connection(&world.foreign).await);
    let missing = format!("urn:leasehold:connection:{}", world.own.id);
    let foreign = world.form("/oauth2/token", &issue(&worker, &secret, &foreign)).await;
    let missing = world.form("/oauth2/token", &issue(&worker, &secret, &missing)).await;
    assert_eq!(foreign.without_request_id(), missing.without_request_id());
    assert_eq!(foreign.expect(400)["error"], "invalid_target");
}

async fn lwa_token_issue(world: &World) {
    let (worker, secret) = holder(world);
    let connection = world.test.connection.to_string();
    world.form("/auth/o2/token", &lwa(&worker, &secret, &connection)).await.expect(200);
    world.form("/auth/o2/token", &lwa(&worker, "lhw_wrong", &connection)).await.expect(401);
    let (_, other) = world.worker().await;
    world.form("/auth/o2/token", &lwa(&worker, &other, &connection)).await.expect(401);
    let foreign = world.form("/auth/o2/token", &lwa(&worker, &secret, &world.connection(&world.foreign).await)).await;
    let missing = world.form("/auth/o2/token", &lwa(&worker, &secret, &world.own.id)).await;
    assert_eq!(foreign.without_request_id(), missing.without_request_id());
    assert_eq!(foreign.expect(400)["error"], "invalid_grant");
}

async fn token_introspect(world: &World) {
    let lease = world.test.lease().await;
    let (worker, secret) = holder(world);
    assert_eq!(world.form("/oauth2/introspect", &about(&lease, &worker, &secret)).await.expect(200)["active"], true);
    let (other, other_secret) = world.worker().await;
    let foreign = world.form("/oauth2/introspect", &about(&lease, &other, &other_secret)).await;
    let none = world.form("/oauth2/introspect", &about("lh_none", &other, &other_secret)).await;
    assert_eq!(foreign.without_request_id(), none.without_request_id());
    assert_eq!(foreign.expect(200), json!({ "active": false }));
    world.form("/oauth2/introspect", &about(&lease, &worker, "lhw_wrong")).await.expect(401);
}

async fn token_revoke(world: &World) {
    let lease = world.test.lease().await;
    let (worker, secret) = holder(world);
    world.form("/oauth2/revoke", &about(&lease, &worker, "lhw_wrong")).await.expect(401);
    assert_eq!(introspected(world, &lease).await["active"], true);
    world.form("/oauth2/revoke", &about(&lease, &worker, &secret)).await.expect(200);
    assert_eq!(introspected(world, &lease).await, json!({ "active": false }));
}

async fn credential_release(world: &World) {
    world.send("POST", "/v1/credential", None, None).await.expect(401);
    world.send("POST", "/v1/credential", Some("lh_none"), None).await.expect(403);
    let lease = world.test.lease().await;
    let handed = world.send("POST", "/v1/credential", Some(&lease), None).await.expect(200);
    assert_eq!(handed["type"], "access_token");
    let (worker, secret) = holder(world);
    world.form("/oauth2/revoke", &about(&lease, &worker, &secret)).await.expect(200);
    world.send("POST", "/v1/credential", Some(&lease), None).await.expect(403);
}

async fn consent_callback(world: &World) {
    refused_page(&world.send("GET", &format!("/callback/{PROVIDER}?state=none"), None, None).await);
    refused_page(&world.send("GET", &format!("/callback/{PROVIDER}"), None, None).await);
    refused_page(&world.send("GET", "/callback/none?state=none", None, None).await);
}

async fn store_visit(world: &World) {
    refused_page(&world.send("GET", &format!("/login/{PROVIDER}"), None, None).await);
    // A visit is sent back only to the provider's own hosts, or this would be an open redirect.
    let elsewhere = "?amazon_callback_uri=https://evil.example/&amazon_state=s&selling_partner_id=A1";
    refused_page(&world.send("GET", &format!("/login/{PROVIDER}{elsewhere}"), None, None).await);
}

async fn discovery_show(world: &World) {
    let path = "/.well-known/oauth-authorization-server";
    assert_eq!(world.send("GET", path, None, None).await.expect(200)["issuer"], "https://vault.example");
    world.send("POST", path, None, None).await.expect(405);
}

#[track_caller]
fn refused_page(answer: &Answer) {
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("Nothing was connected"), "{}", answer.text);
}

/// Introspects a lease as its holder.
pub(super) async fn introspected(world: &World, lease: &str) -> Value {
    let (worker, secret) = holder(world);
    world.form("/oauth2/introspect", &about(lease, &worker, &secret)).await.expect(200)
}

/// Returns the worker that holds the leases of the test vault.
pub(super) fn holder(world: &World) -> (String, String) {
    (world.test.worker.to_string(), world.test.worker_secret.expose().to_owned())
}

pub(super) fn about<'a>(lease: &'a str, client_id: &'a str, client_secret: &'a str) -> [(&'static str, &'a str); 3] {
    [("token", lease), ("client_id", client_id), ("client_secret", client_secret)]
}

fn resource(world: &World) -> String {
    format!("urn:leasehold:connection:{}", world.test.connection)
}

fn issue<'a>(client_id: &'a str, client_secret: &'a str, resource: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("resource", resource),
    ]
}

fn lwa<'a>(client_id: &'a str, client_secret: &'a str, handle: &'a str) -> [(&'static str, &'a str); 4] {
    [
        ("grant_type", "refresh_token"),
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("refresh_token", handle),
    ]
}
