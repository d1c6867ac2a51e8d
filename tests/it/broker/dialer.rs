use crate::server::TestServer;
use axum::{Router, body::Bytes, routing::post};
use http::Request;
use http_body_util::BodyExt;
use leasehold::{
    broker::dialer::{DialError, Dialer, DialerOptions, full},
    server::Limits,
};

async fn echo() -> TestServer {
    let handler = |request: Request<axum::body::Body>| async move {
        let version = format!("{:?}", request.version());
        let body: Bytes = request.into_body().collect().await.unwrap().to_bytes();
        ([("x-version", version)], body)
    };
    TestServer::with_tls(Router::new().route("/", post(handler)), Limits::default()).await
}

fn dialer(extra_roots_pem: Option<Vec<u8>>) -> Dialer {
    let allowed_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
    Dialer::new(DialerOptions { allowed_cidrs, extra_roots_pem, ..Default::default() }).unwrap()
}

fn request(server: &TestServer, host: &str) -> Request<leasehold::broker::dialer::OutboundBody> {
    let uri = format!("https://{host}:{}/", server.address.port());
    Request::post(uri).body(full("grant_type=refresh_token")).unwrap()
}

#[tokio::test]
async fn a_request_goes_out_and_its_answer_comes_back_over_tls() {
    let server = echo().await;
    let dialer = dialer(Some(server.ca_pem.clone()));
    for host in ["127.0.0.1", "localhost", "na.localhost"] {
        let response = dialer.send(request(&server, host)).await.unwrap();
        assert_eq!(response.headers()["x-version"], "HTTP/2.0");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "grant_type=refresh_token", "{host}");
    }
}

#[tokio::test]
async fn an_authority_that_is_not_listed_is_not_trusted() {
    let server = echo().await;
    let error = dialer(None).send(request(&server, "localhost")).await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_accepted() {
    let server = echo().await;
    let dialer = dialer(Some(server.ca_pem.clone()));
    let error = dialer.send(request(&server, "erp.localhost")).await.unwrap_err();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
}
