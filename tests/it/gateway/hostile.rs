//! Requests as attackers write them, byte for byte on the gateway's own socket, with a live lease: nothing that the
//! provider's file does not open may reach the provider.

use crate::{
    hostile_paths::hostile_variants,
    raw_http::{RawAnswer, RawHttp},
    test_vault::TestVault,
};
use leasehold::{
    broker::provider::{Catalogue, Match},
    policy::{CanonicalTarget, Method, ScopeSet},
};
use serde_json::Value;

const ORDERS: &str = "/orders/v0/orders";
const ALLOWED: &[&str] =
    &[ORDERS, "/orders/v0/orders/902-3159896-1390916", "/orders/v0/orders/902-3159896-1390916/orderItems"];
const SCOPES: &str = "orders:read";
/// A worker's connection is not kept longer than this many requests.
const A_CONNECTION: usize = 200;

/// Returns what reached the simulator's API, without what the tests themselves ask of it.
async fn reached(test: &TestVault) -> Vec<Value> {
    let all = test.reached_amazon("").await;
    let ours = ["/_sim/", "/apps/", "/auth/o2/token"];
    all.into_iter()
        .filter(|entry| !ours.iter().any(|prefix| entry["path"].as_str().unwrap().starts_with(prefix)))
        .collect()
}

/// Says whether the provider's file opens what reached the simulator to the lease's scopes.
fn is_on_policy(entry: &Value) -> bool {
    let catalogue = Catalogue::built_in();
    let provider = catalogue.provider("amazon-sp-api").unwrap();
    let held: ScopeSet = SCOPES.parse().unwrap();
    let text = |name: &str| entry[name].as_str().unwrap();
    let target = match text("query") {
        "" => text("path").to_owned(),
        query => format!("{}?{query}", text("path")),
    };
    let Ok(target) = CanonicalTarget::parse(&target) else { return false };
    let Some(method) = Method::parse(text("method")) else { return false };
    match provider.match_target(method, &target) {
        Match::Route(route) => provider.demand(route, &target, b"").is_ok_and(|demand| demand.is_met_by(&held)),
        _ => false,
    }
}

/// Sends one request on a connection of its own.
async fn ask(test: &TestVault, request: &str) -> Option<RawAnswer> {
    let mut raw = RawHttp::connect(&test.gateway, &test.ca_pem).await;
    raw.send(request.as_bytes()).await;
    raw.answer().await
}

#[tokio::test]
async fn no_hostile_way_to_write_an_allowed_path_reaches_amazon_off_policy() {
    let test = TestVault::start().await;
    let lease = test.lease().await;
    let variants = hostile_variants(ALLOWED);
    assert!(variants.len() >= 500, "{}", variants.len());
    let mut raw = RawHttp::connect(&test.gateway, &test.ca_pem).await;
    let (mut refused, mut passed) = (0, Vec::new());
    let mut sent = 0;
    for variant in &variants {
        let request = format!("GET {variant} HTTP/1.1\r\nHost: localhost\r\nx-amz-access-token: {lease}\r\n\r\n");
        sent += 1;
        if sent % A_CONNECTION == 0 {
            raw = RawHttp::connect(&test.gateway, &test.ca_pem).await;
        }
        raw.send(request.as_bytes()).await;
        match raw.answer().await {
            Some(RawAnswer { status: 200, .. }) => passed.push(variant),
            Some(answer) => {
                assert!((400..500).contains(&answer.status), "{variant:?}: {}", answer.status);
                refused += 1;
                let closes = answer.head.contains("connection: close") || !answer.head.contains("x-leasehold-error");
                if closes || !answer.complete {
                    raw = RawHttp::connect(&test.gateway, &test.ca_pem).await;
                }
            }
            None => {
                refused += 1;
                raw = RawHttp::connect(&test.gateway, &test.ca_pem).await;
            }
        }
    }
    // A fragment is no part of what is asked for: HTTP leaves it out, and so does what goes up.
    passed.retain(|variant| !variant.contains('#'));
    assert!(passed.is_empty(), "{passed:?}");
    assert!(refused >= 500);
    for entry in reached(&test).await {
        assert!(is_on_policy(&entry), "{entry}");
        assert!(!entry.to_string().contains("lh_"), "{entry}");
    }
}

