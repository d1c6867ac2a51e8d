use crate::test_vault::{MARKETPLACE, TestVault, TestVaultOptions};
use serde_json::{Value, json};

const REPORTS: &str = "/reports/2021-06-30/reports";
const ORDERS_REPORT: &str = "GET_FLAT_FILE_ALL_ORDERS_DATA_BY_ORDER_DATE_GENERAL";
const SETTLEMENT_REPORT: &str = "GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE";

async fn with(scopes: &'static str) -> (TestVault, String) {
    let test = TestVault::with(TestVaultOptions { scopes, ..TestVaultOptions::default() }).await;
    let lease = test.lease().await;
    (test, lease)
}

/// Calls the simulator as somebody who holds a real token: what it saw last.
async fn real_token(test: &TestVault) -> String {
    let token = test.vault.broker.token(test.connection).await.unwrap();
    token.secret.expose().to_owned()
}

async fn create(test: &TestVault, base: &str, token: &str, report_type: &str) -> reqwest::Response {
    let wanted = json!({ "reportType": report_type, "marketplaceIds": [MARKETPLACE] });
    let request = test.client.post(format!("{base}{REPORTS}")).header("x-amz-access-token", token);
    request.json(&wanted).send().await.unwrap()
}

fn scope_of(test: &TestVault, report_type: &str) -> String {
    let provider = test.vault.broker.catalogue().provider("amazon-sp-api").unwrap();
    provider.report_scope(report_type).unwrap().to_string()
}

#[tokio::test]
async fn a_report_and_its_document_are_bound_to_their_type_as_answers_pass() {
    let (test, lease) = with("orders:read orders.pii:read inventory:read finance:read").await;
    let made = create(&test, &test.gateway, &lease, ORDERS_REPORT).await;
    assert_eq!(made.status(), 202);
    let id = made.json::<Value>().await.unwrap()["reportId"].as_str().unwrap().to_owned();
    let report = test.get(&format!("{REPORTS}/{id}"), &lease).send().await.unwrap();
    let report: Value = report.json().await.unwrap();
    let document = report["reportDocumentId"].as_str().unwrap();
    let path = format!("/reports/2021-06-30/documents/{document}");
    assert_eq!(test.get(&path, &lease).send().await.unwrap().status(), 200);
    let unknown = test.get("/reports/2021-06-30/documents/amzn1.spdoc.1.4.eu.nobody-saw-it", &lease);
    assert_eq!(unknown.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_report_that_nobody_saw_is_asked_for_and_refused_where_its_type_is_another_scopes() {
    let (test, lease) = with("orders:read").await;
    assert_eq!(scope_of(&test, SETTLEMENT_REPORT), "finance:read");
    let made = create(&test, &test.amazon, &real_token(&test).await, SETTLEMENT_REPORT).await;
    let id = made.json::<Value>().await.unwrap()["reportId"].as_str().unwrap().to_owned();
    let refused = test.get(&format!("{REPORTS}/{id}"), &lease).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("finance:read"));
    let ended = test.entries_once("gateway.ended", 1).await;
    assert_eq!(ended[0]["outcome"], "refused");
}

#[tokio::test]
async fn a_restricted_path_goes_up_with_a_restricted_token() {
    let (test, lease) = with("orders:read orders.pii:read").await;
    let orders = test.get("/orders/v0/orders", &lease).send().await.unwrap().json::<Value>().await.unwrap();
    let id = orders["payload"]["Orders"][0]["AmazonOrderId"].as_str().unwrap().to_owned();
    let path = format!("/orders/v0/orders/{id}/address");
    assert_eq!(test.get(&path, &lease).send().await.unwrap().status(), 200);
    let reached = test.reached_amazon(&path).await;
    assert!(reached[0]["headers"]["x-amz-access-token"].as_str().unwrap().starts_with("Atz.sprdt|"));
}
