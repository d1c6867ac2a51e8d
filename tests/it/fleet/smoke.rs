//! One story through three nodes: what is issued at one is used at another and ended at the third.

use crate::test_fleet::{Answer, Fleet, FleetOptions};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_issues_another_uses_and_a_third_ends_everywhere() {
    let fleet = Fleet::start().await;
    let lease = fleet.issue(0, 0).await.done();
    fleet.orders(1, &lease).await.done();
    fleet.token(1, &lease).await.done();

    let receipt = fleet.revoke(2, 0).await.done();
    let nodes = receipt["confirmation"]["nodes"].as_array().unwrap();
    let mut names: Vec<_> = nodes.iter().map(|node| node["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["node-0", "node-1", "node-2"], "{receipt}");
    assert!(nodes.iter().all(|node| node["ceased"] == "confirmed"), "{receipt}");
    assert_eq!(receipt["residual"]["count"], 1, "{receipt}");

    for node in 0..3 {
        assert!(fleet.orders(node, &lease).await.is_refused(), "at node {node}");
        assert!(fleet.token(node, &lease).await.is_refused(), "at node {node}");
        assert!(fleet.issue(node, 0).await.is_refused(), "at node {node}");
    }

    fleet.authorize(1, 0).await.done();
    assert!(fleet.orders(0, &lease).await.is_refused(), "a lease from before stays ended");
    let lease = fleet.issue(2, 0).await.done();
    fleet.orders(0, &lease).await.done();
    assert!(fleet.most_refreshes_at_once().await <= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_frozen_cut_off_or_killed_comes_back() {
    let fleet = Fleet::with(FleetOptions { connections: 2, ..FleetOptions::default() }).await;
    let [revoked, kept] = [fleet.issue(0, 0).await.done(), fleet.issue(0, 1).await.done()];
    let node = fleet.node(1);

    node.freeze();
    let receipt = fleet.revoke(2, 0).await.done();
    let nodes = receipt["confirmation"]["nodes"].as_array().unwrap();
    let frozen = nodes.iter().find(|row| row["name"] == "node-1").unwrap();
    assert_eq!(frozen["ceased"], "lease_ended", "{receipt}");
    node.thaw();
    assert!(!matches!(fleet.orders(1, &revoked).await, Answer::Done(_)), "it woke up with a lease that has ended");
    until(|| async { fleet.orders(1, &kept).await }).await;
    assert!(fleet.orders(1, &revoked).await.is_refused());

    node.proxy.cut();
    assert!(!matches!(fleet.orders(1, &kept).await, Answer::Done(_)), "no record, no access");
    node.proxy.restore();
    until(|| async { fleet.orders(1, &kept).await }).await;

    let before = node.pid();
    node.kill9();
    assert!(matches!(fleet.orders(1, &kept).await, Answer::Unknown(_)));
    node.restart();
    fleet.ready().await;
    assert_ne!(node.pid(), before);
    fleet.orders(1, &kept).await.done();
    assert!(fleet.orders(1, &revoked).await.is_refused());
}

/// Asks again until it is done: a node needs a moment to come back.
async fn until<F: Future<Output = Answer<serde_json::Value>>>(ask: impl Fn() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        match ask().await {
            Answer::Done(_) => return,
            answer => assert!(tokio::time::Instant::now() < deadline, "{answer:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
