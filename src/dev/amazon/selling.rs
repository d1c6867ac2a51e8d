//! The smaller resources: inbound shipments, notifications, marketplace participations, and rotating the client secret.

use super::{
    Amazon,
    caller::{Caller, GrantlessCall, SellerCall},
    errors::Refusal,
    lwa::{NOTIFICATIONS_SCOPE, ROTATION_SCOPE},
    marketplace::Marketplace,
    request::JsonBody,
    sample::pick,
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use http::StatusCode;
use serde_json::{Map, Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/fba/inbound/v0/shipments", get(shipments))
        .route("/notifications/v1/subscriptions/{type}", get(subscription).post(subscribe))
        .route("/notifications/v1/destinations", get(destinations))
        .route("/sellers/v1/marketplaceParticipations", get(participations))
        .route("/applications/2023-11-30/clientSecret", post(rotate))
}

async fn shipments(SellerCall(caller): SellerCall) -> Json<Value> {
    let home = caller.seller.marketplaces.first().and_then(|id| Marketplace::find(id));
    let country = home.map_or("DE", |shop| shop.country);
    let shown: Vec<Value> = (1..=4)
        .map(|number| {
            let name = pick(&[&caller.seller.selling_partner_id, "inbound", &number.to_string()]);
            json!({
                "ShipmentId": format!("FBA{:09}", name % 1_000_000_000),
                "ShipmentName": format!("Restock {number}"),
                "ShipFromAddress": {
                    "Name": caller.seller.name,
                    "AddressLine1": "Warehouse 1",
                    "City": "Sampletown",
                    "StateOrProvinceCode": "ST",
                    "CountryCode": country,
                    "PostalCode": "10000",
                },
                "DestinationFulfillmentCenterId": "LEJ1",
                "ShipmentStatus": if number == 1 { "WORKING" } else { "RECEIVING" },
                "LabelPrepType": "SELLER_LABEL",
                "AreCasesRequired": false,
            })
        })
        .collect();
    Json(json!({ "payload": { "ShipmentData": shown } }))
}

async fn subscription(caller: Caller, Path(type_name): Path<String>) -> Json<Value> {
    Json(json!({ "payload": subscription_json(&caller, &type_name, "1.0") }))
}

async fn subscribe(
    caller: Caller,
    Path(type_name): Path<String>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Json<Value> {
    let version = body.get("payloadVersion").and_then(Value::as_str).unwrap_or("1.0");
    Json(json!({ "payload": subscription_json(&caller, &type_name, version) }))
}

fn subscription_json(caller: &Caller, type_name: &str, version: &str) -> Value {
    let id = pick(&[&caller.seller.selling_partner_id, type_name]);
    json!({
        "subscriptionId": format!("{id:016x}"),
        "payloadVersion": version,
        "destinationId": format!("{:016x}", pick(&["destination"])),
    })
}

async fn destinations(GrantlessCall(scope): GrantlessCall) -> Result<Json<Value>, Refusal> {
    if scope != NOTIFICATIONS_SCOPE {
        return Err(Refusal::Denied);
    }
    Ok(Json(json!({ "payload": [] })))
}

async fn participations(SellerCall(caller): SellerCall) -> Json<Value> {
    let shops = caller.seller.marketplaces.iter().filter_map(|id| Marketplace::find(id));
    let payload: Vec<Value> = shops
        .map(|shop| {
            json!({
                "marketplace": {
                    "id": shop.id,
                    "name": shop.sales_channel(),
                    "countryCode": shop.country,
                    "defaultCurrencyCode": shop.currency,
                    "defaultLanguageCode": shop.language,
                    "domainName": shop.domain,
                },
                "participation": { "isParticipating": true, "hasSuspendedListings": false },
                "storeName": caller.seller.name,
            })
        })
        .collect();
    Json(json!({ "payload": payload }))
}

/// Rotates the application's client secret. The new one comes by notification only, never in this answer.
async fn rotate(State(amazon): State<Amazon>, GrantlessCall(scope): GrantlessCall) -> Result<StatusCode, Refusal> {
    if scope != ROTATION_SCOPE {
        return Err(Refusal::Denied);
    }
    match amazon.rotate_client_secret() {
        Ok(Ok(())) => Ok(StatusCode::NO_CONTENT),
        Ok(Err(_)) => Err(Refusal::Throttled),
        Err(_) => Err(Refusal::Failed(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}
