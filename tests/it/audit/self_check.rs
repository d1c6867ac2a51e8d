//! What the running vault itself finds, when somebody alters its database behind its back: before it signs, and by looking at
//! the whole log over and over.

use crate::{
    databases::{TestDatabase, both_databases},
    forger::NoteKey,
    test_log::event,
    test_vault::TestVault,
};
use leasehold::{
    audit::{
        Batch, Change, ChangeError, CheckpointError, Checkpointer, CheckpointerOptions, Inspector, LogFlaw, Scrub,
        ScrubOptions, ScrubPace, Signer, Step,
    },
    domain::event::{Event, Kind},
    evidence::checkpoint_text,
    id::{NodeId, TenantId},
    merkle::root_of,
    store::Db,
};
use serde_json::Value;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

both_databases!(
    what_is_altered_before_it_is_signed_is_named_and_nothing_is_signed,
    what_was_signed_is_not_worked_out_anew_from_an_altered_log,
    a_checkpoint_that_this_vault_did_not_sign_vouches_for_nothing,
    the_scrub_names_what_is_altered_after_it_was_signed,
    the_scrub_names_a_tile_that_was_altered,
    the_scrub_goes_on_behind_a_flaw_and_sees_that_it_was_mended,
    one_node_scrubs_and_another_goes_on_where_it_stopped,
    a_running_vault_finds_it_by_itself,
);

/// Runs statements that are written for SQLite.
async fn run(test: &TestVault, statement: &str) {
    match &test.vault.db {
        Db::Sqlite(pool) => {
            sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(pool).await.unwrap();
        }
        Db::Postgres { own, .. } => {
            let zeros = |bytes: usize| format!("'\\x{}'::BYTEA", "00".repeat(bytes));
            let statement = statement.replace("zeroblob(32)", &zeros(32)).replace("zeroblob(8192)", &zeros(8_192));
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(own).await.unwrap();
        }
    }
}

const TABLES: [&str; 4] = ["entries", "tenant_heads", "tiles", "checkpoints"];

