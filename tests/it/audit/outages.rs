//! What the sequencer makes of a database that goes away, answers too late, or comes back without what it acknowledged.

use crate::{
    databases::{TestDatabase, TestStore},
    postgres::{Cluster, Server},
    tcp_proxy::TcpProxy,
    test_log::{TestLog, event},
};
use leasehold::{
    audit::{
        Batch, Change, ChangeError, Health, Sequencer, SequencerOptions, SubmitError, Use, UseError, verify::verify_log,
    },
    clock::{Clock, SystemClock, Timestamp, Uptime},
    domain::event::Kind,
    entropy::SystemEntropy,
    id::{NodeId, TenantId},
    store::{log, notice_layer},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tracing_subscriber::layer::SubscriberExt as _;

/// A commit that waits, as one does whose disk or standby is slow: the last act of a transaction, after the statement
/// `COMMIT` has reached the server.
const SLOW_COMMIT: &str = "
    CREATE TABLE pauses (seconds FLOAT NOT NULL);
    CREATE FUNCTION pause() RETURNS TRIGGER LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(seconds) FROM pauses; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER pausing AFTER INSERT OR UPDATE ON batches
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause();";
const IN_COMMIT: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";

/// Appends one entry of a tenant.
struct Marks(TenantId);

impl Change for Marks {
    type Output = i64;
    type Refusal = std::convert::Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, ChangeError<Self::Refusal>> {
        Ok(batch.record(event(self.0, Kind::GatewayAdmitted)).await?)
    }
}

/// A log whose database is behind a proxy, on a cluster of its own.
struct Behind {
    cluster: Cluster,
    proxy: TcpProxy,
    log: TestLog,
}

impl Behind {
    async fn start() -> Self {
        let cluster = Cluster::start().await;
        let proxy = TcpProxy::to_port(cluster.port()).await;
        let log =
            TestLog::over(TestStore::at(&format!("postgres://leasehold@{}/postgres", proxy.address())).await).await;
        Self { cluster, proxy, log }
    }

    async fn slow_commits(&self, seconds: f64) {
        self.cluster.run("postgres", SLOW_COMMIT).await;
        self.cluster.run("postgres", &format!("INSERT INTO pauses VALUES ({seconds})")).await;
    }

    /// Waits until a commit is under way.
    async fn in_commit(&self) {
        until(async || self.cluster.count(IN_COMMIT).await > 0).await;
    }

    fn uses(&self) -> Use {
        self.log.use_of(&self.log.lease(self.log.tenant()))
    }
}

async fn until(condition: impl AsyncFn() -> bool) {
    let came = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), came).await.expect("it comes true");
}

