//! One accepted connection: handshake, protocol, requests, end.

use super::{
    Limits, Tls,
    in_flight::{CountedBody, InFlight},
};
use crate::peer::Peer;
use axum::body::Body;
use http::{Request, Response};
use hyper::{body::Incoming, rt, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
};
use sha2::{Digest, Sha256};
use std::{convert::Infallible, net::SocketAddr, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The longest request head. A lease token is under 1,500 bytes; Amazon's page tokens in a query are a few thousand.
const HEAD_BYTES: u16 = 32 * 1024;

/// Streams a caller may reset before we looked at them (CVE-2023-44487, "rapid reset"), and streams we may have to reset
/// for its errors (CVE-2025-8671, "made you reset"), before the connection is closed.
const RESET_STREAMS: usize = 32;

/// How often an HTTP/2 peer is pinged, and how long it may take to answer.
const PING: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
}

/// What every connection of a listener goes through.
#[derive(Clone)]
pub(super) struct Door<S> {
    tls: Option<TlsAcceptor>,
    service: S,
    limits: Limits,
    shutdown: CancellationToken,
}

impl<S> Door<S>
where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    pub(super) fn new(tls: Tls, service: S, limits: Limits, shutdown: CancellationToken) -> Self {
        let tls = match tls {
            Tls::On(config) => Some(TlsAcceptor::from(config)),
            Tls::Off => None,
        };
        Self { tls, service, limits, shutdown }
    }

    /// Serves one connection to its end.
    pub(super) async fn admit(self, stream: TcpStream, address: SocketAddr) {
        // Small answers go out at once; Nagle's delay would cost a worker 40 ms.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let Some(acceptor) = &self.tls else {
            let peer = Peer { address, certificate_thumbprint: None };
            return self.converse(stream, Protocol::Http1, peer).await;
        };
        let Some(stream) =
            Box::pin(shake_hands(acceptor, stream, address, self.limits.handshake, &self.shutdown)).await
        else {
            return;
        };
        let (_, session) = stream.get_ref();
        let protocol = match session.alpn_protocol() {
            Some(b"h2") => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate_thumbprint = certificate.map(|der| Sha256::digest(der).into());
        self.converse(stream, protocol, Peer { address, certificate_thumbprint }).await;
    }

    /// Answers requests until the caller leaves, falls idle, breaks a limit, or shutdown has let the last one end.
    async fn converse<I>(self, stream: I, protocol: Protocol, peer: Peer)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let in_flight = InFlight::new();
        let service = service_fn({
            let (service, in_flight) = (self.service, in_flight.clone());
            move |mut request: Request<Incoming>| {
                let underway = in_flight.begin();
                request.extensions_mut().insert(peer);
                let answer = service.clone().oneshot(request);
                async move { answer.await.map(|response| response.map(|body| CountedBody::new(body, underway))) }
            }
        });

        let streams = CancellationToken::new();
        let _end_streams = streams.clone().drop_guard();
        let builder = builder(protocol, &self.limits, streams);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            outcome = connection.as_mut() => return log_end(peer, outcome),
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                return log_end(peer, connection.await);
            }
            () = in_flight.idle_for(self.limits.idle) => {}
        }
        // An HTTP/2 caller that never sent its preface would wait here for ever: hyper bounds neither that wait nor the
        // farewell. What came in while we said goodbye is still answered.
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            outcome = connection => log_end(peer, outcome),
            () = in_flight.idle_for(self.limits.header_read) => {}
        }
    }
}

/// Ends the handshake within `limit`, or returns `None`.
async fn shake_hands(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    limit: Duration,
    shutdown: &CancellationToken,
) -> Option<TlsStream<TcpStream>> {
    let handshake = tokio::time::timeout(limit, acceptor.accept(stream));
    // Until the handshake ends no request has begun, so shutdown loses none here.
    let reason = match shutdown.run_until_cancelled(handshake).await? {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "TLS handshake failed");
            "failed"
        }
        Err(_) => "slow",
    };
    metrics::counter!("leasehold_tls_handshake_failures_total", "reason" => reason).increment(1);
    None
}

/// Builds the one protocol that the handshake settled. Left to guess it from the first bytes, hyper-util waits for those
/// bytes without a limit.
fn builder(protocol: Protocol, limits: &Limits, streams: CancellationToken) -> auto::Builder<UntilEnd> {
    let mut builder = auto::Builder::new(UntilEnd(streams));
    match protocol {
        Protocol::Http1 => {
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(limits.header_read)
                .max_buf_size(usize::from(HEAD_BYTES));
            builder.http1_only()
        }
        Protocol::Http2 => {
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_concurrent_streams(limits.streams)
                .max_header_list_size(u32::from(HEAD_BYTES))
                .max_pending_accept_reset_streams(RESET_STREAMS)
                .max_local_error_reset_streams(RESET_STREAMS)
                .keep_alive_interval(PING)
                .keep_alive_timeout(PING);
            builder.http2_only()
        }
    }
}

fn log_end(peer: Peer, outcome: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = outcome {
        tracing::debug!(address = %peer.address, error, "connection ended early");
    }
}

/// Spawns an HTTP/2 connection's streams so that they end with it. Tasks of their own would outlive an aborted
/// connection, and a handler would go on working for nobody after the drain.
#[derive(Clone)]
struct UntilEnd(CancellationToken);

impl<F> rt::Executor<F> for UntilEnd
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let ended = self.0.clone();
        tokio::spawn(async move { ended.run_until_cancelled_owned(stream).await });
    }
}
