//! Bodies on their way through, which a cut can take away at any moment, and the record of how a request ended.
//!
//! A worker that does not read its answer keeps the server from polling it. So the body does not wait to be polled: it
//! lies in a slot that a cut empties from outside, and whoever polls next finds an error in the place of an end. That
//! aborts the exchange: HTTP/1.1 closes without the final chunk, HTTP/2 resets.

use super::{Gateway, Upstream, admit::Asked, answer::Refusal};
use crate::{
    broker::{
        dialer::{BoxError, DialError, OutboundBody, full, streamed},
        provider::{MAX_BODY_BYTES, Route},
    },
    custody::Passage,
    domain::event::{Event, Kind, Outcome, Payload, Subject},
    id::{ConnectionId, LeaseId, TenantId, WorkerId},
};
use axum::body::Body;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use parking_lot::Mutex;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What became of an admitted request. It is recorded when this drops, however that comes about.
pub(super) struct Ending {
    gateway: Arc<Gateway>,
    request_id: Uuid,
    lease: LeaseId,
    tenant: TenantId,
    connection: ConnectionId,
    worker: WorkerId,
    route: String,
    status: Option<StatusCode>,
    outcome: Option<Outcome>,
    bytes_up: Arc<AtomicU64>,
    bytes_down: Arc<AtomicU64>,
    /// Last: a cut is confirmed when it is gone, and the record comes before.
    passage: Arc<Passage>,
}

impl Ending {
    /// Begins with the request's admission.
    pub(super) fn begin(gateway: &Arc<Gateway>, asked: &Asked<'_>, route: &Route, passage: Arc<Passage>) -> Self {
        metrics::gauge!("leasehold_gateway_requests_in_flight").increment(1.0);
        Self {
            gateway: Arc::clone(gateway),
            request_id: asked.request_id,
            lease: asked.lease.id,
            tenant: asked.lease.tenant,
            connection: asked.lease.connection,
            worker: asked.lease.worker,
            route: format!("{} {}", route.template().method(), route.template().path()),
            status: None,
            outcome: None,
            bytes_up: Arc::default(),
            bytes_down: Arc::default(),
            passage,
        }
    }

    /// Waits for one step, unless the request is cut before or meanwhile; the step is dropped then.
    pub(super) async fn unless_cut<T>(&self, step: impl Future<Output = T>) -> Result<T, Refusal> {
        let watched = async {
            tokio::pin!(step);
            // Looked at in each poll: a node that was frozen wakes in the middle of one.
            std::future::poll_fn(|context| match self.passage.is_cancelled() {
                true => Poll::Ready(None),
                false => step.as_mut().poll(context).map(Some),
            })
            .await
        };
        let done = tokio::select! {
            biased;
            () = self.passage.cancelled() => None,
            done = watched => done,
        };
        done.ok_or_else(|| if self.passage.has_lapsed() { Refusal::node_lapsed() } else { Refusal::DeadLease })
    }

    /// Notes that it was refused after it was admitted: only then was its type known.
    pub(super) fn refused(&mut self) {
        self.outcome = Some(Outcome::Refused);
    }

    /// Notes what the provider answered.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Says why there is no answer: a body that was longer than it may be breaks off by our own doing.
    pub(super) fn explain(&self, error: DialError, limit: u64) -> Refusal {
        if self.bytes_up.load(Ordering::Relaxed) > limit {
            return Refusal::TooLarge;
        }
        error.into()
    }

    /// Makes the body that goes up, which ends with the cut and after `limit` bytes.
    pub(super) fn upload(&self, body: Upstream, limit: u64) -> OutboundBody {
        match body {
            Upstream::Whole(bytes) => {
                self.bytes_up.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                full(bytes)
            }
            Upstream::Streaming(body) if body.is_end_stream() => full(""),
            Upstream::Streaming(body) => {
                let passage = Arc::clone(&self.passage);
                let signal = passage.signal();
                streamed(Cuttable::new(streamed(body), Arc::clone(&self.bytes_up), limit, Held::Up(passage), signal))
            }
        }
    }

    /// Makes the body that comes back; the record goes with it.
    pub(super) fn stream(self, body: Incoming) -> Body {
        let (counted, signal) = (Arc::clone(&self.bytes_down), self.passage.signal());
        Body::new(Cuttable::new(streamed(body), counted, u64::MAX, Held::Down(Box::new(self)), signal))
    }

    /// The same for an answer that was read.
    pub(super) fn whole(self, whole: Bytes) -> Body {
        let (counted, signal) = (Arc::clone(&self.bytes_down), self.passage.signal());
        Body::new(Cuttable::new(full(whole), counted, u64::MAX, Held::Down(Box::new(self)), signal))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let cut = self.passage.is_cancelled();
        let outcome = self.outcome.unwrap_or(if cut { Outcome::Cut } else { Outcome::Failed });
        if outcome == Outcome::Cut {
            metrics::counter!("leasehold_gateway_cuts_total").increment(1);
        }
        let (up, down) = (self.bytes_up.load(Ordering::Relaxed), self.bytes_down.load(Ordering::Relaxed));
        metrics::gauge!("leasehold_gateway_requests_in_flight").decrement(1.0);
        metrics::counter!("leasehold_gateway_bytes_total", "direction" => "up").increment(up);
        metrics::counter!("leasehold_gateway_bytes_total", "direction" => "down").increment(down);
        let payload = Payload {
            actor: Subject::new("worker", self.worker.as_uuid()),
            object: Subject::new("connection", self.connection.as_uuid()),
            outcome,
            details: serde_json::json!({
                "request_id": self.request_id,
                "lease": self.lease,
                "template": self.route,
                "status": self.status.map(|status| status.as_u16()),
                "bytes_up": up,
                "bytes_down": down,
            }),
        };
        let vault = &self.gateway.vault;
        vault.sequencer.note(Event::make(&*vault.entropy, self.tenant, Kind::GatewayEnded, &payload));
    }
}

