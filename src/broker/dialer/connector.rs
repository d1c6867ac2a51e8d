//! From a URI to a connection: resolve once, judge every address, dial exactly those, then TLS.

use super::{AllowedNetworks, BoxError, leased::LeasedStream};
use crate::fleet::NodeLease;
use http::{Uri, uri::Scheme};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::{client::legacy, rt::TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// Addresses of one name that are tried. A name with more gains nothing from them, and a lookup answer is not ours.
const ATTEMPTS: usize = 8;

/// What a lookup will give.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Turns a host name into addresses. Whatever it answers is judged before anything is dialed.
pub trait Resolve: Send + Sync {
    /// Looks `host` up.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The system's resolver (`getaddrinfo`), with its files, search order and address sorting.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no address: {0}")]
    Resolve(io::Error),
    #[error("{0} is not public")]
    Refused(IpAddr),
    #[error("no TLS")]
    Unencrypted,
    #[error("not connected: {0}")]
    Tcp(io::Error),
    #[error("TLS handshake: {0}")]
    Tls(io::Error),
    #[error("not within {0:?}")]
    TimedOut(Duration),
    #[error("the node's lease has ended")]
    Lapsed,
}

impl ConnectError {
    /// Takes the reason out of hyper's error, or gives the error back where it came from elsewhere.
    pub(super) fn within(error: legacy::Error) -> Result<Self, legacy::Error> {
        let found = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Self>());
        let copy = |source: &io::Error| io::Error::new(source.kind(), source.to_string());
        match found {
            Some(Self::Resolve(source)) => Ok(Self::Resolve(copy(source))),
            Some(Self::Refused(address)) => Ok(Self::Refused(*address)),
            Some(Self::Unencrypted) => Ok(Self::Unencrypted),
            Some(Self::Tcp(source)) => Ok(Self::Tcp(copy(source))),
            Some(Self::Tls(source)) => Ok(Self::Tls(copy(source))),
            Some(Self::TimedOut(limit)) => Ok(Self::TimedOut(*limit)),
            Some(Self::Lapsed) => Ok(Self::Lapsed),
            None => Err(error),
        }
    }
}

type Stream = MaybeHttpsStream<TokioIo<LeasedStream>>;

/// Makes the connections of a [`Dialer`](super::Dialer).
#[derive(Clone)]
pub(super) struct Connector(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    resolver: Arc<dyn Resolve>,
    allowed: AllowedNetworks,
    tls: Arc<ClientConfig>,
    limit: Duration,
    lease: NodeLease,
}

impl Connector {
    pub(super) fn new(
        resolver: Arc<dyn Resolve>,
        allowed: AllowedNetworks,
        tls: Arc<ClientConfig>,
        limit: Duration,
    ) -> Self {
        Self(Arc::new(Inner { resolver, allowed, tls, limit, lease: NodeLease::endless() }))
    }

    /// Makes the same connector, whose connections write only under a node's lease.
    pub(super) fn under(&self, lease: NodeLease) -> Self {
        Self(Arc::new(Inner { lease, ..Inner::clone(&self.0) }))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let connected = timeout(inner.limit, inner.connect(&uri)).await;
            Ok(connected.unwrap_or(Err(ConnectError::TimedOut(inner.limit)))?)
        })
    }
}

impl Inner {
    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });

        // Before anything is waited for: what begins in one stint does not go out in the next.
        let stint = self.lease.enter().ok_or(ConnectError::Lapsed)?;
        let addresses = self.lookup(host).await?;
        // One bad address condemns the name: a mixed answer is how a rebinding attack looks, and dialing only the good
        // ones would let the attacker retry until the order suits.
        if let Some(refused) = addresses.iter().find(|address| !self.allowed.admits(**address)) {
            return Err(ConnectError::Refused(*refused));
        }
        if !encrypted && !addresses.iter().all(|address| address.to_canonical().is_loopback()) {
            return Err(ConnectError::Unencrypted);
        }
        let tcp = self.dial(&addresses, port).await?;
        let tcp = TokioIo::new(LeasedStream::new(tcp, self.lease.clone(), stint));
        if !encrypted {
            return Ok(MaybeHttpsStream::Http(tcp));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| ConnectError::Tls(io::Error::other(error)))?;
        let shaking = TlsConnector::from(Arc::clone(&self.tls)).connect(name, TokioIo::new(tcp));
        Ok(Box::pin(shaking).await.map_err(ConnectError::Tls)?.into())
    }

    async fn lookup(&self, host: &str) -> Result<Vec<IpAddr>, ConnectError> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        if is_localhost(host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
        }
        let addresses = self.resolver.resolve(host).await.map_err(ConnectError::Resolve)?;
        if addresses.is_empty() {
            return Err(ConnectError::Resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
        }
        Ok(addresses)
    }

    /// Tries the addresses in the resolver's order, each for its share of the time, so that a dead first one does not
    /// spend it all.
    async fn dial(&self, addresses: &[IpAddr], port: u16) -> Result<TcpStream, ConnectError> {
        let addresses = &addresses[..addresses.len().min(ATTEMPTS)];
        let share = self.limit.div_f64(addresses.len() as f64);
        let mut last = ConnectError::TimedOut(self.limit);
        for address in addresses {
            match timeout(share, TcpStream::connect(SocketAddr::new(*address, port))).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(ConnectError::Tcp)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = ConnectError::Tcp(error),
                Err(_) => {}
            }
        }
        Err(last)
    }
}

/// Tells a name of the host itself (RFC 6761 §6.3), which is never asked of the DNS: whoever answers there would be
/// taken for the simulator.
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}
