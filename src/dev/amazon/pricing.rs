//! Prices, offers in a batch, and fee estimates.

use super::{
    Amazon,
    caller::SellerCall,
    errors::Refusal,
    marketplace::Marketplace,
    request::JsonBody,
    sample::{Product, iso},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/products/pricing/v0/price", get(prices))
        .route("/batches/products/pricing/v0/itemOffers", post(offers))
        .route("/products/fees/v0/items/{asin}/feesEstimate", post(fees))
}

async fn prices(SellerCall(caller): SellerCall) -> Result<Json<Value>, Refusal> {
    let marketplace = caller.marketplace("MarketplaceId")?;
    let (asins, skus) = (caller.query.list("Asins"), caller.query.list("Skus"));
    if asins.is_empty() && skus.is_empty() {
        return Err(Refusal::InvalidInput("Either Asins or Skus is required".into()));
    }
    let by_asin = asins.iter().map(|asin| (*asin, Product::find_asin(asin)));
    let by_sku = skus.iter().map(|sku| (*sku, Product::find_sku(sku)));
    let payload: Vec<Value> = by_asin
        .chain(by_sku)
        .map(|(name, product)| {
            let Some(product) = product else { return json!({ "status": "ClientError", "ASIN": name }) };
            let price = money(marketplace, product.cents);
            json!({
                "status": "Success",
                "ASIN": product.asin,
                "SellerSKU": product.sku,
                "Product": {
                    "Identifiers": { "MarketplaceASIN": { "MarketplaceId": marketplace.id, "ASIN": product.asin } },
                    "Offers": [{
                        "BuyingPrice": { "ListingPrice": price, "LandedPrice": price },
                        "RegularPrice": price,
                        "FulfillmentChannel": "AMAZON",
                        "ItemCondition": "New",
                        "ItemSubCondition": "New",
                        "SellerSKU": product.sku,
                    }],
                },
            })
        })
        .collect();
    Ok(Json(json!({ "payload": payload })))
}

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Nested>,
}

/// A call inside a call. `uri` and `method` are what a gateway must look at.
#[derive(Deserialize)]
struct Nested {
    uri: String,
    method: String,
    #[serde(rename = "MarketplaceId")]
    marketplace_id: String,
    #[serde(rename = "ItemCondition")]
    item_condition: String,
}

async fn offers(
    State(amazon): State<Amazon>,
    SellerCall(caller): SellerCall,
    JsonBody(batch): JsonBody<Batch>,
) -> Result<Json<Value>, Refusal> {
    if batch.requests.is_empty() || batch.requests.len() > MOST_NESTED {
        return Err(Refusal::InvalidInput(format!("requests must hold between 1 and {MOST_NESTED} entries")));
    }
    let responses: Vec<Value> = batch
        .requests
        .iter()
        .map(|nested| {
            let answer = nested.answer(&caller.seller.marketplaces);
            let (status, reason, body) = match answer {
                Ok(payload) => (200, "OK", json!({ "payload": payload })),
                Err(message) => {
                    let error = json!({ "code": "InvalidInput", "message": message, "details": "" });
                    (400, "Bad Request", json!({ "errors": [error] }))
                }
            };
            json!({
                "headers": { "Date": iso(amazon.now()), "x-amzn-RequestId": amazon.make_id() },
                "status": { "statusCode": status, "reasonPhrase": reason },
                "body": body,
                "request": {
                    "MarketplaceId": nested.marketplace_id,
                    "ItemCondition": nested.item_condition,
                    "Asin": nested.asin(),
                },
            })
        })
        .collect();
    Ok(Json(json!({ "responses": responses })))
}

impl Nested {
    fn asin(&self) -> Option<&str> {
        self.uri.strip_prefix("/products/pricing/v0/items/")?.strip_suffix("/offers")
    }

    fn answer(&self, own: &[String]) -> Result<Value, &'static str> {
        if self.method != "GET" {
            return Err("method must be GET");
        }
        let product = self.asin().and_then(Product::find_asin).ok_or("uri names no known item")?;
        let marketplace = Marketplace::find(&self.marketplace_id).filter(|shop| own.iter().any(|own| own == shop.id));
        let marketplace = marketplace.ok_or("MarketplaceId is invalid")?;
        Ok(json!({
            "marketplaceId": marketplace.id,
            "ASIN": product.asin,
            "ItemCondition": self.item_condition,
            "status": "Success",
            "Identifier": {
                "MarketplaceId": marketplace.id,
                "ASIN": product.asin,
                "ItemCondition": self.item_condition,
            },
            "Summary": { "TotalOfferCount": 1 },
            "Offers": [{
                "SubCondition": "new",
                "ShippingTime": { "minimumHours": 0, "maximumHours": 0, "availabilityType": "NOW" },
                "ListingPrice": money(marketplace, product.cents),
                "Shipping": money(marketplace, 0),
                "IsFulfilledByAmazon": true,
                "IsBuyBoxWinner": true,
            }],
        }))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FeesWanted {
    fees_estimate_request: FeesRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FeesRequest {
    marketplace_id: String,
    #[serde(default)]
    is_amazon_fulfilled: bool,
    price_to_estimate_fees: Value,
    identifier: String,
}

async fn fees(
    State(amazon): State<Amazon>,
    SellerCall(caller): SellerCall,
    Path(asin): Path<String>,
    JsonBody(FeesWanted { fees_estimate_request: wanted }): JsonBody<FeesWanted>,
) -> Result<Json<Value>, Refusal> {
    let marketplace = Marketplace::find(&wanted.marketplace_id)
        .filter(|shop| caller.seller.marketplaces.iter().any(|own| own == shop.id))
        .ok_or_else(|| Refusal::InvalidInput("MarketplaceId is invalid".into()))?;
    let product = Product::find_asin(&asin).ok_or_else(|| Refusal::NotFound(format!("ASIN {asin} was not found.")))?;
    // Amazon's usual referral fee.
    let fee = money(marketplace, product.cents * 15 / 100);
    Ok(Json(json!({ "payload": { "FeesEstimateResult": {
        "Status": "Success",
        "FeesEstimateIdentifier": {
            "MarketplaceId": marketplace.id,
            "SellerId": caller.seller.selling_partner_id,
            "IdType": "ASIN",
            "IdValue": product.asin,
            "IsAmazonFulfilled": wanted.is_amazon_fulfilled,
            "PriceToEstimateFees": wanted.price_to_estimate_fees,
            "SellerInputIdentifier": wanted.identifier,
        },
        "FeesEstimate": {
            "TimeOfFeesEstimation": iso(amazon.now()),
            "TotalFeesEstimate": fee,
            "FeeDetailList": [{ "FeeType": "ReferralFee", "FeeAmount": fee, "FinalFee": fee }],
        },
    }}})))
}

/// Writes money where Amazon's model has a number.
fn money(marketplace: &Marketplace, cents: u64) -> Value {
    json!({ "CurrencyCode": marketplace.currency, "Amount": cents as f64 / 100.0 })
}

const MOST_NESTED: usize = 20;
