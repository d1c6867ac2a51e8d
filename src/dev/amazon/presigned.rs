//! Presigned document URLs: whoever holds one reads (or writes) the document for five minutes, without a token and past any
//! gateway.

use super::{
    Amazon,
    caller::Caller,
    job::Job,
    request::Query,
    sample::{self, PRODUCTS, amount, iso},
    token::Purpose,
};
use crate::clock::Timestamp;
use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use std::{fmt::Write, time::Duration};
use url::form_urlencoded;

pub(super) fn routes() -> Router<Amazon> {
    Router::new().route("/tortuga-prod/{document}", get(download).put(upload))
}

/// What a URL's signature holds.
#[derive(Serialize, Deserialize)]
struct Signature {
    document: String,
    verb: Verb,
    dies_at: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verb {
    Get,
    Put,
}

/// S3's refusals.
enum Forbidden {
    Expired,
    Signature,
}

impl IntoResponse for Forbidden {
    fn into_response(self) -> Response {
        let (code, message) = match self {
            Self::Expired => ("AccessDenied", "Request has expired"),
            Self::Signature => (
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your key and signing \
                 method.",
            ),
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
    }
}

impl Amazon {
    /// Signs a URL for a document, at the host that the caller used.
    pub(super) fn presigned_url(&self, caller: &Caller, document: &str, verb: Verb) -> String {
        let now = self.now();
        let signature = Signature { document: document.to_owned(), verb, dies_at: now.plus(TTL) };
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
            .append_pair("X-Amz-Date", &iso(now).replace(['-', ':'], ""))
            .append_pair("X-Amz-SignedHeaders", "host")
            .append_pair("X-Amz-Expires", &TTL.as_secs().to_string())
            .append_pair("X-Amz-Signature", &self.0.mint.seal(Purpose::Document, &signature, self.entropy()))
            .finish();
        format!("{}/tortuga-prod/{document}?{query}", self.base_url(&caller.host.0))
    }

    fn presigned_check(&self, document: &str, query: &Query, verb: Verb) -> Result<(), Forbidden> {
        let signature = query.one("X-Amz-Signature").ok_or(Forbidden::Signature)?;
        let signature: Signature = self.0.mint.open(Purpose::Document, signature).ok_or(Forbidden::Signature)?;
        if signature.document != document || signature.verb != verb {
            return Err(Forbidden::Signature);
        }
        if self.now() < signature.dies_at { Ok(()) } else { Err(Forbidden::Expired) }
    }
}

async fn download(
    State(amazon): State<Amazon>,
    Path(document): Path<String>,
    query: Query,
) -> Result<Response, Forbidden> {
    amazon.presigned_check(&document, &query, Verb::Get)?;
    let job = amazon.0.jobs.lock().by_document(&document).cloned();
    let text = match job {
        Some(job) => content(&amazon, &job),
        // The URL outlived a restart; the report did not.
        None => String::new(),
    };
    Ok(([(header::CONTENT_TYPE, "text/tab-separated-values; charset=UTF-8")], text).into_response())
}

fn content(amazon: &Amazon, job: &Job) -> String {
    let Some(seller) = amazon.seller(&job.seller) else { return String::new() };
    let mut text = String::new();
    if job.type_name.contains("ORDER") {
        text.push_str("amazon-order-id\tpurchase-date\torder-status\tsales-channel\tcurrency\titem-price\n");
        for order in sample::orders(&seller, amazon.now()) {
            let (shop, price) = (order.marketplace, amount(order.cents()));
            let at = iso(order.purchased_at);
            let channel = shop.sales_channel();
            let _ = writeln!(text, "{}\t{at}\t{}\t{channel}\t{}\t{price}", order.id, order.status, shop.currency);
        }
        return text;
    }
    text.push_str("seller-sku\tasin1\titem-name\tprice\tquantity\n");
    for product in PRODUCTS {
        let (price, stock) = (amount(product.cents), product.stock(&seller));
        let _ = writeln!(text, "{}\t{}\t{}\t{price}\t{stock}", product.sku, product.asin, product.title);
    }
    text
}

async fn upload(
    State(amazon): State<Amazon>,
    Path(document): Path<String>,
    query: Query,
    body: Bytes,
) -> Result<StatusCode, Forbidden> {
    amazon.presigned_check(&document, &query, Verb::Put)?;
    // Only its length is kept: nothing reads a feed's content here.
    if let Some(upload) = amazon.0.jobs.lock().upload(&document) {
        upload.received_bytes = Some(body.len());
    }
    Ok(StatusCode::OK)
}

/// How long a document's URL lives.
const TTL: Duration = Duration::from_mins(5);
