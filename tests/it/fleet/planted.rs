//! The checker of histories finds what it is for: two errors of a node, planted on the wire, by rewriting what it asks
//! the database. The program is the real one. Only its fences are wrong; everything else that protects stays as it is.

use super::clients::{Plan, Scribe};
use crate::{
    history,
    test_fleet::{Answer, Fleet, FleetOptions},
};
use std::{sync::Arc, time::Duration};

/// Whose statements are rewritten.
const PLANTED: usize = 1;
const READ_FENCES: &[u8] = b"FROM epochs WHERE subject IN (";
const READ_STALE: &[u8] = b"FROM stale_ WHERE subject IN (";
const TAKE_LOCK: &[u8] = b"UPDATE log_head SET turn = turn + 1 ";
const TAKE_LOCK_OLD: &[u8] = b"UPDATE head_old SET turn = turn + 1 ";

/// The fences as they once were.
const STALE_CACHE: &str = "CREATE TABLE stale_ AS SELECT * FROM epochs";

/// One statement that reads the fences and takes the lock: its snapshot is from before the wait. What it read, a later
/// statement of the same session finds in `stale_`; sessions that take no lock find the truth there. The row with the
/// empty id says that a session has read.
const FENCES_WITH_LOCK: &str = "
    CREATE TABLE seen (session INTEGER, subject UUID, epoch BIGINT);
    CREATE VIEW stale_ AS
        SELECT subject, epoch FROM seen WHERE session = pg_backend_pid()
        UNION ALL
        SELECT subject, epoch FROM epochs WHERE NOT EXISTS (SELECT FROM seen WHERE session = pg_backend_pid());
    CREATE VIEW head_old AS SELECT * FROM log_head;
    CREATE FUNCTION lock_with_fences() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        DELETE FROM seen WHERE session = pg_backend_pid();
        WITH reading AS (
            INSERT INTO seen
            SELECT pg_backend_pid(), subject, epoch FROM epochs
            UNION ALL
            SELECT pg_backend_pid(), '00000000-0000-0000-0000-000000000000', 0
        )
        UPDATE log_head SET turn = turn + 1 WHERE id = 1
        RETURNING turn, size, at, right_edge, root INTO NEW.turn, NEW.size, NEW.at, NEW.right_edge, NEW.root;
        RETURN NEW;
    END $$;
    CREATE TRIGGER lock_with_fences INSTEAD OF UPDATE ON head_old
        FOR EACH ROW EXECUTE FUNCTION lock_with_fences()";

/// A use by a lease from before the revocation passes there for as long as the cache is not refreshed. That it passes is
/// not hidden by what else a cut does: with a new authorization there is a token to use again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fence_that_reads_a_stale_cache_is_found() {
    let options = FleetOptions { connections: 4, workers: 8, ..FleetOptions::default() };
    let fleet = Arc::new(Fleet::with(options).await);
    let scribe = Scribe::new(Arc::clone(&fleet));
    scribe.run(Plan { operations: 600, clients: 8, seed: 1 }).await;
    history::check(&scribe.history()).unwrap();

    fleet.sql(STALE_CACHE).await;
    plant(&fleet, &[(READ_FENCES, READ_STALE)]).await;
    scribe.run(Plan { operations: 600, clients: 8, seed: 2 }).await;
    println!("succeeded, refused, unknown: {:?}", scribe.counts());
    let violation = history::check(&scribe.history()).expect_err("the planted error is found");
    println!("at {:?}", violation.operation);
}

/// What waits for the lock while a revocation commits passes, and is not on the revocation's receipt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fences_read_in_the_statement_that_takes_the_lock_are_found() {
    let options = FleetOptions { connections: 6, workers: 8, ..FleetOptions::default() };
    let fleet = Arc::new(Fleet::with(options).await);
    let scribe = Scribe::new(Arc::clone(&fleet));
    for connection in 0..2 {
        Box::pin(race(&fleet, &scribe, connection)).await;
    }
    history::check(&scribe.history()).unwrap();

    fleet.sql(FENCES_WITH_LOCK).await;
    plant(&fleet, &[(READ_FENCES, READ_STALE), (TAKE_LOCK, TAKE_LOCK_OLD)]).await;
    for connection in 2..6 {
        Box::pin(race(&fleet, &scribe, connection)).await;
    }
    println!("succeeded, refused, unknown: {:?}", scribe.counts());
    let violation = history::check(&scribe.history()).expect_err("the planted error is found");
    println!("{violation:?}");
    assert!(violation.operation.connection >= 2, "{violation:?}");
}

/// Rewrites what the planted node asks from now on, what it has prepared included.
async fn plant(fleet: &Fleet, rewrites: &[(&[u8], &[u8])]) {
    let proxy = &fleet.node(PLANTED).proxy;
    for (from, to) in rewrites {
        proxy.rewrite(from, to);
    }
    proxy.drop_connections();
    // It serves again once it has new connections: until then nothing would be found for want of trying.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !matches!(fleet.issue(PLANTED, 0).await, Answer::Done(_) | Answer::Refused(_)) {
        assert!(tokio::time::Instant::now() < deadline, "the planted node does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Eight workers take a token at the planted node, one after the other, while another node revokes, slowly: its batch
/// holds the lock for as long as its way to the database takes, and whoever comes meanwhile waits for it.
async fn race(fleet: &Arc<Fleet>, scribe: &Arc<Scribe>, connection: usize) {
    let mut leases = Vec::new();
    for worker in 0..8 {
        leases.push(scribe.issue(worker, 0, connection).await.unwrap());
    }
    // So that the token is at hand, and a release is one commit.
    scribe.pass(PLANTED, connection, &leases[0]).await;
    fleet.node(0).proxy.delay(Duration::from_millis(10));
    let releases: Vec<_> = (0..)
        .zip(leases)
        .map(|(turn, lease)| {
            let scribe = Arc::clone(scribe);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50) * turn).await;
                scribe.release(PLANTED, connection, &lease).await;
            })
        })
        .collect();
    let receipt = scribe.revoke(0, connection).await;
    fleet.node(0).proxy.delay(Duration::ZERO);
    assert!(receipt.is_some());
    for release in releases {
        release.await.unwrap();
    }
}
