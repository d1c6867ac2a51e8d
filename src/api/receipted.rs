//! Puts the receipt into every answer that changed something: a handler cannot forget it, because it is not asked.
//!
//! An answer in JSON gets it as its member `receipt`; one without a body becomes such an answer. Every answer, a page for
//! a browser too, names where to ask for it again (`Link`, RFC 8288).

use super::ApiState;
use crate::{
    audit::{CheckpointError, recording},
    evidence::Receipt,
    id::TenantId,
    store::{
        StoreError,
        log::{self, EntryRow},
    },
};
use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;

/// Stands for a receipt in a link.
const RELATION: &str = "urn:leasehold:rel:receipt";

pub(super) async fn receipted(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let (response, entries) = recording(next.run(request)).await;
    if entries.is_empty() || !response.status().is_success() && !response.status().is_redirection() {
        return response;
    }
    // What was done is done: where there is no receipt yet the answer stands, and says where to ask.
    let unreceipted = |error: CheckpointError| {
        tracing::warn!(%error, ?entries, "a change is recorded, and its receipt is not to be had yet");
    };
    let shown = match entries_shown(&state, &entries).await {
        Ok(rows) => rows,
        Err(error) => {
            unreceipted(error.into());
            return with_receipt(response, &[], None).await;
        }
    };
    let receipt = state.vault.checkpointer.receipt(&shown).await.map_err(unreceipted).ok();
    let seqs: Vec<i64> = shown.iter().map(|row| row.head.seq).collect();
    with_receipt(response, &seqs, receipt.as_ref()).await
}

/// Reads the entries that are the caller's to see: where a change touched a tenant's chain, what it left in the vault's own
/// beside that is not, not even by its number.
async fn entries_shown(state: &ApiState, entries: &[i64]) -> Result<Vec<EntryRow>, StoreError> {
    let mut rows = Vec::with_capacity(entries.len());
    {
        let mut reader = state.vault.db.reader().await?;
        for seq in entries {
            let row = log::entry_show(&mut reader.link(), *seq).await?;
            rows.push(row.ok_or_else(|| StoreError::corrupt("entries", "seq", seq))?);
        }
    }
    if rows.iter().any(|row| row.head.tenant != TenantId::VAULT) {
        rows.retain(|row| row.head.tenant != TenantId::VAULT);
    }
    Ok(rows)
}

async fn with_receipt(response: Response, entries: &[i64], receipt: Option<&Receipt>) -> Response {
    let (mut parts, body) = response.into_parts();
    for seq in entries {
        let link = format!("</v1/audit/proof/{seq}>; rel=\"{RELATION}\"");
        if let Ok(link) = HeaderValue::from_str(&link) {
            parts.headers.append(header::LINK, link);
        }
    }
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == b"application/json");
    if parts.status != StatusCode::NO_CONTENT && !is_json {
        return Response::from_parts(parts, body);
    }
    // It was serialized a moment ago, and lies in memory.
    let Ok(collected) = body.collect().await else { return Response::from_parts(parts, Body::empty()) };
    let answered = collected.to_bytes();
    let Some(joined) = join(&answered, receipt) else { return Response::from_parts(parts, Body::from(answered)) };
    if parts.status == StatusCode::NO_CONTENT {
        parts.status = StatusCode::OK;
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(joined))
}

/// Adds the member `receipt` to an object, or makes one of nothing. `None` where the answer is no object.
fn join(answered: &Bytes, receipt: Option<&Receipt>) -> Option<Vec<u8>> {
    let receipt = serde_json::to_vec(&receipt).ok()?;
    let mut joined = match answered.as_ref() {
        [] => b"{".to_vec(),
        [b'{', .., b'}'] => answered[..answered.len() - 1].to_vec(),
        _ => return None,
    };
    if joined.len() > 1 {
        joined.push(b',');
    }
    joined.extend_from_slice(b"\"receipt\":");
    joined.extend_from_slice(&receipt);
    joined.push(b'}');
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_joins_objects_and_nothing_else() {
        let joined = |answer: &'static str| join(&Bytes::from_static(answer.as_bytes()), None).map(String::from_utf8);
        assert_eq!(joined(""), Some(Ok(r#"{"receipt":null}"#.into())));
        assert_eq!(joined("{}"), Some(Ok(r#"{"receipt":null}"#.into())));
        assert_eq!(joined(r#"{"a":1}"#), Some(Ok(r#"{"a":1,"receipt":null}"#.into())));
        assert_eq!(joined("[1]"), None);
    }
}
