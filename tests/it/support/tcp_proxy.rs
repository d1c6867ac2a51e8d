use crate::tcp_proxy::TcpProxy;
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const SOON: Duration = Duration::from_secs(20);
const NEVER: Duration = Duration::from_millis(200);

/// A server that sends back what it gets, behind `greeting`, and tells the test of it.
async fn echo(greeting: &'static str) -> (u16, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                stream.write_all(greeting.as_bytes()).await.unwrap();
                let mut buffer = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                    let _ = heard.send(buffer[..length].to_vec());
                    let _ = stream.write_all(&buffer[..length]).await;
                }
            });
        }
    });
    (port, hears)
}

async fn dial(proxy: &TcpProxy) -> TcpStream {
    assert_eq!(proxy.address().port(), proxy.port());
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn reads(stream: &mut TcpStream, expected: &[u8]) {
    let mut buffer = vec![0; expected.len()];
    timeout(SOON, stream.read_exact(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(buffer, expected);
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 16];
    !matches!(timeout(SOON, stream.read(&mut buffer)).await.unwrap(), Ok(1..))
}

#[tokio::test]
async fn a_cut_closes_what_is_open_and_lets_nobody_in_until_it_ends() {
    let (port, _hears) = echo("").await;
    let proxy = TcpProxy::to_port(port).await;
    let mut stream = dial(&proxy).await;
    stream.write_all(b"one").await.unwrap();
    reads(&mut stream, b"one").await;
    proxy.cut();
    assert!(is_closed(&mut stream).await);
    assert!(is_closed(&mut dial(&proxy).await).await);
    proxy.restore();
    let mut stream = dial(&proxy).await;
    stream.write_all(b"two").await.unwrap();
    reads(&mut stream, b"two").await;
    assert_eq!(proxy.accepted(), 3);
}

#[tokio::test]
async fn dropped_connections_may_come_again_and_go_where_the_proxy_points() {
    let ((one, _one), (two, _two)) = (echo("one").await, echo("two").await);
    let proxy = TcpProxy::to_port(one).await;
    let mut first = dial(&proxy).await;
    reads(&mut first, b"one").await;
    proxy.point_at((Ipv4Addr::LOCALHOST, two).into());
    first.write_all(b"still").await.unwrap();
    reads(&mut first, b"still").await;
    proxy.drop_connections();
    assert!(is_closed(&mut first).await);
    reads(&mut dial(&proxy).await, b"two").await;
}

#[tokio::test]
async fn a_black_hole_upstream_keeps_the_connection_and_loses_the_bytes() {
    let (port, mut hears) = echo("hello").await;
    let proxy = TcpProxy::to_port(port).await;
    let mut stream = dial(&proxy).await;
    reads(&mut stream, b"hello").await;
    proxy.swallow_upstream();
    stream.write_all(b"lost").await.unwrap();
    assert!(timeout(NEVER, hears.recv()).await.is_err(), "the server heard nothing");
    let mut buffer = [0; 16];
    assert!(timeout(NEVER, stream.read(&mut buffer)).await.is_err(), "and the client was not told");
}

#[tokio::test]
async fn a_black_hole_downstream_lets_the_server_act_unheard() {
    let (port, mut hears) = echo("").await;
    let proxy = TcpProxy::to_port(port).await;
    let mut stream = dial(&proxy).await;
    stream.write_all(b"one").await.unwrap();
    reads(&mut stream, b"one").await;
    proxy.swallow_downstream();
    stream.write_all(b"two").await.unwrap();
    hears.recv().await.unwrap();
    assert_eq!(timeout(SOON, hears.recv()).await.unwrap().unwrap(), b"two");
    let mut buffer = [0; 16];
    assert!(timeout(NEVER, stream.read(&mut buffer)).await.is_err());
}

#[tokio::test]
async fn rewriting_finds_bytes_that_reads_have_split() {
    let (port, mut hears) = echo("").await;
    let proxy = TcpProxy::to_port(port).await;
    proxy.rewrite(b"COMMIT", b"CUMMIT");
    let mut stream = dial(&proxy).await;
    stream.set_nodelay(true).unwrap();
    for part in ["xCOMM", "IT COMCOMMIT COM"] {
        stream.write_all(part.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut heard = Vec::new();
    while heard.len() < 21 {
        heard.extend(timeout(SOON, hears.recv()).await.expect("a beginning is not held for ever").unwrap());
    }
    assert_eq!(String::from_utf8(heard).unwrap(), "xCUMMIT COMCUMMIT COM");
}

#[tokio::test]
async fn a_delay_passes_everything_on_in_order() {
    let (port, _hears) = echo("").await;
    let proxy = TcpProxy::to_port(port).await;
    proxy.delay(Duration::from_millis(30));
    let mut stream = dial(&proxy).await;
    let before = tokio::time::Instant::now();
    stream.write_all(b"ab").await.unwrap();
    stream.write_all(b"cd").await.unwrap();
    reads(&mut stream, b"abcd").await;
    assert!(before.elapsed() >= Duration::from_millis(60), "once each way");
}

#[tokio::test]
async fn a_dropped_proxy_closes_everything() {
    let (port, _hears) = echo("").await;
    let proxy = TcpProxy::to_port(port).await;
    let mut stream = dial(&proxy).await;
    stream.write_all(b"one").await.unwrap();
    reads(&mut stream, b"one").await;
    drop(proxy);
    assert!(is_closed(&mut stream).await);
}
