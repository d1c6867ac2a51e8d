//! Orders 2026-01-01: search and one order, where `includedData` decides whether personal data comes along.

use super::{
    Amazon,
    caller::{Caller, SellerCall},
    errors::Refusal,
    orders::{find, parse_moment},
    sample::{self, Order, amount, iso},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn routes() -> Router<Amazon> {
    Router::new().route("/orders/2026-01-01/orders", get(search)).route("/orders/2026-01-01/orders/{id}", get(show))
}

async fn search(State(amazon): State<Amazon>, SellerCall(caller): SellerCall) -> Result<Json<Value>, Refusal> {
    let included = Included::parse(&amazon, &caller)?;
    let marketplaces = caller.marketplaces("marketplaceIds")?;
    let size = caller.query.size("maxResultsPerPage", 100, 100)?;
    let from = match caller.query.one("paginationToken") {
        Some(token) => page_from(token)?,
        None => 0,
    };
    let moment = |name: &str| caller.query.one(name).map(|text| parse_moment(name, text)).transpose();
    let (created_after, updated_after) = (moment("createdAfter")?, moment("lastUpdatedAfter")?);
    let orders = sample::orders(&caller.seller, amazon.now());
    let matching: Vec<&Order> = orders
        .iter()
        .filter(|order| marketplaces.iter().any(|shop| shop.id == order.marketplace.id))
        .filter(|order| created_after.is_none_or(|after| order.purchased_at >= after))
        .filter(|order| updated_after.is_none_or(|after| order.updated_at >= after))
        .collect();
    let page: Vec<Value> = matching.iter().skip(from).take(size).map(|order| included.shown(order)).collect();
    let mut answer = json!({ "orders": page, "createdBefore": iso(amazon.now().minus(Duration::from_mins(2))) });
    if matching.len() > from + size {
        let token = BASE64URL_NOPAD.encode((from + size).to_string().as_bytes());
        answer["pagination"] = json!({ "nextToken": token });
    }
    Ok(Json(answer))
}

fn page_from(token: &str) -> Result<usize, Refusal> {
    let text = BASE64URL_NOPAD.decode(token.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let from = text.and_then(|text| text.parse().ok());
    from.ok_or_else(|| Refusal::InvalidInput("paginationToken is invalid".into()))
}

async fn show(
    State(amazon): State<Amazon>,
    SellerCall(caller): SellerCall,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let included = Included::parse(&amazon, &caller)?;
    let order = find(&amazon, &caller, &id)?;
    Ok(Json(json!({ "order": included.shown(&order) })))
}

/// What `includedData` asked for. This version has no restricted data tokens: the role alone decides.
struct Included {
    buyer: bool,
    recipient: bool,
    proceeds: bool,
    fulfillment: bool,
}

impl Included {
    fn parse(amazon: &Amazon, caller: &Caller) -> Result<Self, Refusal> {
        let asked = caller.query.list("includedData");
        let has = |name| asked.contains(&name);
        let included = Self {
            buyer: has("BUYER"),
            recipient: has("RECIPIENT"),
            proceeds: has("PROCEEDS"),
            fulfillment: has("FULFILLMENT"),
        };
        let personal = included.buyer || included.recipient;
        if personal && !amazon.0.control.lock().settings.restricted_role {
            return Err(Refusal::Denied);
        }
        Ok(included)
    }

    fn shown(&self, order: &Order) -> Value {
        let money = |cents| json!({ "amount": amount(cents), "currencyCode": order.marketplace.currency });
        let items: Vec<Value> = order
            .lines
            .iter()
            .map(|line| {
                json!({
                    "orderItemId": line.id,
                    "quantityOrdered": line.quantity,
                    "product": {
                        "asin": line.product.asin,
                        "title": line.product.title,
                        "sellerSku": line.product.sku,
                        "condition": { "conditionType": "NEW", "conditionSubtype": "NEW" },
                        "price": { "unitPrice": money(line.product.cents) },
                    },
                })
            })
            .collect();
        let mut shown = json!({
            "orderId": order.id,
            "createdTime": iso(order.purchased_at),
            "lastUpdatedTime": iso(order.updated_at),
            "programs": if order.channel == "AFN" { json!(["PRIME"]) } else { json!([]) },
            "salesChannel": {
                "channelName": "AMAZON",
                "marketplaceId": order.marketplace.id,
                "marketplaceName": order.marketplace.sales_channel(),
            },
            "orderItems": items,
        });
        if self.buyer {
            shown["buyer"] = json!({ "buyerName": order.buyer.name, "buyerEmail": order.buyer.email });
        }
        if self.recipient {
            shown["recipient"] = json!({ "deliveryAddress": {
                "name": order.buyer.name,
                "addressLine1": order.buyer.street,
                "city": order.buyer.city,
                "postalCode": order.buyer.postal_code,
                "countryCode": order.marketplace.country,
                "phone": order.buyer.phone,
            }});
        }
        if self.proceeds {
            shown["proceeds"] = json!({ "grandTotal": money(order.cents()) });
        }
        if self.fulfillment {
            shown["fulfillment"] = json!({
                "fulfillmentStatus": fulfillment_status(order.status),
                "fulfilledBy": if order.channel == "AFN" { "AMAZON" } else { "MERCHANT" },
                "fulfillmentServiceLevel": "STANDARD",
            });
        }
        shown
    }
}

fn fulfillment_status(status: &str) -> &'static str {
    match status {
        "Pending" => "PENDING",
        "Unshipped" => "UNSHIPPED",
        "Canceled" => "CANCELLED",
        _ => "SHIPPED",
    }
}
