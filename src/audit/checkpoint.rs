//! Checkpoints: every few seconds, and when a receipt is wanted, the newest entries of all tenants are committed as the
//! root of a map, and the log up to there is signed.

use super::{
    batch::Batch,
    operation::{Change, ChangeError, SubmitError},
    recorded::recording,
    sequencer::Sequencer,
    signer::{SignError, Signer},
    tree::{ProofError, StoredTree, tiles_due},
};
use crate::{
    clock::Clock,
    domain::event::{Event, Kind, Outcome, Payload, Subject},
    entropy::Entropy,
    evidence::{Head, HeadMap, checkpoint_text},
    id::TenantId,
    merkle::Hash,
    store::{
        Db, Link, StoreError,
        checkpoints::{self, CheckpointRow},
        log,
        tiles::{self, TileRow},
    },
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// How often a log that grows is signed.
const INTERVAL: Duration = Duration::from_secs(2);
/// The most tiles in one commit: each is 8 KiB, and uses wait meanwhile.
const TILES_AT_ONCE: usize = 32;

/// What checkpoints are made with.
pub struct CheckpointerOptions {
    /// The database.
    pub db: Db,
    /// The order of events.
    pub sequencer: Sequencer,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Salts for its entries.
    pub entropy: Arc<dyn Entropy>,
    /// The key.
    pub signer: Arc<dyn Signer>,
    /// The log's name.
    pub origin: String,
}

/// Makes checkpoints, one at a time.
pub struct Checkpointer {
    options: CheckpointerOptions,
    newest: Mutex<Option<Arc<Signed>>>,
}

/// A checkpoint that was made here, with the map that it commits.
pub struct Signed {
    /// How many entries it covers.
    pub size: u64,
    /// The signed note.
    pub note: String,
    /// The entry that commits the map.
    pub map_seq: u64,
    /// How many entries the log had when the map was made: it shows what came before them.
    pub map_size: u64,
    /// The tenants' newest entries.
    pub map: HeadMap,
}

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The vault is sealed, or the key is not to be had.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The map could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
    /// The entries do not give the root that the head says.
    #[error(
        "the entries up to {size} have the root {found}, and the log's head says {expected}: nothing is signed; recompute the log with `leasehold audit verify --full`"
    )]
    Forked {
        /// How many entries.
        size: u64,
        /// What the entries give.
        found: Hash,
        /// What the head says.
        expected: Hash,
    },
}

impl From<ChangeError<Infallible>> for CheckpointError {
    fn from(error: ChangeError<Infallible>) -> Self {
        match error {
            ChangeError::Refused(never) => match never {},
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl From<ProofError> for CheckpointError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Store(error) => Self::Store(error),
            ProofError::OutOfTree(_) => Self::Store(StoreError::corrupt("log_head", "size", 1)),
        }
    }
}

impl Checkpointer {
    /// Makes it; nothing is signed yet.
    #[must_use]
    pub fn new(options: CheckpointerOptions) -> Self {
        Self { options, newest: Mutex::default() }
    }

