use super::*;
use std::collections::HashSet;

fn ids(page: &Value) -> Vec<String> {
    let orders = page["payload"]["Orders"].as_array().unwrap();
    orders.iter().map(|order| order["AmazonOrderId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn orders_come_in_pages_that_neither_repeat_nor_miss_one() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let all = ids(&simulated.get("/orders/v0/orders", &access).await.json());
    assert!(all.len() > 24, "{}", all.len());
    let mut path = format!(
        "/orders/v0/orders?MaxResultsPerPage=7&MarketplaceIds={}",
        "A1PA6795UKMFR9,A13V1IB3VIYZZH,APJ6JRA9NG5V4,A1RKKUPIHCS9HS,A1805IZSGTT6HS,A1F83G8C2ARO7P"
    );
    let mut seen = Vec::new();
    loop {
        let page = simulated.get(&path, &access).await.json();
        seen.extend(ids(&page));
        let Some(next) = page["payload"]["NextToken"].as_str() else { break };
        path = format!("/orders/v0/orders?NextToken={next}");
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn another_sellers_page_token_and_a_made_up_one_are_invalid() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let other = simulated.connect(OTHER_EU_SELLER).await.access;
    let page = simulated.get("/orders/v0/orders?MaxResultsPerPage=1", &access).await.json();
    let path = format!("/orders/v0/orders?NextToken={}", page["payload"]["NextToken"].as_str().unwrap());
    assert_eq!(simulated.get(&path, &access).await.status, 200);
    simulated.get(&path, &other).await.refused(400, "InvalidInput", "");
    simulated.get("/orders/v0/orders?NextToken=x", &access).await.refused(400, "InvalidInput", "");
}

#[tokio::test]
async fn repeated_keys_and_comma_lists_mean_the_same_marketplaces() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let fr = "A13V1IB3VIYZZH";
    let repeated = format!("/orders/v0/orders?MarketplaceIds={DE}&MarketplaceIds={fr}");
    let commas = format!("/orders/v0/orders?MarketplaceIds={DE}%2C{fr}");
    let one = format!("/orders/v0/orders?MarketplaceIds={DE}");
    let repeated = ids(&simulated.get(&repeated, &access).await.json());
    assert_eq!(repeated, ids(&simulated.get(&commas, &access).await.json()));
    assert!(ids(&simulated.get(&one, &access).await.json()).len() < repeated.len());
}

#[tokio::test]
async fn a_marketplace_that_is_not_the_sellers_is_invalid() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    for path in ["/orders/v0/orders?MarketplaceIds=", "/catalog/2022-04-01/items?marketplaceIds="] {
        for id in ["ATVPDKIKX0DER", "nonsense"] {
            simulated.get(&format!("{path}{id}"), &access).await.refused(400, "InvalidInput", "");
        }
    }
}

#[tokio::test]
async fn orders_are_filtered_by_date_and_a_date_must_be_one() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let all = ids(&simulated.get("/orders/v0/orders", &access).await.json()).len();
    // The clock stands at 2026-05-28T20:26:40Z.
    for date in ["2026-05-20", "2026-05-20T00:00:00Z", "2026-05-20T02:00:00+02:00", "2026-05-20T00:00:00"] {
        let path = format!("/orders/v0/orders?CreatedAfter={date}");
        let some = ids(&simulated.get(&path, &access).await.json()).len();
        assert!(some == 13 && some < all, "{date}: {some}");
    }
    simulated.get("/orders/v0/orders?CreatedAfter=yesterday", &access).await.refused(400, "InvalidInput", "");
}

#[tokio::test]
async fn one_sellers_order_does_not_exist_for_another() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let other = simulated.connect(OTHER_EU_SELLER).await.access;
    let own: HashSet<String> = ids(&simulated.get("/orders/v0/orders", &access).await.json()).into_iter().collect();
    assert!(ids(&simulated.get("/orders/v0/orders", &other).await.json()).iter().all(|id| !own.contains(id)));
    let path = format!("/orders/v0/orders/{}", own.iter().next().unwrap());
    assert_eq!(simulated.get(&path, &access).await.status, 200);
    simulated.get(&path, &other).await.refused(404, "NotFound", "");
}

#[tokio::test]
async fn the_catalog_is_searched_and_an_unknown_item_is_not_found() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let found = simulated.get("/catalog/2022-04-01/items?keywords=tent", &access).await.json();
    assert_eq!(found["numberOfResults"], 2);
    let path = format!("/catalog/2022-04-01/items/B0C1LHAA01?marketplaceIds={DE}&includedData=images");
    let item = simulated.get(&path, &access).await.json();
    assert_eq!(item["images"][0]["marketplaceId"], DE);
    assert!(item.get("summaries").is_none());
    simulated.get("/catalog/2022-04-01/items/B000000000", &access).await.refused(404, "NotFound", "");
}

#[tokio::test]
async fn a_listing_is_read_and_changed_under_its_own_seller_only() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let own = format!("/listings/2021-08-01/items/{EU_SELLER}/BO-TENT-2P");
    assert_eq!(simulated.get(&own, &access).await.json()["sku"], "BO-TENT-2P");
    let change = json!({ "productType": "TENT", "patches": [{ "op": "replace", "path": "/attributes/x" }] });
    let body = || Body::from(change.to_string());
    assert_eq!(simulated.call(Method::PATCH, &own, &access, body()).await.json()["status"], "ACCEPTED");
    let foreign = format!("/listings/2021-08-01/items/{OTHER_EU_SELLER}/BO-TENT-2P");
    simulated.get(&foreign, &access).await.refused(403, "Unauthorized", "");
    simulated.call(Method::PATCH, &foreign, &access, body()).await.refused(403, "Unauthorized", "");
}

#[tokio::test]
async fn a_price_batch_answers_each_nested_call_by_itself() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let nested =
        |uri: &str, method: &str| json!({ "uri": uri, "method": method, "MarketplaceId": DE, "ItemCondition": "New" });
    let good = "/products/pricing/v0/items/B0C1LHAA01/offers";
    let batch = json!({ "requests": [nested(good, "GET"), nested(good, "POST"), nested("/orders/v0/orders", "GET")] });
    let answer = simulated.post("/batches/products/pricing/v0/itemOffers", &access, &batch).await.json();
    let statuses: Vec<&Value> =
        answer["responses"].as_array().unwrap().iter().map(|each| &each["status"]["statusCode"]).collect();
    assert_eq!(statuses, [200, 400, 400]);
    let many = json!({ "requests": vec![nested(good, "GET"); 21] });
    let refused = simulated.post("/batches/products/pricing/v0/itemOffers", &access, &many).await;
    refused.refused(400, "InvalidInput", "");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_invalid_input_after_the_token_was_checked() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let path = "/reports/2021-06-30/reports";
    simulated.call(Method::POST, path, &access, Body::from("{")).await.refused(400, "InvalidInput", "");
    assert_eq!(simulated.call(Method::POST, path, "made-up", Body::from("{")).await.status, 403);
}
