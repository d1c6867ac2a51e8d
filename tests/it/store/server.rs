//! What a node asks of the server that it would rest on.

use crate::postgres::{Cluster, ClusterOptions, Server};
use leasehold::{
    clock::{Clock as _, SystemClock},
    store::{Db, Missing, StoreError, UnfitServer, nodes},
};
use std::time::Duration;

async fn open(url: &str) -> Result<Db, StoreError> {
    Db::open(url, Missing::Refuse).await
}

#[tokio::test]
async fn a_server_that_forgets_what_it_acknowledged_is_refused() {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let cluster = Cluster::with(ClusterOptions { settings: vec![(setting, "off".into())] }).await;
        let refused = open(&cluster.url("postgres")).await;
        assert!(
            matches!(refused, Err(StoreError::Server(UnfitServer::Unsafe(named))) if named == setting),
            "{setting}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_standby_is_refused() {
    let primary = Cluster::start().await;
    let standby = Cluster::standby_of(&primary, "second").await;
    assert!(open(&primary.url("postgres")).await.is_ok());
    let refused = open(&standby.url("postgres")).await;
    assert!(matches!(refused, Err(StoreError::Server(UnfitServer::Standby))), "{refused:?}");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_found_by_the_servers() {
    let url = Server::shared().await.database_make().await;
    let db = open(&url).await.unwrap();
    let mut reader = db.reader().await.unwrap();
    let most = Duration::from_secs(5);
    nodes::clocks_compare(&mut reader.link(), || SystemClock.now(), most).await.unwrap();
    let ahead = || SystemClock.now().plus(Duration::from_secs(60));
    let behind = || leasehold::clock::Timestamp::from_micros(SystemClock.now().as_micros() - 60_000_000);
    let found = [
        nodes::clocks_compare(&mut reader.link(), ahead, most).await,
        nodes::clocks_compare(&mut reader.link(), behind, most).await,
    ];
    assert!(found.iter().all(|found| matches!(found, Err(StoreError::ClocksApart { .. }))), "{found:?}");
    drop(reader);
    Server::shared().await.database_drop(&url).await;
}
