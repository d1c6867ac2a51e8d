//! Listings items 2021-08-01. A change is accepted and told so; like Amazon's, it shows later, and here never.

use super::{
    Amazon,
    caller::{Caller, SellerCall},
    errors::Refusal,
    request::JsonBody,
    sample::{Product, amount, iso},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new().route("/listings/2021-08-01/items/{seller}/{sku}", get(show).patch(change))
}

async fn show(
    State(amazon): State<Amazon>,
    SellerCall(caller): SellerCall,
    Path((seller, sku)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let product = find(&caller, &seller, &sku)?;
    let now = iso(amazon.now());
    let marketplaces = caller.marketplaces("marketplaceIds")?;
    let summaries: Vec<Value> = marketplaces
        .iter()
        .map(|shop| {
            json!({
                "marketplaceId": shop.id,
                "asin": product.asin,
                "productType": product.product_type,
                "conditionType": "new_new",
                "status": ["BUYABLE", "DISCOVERABLE"],
                "itemName": product.title,
                "createdDate": now,
                "lastUpdatedDate": now,
            })
        })
        .collect();
    let offers: Vec<Value> = marketplaces
        .iter()
        .map(|shop| {
            json!({
                "marketplaceId": shop.id,
                "offerType": "B2C",
                "price": { "currencyCode": shop.currency, "amount": amount(product.cents) },
            })
        })
        .collect();
    Ok(Json(json!({
        "sku": product.sku,
        "summaries": summaries,
        "offers": offers,
        "fulfillmentAvailability": [
            { "fulfillmentChannelCode": "DEFAULT", "quantity": product.stock(&caller.seller) },
        ],
    })))
}

/// A JSON Patch (RFC 6902) of listing attributes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(rename = "productType")]
    _product_type: String,
    patches: Vec<Value>,
}

async fn change(
    State(amazon): State<Amazon>,
    SellerCall(caller): SellerCall,
    Path((seller, sku)): Path<(String, String)>,
    JsonBody(change): JsonBody<Change>,
) -> Result<Json<Value>, Refusal> {
    let product = find(&caller, &seller, &sku)?;
    if change.patches.is_empty() {
        return Err(Refusal::InvalidInput("patches must not be empty".into()));
    }
    let submission = amazon.make_id().replace('-', "");
    Ok(Json(json!({ "sku": product.sku, "status": "ACCEPTED", "submissionId": submission, "issues": [] })))
}

/// Finds a listing of the caller's own: another seller's id in the path is refused, whatever the token.
fn find(caller: &Caller, seller: &str, sku: &str) -> Result<&'static Product, Refusal> {
    if seller != caller.seller.selling_partner_id {
        return Err(Refusal::Denied);
    }
    Product::find_sku(sku).ok_or_else(|| Refusal::NotFound(format!("SKU '{sku}' not found.")))
}
