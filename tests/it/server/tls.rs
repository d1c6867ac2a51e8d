use super::support::{TestServer, in_time};
use axum::{Router, routing::get};
use leasehold::server::Limits;
use std::{net::SocketAddr, path::Path, process::Command};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn version() -> Router {
    Router::new()
        .route("/", get(|request: http::Request<axum::body::Body>| async move { format!("{:?}", request.version()) }))
}

/// An HTTP client that trusts the server's authority only, and finds `localhost` on IPv4.
pub(super) fn client(server: &TestServer) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(&server.ca_pem).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let builder = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
    builder.resolve("localhost", address).resolve("na.localhost", address).build().unwrap()
}

#[tokio::test]
async fn the_handshake_chooses_the_protocol() {
    let server = TestServer::with_tls(version(), Limits::default()).await;
    let url = format!("https://na.localhost:{}/", server.address.port());
    let answer = in_time(client(&server).get(url).send()).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "HTTP/2.0");

    for alpn in [&["http/1.1"][..], &[]] {
        let mut stream = server.connect_tls(alpn).await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        let _ = in_time(stream.read_to_string(&mut answer)).await;
        assert!(answer.ends_with("HTTP/1.1"), "{alpn:?}: {answer}");
    }
}

#[tokio::test]
async fn a_second_connection_resumes_the_first_ones_session() {
    let server = TestServer::with_tls(version(), Limits::default()).await;
    let config = server.client_config(&["http/1.1"]);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::clone(&config));
        let name = "localhost".try_into().unwrap();
        let mut stream = connector.connect(name, server.connect().await).await.unwrap();
        // The ticket comes after the handshake: a request and its answer make sure that it has come.
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let _ = in_time(stream.read_to_end(&mut Vec::new())).await;
        kinds.push(stream.get_ref().1.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}

/// Runs `command` and returns whether it succeeded, with what it said; `None` where this host has no such program.
async fn run(program: &str, arguments: Vec<String>) -> Option<(bool, String)> {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("https_proxy").env_remove("HTTPS_PROXY");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().ok()?;
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[tokio::test]
async fn openssl_accepts_the_development_authority_at_its_strictest() {
    let server = TestServer::with_tls(version(), Limits::default()).await;
    let leaf = server.ca_path.with_file_name("server.pem");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let options = ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "eu.localhost", "-CAfile"];
    let mut arguments: Vec<String> = options.iter().map(ToString::to_string).collect();
    arguments.extend([text(&server.ca_path), text(&leaf)]);
    if let Some((accepted, said)) = run("openssl", arguments).await {
        assert!(accepted, "{said}");
    }
}

/// Python's `ssl` turned on `VERIFY_X509_STRICT` in 3.13, which many home-made authorities do not pass.
#[tokio::test]
async fn python_accepts_the_development_authority_at_its_strictest() {
    let server = TestServer::with_tls(version(), Limits::default()).await;
    let script = format!(
        "import socket, ssl\n\
         context = ssl.create_default_context(cafile={:?})\n\
         context.verify_flags |= ssl.VERIFY_X509_STRICT\n\
         for name in ('localhost', 'fe.localhost', '127.0.0.1'):\n\
        \x20   with socket.create_connection(('127.0.0.1', {})) as plain:\n\
        \x20       context.wrap_socket(plain, server_hostname=name).close()\n",
        server.ca_path,
        server.address.port(),
    );
    if let Some((accepted, said)) = run("python3", vec!["-c".into(), script]).await {
        assert!(accepted, "{said}");
    }
}
