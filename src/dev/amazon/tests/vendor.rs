use super::*;

#[tokio::test]
async fn a_vendor_reads_its_purchase_orders_and_no_others() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_VENDOR).await.access;
    let orders = simulated.get("/vendor/orders/v1/purchaseOrders?limit=3", &access).await.json();
    let orders = orders["payload"]["orders"].as_array().unwrap();
    assert_eq!(orders.len(), 3);
    let path = format!("/vendor/orders/v1/purchaseOrders/{}", orders[0]["purchaseOrderNumber"].as_str().unwrap());
    assert_eq!(simulated.get(&path, &access).await.json()["payload"], orders[0]);
    let other = simulated.connect("amzn1.vg.7790342").await.access;
    simulated.get(&path, &other).await.refused(404, "NotFound", "");
}

#[tokio::test]
async fn acknowledgements_and_shipments_are_accepted_unless_empty() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_VENDOR).await.access;
    let seller = simulated.connect(EU_SELLER).await.access;
    for (path, name) in [
        ("/vendor/orders/v1/acknowledgements", "acknowledgements"),
        ("/vendor/shipping/v1/shipmentConfirmations", "shipmentConfirmations"),
    ] {
        let accepted = simulated.post(path, &access, &json!({ name: [{}] })).await;
        assert_eq!(accepted.status, 202);
        assert!(accepted.json()["payload"]["transactionId"].is_string());
        simulated.post(path, &access, &json!({ name: [] })).await.refused(400, "InvalidInput", "");
        simulated.post(path, &seller, &json!({ name: [{}] })).await.refused(403, "Unauthorized", "");
    }
}

#[tokio::test]
async fn direct_fulfilment_is_restricted() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_VENDOR).await.access;
    let path = "/vendor/directFulfillment/orders/2021-12-28/purchaseOrders";
    assert_eq!(simulated.get(path, &access).await.status, 200);
    simulated.steer(json!({ "restricted_role": false })).await;
    simulated.get(path, &access).await.refused(403, "Unauthorized", "");
}