    /// Returns the log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.options.origin
    }

    pub(super) fn db(&self) -> &Db {
        &self.options.db
    }

    /// Signs every few seconds, while the log grows and the vault is unsealed, until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            if !self.options.signer.is_ready() || !self.options.sequencer.is_open() {
                continue;
            }
            if let Err(error) = self.keep_up().await {
                metrics::counter!("leasehold_checkpoint_failures_total").increment(1);
                tracing::warn!(%error, "no checkpoint was signed; trying again shortly");
            }
        }
    }

    /// Signs, where anything but the newest map was appended since, and no other node did a moment ago: all of them look.
    async fn keep_up(&self) -> Result<(), CheckpointError> {
        let (size, newest) = {
            let mut reader = self.options.db.reader().await?;
            let head = log::head_show(&mut reader.link()).await?;
            (head.size, checkpoints::checkpoint_newest(&mut reader.link()).await?)
        };
        let now = self.options.clock.now();
        let is_covered =
            |row: &CheckpointRow| row.size == size && row.map_seq + 1 == size && row.map_size == row.map_seq;
        let is_fresh = |row: &CheckpointRow| self.options.db.is_shared() && now < row.created_at.plus(INTERVAL);
        if size == 0 || newest.as_ref().is_some_and(|row| is_covered(row) || is_fresh(row)) {
            return Ok(());
        }
        self.covering(counted(size) - 1).await.map(drop)
    }

    /// Returns a checkpoint whose map was made after the entry `seq`, which has to be durable; signs one where there is
    /// none yet. Callers that come at once share one. Costs two commits, a read of one row a tenant, and one signature.
    ///
    /// # Errors
    /// `Sign(Sealed)` while the vault is sealed; else where the log does not take the map, or is damaged.
    pub async fn covering(&self, seq: u64) -> Result<Arc<Signed>, CheckpointError> {
        let mut newest = self.newest.lock().await;
        if let Some(signed) = newest.as_ref().filter(|signed| signed.map_size > seq) {
            return Ok(Arc::clone(signed));
        }
        if !self.options.signer.is_ready() {
            return Err(SignError::Sealed.into());
        }
        // What a checkpoint leaves in the log is not the doing of whoever asked for one.
        let (signed, _) = recording(self.sign()).await;
        let signed = Arc::new(signed?);
        *newest = Some(Arc::clone(&signed));
        Ok(signed)
    }

    async fn sign(&self) -> Result<Signed, CheckpointError> {
        let (map, map_size) = self.survey().await?;
        let map_seq = self.options.sequencer.commit(self.map_entry(&map, map_size)).await?.output;
        // Durable, and so is everything before it.
        let size = counted(map_seq) + 1;
        let root = self.root(size).await?;
        let note = self.options.signer.sign(&checkpoint_text(self.origin(), size, &root)).await?;
        let created_at = self.options.clock.now();
        let row = CheckpointRow {
            size: map_seq + 1,
            map_seq,
            map_size: i64::try_from(map_size).expect("it came from a BIGINT"),
            note: note.clone(),
            created_at,
        };
        self.options.sequencer.commit(KeepCheckpoint(row)).await?;
        self.options.sequencer.checkpointed(&note).await?;
        metrics::gauge!("leasehold_checkpoint_entries").set(size as f64);
        Ok(Signed { size, note, map_seq: counted(map_seq), map_size, map })
    }

    /// Reads the tenants' newest entries and the log's size in one view, and writes the tiles that are due.
    async fn survey(&self) -> Result<(HeadMap, u64), CheckpointError> {
        loop {
            let mut reader = self.options.db.reader().await?;
            reader.link().begin_reading().await?;
            let surveyed = survey_in(&mut reader.link()).await;
            reader.discard().await;
            let (map, size, tiles) = surveyed?;
            if tiles.is_empty() {
                return Ok((map, size));
            }
            self.options.sequencer.commit(KeepTiles(tiles)).await?;
        }
    }

    async fn root(&self, size: u64) -> Result<Hash, CheckpointError> {
        let mut reader = self.options.db.reader().await?;
        reader.link().begin_reading().await?;
        let read = async {
            let link = &mut reader.link();
            let head = log::head_show(link).await?;
            Ok::<_, StoreError>((head, StoredTree::new(link, size).root().await?))
        };
        let read = read.await;
        reader.discard().await;
        let (head, found) = read?;
        if counted(head.size) == size && head.root != found {
            tracing::error!(size, %found, expected = %head.root, "the log's entries do not give its root");
            return Err(CheckpointError::Forked { size, found, expected: head.root });
        }
        Ok(found)
    }

    fn map_entry(&self, map: &HeadMap, size: u64) -> CommitMap {
        let details = serde_json::json!({ "size": size, "tenants": map.len(), "root": map.root() });
        let payload = Payload { actor: Subject::VAULT, object: Subject::VAULT, outcome: Outcome::Allowed, details };
        CommitMap(Event::make(&*self.options.entropy, TenantId::VAULT, Kind::HeadsCommitted, &payload))
    }
}

async fn survey_in(link: &mut Link<'_>) -> Result<(HeadMap, u64, Vec<TileRow>), StoreError> {
    let size = counted(log::head_show(link).await?.size);
    let tiles = tiles_due(link, size, TILES_AT_ONCE).await?;
    let heads = log::chain_heads_list(link).await?.into_iter();
    let head = |(tenant, head): (TenantId, log::ChainHead)| Head {
        tenant,
        tenant_seq: counted(head.tenant_seq),
        leaf_hash: head.leaf_hash,
    };
    Ok((HeadMap::new(heads.map(head).collect()), size, tiles))
}

/// Returns a count that a BIGINT column holds.
fn counted(number: i64) -> u64 {
    u64::try_from(number).expect("a log counts from 0 upwards")
}

/// Appends the map's root. Nobody who follows changes is told: it is the log's own.
struct CommitMap(Event);

impl Change for CommitMap {
    type Output = i64;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, ChangeError<Infallible>> {
        Ok(batch.append(self.0.clone()).await?)
    }
}

struct KeepTiles(Vec<TileRow>);

impl Change for KeepTiles {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        Ok(tiles::tiles_insert(&mut batch.link(), &self.0).await?)
    }
}

struct KeepCheckpoint(CheckpointRow);

impl Change for KeepCheckpoint {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        Ok(checkpoints::checkpoint_insert(&mut batch.link(), &self.0).await?)
    }
}
