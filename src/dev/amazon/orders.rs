//! Orders v0: `/orders/v0/orders` and what lies below one order.

use super::{
    Amazon,
    caller::{Caller, SellerCall, SellerPersonalCall},
    errors::Refusal,
    request::Query,
    sample::{self, Line, Order, amount, iso},
};
use crate::clock::Timestamp;
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/orders/v0/orders", get(list))
        .route("/orders/v0/orders/{id}", get(show))
        .route("/orders/v0/orders/{id}/orderItems", get(items))
        .route("/orders/v0/orders/{id}/address", get(address))
        .route("/orders/v0/orders/{id}/buyerInfo", get(buyer))
        .route("/orders/v0/orders/{id}/orderItems/buyerInfo", get(items_buyer))
        .route("/orders/v0/orders/{id}/regulatedInfo", get(regulated))
}

/// Where the next page begins, and what was asked for on the first.
#[derive(Serialize, Deserialize)]
struct NextToken {
    seller: String,
    from: usize,
    query: String,
}

async fn list(State(amazon): State<Amazon>, SellerCall(mut caller): SellerCall) -> Result<Json<Value>, Refusal> {
    let from = first_of_page(&mut caller)?;
    let marketplaces = caller.marketplaces("MarketplaceIds")?;
    let statuses = caller.query.list("OrderStatuses");
    let channels = caller.query.list("FulfillmentChannels");
    let window = Window::parse(&caller.query)?;
    let size = caller.query.size("MaxResultsPerPage", 100, 100)?;
    let orders = sample::orders(&caller.seller, amazon.now());
    let matching: Vec<&Order> = orders
        .iter()
        .filter(|order| marketplaces.iter().any(|shop| shop.id == order.marketplace.id))
        .filter(|order| statuses.is_empty() || statuses.contains(&order.status))
        .filter(|order| channels.is_empty() || channels.contains(&order.channel))
        .filter(|order| window.holds(order))
        .collect();
    let page: Vec<Value> = matching.iter().skip(from).take(size).map(|order| order_json(order, &caller)).collect();
    let mut payload = json!({ "Orders": page });
    if matching.len() > from + size {
        let next = NextToken {
            seller: caller.seller.selling_partner_id.clone(),
            from: from + size,
            query: caller.query.without("NextToken"),
        };
        payload["NextToken"] = json!(next.encoded());
    }
    let before = if window.by_update() { "LastUpdatedBefore" } else { "CreatedBefore" };
    // Amazon never answers for the last two minutes.
    payload[before] = json!(iso(amazon.now().minus(std::time::Duration::from_mins(2))));
    Ok(Json(json!({ "payload": payload })))
}

/// Returns where this page begins. A page token carries the first page's query, and only its own seller's token opens it.
fn first_of_page(caller: &mut Caller) -> Result<usize, Refusal> {
    let Some(token) = caller.query.one("NextToken") else { return Ok(0) };
    let next = NextToken::decoded(token).filter(|next| next.seller == caller.seller.selling_partner_id);
    let next = next.ok_or_else(|| Refusal::InvalidInput("NextToken is invalid".into()))?;
    caller.query = Query::parse(&next.query);
    Ok(next.from)
}

impl NextToken {
    fn encoded(&self) -> String {
        BASE64URL_NOPAD.encode(&serde_json::to_vec(self).expect("a page token is plain data"))
    }

    fn decoded(text: &str) -> Option<Self> {
        serde_json::from_slice(&BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()
    }
}

/// The span of time that a query asks for; Amazon requires one beginning, and this simulator none.
struct Window {
    created: (Option<Timestamp>, Option<Timestamp>),
    updated: (Option<Timestamp>, Option<Timestamp>),
}

impl Window {
    fn parse(query: &Query) -> Result<Self, Refusal> {
        let moment = |name: &str| query.one(name).map(|text| parse_moment(name, text)).transpose();
        Ok(Self {
            created: (moment("CreatedAfter")?, moment("CreatedBefore")?),
            updated: (moment("LastUpdatedAfter")?, moment("LastUpdatedBefore")?),
        })
    }

    fn by_update(&self) -> bool {
        self.updated.0.is_some()
    }