/// Keeps the log's rows aside; what is done to them can be undone.
async fn keep(test: &TestVault) {
    for table in TABLES {
        run(test, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }
    run(test, "CREATE TABLE kept_head AS SELECT root FROM log_head").await;
}

async fn mend(test: &TestVault) {
    for table in TABLES {
        run(test, &format!("DELETE FROM {table}")).await;
        run(test, &format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
    }
    run(test, "UPDATE log_head SET root = (SELECT root FROM kept_head)").await;
    forget(test).await;
}

async fn forget(test: &TestVault) {
    for table in TABLES {
        run(test, &format!("DROP TABLE kept_{table}")).await;
    }
    run(test, "DROP TABLE kept_head").await;
}

/// Appends entries to a chain, all in one commit.
async fn append(test: &TestVault, tenant: TenantId, count: usize) {
    let events = (0..count).map(|_| event(tenant, Kind::GatewayAdmitted)).collect();
    test.vault.sequencer.commit(Appends(events)).await.unwrap();
}

struct Appends(Vec<Event>);

impl Change for Appends {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        for event in &self.0 {
            batch.record(event.clone()).await?;
        }
        Ok(())
    }
}

async fn newest(test: &TestVault) -> u64 {
    test.log().await.len() as u64 - 1
}

async fn sign(test: &TestVault) -> u64 {
    let newest = newest(test).await;
    test.vault.checkpointer.covering(newest).await.unwrap().size
}

async fn refused(test: &TestVault) -> LogFlaw {
    let newest = newest(test).await;
    match test.vault.checkpointer.covering(newest).await {
        Err(CheckpointError::Flaw(flaw)) => flaw,
        Err(other) => panic!("{other}"),
        Ok(signed) => panic!("{} entries were signed", signed.size),
    }
}

async fn health(test: &TestVault) -> Value {
    let request = test.client.get(format!("{}/v1/audit/health", test.api)).bearer_auth(test.officer_key.expose());
    request.send().await.unwrap().json().await.unwrap()
}

async fn what_is_altered_before_it_is_signed_is_named_and_nothing_is_signed(database: TestDatabase) {
    let test = TestVault::on(database).await;
    for _ in 0..3 {
        test.lease().await;
    }
    let signed = sign(&test).await as i64;
    for _ in 0..4 {
        test.lease().await;
    }
    // Two of them are the tenant's leases, one after the other.
    let seq = signed + 1;
    let statements = [
        ("UPDATE entries SET payload = replace(payload, 'orders:read', 'orders:rear') WHERE seq = #", seq),
        ("UPDATE entries SET salt = zeroblob(32) WHERE seq = #", seq),
        ("UPDATE entries SET salt = NULL WHERE seq = #", seq),
        ("UPDATE entries SET salt = NULL, payload = NULL WHERE seq = #", seq),
        ("UPDATE entries SET kind = 'lease.ended' WHERE seq = #", seq),
        ("UPDATE entries SET at = at + 1 WHERE seq = #", seq),
        ("UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = #", seq),
        ("UPDATE entries SET tenant_prev = zeroblob(32) WHERE seq = #", seq),
        ("DELETE FROM entries WHERE seq = #", seq),
        ("UPDATE entries SET seq = -seq WHERE seq IN (#, # + 1)", seq),
        ("UPDATE tenant_heads SET tenant_seq = tenant_seq - 1 WHERE tenant_seq > 1", 0),
    ];
    for (statement, named) in statements {
        keep(&test).await;
        run(&test, &statement.replace('#', &seq.to_string())).await;
        if statement.contains("-seq") {
            // Two that swap places.
            run(
                &test,
                &format!(
                    "UPDATE entries SET seq = CASE seq WHEN -{seq} THEN {0} ELSE {seq} END WHERE seq < 0",
                    seq + 1
                ),
            )
            .await;
        }
        let flaw = refused(&test).await;
        if named > 0 {
            assert_eq!(flaw.seq(), Some(named), "{statement}: {flaw}");
        } else {
            assert!(matches!(flaw, LogFlaw::ChainHead { .. }), "{statement}: {flaw}");
        }
        let finding = test.vault.checkpointer.findings().of(Inspector::Signing).unwrap();
        assert_eq!((finding.seq, &*finding.what), (flaw.seq(), &*flaw.to_string()));
        let shown = health(&test).await;
        assert_eq!(shown["flaws"][0]["seq"], flaw.seq().unwrap(), "{shown}");
        assert_eq!(shown["flaws"][0]["inspector"], "signing");
        assert_eq!(shown["checkpoint"]["size"], signed, "nothing was signed since");
        mend(&test).await;
    }
    // Mended, it is signed, and nothing is said any more.
    sign(&test).await;
    assert_eq!(test.vault.checkpointer.findings().of(Inspector::Signing), None);
    assert_eq!(health(&test).await["flaws"], serde_json::json!([]));

    // Leases go on while nothing can be signed; what is damaged is not handed out.
    let seq = newest(&test).await as i64 + 1;
    test.lease().await;
    run(&test, &format!("UPDATE entries SET kind = 'lease.ended' WHERE seq = {seq}")).await;
    assert_eq!(refused(&test).await.seq(), Some(seq));
    test.lease().await;
    for path in [format!("/v1/audit/proof/{seq}"), "/v1/audit/export".into()] {
        let request = test.client.get(format!("{}{path}", test.api)).bearer_auth(test.owner_key.expose());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 500, "{path}");
    }
    // A change is recorded, and has its receipt later.
    let answer = test.post(&format!("/v1/connections/{}/suspend", test.connection), &test.owner_key).await;
    assert_eq!(answer["receipt"], Value::Null);
}

