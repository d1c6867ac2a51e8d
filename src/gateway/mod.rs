//! The gateway: the egress proxy that workers call as if it were the provider (DESIGN section 10). It owns the way of one
//! request: read what was asked, judge it, record it, put the real token in, stream, cut.
//!
//! The connection comes from the lease, never from the caller's host or path, and nothing of the worker's own framing or
//! authentication goes up. Ordinary requests read no row outside the sequencer's batch and copy no body. What a provider
//! answers in a *body* is the worker's to see and is not searched for the token; its headers are.

mod admit;
mod answer;
mod body;
mod forward;
mod headers;
mod request;
mod restricted;
mod types;

use crate::{
    domain::lease::Lease,
    id::{ConnectionId, make_uuid},
    peer::Peer,
    policy::Delivery,
    store::typed_documents::DocumentKind,
    vault::Vault,
};
use admit::{Asked, Place};
use answer::Refusal;
use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use body::{Ending, Whole};
use http::HeaderName;
use quick_cache::sync::Cache;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use uuid::Uuid;

/// How many connections' providers and regions stay in memory.
const CACHED_PLACES: usize = 50_000;
/// How many ids of reports, feeds and documents stay in memory with their types.
const CACHED_TYPES: usize = 50_000;

/// What the gateway lets workers hold.
#[derive(Clone, Copy, Debug)]
pub struct GatewayLimits {
    /// Requests in flight at once; one more is told to come back.
    pub at_once: usize,
    /// The longest request body that is streamed up, in bytes. Feeds and their like do not come this way.
    pub request_bytes: u64,
    /// How long a body may take that is read whole.
    pub whole_body: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self { at_once: 4_096, request_bytes: 32 << 20, whole_body: Duration::from_secs(15) }
    }
}

/// Serves every method and path. Each request must carry a [`Peer`] extension, as the accept loop gives it.
pub fn router(vault: Vault, limits: GatewayLimits) -> Router {
    Router::new().fallback(serve).with_state(Arc::new(Gateway::new(vault, limits)))
}

struct Gateway {
    vault: Vault,
    limits: GatewayLimits,
    /// The headers that some provider's SDKs put their token in.
    lease_headers: Vec<HeaderName>,
    /// A connection's provider and region never change.
    places: Cache<ConnectionId, Arc<Place>>,
    /// Nor does the type of a report.
    types: Cache<(ConnectionId, DocumentKind, String), Arc<str>>,
}

async fn serve(State(gateway): State<Arc<Gateway>>, Extension(peer): Extension<Peer>, request: Request) -> Response {
    let started = Instant::now();
    let request_id = make_uuid(&*gateway.vault.clock, &*gateway.vault.entropy);
    let outcome = Box::pin(gateway.pass(peer, request, request_id)).await;
    let word = outcome.as_ref().map_or_else(Refusal::outcome, |_| "forwarded");
    metrics::counter!("leasehold_gateway_requests_total", "outcome" => word).increment(1);
    metrics::histogram!("leasehold_gateway_request_duration_seconds", "outcome" => word)
        .record(started.elapsed().as_secs_f64());
    outcome.unwrap_or_else(|refusal| refusal.respond(request_id))
}

impl Gateway {
    fn new(vault: Vault, limits: GatewayLimits) -> Self {
        let mut lease_headers = Vec::new();
        for header in vault.broker.catalogue().iter().flat_map(|provider| provider.lease_headers()) {
            if !lease_headers.contains(header) {
                lease_headers.push(header.clone());
            }
        }
        Self { vault, limits, lease_headers, places: Cache::new(CACHED_PLACES), types: Cache::new(CACHED_TYPES) }
    }

    /// Lets one request through, or says why not. When the worker goes away, this is dropped at an await: what was
    /// admitted is then recorded as ended by the [`Ending`]'s drop.
    async fn pass(self: &Arc<Self>, peer: Peer, request: Request, request_id: Uuid) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        let (method, target) = request::parse(&head)?;
        let lease = self.lease(&peer, &head.headers).await?;
        let place = self.place(&lease).await?;
        let asked = Asked { request_id, peer, lease: &lease, place: &place, method, target: &target };

