//! The order of events: batches of many, refusals that repeat, changes that fail, clocks that go wrong.

use crate::databases::{TestDatabase, both_databases};
use crate::test_log::{TestLog, event};
use futures_util::future::join_all;
use leasehold::{
    audit::{Batch, Change, ChangeError, FenceRefusal, Fenced, StartError, SubmitError, UseError, verify::verify_log},
    clock::Clock,
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    id::TenantId,
    store::{StoreError, fences, tenants},
};
use serde_json::Value;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use uuid::Uuid;

both_databases!(
    many_uses_and_changes_at_once_share_batches_and_verify,
    a_use_behind_a_raise_in_one_batch_is_refused_and_one_before_it_is_not,
    a_raise_that_is_rolled_back_ends_nothing,
    a_refused_change_leaves_nothing,
    a_change_that_breaks_its_batch_is_isolated_and_the_others_go_on,
    the_change_of_somebody_whose_access_was_ended_is_not_made,
    refusals_of_one_lease_and_minute_are_one_entry_and_a_count,
    refusals_that_nobody_waits_for_are_told_apart_by_actor_object_and_reason,
    time_in_the_log_never_goes_back_and_an_expired_lease_stays_expired,
    a_clock_far_behind_the_log_does_not_start,
);

/// How a change goes.
#[derive(Clone, Copy)]
enum Fate {
    Made,
    Refused,
    /// The database fails it, after it wrote.
    Broken,
}

/// Adds a tenant, raises a subject and records it, and then meets its fate.
struct Trial {
    tenant: TenantId,
    raises: Uuid,
    fate: Fate,
}

impl Change for Trial {
    type Output = i64;
    type Refusal = &'static str;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, ChangeError<&'static str>> {
        let at = batch.at();
        tenants::tenant_insert(&mut batch.link(), self.tenant, "trial", at).await?;
        batch.raise(self.raises).await?;
        let seq = batch.record(event(self.tenant, Kind::TenantAdded)).await?;
        match self.fate {
            Fate::Made => Ok(seq),
            Fate::Refused => Err(ChangeError::Refused("no")),
            Fate::Broken => Err(StoreError::corrupt("trials", "fate", self.tenant).into()),
        }
    }
}

async fn has_tenant(log: &TestLog, tenant: TenantId) -> bool {
    tenants::tenant_show(&mut log.db.reader().await.unwrap().link(), tenant).await.unwrap().is_some()
}

async fn epoch(log: &TestLog, subject: Uuid) -> i64 {
    fences::epoch_show(&mut log.db.reader().await.unwrap().link(), subject).await.unwrap()
}

fn trial(log: &TestLog, fate: Fate) -> Trial {
    Trial { tenant: log.tenant(), raises: log.tenant().as_uuid(), fate }
}

async fn many_uses_and_changes_at_once_share_batches_and_verify(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let mut announcements = log.sequencer.announcements();
    let tenants: Vec<TenantId> = (0..7).map(|_| log.tenant()).collect();
    let leases: Vec<_> = (0..1_400).map(|number| log.lease(tenants[number % tenants.len()])).collect();
    let uses = join_all(leases.iter().map(|lease| log.sequencer.admit(log.use_of(lease))));
    let changes = join_all((0..60).map(|_| log.sequencer.commit(trial(&log, Fate::Made))));
    let (uses, changes) = tokio::join!(uses, changes);
    let mut seqs: Vec<i64> = uses.into_iter().map(|admitted| admitted.unwrap().seq).collect();
    seqs.extend(changes.into_iter().map(|committed| committed.unwrap().output));
    seqs.sort_unstable();
    assert!(seqs.iter().copied().eq(0..1_460), "every operation has its own place");
    let verified = verify_log(&log.db, |_| {}).await.unwrap();
    assert_eq!((verified.entries, verified.chains), (1_460, 7 + 60));
    let mut batches = 0;
    while announcements.try_recv().is_ok() {
        batches += 1;
    }
    assert!(batches < 60, "changes share batches: {batches}");
}

async fn a_use_behind_a_raise_in_one_batch_is_refused_and_one_before_it_is_not(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let lease = log.lease(log.tenant());
    let raise = Trial { tenant: log.tenant(), raises: lease.connection.as_uuid(), fate: Fate::Made };
    let (before, raised, after) = tokio::join!(
        log.sequencer.admit(log.use_of(&lease)),
        log.sequencer.commit(raise),
        log.sequencer.admit(log.use_of(&lease)),
    );
    assert!(before.unwrap().seq < raised.unwrap().output);
    assert!(matches!(after, Err(UseError::Refused(FenceRefusal::Raised(Fenced::Connection)))));
}

