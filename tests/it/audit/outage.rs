//! A database that goes away and comes back.

use crate::postgres::Cluster;
use crate::test_log::event;
use leasehold::{
    audit::{Health, Sequencer, SequencerOptions},
    clock::{Clock, SystemClock},
    domain::event::Kind,
    entropy::SystemEntropy,
    id::{NodeId, TenantId},
    keyring::init::vault_make,
    seal::FileSeal,
    store::{Db, Missing},
};
use std::{sync::Arc, time::Duration};

/// A load balancer sends nothing to a node that is not ready: it must not need a caller to notice.
#[tokio::test]
async fn a_log_that_was_lost_opens_by_itself_while_nobody_asks() {
    let cluster = Cluster::start().await;
    let db = Db::open(&cluster.database_make().await, Missing::Refuse).await.unwrap();
    db.migrate().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let seal = FileSeal::create(&directory.path().join("seal.key"), &SystemEntropy).unwrap();
    vault_make(&db, &seal, &SystemClock, &SystemEntropy).await.unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let node = NodeId::make(&*clock, &SystemEntropy);
    let tenant = TenantId::make(&*clock, &SystemEntropy);
    let options = SequencerOptions { db, clock, entropy: Arc::new(SystemEntropy), node };
    let (sequencer, _sequencing) = Sequencer::start(options).await.unwrap();

    cluster.kill9();
    sequencer.note(event(tenant, Kind::GatewayAdmitted));
    turned(&sequencer, |health| matches!(health, Health::Lost(_))).await;
    cluster.start_again().await;
    turned(&sequencer, |health| *health == Health::Open).await;
}

async fn turned(sequencer: &Sequencer, to: impl FnMut(&Health) -> bool) {
    let mut health = sequencer.health();
    tokio::time::timeout(Duration::from_secs(60), health.wait_for(to)).await.expect("in time").unwrap();
}