/// Starts the signing anew, as the next start of the process does.
fn restarted(test: &TestVault) -> Checkpointer {
    let signer: Arc<dyn Signer> = Arc::<leasehold::keyring::Keyring>::clone(&test.vault.keyring);
    Checkpointer::new(CheckpointerOptions {
        db: test.vault.db.clone(),
        sequencer: test.vault.sequencer.clone(),
        clock: Arc::clone(&test.vault.clock),
        entropy: Arc::clone(&test.vault.entropy),
        signer,
        origin: test.vault.checkpointer.origin().to_owned(),
    })
}

async fn what_was_signed_is_not_worked_out_anew_from_an_altered_log(database: TestDatabase) {
    let test = TestVault::on(database).await;
    append(&test, test.tenant, 300).await;
    sign(&test).await;
    let again = restarted(&test);
    test.lease().await;
    again.covering(newest(&test).await).await.unwrap();
    for (statement, seq) in [
        // In no tile yet, a full tile's root, and the head that names the end of a chain in which nothing happened since.
        ("UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = 290", Some(290)),
        ("UPDATE tiles SET root = zeroblob(32)", Some(0)),
        ("UPDATE tenant_heads SET tenant_seq = tenant_seq - 1 WHERE tenant_seq > 100", None),
    ] {
        keep(&test).await;
        run(&test, statement).await;
        let again = restarted(&test);
        // In another chain than the one that was altered.
        append(&test, TenantId::make(&*test.clock, &*test.vault.entropy), 1).await;
        let refused = again.covering(newest(&test).await).await.map(|signed| signed.size);
        let Err(CheckpointError::Flaw(flaw)) = refused else { panic!("{statement}: {refused:?}") };
        match seq {
            Some(seq) => assert_eq!(flaw.seq(), Some(seq), "{statement}: {flaw}"),
            None => assert!(matches!(flaw, LogFlaw::ChainHead { .. }), "{statement}: {flaw}"),
        }
        mend_but_entries(&test).await;
    }
}

/// Undoes what was done, and keeps what was appended since.
async fn mend_but_entries(test: &TestVault) {
    run(test, "UPDATE entries SET leaf_hash = (SELECT leaf_hash FROM kept_entries WHERE kept_entries.seq = entries.seq) WHERE seq IN (SELECT seq FROM kept_entries)").await;
    run(test, "UPDATE tenant_heads SET tenant_seq = (SELECT MAX(tenant_seq) FROM entries WHERE entries.tenant = tenant_heads.tenant)").await;
    run(test, "DELETE FROM tiles").await;
    run(test, "INSERT INTO tiles SELECT * FROM kept_tiles").await;
    forget(test).await;
}

async fn a_checkpoint_that_this_vault_did_not_sign_vouches_for_nothing(database: TestDatabase) {
    let test = TestVault::on(database).await;
    for _ in 0..10 {
        test.lease().await;
    }
    let size = sign(&test).await;
    test.lease().await;
    // Whoever holds the database alters an entry, and signs the checkpoint with a key of his own.
    let other = NoteKey::of_log(test.vault.checkpointer.origin(), 77);
    run(&test, "UPDATE entries SET payload = replace(payload, 'allowed', 'refused') WHERE seq = 5").await;
    let mut leaves: Vec<_> = test.log().await.iter().map(|row| row.leaf_hash).collect();
    leaves.truncate(size as usize);
    let note = other.note(&checkpoint_text(test.vault.checkpointer.origin(), size, &root_of(&leaves)));
    run(&test, &format!("UPDATE checkpoints SET note = '{note}'")).await;
    let refused = restarted(&test).covering(newest(&test).await).await.map(|signed| signed.size);
    let Err(CheckpointError::Flaw(flaw)) = refused else { panic!("{refused:?}") };
    assert_eq!(flaw.seq(), Some(5), "{flaw}");
}

fn scrub(test: &TestVault, pace: ScrubPace) -> Scrub {
    Scrub::new(ScrubOptions {
        db: test.vault.db.clone(),
        sequencer: test.vault.sequencer.clone(),
        checkpointer: Arc::clone(&test.vault.checkpointer),
        clock: Arc::clone(&test.vault.clock),
        node: NodeId::make(&*test.clock, &*test.vault.entropy),
        pace,
    })
}

