//! What somebody with the database's file in his hands cannot do unseen.

use crate::databases::{TestDatabase, both_databases};
use crate::test_log::TestLog;
use leasehold::audit::{
    LogFlaw, StartError,
    verify::{VerifyError, verify_log},
};

both_databases!(
    an_altered_cell_is_named_by_its_entry,
    a_payload_replaced_with_its_hash_is_named_too,
    a_deleted_entry_is_named,
    a_deleted_newest_entry_is_named_and_the_vault_does_not_start,
    two_swapped_entries_are_named,
    a_head_that_does_not_fit_is_refused_at_the_start,
    a_chain_whose_head_was_moved_back_is_seen,
    a_payload_taken_out_whole_is_named,
);

/// A log of ten entries of two tenants, in turn.
async fn ten_entries(database: TestDatabase) -> TestLog {
    let log = TestLog::start(database).await;
    let tenants = [log.tenant(), log.tenant()];
    for number in 0..10 {
        let lease = log.lease(tenants[number % 2]);
        log.sequencer.admit(log.use_of(&lease)).await.unwrap();
    }
    assert_eq!(verify_log(&log.db, |_| {}).await.unwrap().entries, 10);
    log
}

async fn verdict(log: &TestLog) -> VerifyError {
    verify_log(&log.db, |_| {}).await.expect_err("tampering is seen")
}

async fn an_altered_cell_is_named_by_its_entry(database: TestDatabase) {
    for statement in [
        "UPDATE entries SET payload = replace(payload, 'test', 'lie') WHERE seq = 4",
        "UPDATE entries SET salt = zeroblob(32) WHERE seq = 4",
        "UPDATE entries SET salt = NULL WHERE seq = 4",
        "UPDATE entries SET payload_hash = zeroblob(32) WHERE seq = 4",
        "UPDATE entries SET at = at - 1 WHERE seq = 4",
        "UPDATE entries SET kind = 'lease.ended' WHERE seq = 4",
        "UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = 4",
        "UPDATE entries SET tenant_prev = zeroblob(32) WHERE seq = 4",
        "UPDATE entries SET tenant = zeroblob(16) WHERE seq = 4",
    ] {
        let log = ten_entries(database).await;
        log.tamper(statement).await;
        let verdict = verdict(&log).await;
        assert!(matches!(verdict, VerifyError::Flaw(LogFlaw::Altered { seq: 4, .. })), "{statement}: {verdict}");
    }
}

async fn a_payload_replaced_with_its_hash_is_named_too(database: TestDatabase) {
    let log = ten_entries(database).await;
    log.tamper(
        "UPDATE entries SET payload = (SELECT payload FROM entries WHERE seq = 5), \
         salt = (SELECT salt FROM entries WHERE seq = 5), \
         payload_hash = (SELECT payload_hash FROM entries WHERE seq = 5) WHERE seq = 4",
    )
    .await;
    assert!(matches!(verdict(&log).await, VerifyError::Flaw(LogFlaw::Altered { seq: 4, .. })));
}

async fn a_deleted_entry_is_named(database: TestDatabase) {
    let log = ten_entries(database).await;
    log.tamper("DELETE FROM entries WHERE seq = 4").await;
    assert!(matches!(verdict(&log).await, VerifyError::Flaw(LogFlaw::Gap { expected: 4, found: 5 })));
}

async fn a_deleted_newest_entry_is_named_and_the_vault_does_not_start(database: TestDatabase) {
    let log = ten_entries(database).await;
    log.tamper("DELETE FROM entries WHERE seq = 9").await;
    assert!(matches!(verdict(&log).await, VerifyError::Flaw(LogFlaw::Gap { expected: 9, .. })));
    assert!(matches!(log.start_again().await.map(drop), Err(StartError::HeadMismatch(_))));
}

async fn two_swapped_entries_are_named(database: TestDatabase) {
    let log = ten_entries(database).await;
    for statement in [
        "UPDATE entries SET seq = -1 WHERE seq = 3",
        "UPDATE entries SET seq = 3 WHERE seq = 6",
        "UPDATE entries SET seq = 6 WHERE seq = -1",
    ] {
        log.tamper(statement).await;
    }
    assert!(matches!(verdict(&log).await, VerifyError::Flaw(LogFlaw::Altered { seq: 3, .. })));
}

async fn a_head_that_does_not_fit_is_refused_at_the_start(database: TestDatabase) {
    for statement in [
        "UPDATE log_head SET root = zeroblob(32)",
        "UPDATE log_head SET right_edge = zeroblob(8)",
        "UPDATE log_head SET right_edge = x'00'",
        "UPDATE log_head SET size = size - 1",
        "UPDATE log_head SET at = 0",
        "DELETE FROM log_head",
    ] {
        let log = ten_entries(database).await;
        log.tamper(statement).await;
        let started = log.start_again().await.map(drop);
        assert!(started.is_err(), "{statement}");
    }
}

async fn a_chain_whose_head_was_moved_back_is_seen(database: TestDatabase) {
    let log = ten_entries(database).await;
    log.tamper("UPDATE tenant_heads SET tenant_seq = tenant_seq - 1").await;
    assert!(matches!(verdict(&log).await, VerifyError::Flaw(LogFlaw::ChainHead { .. })));
}

async fn a_payload_taken_out_whole_is_named(database: TestDatabase) {
    let log = ten_entries(database).await;
    log.tamper("UPDATE entries SET salt = NULL, payload = NULL WHERE seq = 4").await;
    assert!(matches!(verdict(&log).await, VerifyError::Flaw(LogFlaw::Unaccounted { seq: 4 })));
    // Its chain says so, later: then it is erased, not broken.
    let row = log.entries().await.remove(4);
    log.erase(row.head.tenant, 0, 2).await;
    assert_eq!(verify_log(&log.db, |_| {}).await.unwrap().erased, 1);
    // One that claims what comes after it covers nothing of that.
    log.tamper("UPDATE entries SET salt = NULL, payload = NULL WHERE seq = 8").await;
    assert!(matches!(verdict(&log).await, VerifyError::Flaw(LogFlaw::Unaccounted { seq: 8 })));
}
