//! A node that is killed, frozen, or cut off: what was revoked meanwhile is true there too.

use crate::{
    tcp_proxy::TcpProxy,
    test_fleet::{Answer, Fleet, until},
};
use reqwest::StatusCode;
use serde_json::Value;
use std::time::Duration;

const ORDERS: &str = "/orders";

/// Returns how each node ceased, by its name.
fn ceased(receipt: &Value) -> Vec<(String, String)> {
    let nodes = receipt["confirmation"]["nodes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut ceased: Vec<_> = nodes.map(|node| (text(&node["name"]), text(&node["ceased"]))).collect();
    ceased.sort();
    ceased
}

fn with_node_1(how: &str) -> Vec<(String, String)> {
    [("node-0", "confirmed"), ("node-1", how), ("node-2", "confirmed")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into()
}

#[tokio::test]
async fn a_killed_node_is_waited_for_until_its_lease_has_ended() {
    let fleet = Fleet::start().await;
    let lease = fleet.issue(0, 0).await.done();
    fleet.node(1).kill9();
    assert_eq!(ceased(&fleet.revoke(0, 0).await.done()), with_node_1("lease_ended"));
    fleet.node(1).restart();
    fleet.node(1).ready(&fleet.client).await;
    for node in 0..3 {
        assert!(fleet.orders(node, &lease).await.is_refused(), "node {node}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_frozen_over_a_revocation_sends_nothing_when_it_wakes() {
    let fleet = Fleet::start().await;
    let lease = &fleet.issue(0, 0).await.done();
    // Calls are under way at every stage when the node is stopped.
    let calls = (0..24).map(|_| async {
        let mut refused = 0;
        while refused < 2 {
            refused += usize::from(fleet.orders(1, lease).await.is_refused());
        }
    });
    let frozen = async {
        until(async || fleet.reached_amazon(ORDERS).await > 40).await;
        fleet.node(1).freeze();
        let receipt = fleet.revoke(0, 0).await.done();
        let reached = fleet.reached_amazon(ORDERS).await;
        fleet.node(1).thaw();
        (receipt, reached)
    };
    let (_, (receipt, reached)) = tokio::join!(futures_util::future::join_all(calls), frozen);
    assert_eq!(ceased(&receipt), with_node_1("lease_ended"));
    assert_eq!(fleet.reached_amazon(ORDERS).await, reached, "nothing more went out");
}

#[tokio::test]
async fn a_node_without_the_database_refuses_and_comes_back_by_itself() {
    let fleet = Fleet::start().await;
    let lease = &fleet.issue(0, 0).await.done();
    fleet.orders(1, lease).await.done();
    let proxy = &fleet.node(1).proxy;
    type Cut = fn(&TcpProxy);
    let cuts: [(&str, Cut); 3] = [
        ("both ways", |proxy| proxy.cut()),
        ("to the database", |proxy| proxy.swallow_upstream()),
        ("from the database", |proxy| proxy.swallow_downstream()),
    ];
    for (which, cut) in cuts {
        cut(proxy);
        let reached = fleet.reached_amazon(ORDERS).await;
        let refused = fleet.orders(1, lease).await;
        assert!(matches!(&refused, Answer::Unknown(why) if why.starts_with("503")), "{which}: {refused:?}");
        assert_eq!(fleet.reached_amazon(ORDERS).await, reached, "{which}: nothing went out");
        until(async || fleet.health(1).await == Some(StatusCode::SERVICE_UNAVAILABLE)).await;
        assert!(matches!(fleet.orders(2, lease).await, Answer::Done(_)), "{which}: the others go on");
        proxy.restore();
        proxy.drop_connections();
        fleet.node(1).ready(&fleet.client).await;
        until(async || matches!(fleet.orders(1, lease).await, Answer::Done(_))).await;
    }
    proxy.delay(Duration::from_millis(50));
    assert!(matches!(fleet.orders(1, lease).await, Answer::Done(_)), "slow is not gone");
    assert_eq!(ceased(&fleet.revoke(0, 0).await.done()), with_node_1("confirmed"));
}

#[tokio::test]
async fn a_cut_off_node_stops_by_itself_before_the_revocation_is_answered() {
    let fleet = Fleet::start().await;
    let lease = &fleet.issue(0, 0).await.done();
    fleet.node(1).proxy.swallow_downstream();
    assert_eq!(ceased(&fleet.revoke(0, 0).await.done()), with_node_1("lease_ended"));
    let reached = fleet.reached_amazon(ORDERS).await;
    assert!(!matches!(fleet.orders(1, lease).await, Answer::Done(_)));
    assert_eq!(fleet.reached_amazon(ORDERS).await, reached);
}

#[tokio::test]
async fn a_lost_notification_is_made_up_for_by_a_look() {
    let fleet = Fleet::start().await;
    // From here on the node listens where nobody speaks.
    fleet.node(1).proxy.rewrite(b"leasehold_turn", b"leasehold_lost");
    fleet.node(1).proxy.drop_connections();
    until(async || fleet.health(1).await == Some(StatusCode::OK)).await;
    let lease = &fleet.issue(0, 0).await.done();
    until(async || matches!(fleet.orders(1, lease).await, Answer::Done(_))).await;
    assert_eq!(ceased(&fleet.revoke(0, 0).await.done()), with_node_1("confirmed"));
    assert!(fleet.orders(1, lease).await.is_refused());
    // A connection on which nothing ever comes is not trusted for long.
    until(async || {
        fleet.authorize(0, 0).await.done();
        fleet.node(1).log().contains("the listening connection is silent")
    })
    .await;
}

#[tokio::test]
async fn a_node_that_freezes_with_the_head_locked_does_not_stop_the_others() {
    let fleet = Fleet::start().await;
    let lease = &fleet.issue(0, 0).await.done();
    // A lock on the head that a frozen node holds: its statement after the lock never comes, as the proxy loses it.
    let holds = "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'idle in transaction'";
    let frozen = async {
        for _ in 0..400 {
            fleet.node(1).freeze();
            if fleet.cluster().count(holds).await > 0 {
                return true;
            }
            fleet.node(1).thaw();
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        false
    };
    let busy = async {
        loop {
            let _ = tokio::time::timeout(Duration::from_secs(2), fleet.orders(1, lease)).await;
        }
    };
    let holding = tokio::select! {
        holding = frozen => holding,
        () = busy => false,
    };
    assert!(holding, "the node was caught in a transaction");
    let answer = fleet.orders(0, lease).await;
    assert!(matches!(answer, Answer::Done(_)), "{answer:?}");
    fleet.node(1).thaw();
    fleet.node(1).ready(&fleet.client).await;
    until(async || matches!(fleet.orders(1, lease).await, Answer::Done(_))).await;
}
