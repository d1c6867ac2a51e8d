//! Catalog items 2022-04-01 and FBA inventory v1. The catalog is Amazon's: sellers and vendors see the same one.

use super::{
    Amazon,
    caller::{Caller, SellerCall},
    errors::Refusal,
    marketplace::Marketplace,
    sample::{PRODUCTS, Product, amount, iso},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/catalog/2022-04-01/items", get(search))
        .route("/catalog/2022-04-01/items/{asin}", get(show))
        .route("/fba/inventory/v1/summaries", get(inventory))
}

async fn search(caller: Caller) -> Result<Json<Value>, Refusal> {
    let marketplaces = caller.marketplaces("marketplaceIds")?;
    let identifiers = caller.query.list("identifiers");
    let keywords: Vec<String> = caller.query.list("keywords").into_iter().map(str::to_lowercase).collect();
    let size = caller.query.size("pageSize", 10, 20)?;
    let matching: Vec<&Product> = PRODUCTS
        .iter()
        .filter(|product| {
            identifiers.is_empty() || identifiers.iter().any(|id| *id == product.asin || *id == product.sku)
        })
        .filter(|product| {
            keywords.is_empty() || keywords.iter().any(|word| product.title.to_lowercase().contains(word))
        })
        .collect();
    let items: Vec<Value> = matching.iter().take(size).map(|product| item(product, &caller, &marketplaces)).collect();
    Ok(Json(json!({ "numberOfResults": matching.len(), "items": items })))
}

async fn show(caller: Caller, Path(asin): Path<String>) -> Result<Json<Value>, Refusal> {
    let marketplaces = caller.marketplaces("marketplaceIds")?;
    let missing = || Refusal::NotFound(format!("Requested item '{asin}' not found in the catalog."));
    let product = Product::find_asin(&asin).ok_or_else(missing)?;
    Ok(Json(item(product, &caller, &marketplaces)))
}

fn item(product: &Product, caller: &Caller, marketplaces: &[&Marketplace]) -> Value {
    let wanted = caller.query.list("includedData");
    let mut shown = json!({ "asin": product.asin });
    let mut include = |name: &str, default: bool, value: &dyn Fn(&Marketplace) -> Value| {
        if wanted.contains(&name) || (wanted.is_empty() && default) {
            shown[name] = marketplaces.iter().map(|shop| value(shop)).collect();
        }
    };
    include("summaries", true, &|shop| {
        json!({
            "marketplaceId": shop.id,
            "brand": product.brand,
            "itemClassification": "BASE_PRODUCT",
            "itemName": product.title,
            "manufacturer": product.brand,
            "modelNumber": product.sku,
            "packageQuantity": 1,
            "adultProduct": false,
        })
    });
    include(
        "identifiers",
        false,
        &|shop| json!({ "marketplaceId": shop.id, "identifiers": [{ "identifierType": "SKU", "identifier": product.sku }] }),
    );
    include("productTypes", false, &|shop| json!({ "marketplaceId": shop.id, "productType": product.product_type }));
    include(
        "dimensions",
        false,
        &|shop| json!({ "marketplaceId": shop.id, "item": { "weight": { "unit": "grams", "value": product.grams } } }),
    );
    include("images", false, &|shop| {
        let link = format!("https://m.media-amazon.example/images/I/{}.jpg", product.asin);
        json!({ "marketplaceId": shop.id, "images": [
            { "variant": "MAIN", "link": link, "height": 1000, "width": 1000 },
        ]})
    });
    if wanted.contains(&"attributes") {
        let price = amount(product.cents);
        shown["attributes"] = json!({ "item_name": [{ "value": product.title }], "list_price": [{ "value": price }] });
    }
    shown
}

async fn inventory(State(amazon): State<Amazon>, SellerCall(caller): SellerCall) -> Result<Json<Value>, Refusal> {
    let marketplace = caller.marketplace("marketplaceIds")?;
    let skus = caller.query.list("sellerSkus");
    let updated = iso(amazon.now());
    let summaries: Vec<Value> = PRODUCTS
        .iter()
        .filter(|product| skus.is_empty() || skus.contains(&product.sku))
        .map(|product| {
            let stock = product.stock(&caller.seller);
            json!({
                "asin": product.asin,
                "fnSku": product.asin.replace("B0", "X0"),
                "sellerSku": product.sku,
                "condition": "NewItem",
                "productName": product.title,
                "lastUpdatedTime": updated,
                "totalQuantity": stock,
                "stores": [],
                "inventoryDetails": {
                    "fulfillableQuantity": stock,
                    "inboundWorkingQuantity": 0,
                    "inboundShippedQuantity": 0,
                    "inboundReceivingQuantity": 0,
                },
            })
        })
        .collect();
    Ok(Json(json!({ "payload": {
        "granularity": { "granularityType": "Marketplace", "granularityId": marketplace.id },
        "inventorySummaries": summaries,
    }})))
}
