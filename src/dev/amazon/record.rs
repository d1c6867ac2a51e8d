//! Remembers every request that reached the simulator, as it came: what a test looks through for a credential that should
//! not be there, and what a person reads to believe that the gateway did its work.

use super::Amazon;
use crate::clock::Timestamp;
use axum::{
    body::Body,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

/// The latest requests, oldest first.
#[derive(Default)]
pub(super) struct Record(Mutex<VecDeque<Entry>>);

struct Entry {
    at: Timestamp,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    progress: Arc<Progress>,
}

/// What becomes known of a request after it arrived.
#[derive(Default)]
struct Progress {
    /// Zero until there is an answer.
    status: AtomicU16,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    client_gone: AtomicBool,
}

/// One request, as `GET /_sim/requests` shows it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    at: Timestamp,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    /// `null` where no answer was given (yet).
    status: Option<u16>,
    /// Bytes of the request's body that arrived, whether or not it was complete.
    received_bytes: u64,
    /// Bytes of the answer's body that were handed to the connection.
    sent_bytes: u64,
    /// The caller closed the connection, or broke off its body, before the exchange was complete.
    client_gone: bool,
}

impl Record {
    /// Shows all that is remembered, in the order of arrival.
    pub(super) fn show(&self) -> Vec<Shown> {
        self.0.lock().iter().map(Entry::show).collect()
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.0.lock().clear();
    }

    fn begin(&self, at: Timestamp, request: &Request) -> Arc<Progress> {
        let progress = Arc::<Progress>::default();
        let entry = Entry {
            at,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: headers(request),
            progress: Arc::clone(&progress),
        };
        let mut entries = self.0.lock();
        if entries.len() == MAX_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(entry);
        progress
    }
}

impl Entry {
    fn show(&self) -> Shown {
        let status = self.progress.status.load(Ordering::Acquire);
        Shown {
            at: self.at,
            method: self.method.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            status: (status != 0).then_some(status),
            received_bytes: self.progress.received_bytes.load(Ordering::Relaxed),
            sent_bytes: self.progress.sent_bytes.load(Ordering::Relaxed),
            client_gone: self.progress.client_gone.load(Ordering::Relaxed),
        }
    }
}

/// Returns headers by lower-case name, repeated ones joined by `, `. Over HTTP/2 `:authority` is shown as `host`.
fn headers(request: &Request) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.as_str().to_owned())
            .and_modify(|joined| {
                joined.push_str(", ");
                joined.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    if let Some(authority) = request.uri().authority() {
        headers.entry("host".into()).or_insert_with(|| authority.to_string());
    }
    headers
}

/// Records a request and watches both bodies.
pub(super) async fn recorded(State(amazon): State<Amazon>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/_sim") {
        return next.run(request).await;
    }
    let progress = amazon.0.record.begin(amazon.now(), &request);
    let (parts, body) = request.into_parts();
    let upload = Watched { body, direction: Direction::In, progress: Arc::clone(&progress), complete: false };
    // Dropped unanswered when the connection goes away while a handler runs.
    let unanswered = Unanswered(Some(Arc::clone(&progress)));
    let response = next.run(Request::from_parts(parts, Body::new(upload))).await;
    unanswered.answered(response.status().as_u16());
    let (parts, body) = response.into_parts();
    let complete = http_body::Body::is_end_stream(&body);
    Response::from_parts(parts, Body::new(Watched { body, direction: Direction::Out, progress, complete }))
}

struct Unanswered(Option<Arc<Progress>>);

impl Unanswered {
    fn answered(mut self, status: u16) {
        if let Some(progress) = self.0.take() {
            progress.status.store(status, Ordering::Release);
        }
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(progress) = self.0.take() {
            progress.client_gone.store(true, Ordering::Relaxed);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// A body that counts its bytes and notices that it was broken off.
struct Watched {
    body: Body,
    direction: Direction,
    progress: Arc<Progress>,
    complete: bool,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let counter = match self.direction {
                    Direction::In => &self.progress.received_bytes,
                    Direction::Out => &self.progress.sent_bytes,
                };
                counter.fetch_add(bytes, Ordering::Relaxed);
                self.complete = http_body::Body::is_end_stream(&self.body);
            }
            // Of our own answers only a deliberate truncation errs, and there the caller is not the one who went.
            Some(Err(_)) if self.direction == Direction::In => self.progress.client_gone.store(true, Ordering::Relaxed),
            Some(Err(_)) | None => self.complete = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.body)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.body)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A handler may leave an upload unread; only an answer that was not taken tells that the caller went away.
        if self.direction == Direction::Out && !self.complete {
            self.progress.client_gone.store(true, Ordering::Relaxed);
        }
    }
}

/// About 150 MB where every request carries a token.
const MAX_ENTRIES: usize = 100_000;
