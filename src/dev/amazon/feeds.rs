//! Feeds 2021-06-30: a place to upload to, the feed, and the document with its result.

use super::{
    Amazon,
    caller::Caller,
    errors::Refusal,
    job::{Family, Upload},
    presigned::Verb,
    reports::checked,
    request::JsonBody,
};
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) fn routes() -> Router<Amazon> {
    Router::new()
        .route("/feeds/2021-06-30/documents", post(create_document))
        .route("/feeds/2021-06-30/documents/{id}", get(document))
        .route("/feeds/2021-06-30/feeds", get(list).post(create))
        .route("/feeds/2021-06-30/feeds/{id}", get(show).delete(cancel))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentWanted {
    #[serde(rename = "contentType")]
    _content_type: String,
}

async fn create_document(
    State(amazon): State<Amazon>,
    caller: Caller,
    JsonBody(_): JsonBody<DocumentWanted>,
) -> (StatusCode, Json<Value>) {
    let document = amazon.make_document_id(&caller);
    let url = amazon.presigned_url(&caller, &document, Verb::Put);
    let seller = caller.seller.selling_partner_id;
    amazon.0.jobs.lock().upload_add(Upload { document: document.clone(), seller, received_bytes: None });
    (StatusCode::CREATED, Json(json!({ "feedDocumentId": document, "url": url })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    feed_type: String,
    marketplace_ids: Vec<String>,
    input_feed_document_id: String,
}

async fn create(
    State(amazon): State<Amazon>,
    caller: Caller,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let shops = checked(&caller, wanted.marketplace_ids)?;
    let upload = amazon.0.jobs.lock().upload(&wanted.input_feed_document_id).cloned();
    let uploaded = upload.filter(|upload| upload.seller == caller.seller.selling_partner_id);
    if uploaded.and_then(|upload| upload.received_bytes).is_none() {
        return Err(Refusal::InvalidInput("Invalid request parameters: inputFeedDocumentId".into()));
    }
    let id = amazon.job_make(Family::Feed, &caller, wanted.feed_type, shops);
    Ok((StatusCode::ACCEPTED, Json(json!({ "feedId": id }))))
}

async fn list(State(amazon): State<Amazon>, caller: Caller) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({ "feeds": amazon.job_list(Family::Feed, &caller)? })))
}

async fn show(State(amazon): State<Amazon>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    amazon.job_show(Family::Feed, &caller, &id)
}

async fn cancel(
    State(amazon): State<Amazon>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Map<String, Value>>, Refusal> {
    amazon.job_cancel(Family::Feed, &caller, &id)
}

async fn document(
    State(amazon): State<Amazon>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    amazon.document_check(Family::Feed, &caller, &id)?;
    let url = amazon.presigned_url(&caller, &id, Verb::Get);
    Ok(Json(json!({ "feedDocumentId": id, "url": url })))
}
