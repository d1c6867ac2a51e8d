//! A node that cannot have heard of everything: the others took it for dead, or the database goes on from an earlier state.
//! It stops what it has in flight, forgets what it holds, and joins anew.

use crate::{
    databases::TestDatabase,
    postgres::Cluster,
    tcp_proxy::TcpProxy,
    test_fleet::{Fleet, orders_path, until},
    test_vault::TestVault,
};
use reqwest::{Response, StatusCode};
use serde_json::json;
use std::time::Duration;

const ENTRIES: &str = "SELECT COUNT(*) FROM entries";
const BEHIND: &str = "SELECT COUNT(*) FROM nodes WHERE cut_through < (SELECT turn FROM log_head)";
const NODES: &str = "SELECT COUNT(*) FROM nodes";
/// One while the newest checkpoint covers everything: nothing is appended any more, until somebody does something.
const COVERED: &str = "SELECT COUNT(*) FROM checkpoints, log_head
    WHERE checkpoints.size = log_head.size AND map_seq + 1 = log_head.size AND map_size = map_seq";

/// Asks for orders through node 1, of which the provider takes very long to tell all.
async fn endless(fleet: &Fleet, lease: &str) -> Response {
    let slow = json!({ "path_prefix": "/orders", "chunks": 100_000, "chunk_bytes": 1_024, "interval_ms": 1 });
    fleet.steer(json!({ "slow_body": slow })).await;
    let url = format!("{}{}", fleet.node(1).gateway, orders_path());
    let mut response = fleet.client.get(url).header("x-amz-access-token", lease).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.chunk().await.unwrap().unwrap();
    fleet.steer(json!({ "slow_body": null })).await;
    response
}

/// Reads until the body breaks off.
async fn broken_off(mut response: Response) {
    loop {
        match response.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the body came to its end"),
            Err(_) => return,
        }
    }
}

async fn has_lost_track(fleet: &Fleet, node: usize) {
    until(async || fleet.node(node).log().contains("lost track")).await;
    until(async || fleet.health(node).await == Some(StatusCode::OK)).await;
}

#[tokio::test]
async fn a_node_that_the_others_took_for_dead_stops_everything_and_joins_anew() {
    let fleet = Fleet::start().await;
    let lease = fleet.issue(0, 0).await.done();
    let response = endless(&fleet, &lease).await;
    fleet.sql("DELETE FROM nodes WHERE name = 'node-1'").await;
    broken_off(response).await;
    has_lost_track(&fleet, 1).await;
    assert_eq!(fleet.cluster().count(NODES).await, 3);
    fleet.orders(1, &lease).await.done();
    fleet.revoke(0, 0).await.done();
    assert!(fleet.orders(1, &lease).await.is_refused());
}

/// A primary dies with turns in which nothing was recorded, and a standby that lacks them goes on.
async fn turns_are_lost(turns_meanwhile: u32) {
    let fleet = Fleet::start().await;
    let replication = TcpProxy::to_port(fleet.cluster().port()).await;
    let standby = Cluster::standby_at(replication.port(), "late").await;
    let lease = fleet.issue(0, 0).await.done();
    fleet.orders(1, &lease).await.done();
    // What is noted when the request has ended is an entry too.
    until(async || fleet.cluster().count("SELECT COUNT(*) FROM entries WHERE kind = 'gateway.ended'").await == 1).await;
    until(async || {
        let is_covered = fleet.cluster().count(COVERED).await == 1;
        is_covered && standby.count(ENTRIES).await == fleet.cluster().count(ENTRIES).await
    })
    .await;
    replication.cut();
    fleet.sql("UPDATE log_head SET turn = turn + 50").await;
    until(async || fleet.cluster().count(BEHIND).await == 0).await;
    fleet.cluster().kill9();
    standby.promote().await;
    standby.run("postgres", &format!("UPDATE log_head SET turn = turn + {turns_meanwhile}")).await;
    for node in fleet.nodes() {
        node.proxy.point_at(([127, 0, 0, 1], standby.port()).into());
        node.proxy.drop_connections();
    }
    for node in 0..3 {
        has_lost_track(&fleet, node).await;
    }
    fleet.orders(1, &lease).await.done();
    let receipt = fleet.revoke(0, 0).await.done();
    let nodes = receipt["confirmation"]["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|node| node["ceased"] == "confirmed"), "{receipt}");
    for node in 0..3 {
        assert!(fleet.orders(node, &lease).await.is_refused());
    }
}

#[tokio::test]
async fn turns_that_come_again_are_followed_again() {
    turns_are_lost(0).await;
}

#[tokio::test]
async fn turns_that_were_made_up_for_before_a_node_looked_are_followed_again() {
    turns_are_lost(100).await;
}

#[tokio::test]
async fn a_node_that_left_does_not_come_back() {
    let test = TestVault::on(TestDatabase::Postgres).await;
    let leasehold::store::Db::Postgres { own, .. } = &test.vault.db else { panic!("the test's vault is on a server") };
    let nodes = async || sqlx::query_scalar::<_, i64>(NODES).fetch_one(own).await.unwrap();
    until(async || nodes().await == 1).await;
    test.vault.fleet.leave().await.unwrap();
    for _ in 0..15 {
        assert_eq!(nodes().await, 0);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
