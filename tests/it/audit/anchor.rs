//! The anchor: what a node remembers outside the database, and what it makes of a database that does not fit it.

use crate::databases::{TestDatabase, both_databases};
use crate::test_log::TestLog;
use leasehold::{
    audit::{Health, Sequencer, StartError, SubmitError, UseError, anchor::AnchorError},
    store::restores,
};
use std::{fs, os::unix::fs::FileExt as _, path::Path};

both_databases!(
    a_restored_backup_is_quarantined_at_the_start,
    a_backup_of_the_newest_state_is_taken_for_the_newest,
    a_log_without_its_anchor_is_quarantined,
    a_damaged_anchor_is_quarantined_and_not_overwritten,
    a_torn_position_is_the_one_before_it,
    another_entry_in_the_anchored_place_is_quarantined,
    the_anchor_of_another_vault_is_refused,
    a_fleet_in_quarantine_is_seen_by_a_node_that_saw_nothing_itself,
);

/// A log in which something was used.
async fn used(database: TestDatabase) -> TestLog {
    let log = TestLog::start(database).await;
    admit(&log, 3).await;
    log
}

async fn admit(log: &TestLog, uses: usize) {
    for _ in 0..uses {
        log.sequencer.admit(log.use_of(&log.lease(log.tenant()))).await.unwrap();
    }
}

/// Asserts that nothing is admitted, and returns why.
async fn quarantined(log: &TestLog, sequencer: &Sequencer) -> String {
    let refused = sequencer.admit(log.use_of(&log.lease(log.tenant()))).await;
    let Err(UseError::Unrecorded(SubmitError::Quarantined(why))) = refused else { panic!("{refused:?}") };
    assert!(matches!(*sequencer.health().borrow(), Health::Quarantined(_)));
    assert!(sequencer.is_quarantined());
    why
}

async fn a_restored_backup_is_quarantined_at_the_start(database: TestDatabase) {
    let log = used(database).await;
    let backup = log.backup().await;
    admit(&log, 1).await;
    let restored = log.start_with(&backup.db, log.anchor()).await.unwrap();
    let why = quarantined(&log, &restored).await;
    assert!(why.contains("lacks entry 3"), "{why}");
    let row = restores::quarantine_show(&mut backup.db.reader().await.unwrap().link()).await.unwrap().unwrap();
    assert_eq!((row.anchored_size, row.why), (4, why));
    assert_eq!(row.anchored_root, log.sequencer.anchor().position().unwrap().root);
}

async fn a_backup_of_the_newest_state_is_taken_for_the_newest(database: TestDatabase) {
    let log = used(database).await;
    let backup = log.backup().await;
    let restored = log.start_with(&backup.db, log.anchor()).await.unwrap();
    restored.admit(log.use_of(&log.lease(log.tenant()))).await.unwrap();
    assert_eq!(restored.anchor().position().unwrap().size, 4);
}

async fn a_log_without_its_anchor_is_quarantined(database: TestDatabase) {
    let log = used(database).await;
    let alone = log.start_with(&log.db, log.new_anchor()).await.unwrap();
    let why = quarantined(&log, &alone).await;
    assert!(why.contains("no anchor"), "{why}");
    // It knows nothing that the others would have to be told.
    admit(&log, 1).await;
}

async fn a_damaged_anchor_is_quarantined_and_not_overwritten(database: TestDatabase) {
    let log = used(database).await;
    let anchor = log.anchor();
    let position = anchor.join("position");
    fs::write(&position, [7; 8_192]).unwrap();
    let why = quarantined(&log, &log.start_with(&log.db, anchor).await.unwrap()).await;
    assert!(why.contains("damaged"), "{why}");
    assert_eq!(fs::read(&position).unwrap(), [7; 8_192]);
}

async fn a_torn_position_is_the_one_before_it(database: TestDatabase) {
    let log = used(database).await;
    let backup = log.backup().await;
    admit(&log, 2).await;
    // The newest of five writes is in the second slot: the first has the zeroth, second and fourth.
    let anchor = log.anchor();
    let file = fs::File::options().write(true).open(anchor.join("position")).unwrap();
    file.write_all_at(&[0; 40], 4_096 + 60).unwrap();
    let restored = log.start_with(&backup.db, anchor).await.unwrap();
    let why = quarantined(&log, &restored).await;
    assert!(why.contains("lacks entry 3"), "{why}");
}

async fn another_entry_in_the_anchored_place_is_quarantined(database: TestDatabase) {
    let log = used(database).await;
    let backup = log.backup().await;
    admit(&log, 1).await;
    // Somebody went on with the backup, in a place where nobody knew better.
    let fork = log.start_with(&backup.db, log.new_anchor()).await.unwrap();
    let mut link = backup.db.reader().await.unwrap();
    fork.vouched(&mut link.link()).await.unwrap();
    while !fork.is_open() {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        fork.admit(log.use_of(&log.lease(log.tenant()))).await.unwrap();
    }
    let why = quarantined(&log, &log.start_with(&backup.db, log.anchor()).await.unwrap()).await;
    assert!(why.contains("lacks entry 3"), "{why}");
    // And it is true for who went on, too.
    fork.check(&mut link.link()).await.unwrap_err();
}

async fn the_anchor_of_another_vault_is_refused(database: TestDatabase) {
    let (log, other) = (used(database).await, used(database).await);
    let anchor = other.anchor();
    let before = fs::read(anchor.join("position")).unwrap();
    let refused = log.start_with(&log.db, anchor.clone()).await.map(drop);
    let Err(StartError::Anchor(error @ AnchorError::OtherVault { .. })) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("audit.anchor"), "{error}");
    assert_eq!(fs::read(anchor.join("position")).unwrap(), before);
}

async fn a_fleet_in_quarantine_is_seen_by_a_node_that_saw_nothing_itself(database: TestDatabase) {
    let log = used(database).await;
    let backup = log.backup().await;
    let bystander = log.start_with(&backup.db, log.anchor()).await.unwrap();
    admit(&log, 1).await;
    let finder = log.start_with(&backup.db, log.anchor()).await.unwrap();
    let found = quarantined(&log, &finder).await;
    // Exactly: the batch itself reads it.
    assert_eq!(quarantined(&log, &bystander).await, found);
}

#[tokio::test]
async fn an_anchor_that_another_process_holds_or_that_cannot_be_written_does_not_start() {
    let log = used(TestDatabase::Sqlite).await;
    let held = log.sequencer.anchor().directory().to_owned();
    let refused = log.start_with(&log.db, held).await.map(drop);
    assert!(matches!(refused, Err(StartError::Anchor(AnchorError::Taken(_)))), "{refused:?}");
    // A directory of the kernel's is read-only for everybody, whoever runs the test.
    for unwritable in ["/proc/leasehold", "/dev/null/anchor"] {
        let refused = log.start_with(&log.db, Path::new(unwritable).to_owned()).await.map(drop);
        let Err(StartError::Anchor(error @ AnchorError::File { .. })) = refused else { panic!("{refused:?}") };
        assert!(error.to_string().contains("writable directory"), "{error}");
    }
}
