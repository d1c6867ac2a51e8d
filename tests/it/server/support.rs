//! A server on a free port of 127.0.0.1, with a certificate of its own.

use axum::Router;
use leasehold::{
    clock::SystemClock,
    entropy::SystemEntropy,
    server::{Drained, Limits, Listener, Tls, authority::DevAuthority, serve},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) ca_pem: Vec<u8>,
    pub(crate) ca_path: std::path::PathBuf,
    pub(crate) shutdown: CancellationToken,
    running: JoinHandle<Drained>,
    _directory: TempDir,
}

impl TestServer {
    pub(crate) async fn with_tls(router: Router, limits: Limits) -> Self {
        let (directory, authority) = authority();
        let tls = Tls::On(authority.server_config().unwrap());
        Self::start(router, limits, tls, directory, &authority).await
    }

    pub(crate) async fn plain(router: Router, limits: Limits) -> Self {
        let (directory, authority) = authority();
        Self::start(router, limits, Tls::Off, directory, &authority).await
    }

    async fn start(router: Router, limits: Limits, tls: Tls, directory: TempDir, authority: &DevAuthority) -> Self {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), tls).await.unwrap();
        let address = listener.local_addr();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
        let (ca_path, ca_pem) = (authority.ca_path().to_owned(), std::fs::read(authority.ca_path()).unwrap());
        Self { address, ca_pem, ca_path, shutdown, running, _directory: directory }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects with TLS, offering `alpn`.
    pub(crate) async fn connect_tls(&self, alpn: &[&str]) -> TlsStream<TcpStream> {
        let connector = TlsConnector::from(self.client_config(alpn));
        connector.connect("localhost".try_into().unwrap(), self.connect().await).await.unwrap()
    }

    pub(crate) fn client_config(&self, alpn: &[&str]) -> Arc<rustls::ClientConfig> {
        use rustls_pki_types::{CertificateDer, pem::PemObject};
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.ca_pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    pub(crate) async fn drained(self) -> Drained {
        in_time(self.running).await.unwrap()
    }
}

fn authority() -> (TempDir, DevAuthority) {
    let directory = tempfile::tempdir().unwrap();
    let authority = DevAuthority::open_or_make(directory.path(), &SystemClock, &SystemEntropy).unwrap();
    (directory, authority)
}

/// Fails a test that would otherwise hang for ever, which is how a missing limit shows.
pub(super) async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this ends by itself")
}
