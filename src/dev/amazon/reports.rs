//! Reports 2021-06-30. The report's *type* decides what is in it; a document's id does not show the type.

use super::{Amazon, caller::Caller, errors::Refusal, job::Family, presigned::Verb, request::JsonBody};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::get,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/reports/2021-06-30/reports", get(list).post(create))
        .route("/reports/2021-06-30/reports/{id}", get(show).delete(cancel))
        .route("/reports/2021-06-30/documents/{id}", get(document))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    report_type: String,
    marketplace_ids: Vec<String>,
}

async fn create(
    State(amazon): State<Amazon>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let shops = checked(&caller, wanted.marketplace_ids)?;
    if !(wanted.report_type.starts_with("GET_") || wanted.report_type.starts_with("RFQD_")) {
        return Err(Refusal::InvalidInput(format!("Invalid Report Type {}", wanted.report_type)));
    }
    let id = amazon.job_make(Family::Report, &caller, wanted.report_type, shops);
    Ok((StatusCode::ACCEPTED, Json(json!({ "reportId": id }))))
}

/// Lets through marketplaces of the caller's own, at least one.
pub(super) fn checked(caller: &Caller, shops: Vec<String>) -> Result<Vec<String>, Refusal> {
    let foreign = shops.iter().any(|shop| !caller.seller.marketplaces.contains(shop));
    if shops.is_empty() || foreign {
        return Err(Refusal::InvalidInput("Invalid request parameters: marketplaceIds".into()));
    }
    Ok(shops)
}

async fn list(State(amazon): State<Amazon>, caller: Caller) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({ "reports": amazon.job_list(Family::Report, &caller)? })))
}

async fn show(State(amazon): State<Amazon>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    amazon.job_show(Family::Report, &caller, &id)
}

async fn cancel(
    State(amazon): State<Amazon>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Map<String, Value>>, Refusal> {
    amazon.job_cancel(Family::Report, &caller, &id)
}

async fn document(
    State(amazon): State<Amazon>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    amazon.document_check(Family::Report, &caller, &id)?;
    let url = amazon.presigned_url(&caller, &id, Verb::Get);
    Ok(Json(json!({ "reportDocumentId": id, "url": url })))
}
