//! One transaction of the sequencer: the lock on the head, the fences, the operations in order, the commit; and, over
//! PostgreSQL, what became of a commit whose answer was lost.

use super::{
    anchor::Position,
    batch::{Batch, Written},
    operation::{Effect, FenceRefusal, FencedLease, Pending, Use},
    refusals::{self, Refusals, Sameness},
    sequencer::SequencerOptions,
    witness::{Witness, told},
};
use crate::{
    clock::{APART_MAX, Clock, Timestamp},
    domain::quarantine::Quarantine,
    entropy::Entropy,
    id::{LeaseId, NodeId, TenantId},
    merkle::Frontier,
    store::{Db, Durability, Link, Pooled, StoreError, log, nodes, restores},
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::Instant;
use uuid::Uuid;

/// How long a transaction may take up to its commit. Past it the connection is given up, and the server rolls back.
const BATCH_LIMIT: Duration = Duration::from_secs(8);
/// How long a commit in doubt is looked up before those who wait are told that nobody knows.
const DOUBT_PATIENCE: Duration = Duration::from_secs(8);
/// How long to wait before it is looked up again.
const RETRY: Duration = Duration::from_millis(100);

/// Why a batch did not become durable.
pub(super) enum BatchError {
    /// Before the commit: nothing of it happened, and it may be tried again.
    Before(StoreError),
    /// At the commit: it may have happened.
    InDoubt(StoreError, CommittedBatch),
}

/// A batch that was committed.
pub(super) struct CommittedBatch {
    pub(super) at: Timestamp,
    pub(super) written: Written,
    /// How far the log is with it; none where it appended nothing.
    pub(super) position: Option<Position>,
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        Self::Before(error)
    }
}

/// What is known of a commit that was in doubt.
pub(super) enum Settled {
    /// It is durable.
    Durable,
    /// Nothing of it happened.
    Nothing,
    /// The database is gone, and nobody knows.
    Unknown,
    /// Nobody can ever know: the disk failed under an embedded database.
    Never,
}

/// Owns the writing connection.
pub(super) struct Writer {
    db: Db,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    node: NodeId,
    connection: Option<Pooled>,
    /// The number of the newest batch that was tried.
    batch: i64,
    witness: Witness,
}

impl Writer {
    pub(super) fn new(options: &SequencerOptions, witness: Witness) -> Self {
        Self {
            db: options.db.clone(),
            clock: Arc::clone(&options.clock),
            entropy: Arc::clone(&options.entropy),
            node: options.node,
            connection: None,
            batch: 0,
            witness,
        }
    }

    /// Commits one batch.
    pub(super) async fn commit(
        &mut self,
        operations: &mut [Pending],
        refusals: &mut Refusals,
        noted: &mut Vec<Sameness>,
    ) -> Result<CommittedBatch, BatchError> {
        let mut connection = self.take_connection().await?;
        self.batch += 1;
        let writing = self.write(connection.link(), operations, refusals, noted);
        let written = tokio::time::timeout(BATCH_LIMIT, Box::pin(writing)).await;
        let committed = match written.unwrap_or(Err(StoreError::NoAnswer(BATCH_LIMIT))) {
            Ok(committed) => committed,
            Err(error) => {
                // Its transaction is in an unknown state: closing the connection rolls it back.
                connection.discard().await;
                return Err(error.into());
            }
        };
        match connection.link().commit().await {
            Ok(Durability::Durable) => {
                self.connection = Some(connection);
                Ok(committed)
            }
            Ok(Durability::Unknown) => {
                connection.discard().await;
                Err(BatchError::InDoubt(StoreError::StandbyGivenUp, committed))
            }
            Err(error) => {
                connection.discard().await;
                Err(BatchError::InDoubt(error, committed))
            }
        }
    }

