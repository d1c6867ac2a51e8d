//! The one way out. Every request that leaves the vault, to a token endpoint or through the gateway, goes through here,
//! because the host it goes to may be a customer's choice: a connection's own address, a name in a customer's DNS.
//!
//! A name is resolved once, *every* address it gave is judged, and exactly those addresses are dialed, so that a second
//! lookup cannot give another answer (DNS rebinding). Redirects are not followed and no proxy is read from the
//! environment: either would be a second way out. This module knows nothing of tokens.

mod address;
mod connector;
mod leased;

pub use address::AllowedNetworks;
pub use connector::{Resolve, Resolving, SystemResolver};

use crate::fleet::NodeLease;
use bytes::Bytes;
use connector::{ConnectError, Connector};
use http::{Method, Request, Response, Uri, Version, header::HOST};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::capture_connection},
    rt::{TokioExecutor, TokioTimer},
};
use ipnet::IpNet;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};

/// What a body, or whatever produces one, may fail with.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A body on its way out. Not `Sync`, so that a body on its way in can be passed on as it is.
pub type OutboundBody = UnsyncBoxBody<Bytes, BoxError>;

/// How long an idle connection to a provider is kept: under the 60 s after which Amazon's load balancers close theirs,
/// so that a request rarely meets a connection that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(50);

/// Idle connections kept for each host.
const POOL_PER_HOST: usize = 64;

/// Wraps bytes that are known whole; an empty body is `full("")`.
pub fn full(bytes: impl Into<Bytes>) -> OutboundBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Wraps a stream, such as a worker's request body, so that back-pressure reaches its sender.
pub fn streamed<B>(body: B) -> OutboundBody
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    body.map_err(Into::into).boxed_unsync()
}

/// What a [`Dialer`] is made from.
pub struct DialerOptions {
    /// Networks that are not public but may be called all the same (`egress.allowed_cidrs`).
    pub allowed_cidrs: Vec<IpNet>,
    /// PEM of authorities trusted beside the Web's (`egress.ca_file`).
    pub extra_roots_pem: Option<Vec<u8>>,
    /// From the lookup of a name to the end of the TLS handshake.
    pub connect_timeout: Duration,
    /// From the start of [`Dialer::send`] to the head of the response. The body has no limit here.
    pub response_timeout: Duration,
}

impl Default for DialerOptions {
    fn default() -> Self {
        Self {
            allowed_cidrs: Vec::new(),
            extra_roots_pem: None,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(30),
        }
    }
}

/// The outbound client. Clones share its connections.
#[derive(Clone)]
pub struct Dialer {
    client: legacy::Client<Connector, OutboundBody>,
    connector: Connector,
    response_timeout: Duration,
}

impl Dialer {
    /// Makes a dialer that asks the system's resolver.
    ///
    /// # Errors
    /// Where `extra_roots_pem` holds something that is not a certificate, or no certificate at all.
    pub fn new(options: DialerOptions) -> Result<Self, RootsError> {
        Self::with_resolver(options, Arc::new(SystemResolver))
    }

    /// Makes a dialer that asks `resolver`, whose answers are judged all the same.
    ///
    /// # Errors
    /// As [`Dialer::new`].
    pub fn with_resolver(options: DialerOptions, resolver: Arc<dyn Resolve>) -> Result<Self, RootsError> {
        let tls = client_config(options.extra_roots_pem.as_deref())?;
        let allowed = AllowedNetworks::new(options.allowed_cidrs);
        let connector = Connector::new(resolver, allowed, tls, options.connect_timeout);
        Ok(Self { client: client(connector.clone()), connector, response_timeout: options.response_timeout })
    }

    /// Makes the same dialer, whose connections write only under a node's lease: each looks before each write.
    #[must_use]
    pub fn under(self, lease: NodeLease) -> Self {
        let connector = self.connector.under(lease);
        Self { client: client(connector.clone()), connector, response_timeout: self.response_timeout }
    }

    /// Sends `request`, whose URI is absolute, and returns the response's head with its body still streaming. A redirect
    /// is returned like any response. Dropping the future, or the body, resets the exchange upstream.
    ///
    /// The `Host` sent is the URI's: a caller's own would choose another customer at the same address.
    ///
    /// # Errors
    /// [`DialError::sent`] tells whether the provider may have received the request, hence whether a retry is safe.
    pub async fn send(&self, request: Request<OutboundBody>) -> Result<Response<Incoming>, DialError> {
        self.send_within(request, self.response_timeout).await
    }

    /// Sends `request` as [`Dialer::send`] does, with a time limit of its own.
    ///
    /// # Errors
    /// As [`Dialer::send`].
    pub async fn send_within(
        &self,
        mut request: Request<OutboundBody>,
        limit: Duration,
    ) -> Result<Response<Incoming>, DialError> {
        let host = target_host(&request)?;
        request.headers_mut().remove(HOST);
        // A worker's HTTP/2 request may go on over HTTP/1.1; hyper takes the version for a demand.
        *request.version_mut() = Version::HTTP_11;
        let connection = capture_connection(&mut request);
        let outcome = match tokio::time::timeout(limit, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(DialError::from_client(host, error)),
            Err(_) => {
                let sent = if connection.connection_metadata().is_some() { Sent::Perhaps } else { Sent::No };
                Err(DialError::TimedOut { host, limit, sent })
            }
        };
        if let Err(error) = &outcome {
            metrics::counter!("leasehold_dial_failures_total", "reason" => error.reason()).increment(1);
        }
        outcome
    }
}

