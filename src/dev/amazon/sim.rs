//! What only a simulator has, under `/_sim`: what reached it, what it counts, and how it is steered.

use super::{
    Amazon,
    control::Control,
    errors::Refusal,
    marketplace::{Marketplace, Seller},
    record::Shown,
    request::JsonBody,
};
use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/_sim/requests", get(requests).delete(forget))
        .route("/_sim/stats", get(stats))
        .route("/_sim/control", post(steer).delete(release))
        .route("/_sim/revoke", post(revoke))
        .route("/_sim/sellers", get(sellers).post(add_seller))
        .route("/_sim/notifications", get(notifications))
}

async fn requests(State(amazon): State<Amazon>) -> Json<Vec<Shown>> {
    Json(amazon.0.record.show())
}

async fn forget(State(amazon): State<Amazon>) -> StatusCode {
    amazon.0.record.clear();
    StatusCode::NO_CONTENT
}

async fn stats(State(amazon): State<Amazon>) -> Json<Value> {
    let consents = amazon.0.book.lock().consents();
    let mut shown = json!(*amazon.0.stats.lock());
    shown["authorizations"] = json!(consents);
    Json(shown)
}

/// Replaces what was asked for before; `{}` asks for nothing.
async fn steer(
    State(amazon): State<Amazon>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<StatusCode, Refusal> {
    let control = Control::parse(body).map_err(|error| Refusal::InvalidInput(error.to_string()))?;
    *amazon.0.control.lock() = control;
    Ok(StatusCode::NO_CONTENT)
}

async fn release(State(amazon): State<Amazon>) -> StatusCode {
    *amazon.0.control.lock() = Control::default();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    selling_partner_id: String,
}

/// Stands for Manage Your Apps in Seller Central.
async fn revoke(
    State(amazon): State<Amazon>,
    JsonBody(Revoke { selling_partner_id }): JsonBody<Revoke>,
) -> Result<StatusCode, Refusal> {
    match amazon.revoke(&selling_partner_id) {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(Refusal::NotFound(format!("{selling_partner_id} has not authorized the application."))),
        Err(_) => Err(Refusal::Failed(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

async fn sellers(State(amazon): State<Amazon>) -> Json<Vec<Seller>> {
    Json(amazon.sellers())
}

/// Adds an account, or replaces the one with the same id.
async fn add_seller(State(amazon): State<Amazon>, JsonBody(seller): JsonBody<Seller>) -> Result<StatusCode, Refusal> {
    let in_region = |id: &String| Marketplace::find(id).is_some_and(|shop| shop.region == seller.region);
    if seller.marketplaces.is_empty() || !seller.marketplaces.iter().all(in_region) {
        return Err(Refusal::InvalidInput("marketplaces must be of the seller's region, at least one".into()));
    }
    let added = amazon.change(|state| {
        state.sellers.retain(|known| known.selling_partner_id != seller.selling_partner_id);
        state.sellers.push(seller);
    });
    added.map(|()| StatusCode::NO_CONTENT).map_err(|_| Refusal::Failed(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Shows what Amazon would have put on the application's SQS queue, oldest first.
async fn notifications(State(amazon): State<Amazon>) -> Json<Vec<Value>> {
    Json(amazon.0.book.lock().notifications.clone())
}
