use super::*;
use std::time::Duration;
use tokio::time::Instant;

const ORDERS: &str = "/orders/v0/orders";

#[tokio::test]
async fn a_throttled_path_is_quota_exceeded_with_its_rate() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    simulated.steer(json!({ "path_prefix": "/orders", "throttle": true, "retry_after_s": 2 })).await;
    let reply = simulated.get(ORDERS, &access).await;
    reply.refused(429, "QuotaExceeded", "");
    assert_eq!((reply.header("x-amzn-ratelimit-limit"), reply.header("retry-after")), ("0.0167", "2"));
    assert_eq!(simulated.get("/sellers/v1/marketplaceParticipations", &access).await.status, 200);
}

#[tokio::test]
async fn what_was_asked_for_a_number_of_times_ends() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    simulated.steer(json!({ "throttle": 2 })).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(simulated.get(ORDERS, &access).await.status);
    }
    assert_eq!(statuses, [429, 429, 200]);
    simulated.steer(json!({ "fail_next": 1, "status": 503 })).await;
    assert_eq!(simulated.get(ORDERS, &access).await.status, 503);
    assert_eq!(simulated.get(ORDERS, &access).await.status, 200);
}

#[tokio::test]
async fn several_rules_hold_at_once_and_both_ways_of_resetting_end_them() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let rules = json!({ "rules": [
        { "path_prefix": "/orders", "status": 500 },
        { "path_prefix": "/catalog", "method": "POST", "status": 500 },
    ]});
    for reset in [Method::POST, Method::DELETE] {
        simulated.steer(rules.clone()).await;
        simulated.get(ORDERS, &access).await.refused(500, "InternalFailure", "");
        assert_eq!(simulated.get("/catalog/2022-04-01/items", &access).await.status, 200);
        simulated.call(reset, "/_sim/control", "", Body::from("{}")).await;
        assert_eq!(simulated.get(ORDERS, &access).await.status, 200);
    }
}

#[tokio::test]
async fn login_with_amazon_fails_in_its_own_words() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    for (failure, status, error) in [
        ("invalid_grant", 400, "invalid_grant"),
        ("invalid_client", 401, "invalid_client"),
        ("unauthorized_client", 400, "unauthorized_client"),
        ("server_error", 500, "server_error"),
        ("temporarily_unavailable", 503, "temporarily_unavailable"),
    ] {
        simulated.steer(json!({ "path_prefix": "/auth/o2/token", "failure": failure, "fail_next": 1 })).await;
        simulated.refresh(&tokens.refresh).await.lwa_refused(status, error);
        assert_eq!(simulated.refresh(&tokens.refresh).await.status, 200, "{failure}");
    }
    simulated.steer(json!({ "throttle": 1 })).await;
    assert_eq!(simulated.refresh(&tokens.refresh).await.status, 429);
}

#[tokio::test]
async fn an_outage_of_403s_looks_like_a_bad_token() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    simulated.steer(json!({ "failure": "unauthorized" })).await;
    let details = "The access token you provided is revoked, malformed or invalid.";
    simulated.get(ORDERS, &access).await.refused(403, "Unauthorized", details);
}

#[tokio::test]
async fn an_empty_answer_is_200_and_nothing() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    simulated.steer(json!({ "failure": "empty" })).await;
    let reply = simulated.refresh(&tokens.refresh).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[tokio::test]
async fn a_truncated_answer_promises_more_than_it_sends() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    simulated.steer(json!({ "failure": "truncated" })).await;
    let request = Request::get(ORDERS).header("x-amz-access-token", &access).body(Body::empty()).unwrap();
    let response = simulated.amazon.router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("content-length"));
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_delay_and_a_hang_hold_the_answer_back() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    simulated.steer(json!({ "path_prefix": "/orders", "delay_ms": 1500 })).await;
    let begun = Instant::now();
    assert_eq!(simulated.get(ORDERS, &access).await.status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    simulated.steer(json!({ "path_prefix": "/orders", "failure": "hang" })).await;
    let patience = tokio::time::timeout(Duration::from_mins(9), simulated.get(ORDERS, &access));
    assert!(patience.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_comes_in_pieces_and_is_still_true() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let slow = json!({ "path_prefix": "/orders", "chunks": 5, "chunk_bytes": 4096, "interval_ms": 1000 });
    simulated.steer(json!({ "slow_body": slow })).await;
    let begun = Instant::now();
    let reply = simulated.get(ORDERS, &access).await;
    assert!(begun.elapsed() >= Duration::from_secs(4));
    assert!(reply.body.len() > 5 * 4096 && reply.json()["payload"]["Orders"].is_array());
    assert!(!reply.headers.contains_key("content-length"));
    // A refusal is told at once.
    assert!(simulated.get(ORDERS, "made-up").await.body.len() < 4096);
}

#[tokio::test]
async fn a_shorter_token_life_is_told_and_kept() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    simulated.steer(json!({ "token_ttl_s": 5 })).await;
    let granted = simulated.refresh(&tokens.refresh).await.json();
    assert_eq!(granted["expires_in"], 5);
    let access = granted["access_token"].as_str().unwrap();
    assert_eq!(simulated.get(ORDERS, access).await.status, 200);
    simulated.clock.advance(Duration::from_secs(5));
    assert_eq!(simulated.get(ORDERS, access).await.status, 403);
}

#[tokio::test]
async fn a_control_that_is_not_known_is_refused_and_changes_nothing() {
    let simulated = Simulated::new();
    simulated.steer(json!({ "throttle": true })).await;
    for control in
        [json!({ "thottle": true }), json!({ "rules": [{ "x": 1 }] }), json!({ "failure": "sulk" }), json!([])]
    {
        let reply = simulated.post("/_sim/control", "", &control).await;
        assert_eq!(reply.status, 400, "{control}");
    }
    assert_eq!(simulated.get(ORDERS, "").await.status, 429);
}

#[tokio::test]
async fn a_seller_can_be_added_and_must_make_sense() {
    let simulated = Simulated::new();
    let seller = |region: &str| {
        json!({
            "selling_partner_id": "A9NEW", "name": "New & Sons", "kind": "seller", "region": region,
            "marketplaces": [DE],
        })
    };
    simulated.post("/_sim/sellers", "", &seller("na")).await.refused(400, "InvalidInput", "");
    assert_eq!(simulated.post("/_sim/sellers", "", &seller("eu")).await.status, 204);
    let access = simulated.connect("A9NEW").await.access;
    assert_eq!(simulated.get(ORDERS, &access).await.status, 200);
}