fn client(connector: Connector) -> legacy::Client<Connector, OutboundBody> {
    legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_PER_HOST)
        .build(connector)
}

/// Returns the host of a request that the vault is willing to send at all.
fn target_host<B>(request: &Request<B>) -> Result<String, DialError> {
    let uri: &Uri = request.uri();
    let refuse = |why| Err(DialError::Target { why });
    let (Some(host), Some(authority)) = (uri.host(), uri.authority()) else {
        return refuse("its URI has no host");
    };
    if request.method() == Method::CONNECT {
        return refuse("CONNECT would open a tunnel that nothing judges");
    }
    if authority.as_str().contains('@') {
        return refuse("its URI carries user information, which would reach logs");
    }
    Ok(host.to_owned())
}

fn client_config(extra_roots_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, RootsError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(pem) = extra_roots_pem {
        let extra = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(RootsError::NotPem)?;
        if extra.is_empty() {
            return Err(RootsError::Empty);
        }
        for certificate in extra {
            roots.add(certificate).map_err(RootsError::Unusable)?;
        }
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Whether a provider may have received a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// No byte of it left: a retry is safe.
    No,
    /// It may have been received and acted on: a refresh token may have been spent.
    Perhaps,
}

/// A request that got no response. Its text holds no header, body or query.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum DialError {
    #[error("a request cannot be sent: {why}")]
    Target { why: &'static str },
    #[error("{host} did not resolve: {source}")]
    Resolve { host: String, source: std::io::Error },
    #[error(
        "{host} is at {address}, which is not a public address; list its network in egress.allowed_cidrs to call it"
    )]
    Refused { host: String, address: IpAddr },
    #[error("{host} would be called without TLS; only an allowed loopback address may be")]
    Unencrypted { host: String },
    #[error("{host} refused the connection or is unreachable: {source}")]
    Connect { host: String, source: std::io::Error },
    #[error("{host} failed the TLS handshake: {source}")]
    Tls { host: String, source: std::io::Error },
    #[error("{host} was not connected within {limit:?}")]
    ConnectTimedOut { host: String, limit: Duration },
    #[error("{host} was not called: this node cannot follow the others, and sends nothing out until it can")]
    Lapsed { host: String },
    #[error("{host} gave no response within {limit:?}")]
    TimedOut { host: String, limit: Duration, sent: Sent },
    #[error("{host} broke off: {source}")]
    Exchange { host: String, source: BoxError, sent: Sent },
}

impl DialError {
    /// Tells whether the provider may have received the request.
    #[must_use]
    pub fn sent(&self) -> Sent {
        match self {
            Self::TimedOut { sent, .. } | Self::Exchange { sent, .. } => *sent,
            _ => Sent::No,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Target { .. } => "target",
            Self::Resolve { .. } => "resolve",
            Self::Refused { .. } => "refused_address",
            Self::Unencrypted { .. } => "unencrypted",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::ConnectTimedOut { .. } => "connect_timeout",
            Self::Lapsed { .. } => "node_lapsed",
            Self::TimedOut { .. } => "timeout",
            Self::Exchange { .. } => "exchange",
        }
    }

    fn from_client(host: String, error: legacy::Error) -> Self {
        if !error.is_connect() {
            // hyper calls a request canceled where the connection closed before it was written.
            let source = error.source().and_then(|source| source.downcast_ref::<hyper::Error>());
            let sent = if source.is_some_and(hyper::Error::is_canceled) { Sent::No } else { Sent::Perhaps };
            return Self::Exchange { host, source: error.into(), sent };
        }
        match ConnectError::within(error) {
            Ok(ConnectError::Resolve(source)) => Self::Resolve { host, source },
            Ok(ConnectError::Refused(address)) => Self::Refused { host, address },
            Ok(ConnectError::Unencrypted) => Self::Unencrypted { host },
            Ok(ConnectError::Tcp(source)) => Self::Connect { host, source },
            Ok(ConnectError::Tls(source)) => Self::Tls { host, source },
            Ok(ConnectError::Lapsed) => Self::Lapsed { host },
            Ok(ConnectError::TimedOut(limit)) => Self::ConnectTimedOut { host, limit },
            // Connected, but the HTTP/2 preface or settings failed: no request has been written yet.
            Err(error) => Self::Exchange { host, source: error.into(), sent: Sent::No },
        }
    }
}

/// Extra roots that cannot be trusted because they cannot be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum RootsError {
    #[error("egress.ca_file is not PEM: {0}")]
    NotPem(rustls_pki_types::pem::Error),
    #[error("egress.ca_file holds no certificate; give the authority's certificate in PEM")]
    Empty,
    #[error("egress.ca_file holds a certificate that cannot be a root: {0}")]
    Unusable(rustls::Error),
}

#[cfg(test)]
mod tests;
