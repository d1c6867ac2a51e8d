//! The accept loop: sockets in, requests out. It owns TLS, the limits on what an unauthenticated stranger may hold open,
//! and the drain at shutdown. It knows nothing of what the requests mean.

pub mod assembly;
pub mod authority;
pub mod certificate;
mod connection;
mod in_flight;
pub mod memory;
pub mod seals;
pub mod unsealing;
pub mod upkeep;

use crate::config;
use axum::body::Body;
use connection::Door;
use http::{Request, Response};
use hyper::body::Incoming;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Whether a listener speaks TLS.
#[derive(Clone)]
pub enum Tls {
    /// TLS 1.2 or 1.3, configured by [`certificate::server_config`].
    On(Arc<rustls::ServerConfig>),
    /// Plain HTTP/1.1. `Config` allows it on loopback addresses only.
    Off,
}

/// A bound socket that nobody serves yet.
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    tls: Tls,
}

impl Listener {
    /// Binds `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// Where the address is taken or may not be bound; the error names it.
    pub async fn bind(address: SocketAddr, tls: Tls) -> Result<Self, BindError> {
        let failed = |source| BindError { address, source };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self { tcp, address, tls })
    }

    /// Returns the address bound, with the port that was taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns `https://ADDRESS:PORT` or, with TLS off, `http://ADDRESS:PORT`.
    #[must_use]
    pub fn base_url(&self) -> String {
        let scheme = match self.tls {
            Tls::On(_) => "https",
            Tls::Off => "http",
        };
        format!("{scheme}://{}", self.address)
    }
}

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}; free the port or set another one (port 0 takes any)")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// What one listener lets strangers hold. Each listener has its own, so that a flood on the gateway leaves room for a
/// revocation on the API.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once; one more is closed as soon as it is accepted.
    pub connections: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From a connection's start, or its previous response, to the end of an HTTP/1.1 request head. It also ends an
    /// idle keep-alive connection.
    pub header_read: Duration,
    /// How long an HTTP/2 connection may stay open without a request.
    pub idle: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// How long requests under way may take to end once shutdown begins.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            streams: 128,
            drain: Duration::from_secs(25),
        }
    }
}

impl From<&config::Limits> for Limits {
    fn from(limits: &config::Limits) -> Self {
        Self {
            connections: limits.connections.as_usize(),
            handshake: limits.handshake_timeout_s.duration(),
            header_read: limits.header_read_timeout_s.duration(),
            drain: limits.drain_timeout_s.duration(),
            ..Self::default()
        }
    }
}

/// How a listener ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that still had a request under way at the deadline, and were aborted.
    pub cut: usize,
}

/// Serves `listener` until `shutdown` is cancelled; then accepts no more, lets the requests under way end within
/// `limits.drain`, and aborts what is left.
///
/// Each request carries a [`Peer`](crate::peer::Peer) extension. When a caller goes away, its handler is dropped at the
/// next await: work that must end either way has to be spawned by the handler.
pub async fn serve<S>(listener: Listener, service: S, limits: Limits, shutdown: CancellationToken) -> Drained
where
    S: tower::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let Listener { tcp, address, tls } = listener;
    let places = Arc::new(Semaphore::new(limits.connections));
    let door = Door::new(tls, service, limits, shutdown.clone());
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = accept(&tcp) => accepted,
        };
        metrics::counter!("leasehold_connections_total").increment(1);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // Dropping the stream closes it. Waiting for a place instead would fill the kernel's backlog, and a caller
            // that is refused at once can go to another node.
            metrics::counter!("leasehold_connections_shed_total").increment(1);
            continue;
        };
        let door = door.clone();
        connections.spawn(async move {
            let open = metrics::gauge!("leasehold_connections_open");
            open.increment(1.0);
            let _leaving = scopeguard(move || open.decrement(1.0));
            door.admit(stream, peer).await;
            drop(place);
        });
    }
    drop(tcp);
    tracing::info!(%address, open = connections.len(), "listener closed, draining");
    drain(connections, limits.drain).await
}

/// Accepts the next connection, waiting out what one connection's failure, or a process short of descriptors, throws.
async fn accept(tcp: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match tcp.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                // EMFILE and its like come back at once for as long as they last: without a pause this would spin.
                tracing::error!(%error, "cannot accept connections; trying again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn drain(mut connections: JoinSet<()>, deadline: Duration) -> Drained {
    let ended = tokio::time::timeout(deadline, async { while connections.join_next().await.is_some() {} }).await;
    let cut = if ended.is_ok() { 0 } else { connections.len() };
    if cut > 0 {
        tracing::warn!(cut, "requests were still under way at the end of the drain; aborting them");
    }
    connections.shutdown().await;
    Drained { cut }
}

/// Runs `leave` when the guard drops, whether the connection ended, panicked or was aborted.
fn scopeguard(leave: impl Fn()) -> impl Drop {
    struct Guard<F: Fn()>(F);
    impl<F: Fn()> Drop for Guard<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    Guard(leave)
}
