use super::support::{TestServer, in_time};
use axum::{Router, routing::get};
use leasehold::server::{Drained, Limits};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, Semaphore},
};

/// A handler that says when it has begun and waits to be let go.
fn gated() -> (Router, Arc<Notify>, Arc<Semaphore>) {
    let (begun, gate) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let handler = {
        let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
        move || async move {
            begun.notify_one();
            let _passed = gate.acquire().await.unwrap();
            "done"
        }
    };
    (Router::new().route("/", get(handler)), begun, gate)
}

#[tokio::test]
async fn a_request_under_way_ends_and_new_connections_are_refused() {
    let (router, begun, gate) = gated();
    let server = TestServer::plain(router, Limits::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    begun.notified().await;

    server.shutdown.cancel();
    in_time(async { while tokio::net::TcpStream::connect(server.address).await.is_ok() {} }).await;

    gate.add_permits(1);
    let mut answer = String::new();
    in_time(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.ends_with("done"), "{answer}");
    assert_eq!(server.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_drain_up() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let server = TestServer::plain(router, Limits { drain: Duration::from_secs(600), ..Limits::default() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert_ne!(stream.read(&mut [0; 256]).await.unwrap(), 0);
    let _silent = server.connect().await;
    server.shutdown.cancel();
    assert_eq!(server.drained().await, Drained { cut: 0 });
}

#[tokio::test]
async fn a_request_that_outlasts_the_drain_is_aborted() {
    let (router, begun, _gate) = gated();
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let server = TestServer::plain(router, limits).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    begun.notified().await;
    server.shutdown.cancel();
    assert_eq!(server.drained().await, Drained { cut: 1 });
    assert_eq!(in_time(stream.read(&mut [0; 1])).await.unwrap_or(0), 0);
}

/// Tells, by dropping its sender, that the handler that holds it is gone.
#[tokio::test]
async fn an_aborted_http_2_connection_takes_its_handlers_with_it() {
    let (begun, (alive, mut gone)) = (Arc::new(Notify::new()), tokio::sync::mpsc::channel::<()>(1));
    let handler = {
        let begun = Arc::clone(&begun);
        move || async move {
            let _alive = alive;
            begun.notify_one();
            std::future::pending::<()>().await;
        }
    };
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let server = TestServer::with_tls(Router::new().route("/", get(handler)), limits).await;
    let client = super::tls::client(&server);
    let waiting = tokio::spawn(client.get(format!("https://localhost:{}/", server.address.port())).send());
    in_time(begun.notified()).await;
    server.shutdown.cancel();
    assert_eq!(server.drained().await, Drained { cut: 1 });
    assert!(in_time(waiting).await.unwrap().is_err());
    assert!(in_time(gone.recv()).await.is_none());
}
