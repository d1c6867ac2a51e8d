use crate::databases::{TestDatabase, both_databases};
use crate::test_vault::{MARKETPLACE, TestVault, TestVaultOptions};
use leasehold::{custody::Cut, domain::fence::Fence, gateway::GatewayLimits, policy::Delivery};
use serde_json::{Value, json};

both_databases!(
    a_worker_gets_orders_and_amazon_never_sees_its_lease,
    a_revoked_lease_is_refused_in_amazons_words_and_nothing_reaches_amazon,
    an_expired_a_forged_and_a_missing_lease_are_403,
    what_no_scope_opens_and_what_mints_tokens_is_refused_and_recorded,
    a_lease_bound_to_a_certificate_is_of_no_use_without_it,
    a_lease_for_a_static_credential_may_not_use_the_gateway,
    a_cut_aborts_an_answer_that_is_streaming_and_waits_for_nobody_who_reads,
    the_providers_own_errors_are_told_from_ours,
    a_sealed_vault_lets_nothing_through_and_says_when_to_try_again,
    a_body_beyond_the_limit_is_refused,
);

const ORDERS: &str = "/orders/v0/orders";

async fn details(response: reqwest::Response) -> String {
    assert_eq!(response.headers()["x-leasehold-error"], "vault");
    let body: Value = response.json().await.unwrap();
    body["errors"][0]["details"].as_str().unwrap().to_owned()
}

async fn a_worker_gets_orders_and_amazon_never_sees_its_lease(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    let path = format!("{ORDERS}?MarketplaceIds={MARKETPLACE}&CreatedAfter=2020-01-01");
    let request = test.get(&path, &lease).header("cookie", "a=b").header("x-forwarded-for", "10.0.0.1");
    let response = request.header("authorization", format!("Bearer {lease}")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let request_id = response.headers()["x-leasehold-request-id"].to_str().unwrap().to_owned();
    assert!(!response.headers().contains_key("x-leasehold-error"));
    let body = response.text().await.unwrap();
    assert!(body.contains("Orders"), "{body}");

    let reached = test.reached_amazon(ORDERS).await;
    assert_eq!(reached.len(), 1);
    let headers = reached[0]["headers"].as_object().unwrap();
    assert!(headers["x-amz-access-token"].as_str().unwrap().starts_with("Atza|"));
    assert!(!reached[0].to_string().contains("lh_"), "{}", reached[0]);
    for name in ["cookie", "x-forwarded-for", "authorization"] {
        assert!(!headers.contains_key(name), "{name}");
    }

    let admitted = test.entries("gateway.admitted").await;
    assert_eq!(admitted[0]["details"]["request_id"], request_id);
    assert_eq!(admitted[0]["details"]["template"], ORDERS);
    assert_eq!(admitted[0]["details"]["scopes"], "orders:read");
    let ended = test.entries_once("gateway.ended", 1).await;
    assert_eq!(ended[0]["outcome"], "allowed");
    assert_eq!(ended[0]["details"]["status"], 200);
    assert_eq!(ended[0]["details"]["bytes_down"], body.len());
    assert_eq!(test.vault.in_flight.count(), 0);
}

async fn a_revoked_lease_is_refused_in_amazons_words_and_nothing_reaches_amazon(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    test.raise_connection().await;
    let response = test.get(ORDERS, &lease).send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["x-amzn-errortype"], "AccessDeniedException");
    assert_eq!(details(response).await, "The access token you provided is revoked, malformed or invalid.");
    assert!(test.reached_amazon(ORDERS).await.is_empty());
    assert!(test.entries("gateway.admitted").await.is_empty());
}

