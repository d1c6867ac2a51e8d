//! The primary dies and a standby takes its place, which followed everything, or did not.

use crate::{
    postgres::Cluster,
    tcp_proxy::TcpProxy,
    test_fleet::{Answer, Fleet, FleetOptions, until},
};
use leasehold::{
    audit::verify::verify_log,
    store::{Db, Missing},
};
use reqwest::StatusCode;
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

const ADMITTED: &str = "SELECT COUNT(*) FROM entries WHERE kind = 'gateway.admitted'";
const ISSUED: &str = "SELECT COUNT(*) FROM entries WHERE kind = 'lease.issued'";

fn point_at(fleet: &Fleet, cluster: &Cluster) {
    for node in fleet.nodes() {
        node.proxy.point_at(([127, 0, 0, 1], cluster.port()).into());
        node.proxy.drop_connections();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_takes_nothing_that_was_acknowledged_with_it() {
    let fleet = Fleet::with(FleetOptions { connections: 4, ..FleetOptions::default() }).await;
    let standby = Cluster::standby_of(fleet.cluster(), "second").await;
    fleet.cluster().set("synchronous_standby_names", "second").await;
    let (issued, admitted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let over = AtomicBool::new(false);

    let clients = (0..6).map(|client| {
        let (fleet, issued, admitted, over) = (&fleet, &issued, &admitted, &over);
        async move {
            while !over.load(Ordering::SeqCst) {
                let Answer::Done(lease) = fleet.issue(client % 3, 1 + client % 3).await else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                issued.fetch_add(1, Ordering::SeqCst);
                for node in 0..3 {
                    let used = fleet.orders(node, &lease).await;
                    admitted.fetch_add(usize::from(matches!(used, Answer::Done(_))), Ordering::SeqCst);
                }
            }
        }
    });
    let story = async {
        until(async || admitted.load(Ordering::SeqCst) > 60).await;
        let lease = fleet.issue(0, 0).await.done();
        fleet.revoke(0, 0).await.done();
        fleet.cluster().kill9();
        standby.promote().await;
        let promoted = std::time::Instant::now();
        point_at(&fleet, &standby);
        let before = admitted.load(Ordering::SeqCst);
        until(async || admitted.load(Ordering::SeqCst) > before).await;
        println!("service was back {:?} after the promotion", promoted.elapsed());
        for node in 0..3 {
            until(async || fleet.health(node).await == Some(StatusCode::OK)).await;
            let refused = fleet.orders(node, &lease).await;
            assert!(refused.is_refused(), "what was revoked before stays so: {refused:?}");
        }
        over.store(true, Ordering::SeqCst);
    };
    tokio::join!(futures_util::future::join_all(clients), story);

    let db = Db::open(&standby.url("postgres"), Missing::Refuse).await.unwrap();
    verify_log(&db, |_| ()).await.unwrap();
    let entries = standby.count(ADMITTED).await;
    let acknowledged = admitted.load(Ordering::SeqCst);
    assert!(usize::try_from(entries).unwrap() >= acknowledged, "{entries} entries of {acknowledged} uses");
    assert!(usize::try_from(standby.count(ISSUED).await).unwrap() >= issued.load(Ordering::SeqCst));
    let reached = fleet.reached_amazon("/orders").await;
    assert!(usize::try_from(entries).unwrap() >= reached, "{reached} calls reached Amazon, {entries} are recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_lagged_is_refused_by_every_node() {
    let fleet = Fleet::start().await;
    let replication = TcpProxy::to_port(fleet.cluster().port()).await;
    let standby = Cluster::standby_at(replication.port(), "late").await;
    let lease = fleet.issue(0, 0).await.done();
    let there = fleet.cluster().count("SELECT COUNT(*) FROM entries").await;
    until(async || standby.count("SELECT COUNT(*) FROM entries").await == there).await;
    replication.cut();
    fleet.revoke(0, 0).await.done();
    fleet.cluster().kill9();
    standby.promote().await;
    point_at(&fleet, &standby);
    for node in 0..3 {
        // Only node 0 appended what is missing; the others have seen it.
        until(async || fleet.health(node).await == Some(StatusCode::SERVICE_UNAVAILABLE)).await;
        until(async || fleet.node(node).log().contains("quarantined")).await;
        let used = fleet.orders(node, &lease).await;
        assert!(matches!(&used, Answer::Unknown(why) if why.starts_with("503")), "node {node}: {used:?}");
        let released = fleet.token(node, &lease).await;
        assert!(matches!(&released, Answer::Unknown(why) if why.contains("quarantined")), "{released:?}");
    }
    assert_eq!(standby.count("SELECT COUNT(*) FROM entries").await, there, "nothing was added to it");
}
