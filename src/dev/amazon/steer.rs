//! Makes the simulator slow, throttled, broken or strange, as `control` was asked to.

use super::{
    Amazon,
    control::{Failure, Outcome, SlowBody},
    errors::{LwaError, Refusal},
};
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use std::{future, io, time::Duration};

/// Which of Amazon's two dialects a path speaks.
#[derive(Clone, Copy)]
pub(super) enum Dialect<'a> {
    SellingPartnerApi,
    /// With the request's id, which LWA repeats in its bodies.
    Lwa(&'a str),
}

impl Outcome {
    /// Answers in the place of the handler, or `None` where the handler's own answer is needed first.
    async fn answer(self, dialect: Dialect<'_>) -> Option<Response> {
        let refusal = |sp_api: Refusal, lwa: LwaError| match dialect {
            Dialect::SellingPartnerApi => sp_api.into_response(),
            Dialect::Lwa(request_id) => lwa.respond(request_id),
        };
        let unavailable = Refusal::Failed(StatusCode::SERVICE_UNAVAILABLE);
        let broken = Refusal::Failed(StatusCode::INTERNAL_SERVER_ERROR);
        let response = match self {
            Self::Throttled { retry_after_s } => {
                let mut response = refusal(Refusal::Throttled, LwaError::Throttled);
                if let Some(seconds) = retry_after_s {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
            Self::Status(status) => {
                let mut response = refusal(Refusal::Failed(status), LwaError::ServerError);
                *response.status_mut() = status;
                response
            }
            Self::Fails(Failure::Truncated) => return None,
            Self::Fails(Failure::Empty) => StatusCode::OK.into_response(),
            Self::Fails(Failure::Hang) => {
                tokio::time::sleep(HANG).await;
                refusal(unavailable, LwaError::TemporarilyUnavailable)
            }
            Self::Fails(Failure::Unauthorized) => refusal(Refusal::TokenInvalid, LwaError::UnauthorizedClient),
            Self::Fails(Failure::InvalidGrant) => refusal(broken, LwaError::InvalidGrant("refresh_token")),
            Self::Fails(Failure::InvalidClient) => refusal(broken, LwaError::InvalidClient),
            Self::Fails(Failure::UnauthorizedClient) => refusal(broken, LwaError::UnauthorizedClient),
            Self::Fails(Failure::ServerError) => refusal(broken, LwaError::ServerError),
            Self::Fails(Failure::TemporarilyUnavailable) => refusal(unavailable, LwaError::TemporarilyUnavailable),
        };
        Some(response)
    }
}

/// Lets a request through, or does to it what was asked for.
pub(super) async fn interfered(
    amazon: &Amazon,
    method: &str,
    path: &str,
    dialect: Dialect<'_>,
    answer: impl Future<Output = Response>,
) -> Response {
    let (delay, outcome) = amazon.0.control.lock().decide(method, path);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let Some(outcome) = outcome else { return answer.await };
    match outcome.answer(dialect).await {
        Some(response) => response,
        None => truncated(answer.await).await,
    }
}

/// Steers everything but the token endpoint.
pub(super) async fn steered(State(amazon): State<Amazon>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let answer = Box::pin(next.run(request));
    let response = interfered(&amazon, &method, &path, Dialect::SellingPartnerApi, answer).await;
    let slow = amazon.0.control.lock().settings.slow_body.clone();
    match slow.filter(|slow| response.status() == StatusCode::OK && path.starts_with(&slow.path_prefix)) {
        Some(slow) => slow.padded(response),
        None => response,
    }
}

impl SlowBody {
    fn padded(self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        let padding = Bytes::from(vec![b' '; self.chunk_bytes]);
        let pause = Duration::from_millis(self.interval_ms);
        let spaces = stream::iter(0..self.chunks).then(move |number| {
            let padding = padding.clone();
            async move {
                if number > 0 {
                    tokio::time::sleep(pause).await;
                }
                Ok::<_, axum::Error>(padding)
            }
        });
        Response::from_parts(parts, Body::from_stream(spaces.chain(body.into_data_stream())))
    }
}

async fn truncated(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(whole) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let cut = stream::once(future::ready(Err(io::Error::from(io::ErrorKind::ConnectionReset))));
    Response::from_parts(parts, Body::from_stream(stream::once(future::ready(Ok(half))).chain(cut)))
}

/// Longer than any caller's patience, and short enough for a shutdown that waits.
const HANG: Duration = Duration::from_mins(10);
