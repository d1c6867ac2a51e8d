use super::support::{TestServer, in_time};
use axum::{Extension, Router, routing::get};
use leasehold::{peer::Peer, server::Limits};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

fn short() -> Limits {
    let soon = Duration::from_millis(50);
    Limits { handshake: soon, header_read: soon, idle: soon, ..Limits::default() }
}

#[tokio::test]
async fn a_client_that_never_shakes_hands_is_cut() {
    let server = TestServer::with_tls(hello(), short()).await;
    let mut stream = server.connect().await;
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_that_never_ends_its_head_is_cut() {
    let server = TestServer::with_tls(hello(), short()).await;
    let mut stream = server.connect_tls(&["http/1.1"]).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_silent_client_is_cut_with_tls_off_too() {
    let server = TestServer::plain(hello(), short()).await;
    let mut stream = server.connect().await;
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn an_http_2_client_that_never_sends_its_preface_is_cut() {
    let server = TestServer::with_tls(hello(), short()).await;
    let mut stream = server.connect_tls(&["h2"]).await;
    let _ = in_time(stream.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn an_idle_http_2_client_is_cut() {
    let server = TestServer::with_tls(hello(), short()).await;
    let mut stream = server.connect_tls(&["h2"]).await;
    // The preface and an empty SETTINGS frame (RFC 9113 §3.4), then silence.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let _ = in_time(stream.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once_and_a_place_that_is_left_is_given_again() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = TestServer::plain(hello(), limits).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_ne!(in_time(first.read(&mut [0; 64])).await.unwrap(), 0);

    let mut second = server.connect().await;
    assert_eq!(in_time(second.read(&mut [0; 1])).await.unwrap_or(0), 0);

    drop(first);
    let answered = async {
        loop {
            let mut third = server.connect().await;
            let _ = third.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
            if third.read(&mut [0; 64]).await.unwrap_or(0) > 0 {
                return;
            }
        }
    };
    in_time(answered).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = TestServer::plain(hello(), Limits::default()).await;
    let mut stream = server.connect().await;
    let head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(200_000));
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_handler_sees_the_callers_address_and_a_known_length_stays_known() {
    let router =
        Router::new().route("/", get(|Extension(peer): Extension<Peer>| async move { peer.address.to_string() }));
    let server = TestServer::plain(router, Limits::default()).await;
    let mut stream = server.connect().await;
    let address = stream.local_addr().unwrap().to_string();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    in_time(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with(&address), "{answer}");
    assert!(answer.contains(&format!("content-length: {}\r\n", address.len())), "{answer}");
}
