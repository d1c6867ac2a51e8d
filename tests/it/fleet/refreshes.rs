//! One refresh at a time for a connection, whichever node does it and whatever becomes of that node.

use crate::test_fleet::{Answer, Fleet, until};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_nodes_refresh_one_connection_at_once_even_where_one_dies_at_it() {
    let fleet = Fleet::start().await;
    // Every token is soon stale, and every refresh slow: nodes want one all the time.
    fleet.steer(json!({ "token_ttl_s": 2, "path_prefix": "/auth/o2/token", "delay_ms": 300 })).await;
    fleet.authorize(0, 0).await.done();
    let lease = fleet.issue(0, 0).await.done();
    let before = fleet.amazon_stats().await["refreshes"].as_u64().unwrap();
    let over = tokio::sync::watch::Sender::new(false);
    let clients = (0..9).map(|client| {
        let (fleet, lease, over) = (&fleet, &lease, over.subscribe());
        async move {
            let mut done = 0;
            while !*over.borrow() {
                done += usize::from(matches!(fleet.token(client % 3, lease).await, Answer::Done(_)));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done
        }
    });
    let story = async {
        for node in [1, 2, 1] {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            fleet.node(node).kill9();
            fleet.node(node).restart();
            fleet.node(node).ready(&fleet.client).await;
        }
        // Where one died at it, the others wait until its deadline has passed, and no longer.
        until(async || matches!(fleet.token(0, &lease).await, Answer::Done(_))).await;
        over.send_replace(true);
    };
    let (done, ()) = tokio::join!(futures_util::future::join_all(clients), story);
    let stats = fleet.amazon_stats().await;
    assert!(stats["refreshes"].as_u64().unwrap() > before + 1, "{stats}");
    assert_eq!(stats["max_concurrent_refreshes_per_authorization"], 1, "{stats}");
    assert!(done.iter().sum::<usize>() > 0, "{done:?}");
}
