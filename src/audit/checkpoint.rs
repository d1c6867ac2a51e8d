//! Checkpoints: every few seconds, and when a receipt is wanted, the newest entries of all tenants are committed as the
//! root of a map, and the log up to there is signed.

use super::{
    batch::Batch,
    findings::{Finding, Findings, Inspector},
    inspection::{InspectError, Inspection, LogFlaw},
    operation::{Change, ChangeError, SubmitError},
    recorded::recording,
    sequencer::Sequencer,
    signer::{SignError, Signer},
    tree::{ProofError, StoredTree, tiles_due, tree_explain},
};
use crate::{
    clock::Clock,
    domain::event::{Event, Kind, Outcome, Payload, Subject},
    entropy::Entropy,
    evidence::{Checkpoint, Head, HeadMap, checkpoint_text},
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
/// How many entries are inspected in one view of the log: a view holds back what the database could clean up.
const INSPECTED_AT_ONCE: u64 = 50_000;
/// How many checkpoints are looked at for one that this vault signed, before the whole log is inspected instead.
const LOOKED_BACK: i64 = 16;

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

/// Makes checkpoints, one at a time. Before it signs it inspects what came since: what was signed once is never worked out
/// anew from what the database says of it today.
pub struct Checkpointer {
    options: CheckpointerOptions,
    state: Mutex<State>,
    findings: Arc<Findings>,
}

#[derive(Default)]
struct State {
    newest: Option<Arc<Signed>>,
    /// How far the log was inspected; none after a start.
    inspection: Option<Inspection>,
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

/// A checkpoint that covers an entry, whoever made it.
#[derive(Clone, Debug)]
pub struct Covering {
    /// How many entries it covers.
    pub size: u64,
    /// The signed note.
    pub note: String,
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
    /// The log is damaged.
    #[error("{0}: nothing is signed until that is mended; `leasehold audit verify --full` looks at the whole log")]
    Flaw(#[from] LogFlaw),
}

impl From<InspectError> for CheckpointError {
    fn from(error: InspectError) -> Self {
        match error {
            InspectError::Flaw(flaw) => Self::Flaw(flaw),
            InspectError::Store(error) => Self::Store(error),
        }
    }
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
        Self { options, state: Mutex::default(), findings: Arc::default() }
    }

    /// Returns the log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.options.origin
    }

    /// Returns what is known to be wrong with the log.
    #[must_use]
    pub fn findings(&self) -> &Arc<Findings> {
        &self.findings
    }

    /// Returns the key that signs.
    pub(super) fn signer(&self) -> &dyn Signer {
        &*self.options.signer
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
    /// none yet. Callers that come at once share one. Costs two commits, a read of one row a tenant and of each entry since
    /// the checkpoint before, and one signature.
    ///
    /// # Errors
    /// `Sign(Sealed)` while the vault is sealed; `Flaw` where the log is damaged; else where it does not take the map.
    pub async fn covering(&self, seq: u64) -> Result<Arc<Signed>, CheckpointError> {
        self.signed(|signed| signed.map_size > seq).await
    }

    /// Returns a checkpoint of a tree that holds the entry `seq`, which has to be durable: the newest that any node made, or
    /// one that is signed now. Costs one read, or as [`Self::covering`].
    ///
    /// # Errors
    /// As [`Self::covering`].
    pub async fn including(&self, seq: u64) -> Result<Covering, CheckpointError> {
        let newest = checkpoints::checkpoint_newest(&mut self.options.db.reader().await?.link()).await?;
        if let Some(row) = newest.filter(|row| counted(row.size) > seq) {
            return Ok(Covering { size: counted(row.size), note: row.note });
        }
        let signed = self.signed(|signed| signed.size > seq).await?;
        Ok(Covering { size: signed.size, note: signed.note.clone() })
    }

    async fn signed(&self, will_do: impl Fn(&Signed) -> bool) -> Result<Arc<Signed>, CheckpointError> {
        let mut state = self.state.lock().await;
        if let Some(signed) = state.newest.as_ref().filter(|signed| will_do(signed)) {
            return Ok(Arc::clone(signed));
        }
        if !self.options.signer.is_ready() {
            return Err(SignError::Sealed.into());
        }
        // What a checkpoint leaves in the log is not the doing of whoever asked for one.
        let (signed, _) = recording(self.sign(&mut state)).await;
        match signed {
            Ok(signed) => {
                self.findings.cleared(Inspector::Signing);
                let signed = Arc::new(signed);
                state.newest = Some(Arc::clone(&signed));
                Ok(signed)
            }
            Err(error) => {
                if let CheckpointError::Flaw(flaw) = &error {
                    // Looked at anew from what was signed last: it may be mended.
                    state.inspection = None;
                    self.findings.found(Inspector::Signing, Finding::of(flaw, self.options.clock.now()));
                }
                Err(error)
            }
        }
    }

    async fn sign(&self, state: &mut State) -> Result<Signed, CheckpointError> {
        let (map, map_size) = self.survey(state).await?;
        let map_seq = self.options.sequencer.commit(self.map_entry(&map, map_size)).await?.output;
        // Durable, and so is everything before it.
        let size = counted(map_seq) + 1;
        let root = self.root(state, size).await?;
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

    /// Reads the tenants' newest entries and the log's size in one view, in which everything since the checkpoint before was
    /// inspected; and writes the tiles that are due.
    async fn survey(&self, state: &mut State) -> Result<(HeadMap, u64), CheckpointError> {
        loop {
            let mut reader = self.options.db.reader().await?;
            reader.link().begin_reading().await?;
            let surveyed = self.survey_in(&mut reader.link(), state).await;
            reader.discard().await;
            match surveyed? {
                Surveyed::Part => {}
                Surveyed::Tiles(tiles) => {
                    self.options.sequencer.commit(KeepTiles(tiles)).await?;
                }
                Surveyed::Whole(map, size) => return Ok((map, size)),
            }
        }
    }

    async fn survey_in(&self, link: &mut Link<'_>, state: &mut State) -> Result<Surveyed, CheckpointError> {
        let size = counted(log::head_show(link).await?.size);
        let inspection = self.inspection(link, state, size).await?;
        let reached = size.min(inspection.size() + INSPECTED_AT_ONCE);
        inspection.advance(link, reached, |_| Ok(())).await?;
        if reached < size {
            return Ok(Surveyed::Part);
        }
        inspection.check_missing(link).await?;
        // Before a tile is made of what the entries say of themselves today: it would outlive their repair.
        if StoredTree::new(link, size).root().await? != inspection.root() {
            tree_explain(link, size).await?;
        }
        let tiles = tiles_due(link, size, TILES_AT_ONCE).await?;
        if !tiles.is_empty() {
            return Ok(Surveyed::Tiles(tiles));
        }
        let heads = log::chain_heads_list(link).await?.into_iter();
        let head = |(tenant, head): (TenantId, log::ChainHead)| Head {
            tenant,
            tenant_seq: counted(head.tenant_seq),
            leaf_hash: head.leaf_hash,
        };
        let map = HeadMap::new(heads.map(head).collect());
        inspection.check_heads(link, &map).await?;
        Ok(Surveyed::Whole(map, size))
    }

    /// Returns how far the log was inspected. After a start that is the newest checkpoint that this vault's key signed: it
    /// was inspected when it was made.
    async fn inspection<'s>(
        &self,
        link: &mut Link<'_>,
        state: &'s mut State,
        size: u64,
    ) -> Result<&'s mut Inspection, CheckpointError> {
        // A log that is shorter than what was inspected is another one: the sequencer finds that out.
        if state.inspection.as_ref().is_none_or(|inspection| inspection.size() > size) {
            state.inspection = Some(self.inspection_begin(link, size).await?);
        }
        Ok(state.inspection.as_mut().expect("it was begun just now"))
    }

    async fn inspection_begin(&self, link: &mut Link<'_>, size: u64) -> Result<Inspection, CheckpointError> {
        let keys = self.options.signer.keys().await?;
        let kept = checkpoints::checkpoints_newest(link, i64::try_from(size).unwrap_or(i64::MAX), LOOKED_BACK).await?;
        let Some(signed) = kept.iter().find_map(|row| Checkpoint::open(&row.note, &keys).ok()) else {
            return Ok(Inspection::new());
        };
        let inspection = Inspection::behind(link, signed.size).await?;
        if inspection.root() != signed.root {
            tree_explain(link, signed.size).await?;
        }
        Ok(inspection)
    }

    /// Inspects the rest up to `size`, and returns the root over it, which the stored tree and the head have to agree with.
    async fn root(&self, state: &mut State, size: u64) -> Result<Hash, CheckpointError> {
        let mut reader = self.options.db.reader().await?;
        reader.link().begin_reading().await?;
        let root = self.root_in(&mut reader.link(), state, size).await;
        reader.discard().await;
        root
    }

    async fn root_in(&self, link: &mut Link<'_>, state: &mut State, size: u64) -> Result<Hash, CheckpointError> {
        let inspection = self.inspection(link, state, size).await?;
        inspection.advance(link, size, |_| Ok(())).await?;
        let root = inspection.root();
        if StoredTree::new(link, size).root().await? != root {
            tree_explain(link, size).await?;
        }
        let head = log::head_show(link).await?;
        if counted(head.size) == size && head.root != root {
            return Err(LogFlaw::Head("its root").into());
        }
        Ok(root)
    }

    fn map_entry(&self, map: &HeadMap, size: u64) -> CommitMap {
        // Not how many tenants there are: each of them gets to read it.
        let details = serde_json::json!({ "size": size, "root": map.root() });
        let payload = Payload { actor: Subject::VAULT, object: Subject::VAULT, outcome: Outcome::Allowed, details };
        CommitMap(Event::make(&*self.options.entropy, TenantId::VAULT, Kind::HeadsCommitted, &payload))
    }
}

/// What a look at the log yields.
enum Surveyed {
    /// More has to be inspected.
    Part,
    /// Tiles that have to be written first.
    Tiles(Vec<TileRow>),
    /// The tenants' newest entries, and how many entries there are.
    Whole(HeadMap, u64),
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
