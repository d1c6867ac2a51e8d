//! One id for each request: in the answer, in problems, and in the span of everything that is logged meanwhile. A caller's
//! own id is not taken: it could be made to look like another's.

use super::ApiState;
use crate::id::make_uuid;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::HeaderValue;
use tracing::Instrument as _;

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Returns the id of the request that this task serves.
pub(super) fn current() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

pub(super) async fn identify(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let id = make_uuid(&*state.vault.clock, &*state.vault.entropy).to_string();
    // The path, without its query: a query may hold a code or a state.
    let span =
        tracing::info_span!("request", request_id = %id, method = %request.method(), path = request.uri().path());
    let header = HeaderValue::from_str(&id).expect("a UUID is a header value");
    let mut response = REQUEST_ID.scope(id, next.run(request)).instrument(span).await;
    response.headers_mut().insert("x-request-id", header);
    response
}