async fn round(scrub: &mut Scrub) {
    for _ in 0..50 {
        match scrub.step().await.unwrap() {
            Step::Entries(_) => {}
            Step::End => return,
            Step::Elsewhere => panic!("nobody else scrubs"),
        }
    }
    panic!("the round does not end");
}

async fn the_scrub_names_what_is_altered_after_it_was_signed(database: TestDatabase) {
    let test = TestVault::on(database).await;
    for _ in 0..10 {
        test.lease().await;
    }
    sign(&test).await;
    let mut scrub = scrub(&test, ScrubPace::default());
    round(&mut scrub).await;
    assert_eq!(health(&test).await["flaws"], serde_json::json!([]));
    for (statement, seq) in [
        ("UPDATE entries SET payload = replace(payload, 'allowed', 'refused') WHERE seq = 5", Some(5)),
        ("UPDATE entries SET salt = NULL, payload = NULL WHERE seq = 5", Some(5)),
        ("UPDATE entries SET payload = NULL WHERE seq = 5", Some(5)),
        ("UPDATE entries SET payload_hash = zeroblob(32) WHERE seq = 5", Some(5)),
        ("UPDATE entries SET at = at - 1 WHERE seq = 5", Some(5)),
        ("UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = 5", Some(5)),
        ("DELETE FROM entries WHERE seq = 5", Some(5)),
        ("UPDATE entries SET seq = 1000 WHERE seq = 5", Some(5)),
        ("UPDATE tenant_heads SET leaf_hash = zeroblob(32) WHERE tenant_seq > 5", None),
        ("UPDATE tenant_heads SET tenant_seq = tenant_seq - 1 WHERE tenant_seq > 5", None),
        ("DELETE FROM tenant_heads WHERE tenant_seq > 5", None),
        ("UPDATE log_head SET root = zeroblob(32)", None),
        ("UPDATE checkpoints SET note = replace(note, '\n\n', 'A\n\n')", None),
        ("UPDATE checkpoints SET note = replace(note, '— leasehold', '— leaseholder')", None),
    ] {
        keep(&test).await;
        run(&test, statement).await;
        // The place cannot be written down over a damaged head.
        let damaged_head = statement.contains("log_head");
        for _ in 0..5 {
            let step = scrub.step().await;
            assert!(step.is_ok() || damaged_head, "{statement}: {step:?}");
        }
        let finding = test.vault.checkpointer.findings().of(Inspector::Scrub);
        let finding = finding.unwrap_or_else(|| panic!("{statement}"));
        if let Some(seq) = seq {
            assert_eq!(finding.seq, Some(seq), "{statement}: {}", finding.what);
        }
        if !damaged_head {
            let shown = health(&test).await;
            assert_eq!(shown["flaws"][0]["what"], *finding.what, "{statement}");
            assert_eq!(shown["flaws"][0]["inspector"], "scrub");
        }
        mend(&test).await;
        round(&mut scrub).await;
        round(&mut scrub).await;
        assert_eq!(test.vault.checkpointer.findings().of(Inspector::Scrub), None, "{statement}");
    }
}

async fn the_scrub_names_a_tile_that_was_altered(database: TestDatabase) {
    let test = TestVault::on(database).await;
    append(&test, test.tenant, 600).await;
    sign(&test).await;
    let mut scrub = scrub(&test, ScrubPace::default());
    for (statement, seq) in [
        ("UPDATE tiles SET hashes = zeroblob(8192) WHERE place = 1", 256),
        ("UPDATE tiles SET root = zeroblob(32) WHERE place = 1", 256),
    ] {
        keep(&test).await;
        run(&test, statement).await;
        round(&mut scrub).await;
        let finding = test.vault.checkpointer.findings().of(Inspector::Scrub).unwrap();
        assert_eq!(finding.seq, Some(seq), "{statement}: {}", finding.what);
        mend(&test).await;
        round(&mut scrub).await;
        assert_eq!(test.vault.checkpointer.findings().of(Inspector::Scrub), None, "{statement}");
    }
}

