//! HTTP/1.1 by hand, over TLS: what no client library would send, and what it would hide of what comes back.

use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Fails a test that would otherwise hang for ever.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct RawHttp {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
}

/// An answer, as far as it came.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// Whether the body ended as its framing says that it should.
    pub(crate) complete: bool,
}

impl RawHttp {
    /// Connects to `base_url`, on localhost, and offers HTTP/1.1 only.
    pub(crate) async fn connect(base_url: &str, ca_pem: &[u8]) -> Self {
        let port = url::Url::parse(base_url).unwrap().port().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// Returns what came and was not read as an answer.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Sends bytes; false where the other side has closed.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = async { self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok() };
        timeout(PATIENCE, sent).await.expect("the server reads")
    }

    /// Reads more; false at the end, clean or not.
    pub(crate) async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.unread)).await;
        matches!(read.expect("the server answers or closes"), Ok(1..))
    }

    /// Reads the head of an answer; `None` where the connection ends before it.
    pub(crate) async fn head(&mut self) -> Option<(u16, String)> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                return Some((status, head));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads one answer; `None` where the connection ends before its head.
    pub(crate) async fn answer(&mut self) -> Option<RawAnswer> {
        let (status, head) = self.head().await?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: Option<usize> = length.map(|value| value.trim().parse().unwrap());
        let chunked = head.contains("transfer-encoding: chunked");
        let complete = loop {
            let end = match length {
                Some(length) => (self.unread.len() >= length).then_some(length),
                None if chunked => chunked_end(&self.unread),
                None => Some(0),
            };
            if let Some(end) = end {
                self.unread.drain(..end);
                return Some(RawAnswer { status, head, complete: true });
            }
            if !self.more().await {
                break false;
            }
        };
        self.unread.clear();
        Some(RawAnswer { status, head, complete })
    }
}

/// Finds the end of a chunked body: just behind its last, empty chunk.
fn chunked_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = bytes[at..].windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).unwrap();
        let size = usize::from_str_radix(size.split(';').next().unwrap().trim(), 16).unwrap();
        at += line + 2 + size + 2;
        if at > bytes.len() {
            return None;
        }
        if size == 0 {
            return Some(at);
        }
    }
}
