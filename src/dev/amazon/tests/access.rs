use super::*;

const BAD: &str = "The access token you provided is revoked, malformed or invalid.";
const MISSING: &str = "Access token is missing in the request header.";

/// A path of every resource, with the kind of account that has a role for it.
const SELLER_PATHS: &[&str] = &[
    "/orders/v0/orders",
    "/orders/v0/orders/x",
    "/orders/v0/orders/x/orderItems",
    "/orders/v0/orders/x/address",
    "/orders/v0/orders/x/buyerInfo",
    "/orders/v0/orders/x/orderItems/buyerInfo",
    "/orders/v0/orders/x/regulatedInfo",
    "/orders/2026-01-01/orders",
    "/orders/2026-01-01/orders/x",
    "/fba/inventory/v1/summaries",
    "/listings/2021-08-01/items/A2ZV5Q9KQ7MX1D/BO-TENT-2P",
    "/products/pricing/v0/price",
    "/finances/v0/financialEvents",
    "/finances/2024-06-19/transactions",
    "/fba/inbound/v0/shipments",
    "/sellers/v1/marketplaceParticipations",
];
const VENDOR_PATHS: &[&str] = &[
    "/vendor/orders/v1/purchaseOrders",
    "/vendor/orders/v1/purchaseOrders/x",
    "/vendor/directFulfillment/orders/2021-12-28/purchaseOrders",
];
const SHARED_PATHS: &[&str] = &[
    "/catalog/2022-04-01/items",
    "/catalog/2022-04-01/items/B0C1LHAA01",
    "/reports/2021-06-30/reports",
    "/reports/2021-06-30/reports/1",
    "/reports/2021-06-30/documents/1",
    "/feeds/2021-06-30/feeds",
    "/feeds/2021-06-30/feeds/1",
    "/feeds/2021-06-30/documents/1",
    "/notifications/v1/subscriptions/ORDER_CHANGE",
];

#[tokio::test]
async fn every_resource_wants_a_token_and_a_good_one() {
    let simulated = Simulated::new();
    for path in [SELLER_PATHS, VENDOR_PATHS, SHARED_PATHS].concat() {
        let bare = simulated.send(Request::get(path).body(Body::empty()).unwrap()).await;
        bare.refused(403, "Unauthorized", MISSING);
        for token in ["Atza|made-up", "made-up", "lh_lease", "Atz.sprdt|made-up"] {
            let reply = simulated.get(path, token).await;
            reply.refused(403, "Unauthorized", BAD);
            assert_eq!(reply.header("x-amzn-errortype"), "AccessDeniedException");
        }
    }
}

#[tokio::test]
async fn sellers_have_no_role_for_vendors_operations_nor_vendors_for_sellers() {
    let simulated = Simulated::new();
    let seller = simulated.connect(EU_SELLER).await.access;
    let vendor = simulated.connect(EU_VENDOR).await.access;
    for path in VENDOR_PATHS {
        simulated.get(path, &seller).await.refused(403, "Unauthorized", "");
    }
    for path in SELLER_PATHS {
        simulated.get(path, &vendor).await.refused(403, "Unauthorized", "");
    }
    for path in SHARED_PATHS {
        assert_ne!(simulated.get(path, &vendor).await.status, 403, "{path}");
        assert_ne!(simulated.get(path, &seller).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_denied_without_details() {
    let simulated = Simulated::new();
    let seller = simulated.connect(EU_SELLER).await.access;
    for path in ["/", "/orders/v1/orders", "/orders/v0/orders/x/y", "/robots.txt"] {
        let reply = simulated.get(path, &seller).await;
        reply.refused(403, "Unauthorized", "");
        assert_eq!(reply.header("x-amzn-errortype"), "AccessDeniedException");
    }
    simulated.post("/orders/v0/orders", &seller, &json!({})).await.refused(403, "Unauthorized", "");
}

#[tokio::test]
async fn a_token_of_another_region_is_bad() {
    let simulated = Simulated::new();
    let seller = simulated.connect(EU_SELLER).await.access;
    let at = |host: &str| {
        let request = Request::get("/orders/v0/orders").header(header::HOST, host.to_owned());
        request.header("x-amz-access-token", seller.clone()).body(Body::empty()).unwrap()
    };
    for host in ["na.localhost:8445", "fe.localhost"] {
        simulated.send(at(host)).await.refused(403, "Unauthorized", BAD);
    }
    for host in ["eu.localhost:8445", "127.0.0.1:8445", "localhost"] {
        assert_eq!(simulated.send(at(host)).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn a_grantless_token_opens_no_sellers_data_and_a_sellers_token_no_grantless_operation() {
    let simulated = Simulated::new();
    let grantless = simulated.grantless("sellingpartnerapi::notifications").await;
    simulated.get("/orders/v0/orders", &grantless).await.refused(403, "Unauthorized", "");
    assert_eq!(simulated.get("/notifications/v1/destinations", &grantless).await.status, 200);
    let seller = simulated.connect(EU_SELLER).await.access;
    simulated.get("/notifications/v1/destinations", &seller).await.refused(403, "Unauthorized", "");
    simulated.get("/notifications/v1/destinations", "made-up").await.refused(403, "Unauthorized", BAD);
    simulated.clock.advance(std::time::Duration::from_hours(1));
    simulated.get("/notifications/v1/destinations", &grantless).await.refused(403, "Unauthorized", BAD);
}

#[tokio::test]
async fn answers_carry_a_request_id_and_all_but_403_a_rate() {
    let simulated = Simulated::new();
    let seller = simulated.connect(EU_SELLER).await.access;
    let good = simulated.get("/orders/v0/orders", &seller).await;
    assert_eq!(good.header("x-amzn-ratelimit-limit"), "0.0167");
    assert_eq!(good.header("x-amzn-requestid").len(), 36);
    let missing = simulated.get("/orders/v0/orders/nothing", &seller).await;
    assert_eq!((missing.status, missing.header("x-amzn-ratelimit-limit")), (404, "0.5"));
    let denied = simulated.get("/orders/v0/orders", "made-up").await;
    assert_eq!(denied.header("x-amzn-ratelimit-limit"), "");
    assert_eq!(denied.header("x-amzn-requestid").len(), 36);
}
