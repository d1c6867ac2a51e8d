use super::*;
use std::{collections::VecDeque, io, sync::Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Gives one prepared answer after another, and fails when asked once more.
struct Answers(Mutex<VecDeque<Vec<IpAddr>>>);

impl Resolve for Answers {
    fn resolve<'a>(&'a self, _host: &'a str) -> Resolving<'a> {
        let answer = self.0.lock().unwrap().pop_front();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("asked once too often")) })
    }
}

fn dialer(allowed: &[&str], answers: &[&[&str]]) -> Dialer {
    let allowed_cidrs = allowed.iter().map(|network| network.parse().unwrap()).collect();
    let answers = answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect());
    let options = DialerOptions { allowed_cidrs, connect_timeout: Duration::from_secs(2), ..Default::default() };
    Dialer::with_resolver(options, Arc::new(Answers(Mutex::new(answers.collect())))).unwrap()
}

fn get(uri: &str) -> Request<OutboundBody> {
    Request::get(uri).body(full("")).unwrap()
}

/// Answers one connection with `response`, and returns the request it received.
async fn upstream(response: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = vec![0; 4_096];
        let length = stream.read(&mut received).await.unwrap();
        stream.write_all(response.as_bytes()).await.unwrap();
        String::from_utf8(received[..length].to_vec()).unwrap()
    });
    (port, served)
}

#[tokio::test]
async fn a_literal_address_is_judged_like_a_resolved_one() {
    for uri in [
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[fd00:ec2::254]/",
        "https://0.0.0.0/",
        "https://localhost/",
        "https://LOCALHOST./",
        "https://na.localhost/",
        "http://127.0.0.1/",
    ] {
        let error = dialer(&[], &[]).send(get(uri)).await.unwrap_err();
        assert!(matches!(error, DialError::Refused { .. }), "{uri}: {error}");
        assert_eq!(error.sent(), Sent::No);
    }
}

#[tokio::test]
async fn a_number_that_only_the_system_reads_as_an_address_is_judged_too() {
    let dialer = Dialer::new(DialerOptions::default()).unwrap();
    for uri in ["https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/", "https://0177.0.0.1/"] {
        let error = dialer.send(get(uri)).await.unwrap_err();
        assert!(matches!(error, DialError::Refused { .. } | DialError::Resolve { .. }), "{uri}: {error}");
    }
}

#[tokio::test]
async fn one_private_address_condemns_the_whole_name() {
    let dialer = dialer(&["127.0.0.0/8"], &[&["127.0.0.1", "10.0.0.5"]]);
    match dialer.send(get("https://erp.example/")).await {
        Err(DialError::Refused { address, host }) => {
            assert_eq!((address.to_string().as_str(), host.as_str()), ("10.0.0.5", "erp.example"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_the_judged_address_is_dialed() {
    let (port, served) = upstream("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    // The second answer is what a rebinding attacker would give a second lookup.
    let dialer = dialer(&["127.0.0.0/8"], &[&["127.0.0.1"], &["10.0.0.1"]]);
    let uri = format!("http://rebinding.example:{port}/");
    assert_eq!(dialer.send(get(&uri)).await.unwrap().status(), 204);
    served.await.unwrap();
    let error = dialer.send(get(&uri)).await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn plain_http_goes_to_loopback_only() {
    let dialer = dialer(&["10.0.0.0/8"], &[&["10.0.0.1"], &["8.8.8.8"]]);
    for _ in 0..2 {
        let error = dialer.send(get("http://erp.example/")).await.unwrap_err();
        assert!(matches!(error, DialError::Unencrypted { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_an_order() {
    let (port, served) =
        upstream("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n").await;
    let response = dialer(&["127.0.0.1/32"], &[]).send(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap();
    assert_eq!(response.status(), 302);
    served.await.unwrap();
}

#[tokio::test]
async fn the_host_sent_is_the_host_dialed() {
    let (port, served) = upstream("HTTP/1.1 204 No Content\r\n\r\n").await;
    let mut request = get(&format!("http://na.localhost:{port}/"));
    request.headers_mut().insert(HOST, "another-customer.example".parse().unwrap());
    dialer(&["127.0.0.1/32"], &[]).send(request).await.unwrap();
    let received = served.await.unwrap();
    assert!(received.contains(&format!("host: na.localhost:{port}\r\n")), "{received}");
    assert!(!received.contains("another-customer"), "{received}");
}

#[tokio::test]
async fn a_request_that_was_read_and_not_answered_may_have_been_acted_on() {
    let (port, served) = upstream("").await;
    let error = dialer(&["127.0.0.1/32"], &[]).send(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap_err();
    assert_eq!(error.sent(), Sent::Perhaps, "{error}");
    served.await.unwrap();
}

#[tokio::test]
async fn a_silent_upstream_times_out_after_the_request_and_a_mute_handshake_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = DialerOptions {
        allowed_cidrs: vec!["127.0.0.1/32".parse().unwrap()],
        connect_timeout: Duration::from_millis(50),
        response_timeout: Duration::from_millis(100),
        ..Default::default()
    };
    let dialer = Dialer::new(options).unwrap();
    let error = dialer.send(get(&format!("http://127.0.0.1:{port}/"))).await.unwrap_err();
    assert!(matches!(error, DialError::TimedOut { sent: Sent::Perhaps, .. }), "{error}");
    let error = dialer.send(get(&format!("https://127.0.0.1:{port}/"))).await.unwrap_err();
    assert!(matches!(error, DialError::ConnectTimedOut { .. }), "{error}");
    assert_eq!(error.sent(), Sent::No);
}

#[tokio::test]
async fn a_closed_port_is_an_unsent_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = dialer(&["127.0.0.1/32"], &[]).send(get(&format!("https://127.0.0.1:{port}/"))).await.unwrap_err();
    assert!(matches!(error, DialError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn tunnels_user_information_and_relative_addresses_are_refused() {
    let dialer = dialer(&[], &[]);
    let connect = Request::connect("erp.example:443").body(full("")).unwrap();
    for request in [connect, get("https://user:pass@erp.example/"), get("/orders")] {
        let error = dialer.send(request).await.unwrap_err();
        assert!(matches!(error, DialError::Target { .. }), "{error}");
        assert!(!error.to_string().contains("pass"), "{error}");
    }
}

#[test]
fn roots_that_hold_no_certificate_are_refused() {
    let options = DialerOptions { extra_roots_pem: Some(b"not PEM".to_vec()), ..Default::default() };
    assert!(matches!(Dialer::new(options), Err(RootsError::Empty)));
}