    /// Gives up the connection that stands: the database behind it is in doubt, and the next one is checked.
    pub(super) async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.discard().await;
        }
    }

    /// Finds out whether the newest batch is durable. It takes the lock on the head first, which waits out the lost
    /// session, and commits: once that is acknowledged, so is everything before it.
    pub(super) async fn settle(&mut self) -> Settled {
        if !self.db.is_shared() {
            return Settled::Never;
        }
        let deadline = Instant::now() + DOUBT_PATIENCE;
        while Instant::now() < deadline {
            match self.look_up().await {
                Ok(Some(batch)) if batch == self.batch => return Settled::Durable,
                Ok(Some(_)) => return Settled::Nothing,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a commit is still in doubt"),
            }
            tokio::time::sleep(RETRY).await;
        }
        Settled::Unknown
    }

    /// Reads this node's newest durable batch; `None` where even that could be lost again, or its row is gone: other nodes
    /// took this one for dead.
    async fn look_up(&mut self) -> Result<Option<i64>, StoreError> {
        let mut connection = self.take_connection().await?;
        let looking = async {
            let mut link = connection.link();
            link.begin().await?;
            log::head_lock(&mut link).await?;
            let batch = nodes::batch_show(&mut link, self.node).await?;
            let committed = link.commit().await? == Durability::Durable;
            Ok(batch.filter(|_| committed))
        };
        let looked_up = tokio::time::timeout(BATCH_LIMIT, looking).await;
        match looked_up.unwrap_or(Err(StoreError::NoAnswer(BATCH_LIMIT))) {
            Ok(Some(batch)) => {
                self.connection = Some(connection);
                Ok(Some(batch))
            }
            unsure => {
                connection.discard().await;
                unsure
            }
        }
    }

    /// Takes the connection that stands, or a new one, once the database behind it has shown that it holds what this node
    /// saw: a backup that was put in its place, or a standby that was promoted too early, does not.
    async fn take_connection(&mut self) -> Result<Pooled, StoreError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = self.db.own().await?;
        self.witness.check(&mut connection.link()).await?;
        Ok(connection)
    }

    /// Does everything of a batch except its commit.
    async fn write(
        &self,
        mut link: Link<'_>,
        operations: &mut [Pending],
        refusals: &mut Refusals,
        noted: &mut Vec<Sameness>,
    ) -> Result<CommittedBatch, StoreError> {
        link.begin().await?;
        // Alone, first: the lock. Everything that decides is read in later statements.
        let (head, server) = log::head_lock(&mut link).await?;
        let host = self.clock.now();
        if let Some(server) = server.filter(|server| self.clock.is_hosts() && server.plus(APART_MAX) < host) {
            // The log's time never goes back: one entry of the future would end the leases of every node.
            return Err(StoreError::ClocksApart { host, server });
        }
        let at = host.max(head.at);
        let fence = restores::vault_fence(&mut link).await?;
        let incarnation = fence.incarnation;
        if fence.is_quarantined {
            return Err(told(&mut link).await?.into());
        }
        if self.witness.incarnation() != Some(incarnation) {
            return Err(Quarantine::OtherIncarnation.into());
        }
        let mut frontier =
            Frontier::from_bytes(&head.right_edge).map_err(|_| StoreError::corrupt("log_head", "right_edge", 1))?;
        // What is appended to another tree than the head says would be a log that no proof fits.
        if i64::try_from(frontier.size()) != Ok(head.size) || frontier.root() != head.root {
            return Err(StoreError::corrupt("log_head", "right_edge", 1));
        }

        let mut batch = Batch::new(link.again(), at, &head, incarnation);
        batch.read_fences(subjects(operations), leases(operations)).await?;
        batch.read_chain_heads(tenants(operations)).await?;
        let mut carrying = Carrying { refusals, noted, entropy: &*self.entropy };
        for operation in operations.iter_mut() {
            carrying.run(&mut batch, operation).await?;
        }
        let written = batch.finish().await?;

        for entry in &written.entries {
            frontier.append(entry.leaf_hash);
        }
        let size = head.size + i64::try_from(written.entries.len()).expect("a batch has few entries");
        let root = frontier.root();
        log::head_move(&mut link, size, at, &frontier.to_bytes(), &root).await?;
        if self.db.is_shared() {
            nodes::batch_set(&mut link, self.node, self.batch).await?;
        }
        let newest = written.entries.last().map(|entry| entry.leaf_hash);
        let position = newest.map(|leaf_hash| Position { incarnation, size, leaf_hash, root: Some(root) });
        Ok(CommittedBatch { at, written, position })
    }
}

/// Carries operations out, with what their refusals leave in memory.
struct Carrying<'a> {
    refusals: &'a mut Refusals,
    noted: &'a mut Vec<Sameness>,
    entropy: &'a dyn Entropy,
}

impl Carrying<'_> {
    async fn run(&mut self, batch: &mut Batch<'_>, operation: &mut Pending) -> Result<(), StoreError> {
        match operation {
            Pending::Use(pending) => {
                pending.verdict = Some(match batch.check(&pending.what.lease) {
                    Ok(()) => {
                        batch.keep(pending.what.effect);
                        Ok(batch.append(pending.what.event.clone()).await?)
                    }
                    Err(refusal) => {
                        self.record_refusal(batch, &pending.what, refusal).await?;
                        Err(refusal)
                    }
                });
            }
            Pending::Change(change) => {
                batch.flush_uses().await?;
                change.forget();
                if !batch.stands(&change.fences()).await? {
                    return Ok(());
                }
                let mark = batch.mark();
                batch.link().run("SAVEPOINT change").await?;
                if change.apply(batch).await? {
                    batch.link().run("RELEASE SAVEPOINT change").await?;
                    change.keep_entries(batch.since(&mark));
                } else {
                    batch.link().run("ROLLBACK TO SAVEPOINT change").await?;
                    batch.link().run("RELEASE SAVEPOINT change").await?;
                    batch.return_to(mark);
                }
            }
            Pending::Note(event) => {
                batch.append(event.clone()).await?;
            }
        }
        Ok(())
    }

    async fn record_refusal(
        &mut self,
        batch: &mut Batch<'_>,
        what: &Use,
        refusal: FenceRefusal,
    ) -> Result<(), StoreError> {
        if matches!(what.effect, Effect::Issue(_)) {
            return Ok(());
        }
        let mut details = serde_json::Value::Null;
        let refused = refusals::of_lease(&what.lease, refusal, what.event.kind, &mut details);
        let sameness = refused.sameness.clone();
        let events = self.refusals.note(refused, batch.at(), self.entropy);
        if !events.is_empty() {
            self.noted.push(sameness);
        }
        for event in events {
            batch.append(event).await?;
        }
        Ok(())
    }
}

fn subjects(operations: &[Pending]) -> HashSet<Uuid> {
    uses(operations).flat_map(|lease| lease.fences.iter().map(|fence| fence.subject)).collect()
}

fn leases(operations: &[Pending]) -> HashSet<LeaseId> {
    uses(operations).map(|lease| lease.id).collect()
}

/// Whose chains the operations go on, as far as they say so beforehand: a change says it when it is made.
fn tenants(operations: &[Pending]) -> HashSet<TenantId> {
    let tenant = |operation: &Pending| match operation {
        Pending::Use(pending) => Some(pending.what.event.tenant),
        Pending::Note(event) => Some(event.tenant),
        Pending::Change(_) => None,
    };
    operations.iter().filter_map(tenant).collect()
}

fn uses(operations: &[Pending]) -> impl Iterator<Item = &FencedLease> {
    operations.iter().filter_map(|operation| match operation {
        Pending::Use(pending) => Some(&pending.what.lease),
        _ => None,
    })
}