    fn holds(&self, order: &Order) -> bool {
        let within = |at: Timestamp, (after, before): (Option<Timestamp>, Option<Timestamp>)| {
            after.is_none_or(|after| at >= after) && before.is_none_or(|before| at <= before)
        };
        within(order.purchased_at, self.created) && within(order.updated_at, self.updated)
    }
}

/// Reads an ISO 8601 moment; a bare date begins at midnight UTC, and so does a local time without an offset.
pub(super) fn parse_moment(name: &str, text: &str) -> Result<Timestamp, Refusal> {
    // A `+` that a client left unescaped arrives as a space.
    let text = text.replace(' ', "+");
    let at = text.parse::<jiff::Timestamp>().or_else(|_| {
        let local: jiff::civil::DateTime = text.parse()?;
        jiff::tz::Offset::UTC.to_timestamp(local)
    });
    match at {
        Ok(at) => Ok(Timestamp::from_micros(at.as_microsecond())),
        Err(_) => Err(Refusal::InvalidInput(format!("{name} is not an ISO 8601 date"))),
    }
}

async fn show(
    State(amazon): State<Amazon>,
    SellerCall(caller): SellerCall,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let order = find(&amazon, &caller, &id)?;
    Ok(Json(json!({ "payload": order_json(&order, &caller) })))
}

async fn items(
    State(amazon): State<Amazon>,
    SellerCall(caller): SellerCall,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let order = find(&amazon, &caller, &id)?;
    let items: Vec<Value> = order.lines.iter().map(|line| item_json(&order, line)).collect();
    Ok(Json(json!({ "payload": { "AmazonOrderId": order.id, "OrderItems": items } })))
}

async fn address(
    State(amazon): State<Amazon>,
    SellerPersonalCall(caller): SellerPersonalCall,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let order = find(&amazon, &caller, &id)?;
    Ok(Json(json!({ "payload": { "AmazonOrderId": order.id, "ShippingAddress": address_json(&order) } })))
}

async fn buyer(
    State(amazon): State<Amazon>,
    SellerPersonalCall(caller): SellerPersonalCall,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let order = find(&amazon, &caller, &id)?;
    let mut payload = buyer_json(&order);
    payload["AmazonOrderId"] = json!(order.id);
    Ok(Json(json!({ "payload": payload })))
}

async fn items_buyer(
    State(amazon): State<Amazon>,
    SellerPersonalCall(caller): SellerPersonalCall,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let order = find(&amazon, &caller, &id)?;
    let gift = |line: &Line| json!({ "OrderItemId": line.id, "GiftMessageText": format!("From {}", order.buyer.name) });
    let items: Vec<Value> = order.lines.iter().map(gift).collect();
    Ok(Json(json!({ "payload": { "AmazonOrderId": order.id, "OrderItems": items } })))
}

async fn regulated(
    State(amazon): State<Amazon>,
    SellerPersonalCall(caller): SellerPersonalCall,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let order = find(&amazon, &caller, &id)?;
    Ok(Json(json!({ "payload": {
        "AmazonOrderId": order.id,
        "RegulatedInformation": { "Fields": [] },
        "RequiresDosageLabel": false,
        "RegulatedOrderVerificationStatus": {
            "Status": "Approved", "RequiresMerchantAction": false, "ValidRejectionReasons": [],
        },
    }})))
}

/// Finds one of the caller's own orders; another seller's is not found either.
pub(super) fn find(amazon: &Amazon, caller: &Caller, id: &str) -> Result<Order, Refusal> {
    let orders = sample::orders(&caller.seller, amazon.now());
    let order = orders.into_iter().find(|order| order.id == id);
    order.ok_or_else(|| Refusal::NotFound(format!("Order {id} was not found.")))
}

/// Shows an order. Personal data stands in it only where a restricted data token named it.
fn order_json(order: &Order, caller: &Caller) -> Value {
    let shipped = if order.shipped() { order.units() } else { 0 };
    let mut shown = json!({
        "AmazonOrderId": order.id,
        "PurchaseDate": iso(order.purchased_at),
        "LastUpdateDate": iso(order.updated_at),
        "OrderStatus": order.status,
        "FulfillmentChannel": order.channel,
        "SalesChannel": order.marketplace.sales_channel(),
        "ShipServiceLevel": "Standard",
        "OrderTotal": { "CurrencyCode": order.marketplace.currency, "Amount": amount(order.cents()) },
        "NumberOfItemsShipped": shipped,
        "NumberOfItemsUnshipped": order.units() - shipped,
        "PaymentMethod": "Other",
        "PaymentMethodDetails": ["Standard"],
        "MarketplaceId": order.marketplace.id,
        "ShipmentServiceLevelCategory": "Standard",
        "OrderType": "StandardOrder",
        "IsBusinessOrder": false,
        "IsPrime": order.channel == "AFN",
        "IsPremiumOrder": false,
        "IsGlobalExpressEnabled": false,
        "IsReplacementOrder": false,
        "IsSoldByAB": false,
        "IsISPU": false,
        "IsAccessPointOrder": false,
        "HasRegulatedItems": false,
    });
    if caller.named("shippingAddress") {
        shown["ShippingAddress"] = address_json(order);
    }
    if caller.named("buyerInfo") {
        shown["BuyerInfo"] = buyer_json(order);
    }
    shown
}

fn item_json(order: &Order, line: &Line) -> Value {
    let money = |cents| json!({ "CurrencyCode": order.marketplace.currency, "Amount": amount(cents) });
    json!({
        "ASIN": line.product.asin,
        "SellerSKU": line.product.sku,
        "OrderItemId": line.id,
        "Title": line.product.title,
        "QuantityOrdered": line.quantity,
        "QuantityShipped": if order.shipped() { line.quantity } else { 0 },
        "ProductInfo": { "NumberOfItems": "1" },
        "ItemPrice": money(line.product.cents * line.quantity),
        "ItemTax": money(0),
        "PromotionDiscount": money(0),
        "IsGift": "false",
        "ConditionId": "New",
        "ConditionSubtypeId": "New",
        "IsTransparency": false,
    })
}

fn address_json(order: &Order) -> Value {
    json!({
        "Name": order.buyer.name,
        "AddressLine1": order.buyer.street,
        "City": order.buyer.city,
        "PostalCode": order.buyer.postal_code,
        "CountryCode": order.marketplace.country,
        "Phone": order.buyer.phone,
        "AddressType": "Residential",
    })
}

fn buyer_json(order: &Order) -> Value {
    json!({ "BuyerEmail": order.buyer.email, "BuyerName": order.buyer.name })
}