        let route = self.route(&asked)?;
        let (whole, body) = self.read_body(route, &head, body).await?;
        let demand = self.demand(&asked, route, whole.as_deref().unwrap_or_default())?;
        let unknown = self.known_types(&asked, route, &demand).await?;

        if self.vault.in_flight.count() >= self.limits.at_once {
            return Err(Refusal::Overloaded);
        }
        // Before the commit: a cut that comes between the two finds the request here.
        let passage = Arc::new(self.vault.in_flight.enter(lease.fences(), lease.id.as_uuid()));
        if passage.has_lapsed() {
            return Err(Refusal::node_lapsed());
        }
        self.record(&asked, route, &demand).await?;
        let mut ending = Ending::begin(self, &asked, route, Arc::clone(&passage));

        let token = ending.unless_cut(self.vault.broker.token(lease.connection)).await?.map_err(Refusal::from)?;
        let types = ending.unless_cut(self.ask_types(&asked, &unknown, &token.secret)).await??;
        self.judge_types(&asked, route, &types).inspect_err(|_| ending.refused())?;
        let restricted = self.needs_restricted(&asked, route, &types);
        let restricted = match restricted {
            true => ending.unless_cut(self.restricted_token(&asked, &token.secret)).await??,
            false => None,
        };
        let secret = restricted.as_ref().unwrap_or(&token.secret);

        let body = body.or_whole(demand.body.as_deref());
        let upload = ending.upload(body, self.limits.request_bytes);
        let outbound = forward::request(&asked, route, head.headers, secret, upload)?;
        // The last look before the first byte goes up is `unless_cut`'s own.
        let sent = ending.unless_cut(self.vault.broker.dialer().send(outbound)).await?;
        let answer = sent.map_err(|error| ending.explain(error, self.limits.request_bytes))?;
        ending.answered(answer.status());

        let (mut head, body) = answer.into_parts();
        headers::answer_clean(&mut head, &asked.place.provider, &[secret, &token.secret], request_id);
        if types::tells(route) && head.status.is_success() {
            let whole = ending.unless_cut(Whole::read(body)).await??;
            self.bind_answer(&asked, route, &demand, &whole).await;
            return Ok(Response::from_parts(head, ending.whole(whole)));
        }
        Ok(Response::from_parts(head, ending.stream(body)))
    }

    /// Opens the lease that the request carries. Whether it is in force is for the commit to say.
    async fn lease(&self, peer: &Peer, headers: &http::HeaderMap) -> Result<Lease, Refusal> {
        let token = request::lease_token(headers, &self.lease_headers)?;
        let lease = self.vault.identity.lease(token).await?;
        // A lease that was issued to a certificate is of no use to whoever stole it alone (RFC 8705).
        if lease.certificate.is_some() && lease.certificate != peer.certificate_thumbprint {
            return Err(Refusal::DeadLease);
        }
        match lease.delivery {
            // Who may hold the token may also leave it with us.
            Delivery::Gateway | Delivery::Token => Ok(lease),
            Delivery::Secret => Err(Refusal::WrongDelivery),
        }
    }
}

/// A request body on its way up: still streaming, or read.
enum Upload {
    Streaming(Body),
    Read,
}

impl Upload {
    fn or_whole(self, parsed: Option<&[u8]>) -> Upstream {
        match (self, parsed) {
            (Self::Streaming(body), _) => Upstream::Streaming(body),
            // What was parsed goes up, not what came: two readings of one body would be two opinions.
            (Self::Read, parsed) => Upstream::Whole(parsed.unwrap_or_default().to_vec().into()),
        }
    }
}

/// What goes up.
enum Upstream {
    Streaming(Body),
    Whole(bytes::Bytes),
}