async fn a_raise_that_is_rolled_back_ends_nothing(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let lease = log.lease(log.tenant());
    for fate in [Fate::Refused, Fate::Broken] {
        let raise = Trial { tenant: log.tenant(), raises: lease.connection.as_uuid(), fate };
        let (raised, after) = tokio::join!(log.sequencer.commit(raise), log.sequencer.admit(log.use_of(&lease)));
        assert!(raised.is_err());
        after.unwrap();
    }
    assert_eq!(epoch(&log, lease.connection.as_uuid()).await, 0);
    verify_log(&log.db, |_| {}).await.unwrap();
}

async fn a_refused_change_leaves_nothing(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let mut announcements = log.sequencer.announcements();
    let refused = trial(&log, Fate::Refused);
    let (tenant, raises) = (refused.tenant, refused.raises);
    let answer = log.sequencer.commit(refused).await;
    assert!(matches!(answer, Err(ChangeError::Refused("no"))));
    assert!(!has_tenant(&log, tenant).await);
    assert_eq!(epoch(&log, raises).await, 0);
    assert!(log.entries().await.is_empty());
    assert!(announcements.try_recv().is_err(), "nobody hears of it");
}

async fn a_change_that_breaks_its_batch_is_isolated_and_the_others_go_on(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let leases: Vec<_> = (0..20).map(|_| log.lease(log.tenant())).collect();
    let dead = log.lease(log.tenant());
    log.sequencer
        .commit(Trial { tenant: log.tenant(), raises: dead.worker.as_uuid(), fate: Fate::Made })
        .await
        .unwrap();
    let (good, bad) = (trial(&log, Fate::Made), trial(&log, Fate::Broken));
    let (good_tenant, bad_tenant) = (good.tenant, bad.tenant);
    let (uses, refused, bad, good) = tokio::join!(
        join_all(leases.iter().map(|lease| log.sequencer.admit(log.use_of(lease)))),
        log.sequencer.admit(log.use_of(&dead)),
        log.sequencer.commit(bad),
        log.sequencer.commit(good),
    );
    assert!(uses.iter().all(Result::is_ok));
    assert!(matches!(refused, Err(UseError::Refused(FenceRefusal::Raised(Fenced::Worker)))));
    assert!(matches!(bad, Err(ChangeError::Unrecorded(SubmitError::Failed(_)))));
    good.unwrap();
    assert!(has_tenant(&log, good_tenant).await);
    assert!(!has_tenant(&log, bad_tenant).await);
    let refusals = log.entries_once("lease.refused", 1).await;
    assert_eq!(refusals.len(), 1, "the batch that was rolled back left no trace of its refusal");
    assert_eq!(verify_log(&log.db, |_| {}).await.unwrap().entries, 1 + 20 + 1 + 1);
}

async fn the_change_of_somebody_whose_access_was_ended_is_not_made(database: TestDatabase) {
    struct Fenced(Trial, Fence);
    impl Change for Fenced {
        type Output = i64;
        type Refusal = &'static str;
        fn fences(&self) -> Vec<Fence> {
            vec![self.1]
        }
        async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, ChangeError<&'static str>> {
            self.0.apply(batch).await
        }
    }
    let log = TestLog::start(database).await;
    let person = log.tenant().as_uuid();
    let end = Trial { tenant: log.tenant(), raises: person, fate: Fate::Made };
    let asked = Fenced(trial(&log, Fate::Made), Fence { subject: person, epoch: 0 });
    let (ended, answer) = tokio::join!(log.sequencer.commit(end), log.sequencer.commit(asked));
    ended.unwrap();
    assert!(matches!(answer, Err(ChangeError::Unrecorded(SubmitError::CallerEnded))));
    assert_eq!(log.entries().await.len(), 1);
}

fn details(row: &leasehold::store::log::EntryRow) -> Value {
    let payload: Value = serde_json::from_str(row.payload.as_ref().unwrap()).unwrap();
    payload["details"].clone()
}

async fn refusals_of_one_lease_and_minute_are_one_entry_and_a_count(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let lease = log.lease(log.tenant());
    let raise = Trial { tenant: log.tenant(), raises: lease.tenant.as_uuid(), fate: Fate::Made };
    log.sequencer.commit(raise).await.unwrap();
    for _ in 0..10 {
        assert!(log.sequencer.admit(log.use_of(&lease)).await.is_err());
    }
    assert_eq!(log.entries_once("lease.refused", 1).await.len(), 1);
    // The worker goes on hammering into the next minute, before anything looks for counts of the last.
    log.clock.advance(Duration::from_secs(60));
    assert!(log.sequencer.admit(log.use_of(&lease)).await.is_err());
    let refused = log.entries_once("lease.refused", 3).await;
    let counted: Vec<_> = refused.iter().filter_map(|row| details(row)["repeated"].as_u64()).collect();
    assert_eq!(counted, [9], "none of the first minute's refusals is lost");
    assert_eq!(refused.len(), 3);
    verify_log(&log.db, |_| {}).await.unwrap();
}