async fn an_expired_a_forged_and_a_missing_lease_are_403(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    assert_eq!(test.get(ORDERS, "lh_forged").send().await.unwrap().status(), 403);
    let url = format!("{}{ORDERS}", test.gateway);
    assert_eq!(test.client.get(url).send().await.unwrap().status(), 403);
    test.clock.advance(leasehold::domain::lease::DEFAULT_LIFE);
    let expired = test.get(ORDERS, &lease).send().await.unwrap();
    assert_eq!(expired.status(), 403);
    assert!(!details(expired).await.contains("expired"));
    assert!(test.reached_amazon(ORDERS).await.is_empty());
}

async fn what_no_scope_opens_and_what_mints_tokens_is_refused_and_recorded(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    for path in ["/nothing/v1/here", "/tokens/2021-03-01/restrictedDataToken", "/fba/inventory/v1/summaries"] {
        let response = test.get(path, &lease).send().await.unwrap();
        assert_eq!(response.status(), 403, "{path}");
    }
    let missing = test.get("/fba/inventory/v1/summaries", &lease).send().await.unwrap();
    assert_eq!(details(missing).await, "The lease lacks the scope inventory:read.");
    let refused = test.entries_once("gateway.refused", 3).await;
    let reasons: Vec<_> = refused.iter().map(|entry| entry["details"]["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["off_policy", "token_minting", "scope_missing"]);
    assert!(test.reached_amazon("/fba").await.is_empty());
}

async fn a_lease_bound_to_a_certificate_is_of_no_use_without_it(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease_with(Some([7; 32])).await;
    assert_eq!(test.get(ORDERS, &lease).send().await.unwrap().status(), 403);
    assert!(test.reached_amazon(ORDERS).await.is_empty());
}

async fn a_lease_for_a_static_credential_may_not_use_the_gateway(database: TestDatabase) {
    let options = TestVaultOptions { database, delivery: Delivery::Secret, ..TestVaultOptions::default() };
    let test = TestVault::with(options).await;
    let lease = test.lease().await;
    assert_eq!(test.get(ORDERS, &lease).send().await.unwrap().status(), 403);
}

async fn a_cut_aborts_an_answer_that_is_streaming_and_waits_for_nobody_who_reads(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    test.steer(json!({ "slow_body": {
        "path_prefix": ORDERS, "chunks": 100_000, "chunk_bytes": 16_384, "interval_ms": 1,
    } }))
    .await;
    let mut response = test.get(ORDERS, &lease).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    let epoch = test.raise_connection().await;
    let cut = Cut::Below(Fence { subject: test.connection.as_uuid(), epoch });
    // The worker reads nothing while this waits. Whoever follows raises may have stopped the request first: then none is left.
    assert!(test.vault.in_flight.cut(cut).await <= 1);
    let ended = test.entries_once("gateway.ended", 1).await;
    assert_eq!(ended[0]["outcome"], "cut");
    assert!(ended[0]["details"]["bytes_down"].as_u64().unwrap() > 0);
    let aborted = loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(aborted, "the body must not end cleanly");
}

async fn the_providers_own_errors_are_told_from_ours(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    test.steer(json!({ "path_prefix": ORDERS, "throttle": true })).await;
    let response = test.get(ORDERS, &lease).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["x-leasehold-error"], "provider");
}

async fn a_sealed_vault_lets_nothing_through_and_says_when_to_try_again(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    test.vault.keyring.seal();
    let response = test.get(ORDERS, &lease).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert!(test.reached_amazon(ORDERS).await.is_empty());
}

async fn a_body_beyond_the_limit_is_refused(database: TestDatabase) {
    let limits = GatewayLimits { request_bytes: 10, ..GatewayLimits::default() };
    let options = TestVaultOptions { database, scopes: "listings:write", limits, ..TestVaultOptions::default() };
    let test = TestVault::with(options).await;
    let lease = test.lease().await;
    let url = format!("{}/listings/2021-08-01/items/A2ZV5Q9KQ7MX1D/SKU-1", test.gateway);
    let request = test.client.put(url).header("x-amz-access-token", &lease).body("12345678901");
    assert_eq!(request.send().await.unwrap().status(), 413);
}