fn is_in_doubt<T>(answer: &Result<T, UseError>) -> bool {
    matches!(answer, Err(UseError::Unrecorded(SubmitError::InDoubt)))
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_looked_up_and_answered() {
    let test = Behind::start().await;
    test.slow_commits(0.7).await;
    let lost = async {
        test.in_commit().await;
        test.proxy.swallow_downstream();
        until(async || test.cluster.count(IN_COMMIT).await == 0).await;
        test.cluster.run("postgres", "DELETE FROM pauses").await;
        test.proxy.restore();
        test.proxy.drop_connections();
    };
    let (admitted, ()) = tokio::join!(test.log.sequencer.admit(test.uses()), lost);
    let seq = admitted.expect("it is durable").seq;
    // The readers' connections were dropped too, and the first of them says so.
    until(async || verify_log(&test.log.db, |_| {}).await.is_ok()).await;
    assert_eq!(test.log.entries().await.last().unwrap().head.seq, seq);
    assert_eq!(verify_log(&test.log.db, |_| {}).await.unwrap().entries, 1, "it is there once");
}

#[tokio::test]
async fn a_commit_in_doubt_whose_trace_was_removed_is_not_taken_for_one_that_did_not_happen() {
    let test = Behind::start().await;
    test.slow_commits(0.7).await;
    let lost = async {
        test.in_commit().await;
        test.proxy.swallow_downstream();
        until(async || test.cluster.count(IN_COMMIT).await == 0).await;
        test.cluster.run("postgres", "DELETE FROM pauses; DELETE FROM batches").await;
        test.proxy.restore();
        test.proxy.drop_connections();
    };
    let (admitted, ()) = tokio::join!(test.log.sequencer.admit(test.uses()), lost);
    assert!(is_in_doubt(&admitted), "{admitted:?}");
    until(async || test.log.sequencer.admit(test.uses()).await.is_ok()).await;
    assert_eq!(verify_log(&test.log.db, |_| {}).await.unwrap().entries, 2);
}

#[tokio::test]
async fn a_commit_that_did_not_happen_is_tried_again_and_is_there_once() {
    let test = Behind::start().await;
    test.slow_commits(30.0).await;
    let killed = async {
        test.in_commit().await;
        test.cluster.run("postgres", "DELETE FROM pauses").await;
        let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        test.cluster.run("postgres", ended).await;
    };
    let (admitted, ()) = tokio::join!(test.log.sequencer.admit(test.uses()), killed);
    assert!(admitted.is_ok());
    assert_eq!(verify_log(&test.log.db, |_| {}).await.unwrap().entries, 1);
}

#[tokio::test]
async fn a_commit_that_nobody_can_look_up_releases_nothing() {
    let test = Behind::start().await;
    test.slow_commits(0.7).await;
    let lost = async {
        test.in_commit().await;
        test.proxy.cut();
    };
    let (admitted, ()) = tokio::join!(test.log.sequencer.admit(test.uses()), lost);
    assert!(is_in_doubt(&admitted), "{admitted:?}");
    assert!(matches!(*test.log.sequencer.health().borrow(), Health::Lost(_)));
    test.proxy.restore();
    test.cluster.run("postgres", "DELETE FROM pauses").await;
    until(async || test.log.sequencer.admit(test.uses()).await.is_ok()).await;
    verify_log(&test.log.db, |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_cancelled_wait_for_a_standby_is_no_acknowledgement() {
    let subscriber = tracing_subscriber::registry().with(notice_layer());
    let _hearing = tracing::subscriber::set_default(subscriber);
    let test = Behind::start().await;
    test.log.sequencer.admit(test.uses()).await.unwrap();
    test.cluster.set("synchronous_standby_names", "absent").await;
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let cancelled = async {
        until(async || test.cluster.count(waits).await > 0).await;
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        test.cluster.run("postgres", cancel).await;
    };
    let (admitted, ()) = tokio::join!(test.log.sequencer.admit(test.uses()), cancelled);
    assert!(is_in_doubt(&admitted), "{admitted:?}");
    test.cluster.set("synchronous_standby_names", "").await;
    until(async || test.log.sequencer.admit(test.uses()).await.is_ok()).await;
    assert_eq!(*test.log.sequencer.health().borrow(), Health::Open);
}

#[tokio::test]
async fn a_server_that_is_killed_is_noticed_and_its_return_too() {
    let test = Behind::start().await;
    test.log.sequencer.admit(test.uses()).await.unwrap();
    test.cluster.kill9();
    let refused = test.log.sequencer.admit(test.uses()).await;
    assert!(matches!(refused, Err(UseError::Unrecorded(SubmitError::Failed(_) | SubmitError::InDoubt))), "{refused:?}");
    assert!(matches!(*test.log.sequencer.health().borrow(), Health::Lost(_)));
    test.cluster.start_again().await;
    // A load balancer sends nothing to a node that is not ready: it must not need a caller to find out.
    until(async || *test.log.sequencer.health().borrow() == Health::Open).await;
    test.log.sequencer.admit(test.uses()).await.unwrap();
    verify_log(&test.log.db, |_| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_breaks_what_was_acknowledged_is_there_once_and_what_was_refused_is_not() {
    let test = Behind::start().await;
    let storm = async {
        for round in 0..12_u64 {
            tokio::time::sleep(Duration::from_millis(90 + 37 * (round % 5))).await;
            match round % 3 {
                0 => test.proxy.swallow_downstream(),
                1 => test.proxy.swallow_upstream(),
                _ => test.proxy.delay(Duration::from_millis(20)),
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
            test.proxy.restore();
            test.proxy.drop_connections();
        }
    };
    let client = async || {
        let mut answers = Vec::new();
        for _ in 0..150 {
            let tenant = test.log.tenant();
            answers.push((tenant, test.log.sequencer.commit(Marks(tenant)).await));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        answers
    };
    let (one, other, third, ()) = tokio::join!(client(), client(), client(), storm);
    let mut counts: HashMap<TenantId, usize> = HashMap::new();
    for entry in test.log.entries().await {
        *counts.entry(entry.head.tenant).or_default() += 1;
    }
    let (mut durable, mut refused) = (0, 0);
    for (tenant, answer) in one.into_iter().chain(other).chain(third) {
        let count = counts.get(&tenant).copied().unwrap_or_default();
        match answer {
            Ok(_) => {
                durable += 1;
                assert_eq!(count, 1);
            }
            Err(ChangeError::Unrecorded(SubmitError::InDoubt)) => assert!(count <= 1),
            Err(_) => {
                refused += 1;
                assert_eq!(count, 0);
            }
        }
    }
    assert!(durable > 100, "{durable} durable, {refused} refused");
    verify_log(&test.log.db, |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_database_that_lacks_what_was_acknowledged_is_quarantined() {
    let test = Behind::start().await;
    let replication = TcpProxy::to_port(test.cluster.port()).await;
    let standby = Cluster::standby_at(replication.port(), "late").await;
    let first = test.log.sequencer.admit(test.uses()).await.unwrap().seq;
    until(async || standby.count("SELECT COUNT(*) FROM entries").await > first).await;
    replication.cut();
    let lost = test.log.sequencer.admit(test.uses()).await.unwrap().seq;
    test.cluster.kill9();
    standby.promote().await;
    test.proxy.point_at(([127, 0, 0, 1], standby.port()).into());
    let mut answer = test.log.sequencer.admit(test.uses()).await;
    if !matches!(answer, Err(UseError::Unrecorded(SubmitError::Quarantined(_)))) {
        answer = test.log.sequencer.admit(test.uses()).await;
    }
    let Err(UseError::Unrecorded(SubmitError::Quarantined(why))) = answer else { panic!("{answer:?}") };
    assert!(why.contains(&lost.to_string()), "{why}");
    assert!(matches!(*test.log.sequencer.health().borrow(), Health::Quarantined(_)));
    assert_eq!(standby.count("SELECT COUNT(*) FROM entries").await, first + 1, "nothing was added to it");
}

#[tokio::test]
async fn a_session_that_freezes_with_the_head_locked_is_thrown_out() {
    let url = Server::shared().await.database_make().await;
    let log = TestLog::over(TestStore::at(&url).await).await;
    let mut frozen = log.db.reader().await.unwrap();
    let mut link = frozen.link();
    link.begin().await.unwrap();
    log::head_lock(&mut link).await.unwrap();
    log.sequencer.admit(log.use_of(&log.lease(log.tenant()))).await.expect("the others go on");
    assert!(link.commit().await.is_err(), "its session is gone");
    frozen.discard().await;
    Server::shared().await.database_drop(&url).await;
}

/// A host's clock that somebody set far ahead.
struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_secs(10 * 365 * 86_400))
    }

    fn uptime(&self) -> Uptime {
        SystemClock.uptime()
    }
}

#[tokio::test]
async fn a_host_whose_clock_runs_ahead_of_the_servers_records_nothing() {
    let log = TestLog::start(TestDatabase::Postgres).await;
    let (clock, entropy) = (Arc::new(Ahead), Arc::new(SystemEntropy));
    let node = NodeId::make(&*clock, &*entropy);
    let (name, anchor) = ("ahead".to_owned(), log.new_anchor());
    let options = SequencerOptions { db: log.db.clone(), clock, entropy, node, name, anchor };
    let (wrong, _) = Sequencer::start(options).await.unwrap();
    let refused = wrong.commit(Marks(log.tenant())).await.unwrap_err();
    let ChangeError::Unrecorded(SubmitError::Failed(why)) = &refused else { panic!("{refused:?}") };
    assert!(why.contains("set both by NTP"), "{why}");
    // The others' time has not moved.
    log.sequencer.commit(Marks(log.tenant())).await.unwrap();
    assert_eq!(log.entries().await[0].head.at, log.clock.now());
}