async fn refusals_that_nobody_waits_for_are_told_apart_by_actor_object_and_reason(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let tenant = log.tenant();
    let (one, other) = (Subject::new("user", log.tenant().as_uuid()), Subject::new("user", log.tenant().as_uuid()));
    for _ in 0..5 {
        for (actor, reason) in [(one, "grant.set"), (one, "grant.end"), (other, "grant.set")] {
            let details = serde_json::json!({ "role": "viewer" });
            log.sequencer.refuse(tenant, Kind::AccessRefused, actor, Subject::VAULT, reason, details);
        }
    }
    let refused = log.entries_once("access.refused", 3).await;
    assert_eq!(refused.len(), 3);
    assert_eq!(details(&refused[1])["reason"], "grant.end");
}

async fn time_in_the_log_never_goes_back_and_an_expired_lease_stays_expired(database: TestDatabase) {
    let log = TestLog::start(database).await;
    let lease = log.lease(log.tenant());
    let first = log.sequencer.admit(log.use_of(&lease)).await.unwrap().at;
    log.clock.set(first.minus(Duration::from_secs(200)));
    let second = log.sequencer.admit(log.use_of(&lease)).await.unwrap().at;
    assert_eq!(second, first);
    // The log lives to see the lease end; the host's clock is then set back to when it lived.
    log.clock.set(lease.expires_at);
    log.sequencer.commit(trial(&log, Fate::Made)).await.unwrap();
    log.clock.set(first);
    let late = log.sequencer.admit(log.use_of(&lease)).await;
    assert!(matches!(late, Err(UseError::Refused(FenceRefusal::Expired))));
    let times: Vec<_> = log.entries().await.iter().map(|row| row.head.at).collect();
    assert!(times.is_sorted());
}

async fn a_clock_far_behind_the_log_does_not_start(database: TestDatabase) {
    let log = TestLog::start(database).await;
    log.sequencer.commit(trial(&log, Fate::Made)).await.unwrap();
    log.clock.set(log.clock.now().minus(Duration::from_secs(299)));
    log.start_again().await.map(drop).unwrap();
    log.clock.set(log.clock.now().minus(Duration::from_secs(2)));
    assert!(matches!(log.start_again().await.map(drop), Err(StartError::ClockBehind { .. })));
}

/// Records an event, for somebody whose access may end.
struct ByPerson(Fence, Event);

impl Change for ByPerson {
    type Output = i64;
    type Refusal = Infallible;

    fn fences(&self) -> Vec<Fence> {
        vec![self.0]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, ChangeError<Infallible>> {
        Ok(batch.record(self.1.clone()).await?)
    }
}

/// Finds the database away until it is told that it is back.
struct Away {
    is_back: Arc<AtomicBool>,
    tried: Arc<Notify>,
}

impl Change for Away {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, _: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        if self.is_back.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.tried.notify_one();
        Err(StoreError::NoAnswer(Duration::ZERO).into())
    }
}

/// A batch is tried again while the database is away. What a change was answered in a try that was rolled back is nothing:
/// its receipt would name somebody else's entries.
#[tokio::test]
async fn a_change_whose_fence_fell_between_two_tries_is_not_answered_as_made() {
    let log = TestLog::start(TestDatabase::Sqlite).await;
    let (subject, tenant) = (Uuid::from_u128(7), log.tenant());
    let (is_back, tried) = (Arc::<AtomicBool>::default(), Arc::<Notify>::default());
    let made = log.sequencer.commit(ByPerson(Fence { subject, epoch: 0 }, event(tenant, Kind::GrantSet)));
    let away = log.sequencer.commit(Away { is_back: Arc::clone(&is_back), tried: Arc::clone(&tried) });
    let ending = async {
        tried.notified().await;
        let raise = "INSERT INTO epochs (subject, epoch, turn) VALUES (x'00000000000000000000000000000007', 1, 0)";
        log.tamper(raise).await;
        is_back.store(true, Ordering::SeqCst);
    };
    let (made, away, ()) = tokio::join!(made, away, ending);
    away.unwrap();
    assert!(matches!(made, Err(ChangeError::Unrecorded(SubmitError::CallerEnded))), "it is not there");
    assert!(log.entries().await.iter().all(|entry| entry.head.tenant != tenant));
}
