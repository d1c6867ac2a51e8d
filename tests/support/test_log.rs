//! A log alone: a vault's row in a new database, and a sequencer, with nothing that speaks to the outside.

use crate::databases::{TestDatabase, TestStore};
use leasehold::{
    audit::{Effect, Sequencer, SequencerOptions, StartError, Use},
    clock::{Clock, ManualClock, Timestamp},
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Incarnation,
        lease::{Epochs, Lease},
    },
    entropy::{SystemEntropy, make_array},
    id::{ConnectionId, GrantId, LeaseId, NodeId, SubProcessorId, TenantId, WorkerId},
    keyring::init::vault_make,
    policy::{Delivery, Module},
    seal::FileSeal,
    store::{Db, log, vault},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

pub(crate) struct TestLog {
    pub(crate) db: Db,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) sequencer: Sequencer,
    incarnation: Incarnation,
    /// Holds the anchors of all starts, each in a directory of its own.
    anchors: TempDir,
    store: TestStore,
}

impl TestLog {
    pub(crate) async fn start(database: TestDatabase) -> Self {
        Self::over(TestStore::make(database).await).await
    }

    pub(crate) async fn over(store: TestStore) -> Self {
        let anchors = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_800_000_000_000_000)));
        let db = store.db.clone();
        let seal = FileSeal::create(&anchors.path().join("seal.key"), &SystemEntropy).unwrap();
        vault_make(&db, &seal, &*clock, &SystemEntropy).await.unwrap();
        let row = vault::vault_show(&mut db.reader().await.unwrap().link()).await.unwrap().unwrap();
        let sequencer = begin(&db, &clock, anchors.path().join("first")).await.unwrap();
        Self { db, clock, sequencer, incarnation: row.incarnation, anchors, store }
    }

    /// Starts a second sequencer on the same database, as the next start of the process does: with a copy of the anchor,
    /// since the first one still runs and holds its own.
    pub(crate) async fn start_again(&self) -> Result<Sequencer, StartError> {
        begin(&self.db, &self.clock, self.anchor()).await
    }

    /// Starts a sequencer over another database, or with another anchor, than this log's.
    pub(crate) async fn start_with(&self, db: &Db, anchor: PathBuf) -> Result<Sequencer, StartError> {
        begin(db, &self.clock, anchor).await
    }

    /// Copies the database, as a backup does.
    pub(crate) async fn backup(&self) -> TestStore {
        self.store.copy().await
    }

    /// Returns a copy of the anchor, for a start beside the one that holds it.
    pub(crate) fn anchor(&self) -> PathBuf {
        anchor_copy(self.sequencer.anchor().directory())
    }

    /// Returns a directory in which no other start has its anchor.
    pub(crate) fn new_anchor(&self) -> PathBuf {
        self.anchors.path().join(uuid::Uuid::from_bytes(make_array(&SystemEntropy)).to_string())
    }

    pub(crate) fn tenant(&self) -> TenantId {
        TenantId::make(&*self.clock, &SystemEntropy)
    }

    /// Makes a lease that rests on subjects that nobody has raised.
    pub(crate) fn lease(&self, tenant: TenantId) -> Lease {
        let (clock, entropy) = (&*self.clock, &SystemEntropy);
        let now = clock.now();
        Lease {
            id: LeaseId::make(clock, entropy),
            incarnation: self.incarnation,
            tenant,
            connection: ConnectionId::make(clock, entropy),
            grant: GrantId::make(clock, entropy),
            worker: WorkerId::make(clock, entropy),
            sub_processor: SubProcessorId::make(clock, entropy),
            epochs: Epochs { vault: 0, tenant: 0, connection: 0, grant: 0, worker: 0, objection: 0 },
            issued_at: now,
            expires_at: now.plus(Duration::from_secs(900)),
            module: Module::Ops,
            delivery: Delivery::Gateway,
            certificate: None,
            job: None,
            scopes: "orders:read".parse().unwrap(),
        }
    }

    pub(crate) fn use_of(&self, lease: &Lease) -> Use {
        let event = event(lease.tenant, Kind::GatewayAdmitted);
        Use { lease: lease.into(), effect: Effect::Pass, event }
    }

    /// Appends the entry that accounts for erased payloads of a chain, and erases none.
    pub(crate) async fn erase(&self, tenant: TenantId, from: i64, through: i64) {
        let details = serde_json::json!({ "from": from, "through": through });
        let payload = Payload { actor: Subject::VAULT, object: Subject::VAULT, outcome: Outcome::Allowed, details };
        let event = Event::make(&SystemEntropy, tenant, Kind::PayloadsErased, &payload);
        let lease = self.lease(tenant);
        self.sequencer.admit(Use { lease: (&lease).into(), effect: Effect::Pass, event }).await.unwrap();
    }

    /// Returns the whole log, oldest first.
    pub(crate) async fn entries(&self) -> Vec<log::EntryRow> {
        let mut reader = self.db.reader().await.unwrap();
        log::entry_page(&mut reader.link(), log::Stretch::From(0), 10_000).await.unwrap()
    }

    /// Returns the entries of a kind once there are `count`: what nobody waits for is written a moment later.
    pub(crate) async fn entries_once(&self, kind: &str, count: usize) -> Vec<log::EntryRow> {
        let written = async {
            loop {
                let entries: Vec<_> = self.entries().await.into_iter().filter(|row| row.head.kind == kind).collect();
                if entries.len() >= count {
                    return entries;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), written).await.expect("the entries are written")
    }

    /// Alters the database behind the vault's back. Zeros are written as SQLite's `zeroblob(N)` on both databases.
    pub(crate) async fn tamper(&self, statement: &'static str) {
        if let Db::Postgres { own: pool, .. } = &self.db {
            let zeros = |bytes: usize| format!("'\\x{}'::BYTEA", "00".repeat(bytes));
            let statement = statement
                .replace("tenant = zeroblob(16)", "tenant = '00000000-0000-0000-0000-000000000000'")
                .replace("zeroblob(32)", &zeros(32))
                .replace("zeroblob(8)", &zeros(8))
                .replace("x'00'", &zeros(1));
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.unwrap();
            return;
        }
        self.db.reader().await.unwrap().link().run(statement).await.unwrap();
    }
}

async fn begin(db: &Db, clock: &Arc<ManualClock>, anchor: PathBuf) -> Result<Sequencer, StartError> {
    let clock = Arc::<ManualClock>::clone(clock);
    let node = NodeId::make(&*clock, &SystemEntropy);
    let (entropy, name) = (Arc::new(SystemEntropy), "test".to_owned());
    let options = SequencerOptions { db: db.clone(), clock, entropy, node, name, anchor };
    Ok(Sequencer::start(options).await?.0)
}

/// Copies an anchor to a new directory beside it, and returns that.
pub(crate) fn anchor_copy(from: &Path) -> PathBuf {
    let to = from.with_file_name(uuid::Uuid::from_bytes(make_array(&SystemEntropy)).to_string());
    std::fs::create_dir(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
    to
}

pub(crate) fn event(tenant: TenantId, kind: Kind) -> Event {
    let details = serde_json::json!({ "a": "test" });
    let payload = Payload { actor: Subject::VAULT, object: Subject::VAULT, outcome: Outcome::Allowed, details };
    Event::make(&SystemEntropy, tenant, kind, &payload)
}
