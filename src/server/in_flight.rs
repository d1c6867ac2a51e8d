//! Counts the requests of one connection, from their head to the last byte of the response, so that an idle connection
//! can be told from a slow one.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::watch;

/// The number of requests under way on one connection.
#[derive(Clone)]
pub(super) struct InFlight(Arc<watch::Sender<usize>>);

impl InFlight {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    /// Counts one request until the guard drops.
    pub(super) fn begin(&self) -> Underway {
        self.0.send_modify(|count| *count += 1);
        Underway(Arc::clone(&self.0))
    }

    /// Waits until no request has been under way for `span` without a break.
    pub(super) async fn idle_for(&self, span: Duration) {
        let mut count = self.0.subscribe();
        loop {
            let quiet = *count.borrow_and_update() == 0;
            let changed = count.changed();
            if !quiet {
                changed.await.expect("this value holds the sender");
            } else if tokio::time::timeout(span, changed).await.is_err() {
                return;
            }
        }
    }
}

/// One request under way.
pub(super) struct Underway(Arc<watch::Sender<usize>>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A response body that keeps its request counted until it has been sent or given up.
pub(super) struct CountedBody {
    body: Body,
    _underway: Underway,
}

impl CountedBody {
    pub(super) fn new(body: Body, underway: Underway) -> Self {
        Self { body, _underway: underway }
    }
}

impl http_body::Body for CountedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    // Passed on, so that a body of known length keeps its `Content-Length`.
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