#[tokio::test]
async fn two_leases_an_overridden_method_and_an_absolute_target_are_refused() {
    let test = TestVault::start().await;
    let (lease, other) = (test.lease().await, test.lease().await);
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nx-amz-access-token: {lease}\r\n{headers}\r\n")
    };
    let absolute = format!("{}{ORDERS}", test.amazon);
    let port = url::Url::parse(&test.gateway).unwrap().port().unwrap();
    for request in [
        get(ORDERS, &format!("x-amz-access-token: {other}\r\n")),
        get(ORDERS, &format!("Authorization: Bearer {other}\r\n")),
        get(ORDERS, "X-HTTP-Method-Override: DELETE\r\n"),
        get(ORDERS, "x-http-method: PUT\r\n"),
        get(ORDERS, "X-Method-Override: POST\r\n"),
        get(ORDERS, "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
        get(&absolute, ""),
        get(&format!("https://localhost:{port}{ORDERS}"), ""),
        get(&format!("//evil.example{ORDERS}"), ""),
        get("*", ""),
        format!("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\nx-amz-access-token: {lease}\r\n\r\n"),
        format!("TRACE {ORDERS} HTTP/1.1\r\nHost: localhost\r\nx-amz-access-token: {lease}\r\n\r\n"),
        format!("GET {ORDERS} HTTP/1.1\r\nHost: localhost\r\nx-amz-access-token : {lease}\r\n\r\n"),
        get(ORDERS, "Content-Length: 3\r\nContent-Length: 4\r\n"),
        get(ORDERS, "Transfer-Encoding: chunked, identity\r\n"),
    ] {
        if let Some(answer) = ask(&test, &request).await {
            assert!((400..500).contains(&answer.status), "{request}\n{}", answer.head);
        }
    }
    assert!(reached(&test).await.is_empty());
    assert!(test.entries("gateway.admitted").await.is_empty());
}

#[tokio::test]
async fn a_host_and_forwarding_headers_of_others_change_nothing() {
    let test = TestVault::start().await;
    let lease = test.lease().await;
    let request = format!(
        "GET {ORDERS} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Original-URL: /tokens\r\n\
         X-Rewrite-URL: /tokens\r\nForwarded: host=evil.example\r\nx-amz-access-token: {lease}\r\n\r\n"
    );
    assert_eq!(ask(&test, &request).await.unwrap().status, 200);
    let reached = reached(&test).await;
    assert_eq!((reached.len(), &reached[0]["path"]), (1, &Value::from(ORDERS)));
    assert!(!reached[0].to_string().contains("evil.example"), "{}", reached[0]);
    assert!(!reached[0]["headers"].to_string().contains("/tokens"), "{}", reached[0]);
}

#[tokio::test]
async fn a_body_smuggled_past_one_of_two_framings_is_no_second_request() {
    let test = TestVault::start().await;
    let lease = test.lease().await;
    let smuggled =
        format!("GET /fba/inventory/v1/summaries HTTP/1.1\r\nHost: a\r\nx-amz-access-token: {lease}\r\n\r\n");
    let length = smuggled.len() + 5;
    let request = format!(
        "GET {ORDERS} HTTP/1.1\r\nHost: localhost\r\nx-amz-access-token: {lease}\r\nContent-Length: {length}\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    );
    let mut raw = RawHttp::connect(&test.gateway, &test.ca_pem).await;
    raw.send(request.as_bytes()).await;
    let first = raw.answer().await.map(|answer| answer.status);
    assert!(raw.answer().await.is_none(), "the connection is closed after the first answer ({first:?})");
    assert!(reached(&test).await.iter().all(is_on_policy));
    assert!(reached(&test).await.len() <= 1);
}

#[tokio::test]
async fn naming_the_token_header_in_connection_takes_nothing_of_the_vaults_out() {
    let test = TestVault::start().await;
    let lease = test.lease().await;
    let request = format!(
        "GET {ORDERS} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, x-amz-access-token, authorization, host\r\n\
         x-amz-access-token: {lease}\r\n\r\n"
    );
    ask(&test, &request).await;
    for entry in reached(&test).await {
        let token = entry["headers"]["x-amz-access-token"].as_str().unwrap_or_default();
        assert!(token.starts_with("Atza|"), "{entry}");
        assert!(!entry.to_string().contains("lh_"), "{entry}");
    }
}
