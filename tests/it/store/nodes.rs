//! The rows of nodes, and what a node reads of the others.

use crate::{
    databases::TestDatabase,
    test_log::{TestLog, event},
};
use leasehold::{
    audit::{Batch, Change, ChangeError},
    clock::Clock as _,
    domain::event::Kind,
    entropy::SystemEntropy,
    id::{NodeId, TenantId},
    store::{log, nodes, nodes::NodeRow},
};

struct Marks(TenantId);

impl Change for Marks {
    type Output = i64;
    type Refusal = std::convert::Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, ChangeError<Self::Refusal>> {
        Ok(batch.record(event(self.0, Kind::GrantSet)).await?)
    }
}

#[tokio::test]
async fn a_node_that_shows_again_that_it_lives_keeps_its_newest_batch() {
    let log = TestLog::start(TestDatabase::Postgres).await;
    let id = NodeId::make(&*log.clock, &SystemEntropy);
    let mut reader = log.db.reader().await.unwrap();
    let link = &mut reader.link();
    let row = NodeRow {
        id,
        name: "late".into(),
        version: String::new(),
        beat: 0,
        cut_through: 7,
        started_at: log.clock.now(),
    };
    nodes::node_join(link, &row).await.unwrap();
    nodes::batch_set(link, id, 3).await.unwrap();
    assert!(nodes::node_beat(link, id, 8).await.unwrap());
    nodes::node_forget(link, id, 0).await.unwrap();
    assert_eq!(nodes::batch_show(link, id).await.unwrap(), Some(3), "it was silent at beat 0, and is not any more");

    // Joining again counts as a sign of life.
    nodes::node_join(link, &NodeRow { cut_through: 9, ..row }).await.unwrap();
    nodes::node_forget(link, id, 1).await.unwrap();
    let found = nodes::nodes_list(link).await.unwrap();
    assert_eq!((found[0].beat, found[0].cut_through), (2, 9));
    nodes::node_forget(link, id, 2).await.unwrap();
    assert!(nodes::nodes_list(link).await.unwrap().is_empty());
    assert_eq!(nodes::batch_show(link, id).await.unwrap(), None);
}

#[tokio::test]
async fn an_entry_of_a_kind_that_is_not_known_yet_does_not_stop_who_follows() {
    let log = TestLog::start(TestDatabase::Postgres).await;
    log.sequencer.commit(Marks(log.tenant())).await.unwrap();
    log.sequencer.commit(Marks(log.tenant())).await.unwrap();
    log.tamper("UPDATE entries SET kind = 'grant.frozen' WHERE seq = 0").await;
    let found = log::entries_announced(&mut log.db.reader().await.unwrap().link(), 0, 10, 10).await.unwrap();
    let kinds: Vec<_> = found.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [None, Some(Kind::GrantSet)]);
}