async fn the_scrub_goes_on_behind_a_flaw_and_sees_that_it_was_mended(database: TestDatabase) {
    let test = TestVault::on(database).await;
    for _ in 0..10 {
        test.lease().await;
    }
    sign(&test).await;
    keep(&test).await;
    run(&test, "UPDATE entries SET kind = 'lease.ended' WHERE seq IN (4, 8)").await;
    let mut scrub = scrub(&test, ScrubPace::default());
    round(&mut scrub).await;
    let finding = test.vault.checkpointer.findings().of(Inspector::Scrub).unwrap();
    assert_eq!(finding.seq, Some(4));
    // The first is mended: the second is named, which lay behind it.
    run(&test, "UPDATE entries SET kind = (SELECT kind FROM kept_entries WHERE seq = 4) WHERE seq = 4").await;
    round(&mut scrub).await;
    let finding = test.vault.checkpointer.findings().of(Inspector::Scrub).unwrap();
    assert_eq!(finding.seq, Some(8));
    assert_eq!(health(&test).await["scrub"]["rounds"], 2);
    mend(&test).await;
    round(&mut scrub).await;
    assert_eq!(test.vault.checkpointer.findings().of(Inspector::Scrub), None);
}

async fn one_node_scrubs_and_another_goes_on_where_it_stopped(database: TestDatabase) {
    let test = TestVault::on(database).await;
    append(&test, test.tenant, 2_500).await;
    let (mut first, mut second) = (scrub(&test, ScrubPace::default()), scrub(&test, ScrubPace::default()));
    assert_eq!(first.step().await.unwrap(), Step::Entries(1_000));
    assert_eq!(second.step().await.unwrap(), Step::Elsewhere);
    // Its place is written down now and then, not at each step.
    assert_eq!(health(&test).await["scrub"]["next"], 0);
    test.clock.advance(Duration::from_secs(30));
    assert_eq!(first.step().await.unwrap(), Step::Entries(1_000));
    assert_eq!(health(&test).await["scrub"]["next"], 2_000);
    assert_eq!(second.step().await.unwrap(), Step::Elsewhere);
    drop(first);
    test.clock.advance(Duration::from_secs(61));
    // It looks the entries up that come before its place.
    run(&test, "UPDATE entries SET kind = 'lease.ended' WHERE seq = 2400").await;
    assert!(matches!(second.step().await.unwrap(), Step::Entries(_)));
    assert_eq!(test.vault.checkpointer.findings().of(Inspector::Scrub).unwrap().seq, Some(2_400));
    assert_eq!(second.step().await.unwrap(), Step::End);
    assert_eq!(health(&test).await["scrub"]["rounds"], 1);
}

async fn a_running_vault_finds_it_by_itself(database: TestDatabase) {
    let test = TestVault::on(database).await;
    for _ in 0..10 {
        test.lease().await;
    }
    sign(&test).await;
    let shutdown = CancellationToken::new();
    let pace = ScrubPace { entries_per_s: 100_000, rest: Duration::from_millis(5) };
    let running = tokio::spawn(scrub(&test, pace).run(shutdown.clone()));
    run(&test, "UPDATE entries SET payload = replace(payload, 'allowed', 'refused') WHERE seq = 5").await;
    let named = async {
        loop {
            match test.vault.checkpointer.findings().of(Inspector::Scrub) {
                Some(finding) => return finding,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let finding = tokio::time::timeout(Duration::from_secs(20), named).await.expect("it is found");
    assert_eq!(finding.seq, Some(5));
    shutdown.cancel();
    running.await.unwrap();
    assert!(test.vault.clock.now() >= finding.found_at);
}
