//! The vendor APIs: purchase orders, acknowledgements, shipment confirmations and direct fulfilment.

use super::{
    Amazon,
    caller::{VendorCall, VendorPersonalCall},
    errors::Refusal,
    marketplace::Seller,
    request::JsonBody,
    sample::{self, Order, amount, iso},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/vendor/orders/v1/purchaseOrders", get(list))
        .route("/vendor/orders/v1/purchaseOrders/{number}", get(show))
        .route("/vendor/orders/v1/acknowledgements", post(acknowledge))
        .route("/vendor/shipping/v1/shipmentConfirmations", post(confirm_shipments))
        .route("/vendor/directFulfillment/orders/2021-12-28/purchaseOrders", get(direct))
}

async fn list(State(amazon): State<Amazon>, VendorCall(caller): VendorCall) -> Result<Json<Value>, Refusal> {
    let size = caller.query.size("limit", 100, 100)?;
    let orders = sample::orders(&caller.seller, amazon.now());
    let shown: Vec<Value> = orders.iter().take(size).map(|order| order_json(order, &caller.seller)).collect();
    Ok(Json(json!({ "payload": { "orders": shown } })))
}

async fn show(
    State(amazon): State<Amazon>,
    VendorCall(caller): VendorCall,
    Path(number): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let orders = sample::orders(&caller.seller, amazon.now());
    let order = orders.iter().find(|order| purchase_order_number(order) == number);
    let order = order.ok_or_else(|| Refusal::NotFound(format!("Purchase order {number} was not found.")))?;
    Ok(Json(json!({ "payload": order_json(order, &caller.seller) })))
}

/// Returns eight characters that follow from the order's id, as vendors know their purchase orders.
fn purchase_order_number(order: &Order) -> String {
    let digits: String = order.id.chars().rev().filter(char::is_ascii_digit).take(7).collect();
    format!("L{digits}")
}

fn order_json(order: &Order, vendor: &Seller) -> Value {
    let items: Vec<Value> = order
        .lines
        .iter()
        .zip(1..)
        .map(|(line, number)| {
            let cost = json!({
                // Amazon buys at about two thirds of what it sells at.
                "amount": amount(line.product.cents * 2 / 3),
                "currencyCode": order.marketplace.currency,
            });
            json!({
                "itemSequenceNumber": number.to_string(),
                "amazonProductIdentifier": line.product.asin,
                "vendorProductIdentifier": line.product.sku,
                "orderedQuantity": { "amount": line.quantity * 12, "unitOfMeasure": "Eaches", "unitSize": 1 },
                "isBackOrderAllowed": false,
                "netCost": cost,
            })
        })
        .collect();
    let window_ends = order.purchased_at.plus(Duration::from_hours(24 * 7));
    json!({
        "purchaseOrderNumber": purchase_order_number(order),
        "purchaseOrderState": match order.status {
            "Pending" | "Unshipped" => "New",
            "Shipped" => "Acknowledged",
            _ => "Closed",
        },
        "orderDetails": {
            "purchaseOrderDate": iso(order.purchased_at),
            "purchaseOrderStateChangedDate": iso(order.updated_at),
            "purchaseOrderType": "RegularOrder",
            "paymentMethod": "Invoice",
            "buyingParty": { "partyId": "AMAZ1" },
            "sellingParty": { "partyId": vendor.selling_partner_id },
            "shipToParty": { "partyId": "LEJ1" },
            "billToParty": { "partyId": "AMAZ1" },
            "deliveryWindow": format!("{}--{}", iso(order.purchased_at), iso(window_ends)),
            "items": items,
        },
    })
}

#[derive(Deserialize)]
struct Acknowledgements {
    acknowledgements: Vec<Value>,
}

async fn acknowledge(
    State(amazon): State<Amazon>,
    VendorCall(_): VendorCall,
    JsonBody(body): JsonBody<Acknowledgements>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    accepted(&amazon, &body.acknowledgements, "acknowledgements")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Confirmations {
    shipment_confirmations: Vec<Value>,
}

async fn confirm_shipments(
    State(amazon): State<Amazon>,
    VendorCall(_): VendorCall,
    JsonBody(body): JsonBody<Confirmations>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    accepted(&amazon, &body.shipment_confirmations, "shipmentConfirmations")
}

fn accepted(amazon: &Amazon, entries: &[Value], name: &str) -> Result<(StatusCode, Json<Value>), Refusal> {
    if entries.is_empty() {
        return Err(Refusal::InvalidInput(format!("{name} must not be empty")));
    }
    Ok((StatusCode::ACCEPTED, Json(json!({ "payload": { "transactionId": amazon.make_id() } }))))
}

/// Lists orders that the vendor sends straight to customers, with their names and addresses.
async fn direct(
    State(amazon): State<Amazon>,
    VendorPersonalCall(caller): VendorPersonalCall,
) -> Result<Json<Value>, Refusal> {
    let size = caller.query.size("limit", 100, 100)?;
    let orders = sample::orders(&caller.seller, amazon.now());
    let shown: Vec<Value> = orders.iter().take(size).map(|order| direct_json(order, &caller.seller)).collect();
    Ok(Json(json!({ "orders": shown })))
}

fn direct_json(order: &Order, vendor: &Seller) -> Value {
    let items: Vec<Value> = order
        .lines
        .iter()
        .zip(1..)
        .map(|(line, number)| {
            json!({
                "itemSequenceNumber": number.to_string(),
                "buyerProductIdentifier": line.product.asin,
                "vendorProductIdentifier": line.product.sku,
                "title": line.product.title,
                "orderedQuantity": { "amount": line.quantity, "unitOfMeasure": "Each" },
                "netPrice": { "amount": amount(line.product.cents), "currencyCode": order.marketplace.currency },
            })
        })
        .collect();
    json!({
        "purchaseOrderNumber": purchase_order_number(order),
        "orderDetails": {
            "customerOrderNumber": order.id,
            "orderDate": iso(order.purchased_at),
            "orderStatus": "NEW",
            "shipmentDetails": {
                "isPriorityShipment": false,
                "isPslipRequired": false,
                "shipMethod": "DHL",
                "shipmentDates": { "requiredShipDate": iso(order.updated_at) },
                "messageToCustomer": "",
            },
            "sellingParty": { "partyId": vendor.selling_partner_id },
            "shipFromParty": { "partyId": vendor.selling_partner_id },
            "billToParty": { "partyId": "AMAZ1" },
            "shipToParty": {
                "name": order.buyer.name,
                "addressLine1": order.buyer.street,
                "city": order.buyer.city,
                "stateOrRegion": order.buyer.city,
                "postalCode": order.buyer.postal_code,
                "countryCode": order.marketplace.country,
                "phone": order.buyer.phone,
            },
            "items": items,
        },
    })
}
