use super::*;
use futures_util::stream;
use std::io;

impl Simulated {
    async fn requests(&self) -> Vec<Value> {
        self.get("/_sim/requests", "").await.json().as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn every_request_is_remembered_as_it_came_in_order() {
    let simulated = Simulated::new();
    let request =
        Request::get("/orders/v0/orders?MarketplaceIds=a%2Cb").header("X-Twice", "one").header("x-twice", "two");
    simulated.send(request.body(Body::empty()).unwrap()).await;
    simulated.post("/auth/o2/token", "", &json!({})).await;
    let requests = simulated.requests().await;
    assert_eq!(requests.len(), 2);
    let first = &requests[0];
    assert_eq!((&first["method"], &first["path"]), (&json!("GET"), &json!("/orders/v0/orders")));
    assert_eq!(first["query"], "MarketplaceIds=a%2Cb");
    assert_eq!(first["headers"]["x-twice"], "one, two");
    assert_eq!((&first["status"], &first["at"]), (&json!(403), &json!("2026-05-28T20:26:40.000000Z")));
    assert_eq!((&requests[1]["path"], &requests[1]["received_bytes"]), (&json!("/auth/o2/token"), &json!(2)));
}

#[tokio::test]
async fn the_simulators_own_paths_are_not_remembered_and_forgetting_forgets() {
    let simulated = Simulated::new();
    simulated.get("/_sim/stats", "").await;
    simulated.get("/_sim/nothing", "").await;
    assert!(simulated.requests().await.is_empty());
    simulated.get("/orders/v0/orders", "").await;
    assert_eq!(simulated.requests().await.len(), 1);
    assert_eq!(simulated.call(Method::DELETE, "/_sim/requests", "", Body::empty()).await.status, 204);
    assert!(simulated.requests().await.is_empty());
}

#[tokio::test]
async fn an_upload_that_breaks_off_is_counted_as_far_as_it_came() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let broken = Body::from_stream(stream::iter([
        Ok(Bytes::from_static(&[b' '; 1000])),
        Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    ]));
    simulated.call(Method::POST, "/reports/2021-06-30/reports", &access, broken).await;
    let newest = simulated.requests().await.pop().unwrap();
    assert_eq!((&newest["received_bytes"], &newest["client_gone"]), (&json!(1000), &json!(true)));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_noticed() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let request = Request::get("/orders/v0/orders").header("x-amz-access-token", &access).body(Body::empty()).unwrap();
    drop(simulated.amazon.router().oneshot(request).await.unwrap());
    assert_eq!(simulated.requests().await.pop().unwrap()["client_gone"], true);
    simulated.get("/orders/v0/orders", &access).await;
    let taken = simulated.requests().await.pop().unwrap();
    assert_eq!(taken["client_gone"], false);
    assert!(taken["sent_bytes"].as_u64().unwrap() > 1000);
}

#[tokio::test]
async fn a_request_given_up_before_its_answer_has_no_status() {
    let simulated = Simulated::new();
    simulated.steer(json!({ "failure": "hang" })).await;
    let request = Request::get("/orders/v0/orders").body(Body::empty()).unwrap();
    let waiting = simulated.amazon.router().oneshot(request);
    assert!(futures_util::FutureExt::now_or_never(waiting).is_none());
    let newest = simulated.requests().await.pop().unwrap();
    assert_eq!((&newest["status"], &newest["client_gone"]), (&Value::Null, &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn refreshes_of_one_authorization_that_overlap_are_counted() {
    let simulated = Simulated::new();
    let one = simulated.connect(EU_SELLER).await;
    let two = simulated.connect(OTHER_EU_SELLER).await;
    simulated.steer(json!({ "path_prefix": "/auth", "delay_ms": 50 })).await;
    let most =
        async || simulated.get("/_sim/stats", "").await.json()["max_concurrent_refreshes_per_authorization"].clone();
    futures_util::future::join(simulated.refresh(&one.refresh), simulated.refresh(&two.refresh)).await;
    assert_eq!(most().await, 1);
    futures_util::future::join(simulated.refresh(&one.refresh), simulated.refresh(&one.refresh)).await;
    assert_eq!(most().await, 2);
    let stats = simulated.get("/_sim/stats", "").await.json();
    assert_eq!((&stats["refreshes"], &stats["token_requests"]), (&json!(4), &json!(6)));
}