/// An answer that is read whole, because its ids are bound to their types before the worker sees them.
pub(super) struct Whole;

impl Whole {
    /// Reads it, at most [`MAX_BODY_BYTES`].
    pub(super) async fn read(body: Incoming) -> Result<Bytes, Refusal> {
        match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(collected) => Ok(collected.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(Refusal::Provider("The answer is longer than can be read; ask for less at once.".to_owned()))
            }
            Err(_) => Err(Refusal::Provider("The provider broke off its answer.".to_owned())),
        }
    }
}

/// What a body on its way keeps alive, so that a cut waits for it.
enum Held {
    Up(Arc<Passage>),
    Down(Box<Ending>),
}

impl Held {
    fn is_cut(&self) -> bool {
        match self {
            Self::Up(passage) => passage.is_cancelled(),
            Self::Down(ending) => ending.passage.is_cancelled(),
        }
    }
}

struct Half {
    body: OutboundBody,
    held: Held,
    waker: Option<Waker>,
}

enum State {
    Live(Half),
    Ended,
    Aborted,
}

type Slot = Arc<Mutex<State>>;

/// A body that a cut can take away. Trailers are dropped: what a header may not carry they may not either.
struct Cuttable {
    slot: Slot,
    counted: Arc<AtomicU64>,
    left: u64,
    /// Dropped with the body, which ends its watcher.
    _watched: Option<oneshot::Sender<()>>,
}

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Aborted {
    #[error("the lease was revoked while the request was under way")]
    Cut,
    #[error("the body is longer than it may be")]
    TooLong,
}

impl Cuttable {
    fn new(body: OutboundBody, counted: Arc<AtomicU64>, limit: u64, held: Held, signal: CancellationToken) -> Self {
        if body.is_end_stream() {
            Half { body, held, waker: None }.finish();
            return Self { slot: Arc::new(Mutex::new(State::Ended)), counted, left: limit, _watched: None };
        }
        let slot = Arc::new(Mutex::new(State::Live(Half { body, held, waker: None })));
        let (watched, gone) = oneshot::channel();
        tokio::spawn(watch(Arc::clone(&slot), signal, gone));
        Self { slot, counted, left: limit, _watched: Some(watched) }
    }
}

async fn watch(slot: Slot, signal: CancellationToken, gone: oneshot::Receiver<()>) {
    tokio::select! {
        biased;
        () = signal.cancelled() => {}
        _ = gone => return,
    }
    let taken = {
        let mut slot = slot.lock();
        match *slot {
            State::Live(_) => std::mem::replace(&mut *slot, State::Aborted),
            State::Ended | State::Aborted => return,
        }
    };
    let State::Live(Half { body, held, waker }) = taken else { return };
    // First the exchange upstream, then the record, then the passage that the cut waits for.
    drop(body);
    drop(held);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Half {
    fn finish(self) {
        let Self { body, held, waker: _ } = self;
        drop(body);
        if let Held::Down(mut ending) = held {
            ending.outcome = Some(Outcome::Allowed);
        }
    }
}

impl http_body::Body for Cuttable {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let mut slot = this.slot.lock();
        loop {
            let half = match &mut *slot {
                State::Live(half) => half,
                State::Ended => return Poll::Ready(None),
                State::Aborted => return Poll::Ready(Some(Err(Aborted::Cut.into()))),
            };
            // The watcher may not have run yet: a node that was frozen wakes here as well as there.
            if half.held.is_cut() {
                *slot = State::Aborted;
                return Poll::Ready(Some(Err(Aborted::Cut.into())));
            }
            match Pin::new(&mut half.body).poll_frame(context) {
                Poll::Pending => {
                    match &mut half.waker {
                        Some(waker) => waker.clone_from(context.waker()),
                        None => half.waker = Some(context.waker().clone()),
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => {
                    let ends = half.body.is_end_stream();
                    let Ok(data) = frame.into_data() else { continue };
                    let length = data.len() as u64;
                    this.counted.fetch_add(length, Ordering::Relaxed);
                    let Some(left) = this.left.checked_sub(length) else {
                        *slot = State::Aborted;
                        return Poll::Ready(Some(Err(Aborted::TooLong.into())));
                    };
                    this.left = left;
                    if ends && let State::Live(half) = std::mem::replace(&mut *slot, State::Ended) {
                        half.finish();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Poll::Ready(Some(Err(error))) => {
                    *slot = State::Aborted;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => {
                    if let State::Live(half) = std::mem::replace(&mut *slot, State::Ended) {
                        half.finish();
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(*self.slot.lock(), State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &*self.slot.lock() {
            State::Live(half) => half.body.size_hint(),
            State::Ended => SizeHint::with_exact(0),
            State::Aborted => SizeHint::default(),
        }
    }
}
