//! Restricted data tokens: `POST /tokens/2021-03-01/restrictedDataToken`.

use super::{
    Amazon,
    caller::Caller,
    errors::Refusal,
    request::JsonBody,
    token::{derive_fingerprint, make_opaque},
};
use crate::clock::Timestamp;
use axum::{Json, Router, extract::State, routing::post};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};

/// The restricted data tokens that live, by fingerprint. Unlike access tokens they are remembered and end with the
/// process: fifty resources would not fit into a token of 2,048 bytes.
pub(super) type RestrictedTokens = HashMap<String, RestrictedToken>;

/// What one restricted data token opens.
#[derive(Clone)]
pub(super) struct RestrictedToken {
    pub(super) seller: String,
    dies_at: Timestamp,
    resources: Vec<Resource>,
}

/// What a restricted data token named for one path: `buyerInfo`, `shippingAddress`, `buyerTaxInformation`.
pub(super) type Restriction = Vec<String>;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Resource {
    method: String,
    path: String,
    #[serde(default)]
    data_elements: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    restricted_resources: Vec<Resource>,
}

impl RestrictedToken {
    /// Returns what this token named for a request, or `None` where it did not name the request at all.
    pub(super) fn naming(&self, method: &Method, path: &str) -> Option<Restriction> {
        let named = |resource: &&Resource| resource.method == method.as_str() && matches(&resource.path, path);
        let resource = self.resources.iter().find(named)?;
        Some(resource.data_elements.clone().unwrap_or_default())
    }
}

impl Amazon {
    /// Finds a restricted data token that lives.
    pub(super) fn restricted_find(&self, token: &str) -> Option<RestrictedToken> {
        if !token.starts_with(PREFIX) {
            return None;
        }
        let now = self.now();
        let found = self.0.restricted.lock().get(&derive_fingerprint(token)).cloned();
        found.filter(|found| now < found.dies_at)
    }
}

pub(super) fn routes() -> Router<Amazon> {
    Router::new().route("/tokens/2021-03-01/restrictedDataToken", post(create))
}

async fn create(
    State(amazon): State<Amazon>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<Json<Value>, Refusal> {
    if !amazon.0.control.lock().settings.restricted_role || caller.restriction.is_some() {
        return Err(Refusal::Denied);
    }
    let resources = wanted.restricted_resources;
    if resources.is_empty() || resources.len() > MOST_RESOURCES {
        let message = format!("restrictedResources must hold between 1 and {MOST_RESOURCES} resources");
        return Err(Refusal::InvalidInput(message));
    }
    for resource in &resources {
        resource.check()?;
    }
    let token = make_opaque(PREFIX, amazon.entropy());
    let now = amazon.now();
    let restricted = RestrictedToken { seller: caller.seller.selling_partner_id, dies_at: now.plus(TTL), resources };
    let mut tokens = amazon.0.restricted.lock();
    tokens.retain(|_, token| now < token.dies_at);
    tokens.insert(derive_fingerprint(&token), restricted);
    Ok(Json(json!({ "restrictedDataToken": token, "expiresIn": TTL.as_secs() })))
}

impl Resource {
    fn check(&self) -> Result<(), Refusal> {
        let known = RESTRICTED.iter().any(|(method, template)| *method == self.method && matches(template, &self.path));
        if !known || self.path == REPORT_TEMPLATE {
            let message =
                format!("Application does not have access to one or more requested data elements: {}", self.path);
            return Err(Refusal::InvalidInput(message));
        }
        let elements = self.data_elements.iter().flatten();
        match elements.into_iter().find(|element| !DATA_ELEMENTS.contains(&element.as_str())) {
            Some(unknown) => Err(Refusal::InvalidInput(format!("Unknown data element: {unknown}"))),
            None => Ok(()),
        }
    }
}

/// Says whether `path` is `template`, where `{name}` stands for one segment that is not empty.
fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(hole), Some(segment)) if hole.starts_with('{') && hole.ends_with('}') && !segment.is_empty() => {}
            (Some(literal), Some(segment)) if literal == segment => {}
            _ => return false,
        }
    }
}

const PREFIX: &str = "Atz.sprdt|";
const TTL: Duration = Duration::from_hours(1);
const MOST_RESOURCES: usize = 50;
const DATA_ELEMENTS: &[&str] = &["buyerInfo", "shippingAddress", "buyerTaxInformation"];
/// May not be asked for in general: a token names one document.
const REPORT_TEMPLATE: &str = "/reports/2021-06-30/documents/{reportDocumentId}";

/// The restricted operations that the simulator has (Tokens API use case guide, "Restricted operations").
const RESTRICTED: &[(&str, &str)] = &[
    ("GET", "/orders/v0/orders"),
    ("GET", "/orders/v0/orders/{orderId}"),
    ("GET", "/orders/v0/orders/{orderId}/address"),
    ("GET", "/orders/v0/orders/{orderId}/buyerInfo"),
    ("GET", "/orders/v0/orders/{orderId}/regulatedInfo"),
    ("GET", "/orders/v0/orders/{orderId}/orderItems"),
    ("GET", "/orders/v0/orders/{orderId}/orderItems/buyerInfo"),
    ("GET", REPORT_TEMPLATE),
    ("GET", "/vendor/directFulfillment/orders/2021-12-28/purchaseOrders"),
    ("GET", "/vendor/directFulfillment/orders/2021-12-28/purchaseOrders/{purchaseOrderNumber}"),
];
