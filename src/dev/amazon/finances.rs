//! Finances v0 and 2024-06-19: what became of the shipped orders.

use super::{
    Amazon,
    caller::SellerCall,
    errors::Refusal,
    sample::{self, Order, iso},
};
use axum::{Json, Router, extract::State, routing::get};
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/finances/v0/financialEvents", get(events))
        .route("/finances/2024-06-19/transactions", get(transactions))
}

async fn events(State(amazon): State<Amazon>, SellerCall(caller): SellerCall) -> Result<Json<Value>, Refusal> {
    let size = caller.query.size("MaxResultsPerPage", 100, 100)?;
    let orders = sample::orders(&caller.seller, amazon.now());
    let shipments: Vec<Value> = orders.iter().filter(|order| order.shipped()).take(size).map(shipment).collect();
    Ok(Json(json!({ "payload": { "FinancialEvents": { "ShipmentEventList": shipments } } })))
}

fn shipment(order: &Order) -> Value {
    let money =
        |cents: u64| json!({ "CurrencyCode": order.marketplace.currency, "CurrencyAmount": cents as f64 / 100.0 });
    let items: Vec<Value> = order
        .lines
        .iter()
        .map(|line| {
            json!({
                "SellerSKU": line.product.sku,
                "OrderItemId": line.id,
                "QuantityShipped": line.quantity,
                "ItemChargeList": [
                    { "ChargeType": "Principal", "ChargeAmount": money(line.product.cents * line.quantity) },
                ],
            })
        })
        .collect();
    json!({
        "AmazonOrderId": order.id,
        "MarketplaceName": order.marketplace.sales_channel(),
        "PostedDate": iso(order.updated_at),
        "ShipmentItemList": items,
    })
}

async fn transactions(State(amazon): State<Amazon>, SellerCall(caller): SellerCall) -> Json<Value> {
    let orders = sample::orders(&caller.seller, amazon.now());
    let transactions: Vec<Value> = orders
        .iter()
        .filter(|order| order.shipped())
        .map(|order| {
            json!({
                "sellingPartnerMetadata": {
                    "sellingPartnerId": caller.seller.selling_partner_id,
                    "accountType": "Standard Orders",
                    "marketplaceId": order.marketplace.id,
                },
                "relatedIdentifiers": [{ "relatedIdentifierName": "ORDER_ID", "relatedIdentifierValue": order.id }],
                "transactionType": "Shipment",
                "transactionId": format!("T-{}", order.id),
                "transactionStatus": "RELEASED",
                "description": "Order payment",
                "postedDate": iso(order.updated_at),
                "totalAmount": {
                    "currencyCode": order.marketplace.currency,
                    "currencyAmount": order.cents() as f64 / 100.0,
                },
            })
        })
        .collect();
    Json(json!({ "payload": { "transactions": transactions } }))
}
