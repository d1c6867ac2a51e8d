use super::*;
use std::time::Duration;

const TOKENS: &str = "/tokens/2021-03-01/restrictedDataToken";

impl Simulated {
    async fn restricted(&self, access: &str, resources: Value) -> String {
        let reply = self.post(TOKENS, access, &json!({ "restrictedResources": resources })).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["expiresIn"], 3600);
        let token = reply.json()["restrictedDataToken"].as_str().unwrap().to_owned();
        assert!(token.starts_with("Atz.sprdt|"));
        token
    }

    async fn first_order(&self, access: &str) -> String {
        let orders = self.get("/orders/v0/orders", access).await.json();
        orders["payload"]["Orders"][0]["AmazonOrderId"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn personal_data_needs_the_role_or_a_restricted_data_token() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let order = simulated.first_order(&access).await;
    let restricted = simulated
        .restricted(
            &access,
            json!([
                { "method": "GET", "path": "/orders/v0/orders/{orderId}/address" },
                { "method": "GET", "path": "/orders/v0/orders/{orderId}/buyerInfo" },
                { "method": "GET", "path": "/orders/v0/orders/{orderId}/orderItems/buyerInfo" },
                { "method": "GET", "path": "/orders/v0/orders/{orderId}/regulatedInfo" },
            ]),
        )
        .await;
    for leaf in ["address", "buyerInfo", "orderItems/buyerInfo", "regulatedInfo"] {
        let path = format!("/orders/v0/orders/{order}/{leaf}");
        assert_eq!(simulated.get(&path, &access).await.status, 200, "{leaf}");
        simulated.steer(json!({ "restricted_role": false })).await;
        simulated.get(&path, &access).await.refused(403, "Unauthorized", "");
        assert_eq!(simulated.get(&path, &restricted).await.status, 200, "{leaf}");
        simulated.steer(json!({})).await;
    }
}

#[tokio::test]
async fn a_restricted_data_token_opens_what_it_names_for_an_hour() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let order = simulated.first_order(&access).await;
    let one = format!("/orders/v0/orders/{order}/address");
    let restricted = simulated.restricted(&access, json!([{ "method": "GET", "path": one }])).await;
    assert_eq!(simulated.get(&one, &restricted).await.status, 200);
    simulated.get("/orders/v0/orders", &restricted).await.refused(403, "Unauthorized", "");
    simulated.get("/orders/v0/orders/other/address", &restricted).await.refused(403, "Unauthorized", "");
    simulated.clock.advance(Duration::from_hours(1));
    assert_eq!(simulated.get(&one, &restricted).await.status, 403);
}

#[tokio::test]
async fn a_list_of_orders_shows_people_only_to_a_token_that_names_them() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let plain = simulated.get("/orders/v0/orders", &access).await.text();
    assert!(!plain.contains("BuyerName") && !plain.contains("ShippingAddress"));
    let named = json!([{ "method": "GET", "path": "/orders/v0/orders", "dataElements": ["buyerInfo"] }]);
    let restricted = simulated.restricted(&access, named).await;
    let shown = simulated.get("/orders/v0/orders", &restricted).await.text();
    assert!(shown.contains("BuyerName") && !shown.contains("ShippingAddress"));
}

#[tokio::test]
async fn restricted_resources_are_bounded_and_known() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let resource = json!({ "method": "GET", "path": "/orders/v0/orders" });
    let fifty = Value::Array(vec![resource.clone(); 50]);
    simulated.restricted(&access, fifty).await;
    for resources in [
        Value::Array(vec![resource; 51]),
        json!([]),
        json!([{ "method": "GET", "path": "/sellers/v1/marketplaceParticipations" }]),
        json!([{ "method": "POST", "path": "/orders/v0/orders" }]),
        json!([{ "method": "GET", "path": "/reports/2021-06-30/documents/{reportDocumentId}" }]),
        json!([{ "method": "GET", "path": "/orders/v0/orders", "dataElements": ["shoeSize"] }]),
    ] {
        let reply = simulated.post(TOKENS, &access, &json!({ "restrictedResources": resources })).await;
        reply.refused(400, "InvalidInput", "");
    }
    let report = json!([{ "method": "GET", "path": "/reports/2021-06-30/documents/amzn1.spdoc.1" }]);
    simulated.restricted(&access, report).await;
}

#[tokio::test]
async fn an_application_without_the_role_gets_no_restricted_data_token() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    simulated.steer(json!({ "restricted_role": false })).await;
    let wanted = json!({ "restrictedResources": [{ "method": "GET", "path": "/orders/v0/orders" }] });
    simulated.post(TOKENS, &access, &wanted).await.refused(403, "Unauthorized", "");
}

#[tokio::test]
async fn in_the_newer_orders_the_query_asks_for_personal_data() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let plain = simulated.get("/orders/2026-01-01/orders", &access).await.json();
    assert!(plain["orders"][0].get("recipient").is_none());
    let path = "/orders/2026-01-01/orders?includedData=BUYER,RECIPIENT";
    let asked = simulated.get(path, &access).await.json();
    assert!(asked["orders"][0]["recipient"]["deliveryAddress"]["name"].is_string());
    simulated.steer(json!({ "restricted_role": false })).await;
    simulated.get(path, &access).await.refused(403, "Unauthorized", "");
}
