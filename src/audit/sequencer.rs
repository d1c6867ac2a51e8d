//! The sequencer: one task that owns the writing connection and commits operations in batches. One transaction, one
//! fsync, hundreds of operations; the next batch fills meanwhile.

use super::{
    batch::{Batch, Written},
    operation::{
        Admitted, Change, ChangeError, ChangeReply, Committed, FenceRefusal, FencedLease, Pending, PendingUse,
        SubmitError, TypedChange, Use, UseError,
    },
    refusals::{self, Refusals, Refused, Sameness},
};
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    entropy::Entropy,
    id::{LeaseId, TenantId},
    merkle::Frontier,
    store::{Db, Link, Pooled, StoreError, log, vault},
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use uuid::Uuid;

/// The most operations in one batch.
const BATCH_MAX: usize = 512;
/// How many operations may wait. Past it the vault sheds instead of growing.
const QUEUE_MAX: usize = 8_192;
/// How far the host's clock may lie behind the log before the vault refuses to start.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(300);
/// How often the counted refusals of a past minute are looked for.
const REFUSAL_SWEEP: Duration = Duration::from_secs(15);

/// What the sequencer is made of.
pub struct SequencerOptions {
    /// The database; the sequencer keeps one of its connections.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Salts for the entries that the sequencer writes by itself.
    pub entropy: Arc<dyn Entropy>,
}

/// Whether the log takes operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Open,
    /// A commit's outcome is unknown: nothing more is acknowledged, and the process has to end.
    Poisoned(String),
}

/// A durable change, for caches, in-flight requests and people who listen.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// When it was committed.
    pub at: Timestamp,
    /// Subjects whose epochs were raised, at their new epochs.
    pub raised: Arc<[Fence]>,
    /// The entries that changes appended: tenant, kind, payload. Uses are not announced.
    pub entries: Arc<[(TenantId, Kind, String)]>,
}

/// Why the sequencer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no vault in the database.
    #[error("the database holds no vault: run `leasehold init`")]
    NoVault,
    /// The head and the entries do not belong together.
    #[error("the log's head does not fit its entries ({0}); restore the database from a backup, nothing was altered")]
    HeadMismatch(&'static str),
    /// The host's clock lies behind the log.
    #[error(
        "this host's clock ({clock}) lies behind the newest entry of the audit log ({log}): set the clock and start again"
    )]
    ClockBehind {
        /// What the host says.
        clock: Timestamp,
        /// The newest entry's time.
        log: Timestamp,
    },
}

/// A handle to the sequencer; clones share it.
#[derive(Clone)]
pub struct Sequencer {
    queue: mpsc::Sender<Pending>,
    refusals: mpsc::Sender<RefusalNote>,
    announcements: broadcast::Sender<Announcement>,
    health: watch::Receiver<Health>,
}

struct RefusalNote {
    sameness: Sameness,
    tenant: TenantId,
    kind: Kind,
    actor: Subject,
    object: Subject,
    details: serde_json::Value,
}

impl Sequencer {
    /// Checks that the log's head fits its entries and starts the task. It ends when every handle is dropped, after it
    /// has committed what was submitted.
    ///
    /// # Errors
    /// Where there is no vault, head and entries disagree, or the clock lies behind the log.
    pub async fn start(options: SequencerOptions) -> Result<(Self, tokio::task::JoinHandle<()>), StartError> {
        check_start(&options).await?;
        let (queue, operations) = mpsc::channel(QUEUE_MAX);
        let (refusals, refusal_notes) = mpsc::channel(QUEUE_MAX);
        let (announcements, _) = broadcast::channel(1_024);
        let (health_tx, health) = watch::channel(Health::Open);
        let worker = Worker {
            options,
            operations,
            refusal_notes,
            announcements: announcements.clone(),
            health: health_tx,
            refusals: Refusals::default(),
            connection: None,
        };
        let task = tokio::spawn(worker.run());
        Ok((Self { queue, refusals, announcements, health }, task))
    }

    /// Commits the use of a lease and returns once its entry is durable. Costs a share of one transaction.
    ///
    /// # Errors
    /// `Refused` where a fence stands in the way: the refusal is recorded, and nothing was released. `Unrecorded` where
    /// the log does not take it; a retry is safe, and appends another entry if the first one was durable after all.
    pub async fn admit(&self, what: Use) -> Result<Admitted, UseError> {
        let (reply, answer) = oneshot::channel();
        self.send(Pending::Use(PendingUse { what, verdict: None, reply }))?;
        answer.await.unwrap_or(Err(UseError::Unrecorded(SubmitError::Closed)))
    }

    /// Commits a change and returns once it is durable. It goes on when the caller stops waiting.
    ///
    /// # Errors
    /// `Refused` by the change itself; `Store(Taken)` where a unique value is in use; `Unrecorded` where the log does not
    /// take it.
    pub async fn commit<C: Change + Sync>(&self, change: C) -> ChangeReply<C> {
        let (reply, answer) = oneshot::channel();
        self.send(Pending::Change(Box::new(TypedChange { change, verdict: None, reply })))?;
        answer.await.unwrap_or(Err(ChangeError::Unrecorded(SubmitError::Closed)))
    }

    /// Appends an event that nobody waits for. It is lost, and counted, where too much waits.
    pub fn note(&self, event: Event) {
        if self.send(Pending::Note(event)).is_err() {
            metrics::counter!("leasehold_notes_lost_total").increment(1);
        }
    }

    /// Records a refusal that was decided before the commit. The first of an actor, object and reason in a minute is an
    /// entry; the others are counted. Nobody waits for it.
    pub fn refuse(
        &self,
        tenant: TenantId,
        kind: Kind,
        actor: Subject,
        object: Subject,
        reason: &'static str,
        details: serde_json::Value,
    ) {
        let sameness = Sameness { actor: actor.id, object: object.id, reason };
        if self.refusals.try_send(RefusalNote { sameness, tenant, kind, actor, object, details }).is_err() {
            metrics::counter!("leasehold_notes_lost_total").increment(1);
        }
    }

    /// Listens to durable changes. A listener that lags loses the oldest, and is told.
    #[must_use]
    pub fn announcements(&self) -> broadcast::Receiver<Announcement> {
        self.announcements.subscribe()
    }

    /// Watches whether the log takes operations.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    fn send(&self, pending: Pending) -> Result<(), SubmitError> {
        self.queue.try_send(pending).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Closed,
        })
    }
}

async fn check_start(options: &SequencerOptions) -> Result<(), StartError> {
    let mut reader = options.db.reader().await?;
    let link = &mut reader.link();
    if vault::vault_show(link).await?.is_none() {
        return Err(StartError::NoVault);
    }
    let head = log::head_show(link).await?;
    let frontier = Frontier::from_bytes(&head.right_edge).map_err(|_| StartError::HeadMismatch("its right edge"))?;
    if i64::try_from(frontier.size()) != Ok(head.size) || frontier.root() != head.root {
        return Err(StartError::HeadMismatch("its right edge and root"));
    }
    let newest = log::entry_page(link, log::Stretch::Before(i64::MAX), 1).await?;
    match newest.first() {
        None if head.size == 0 => {}
        Some(entry) if entry.head.seq + 1 == head.size && entry.head.at <= head.at => {}
        _ => return Err(StartError::HeadMismatch("its size")),
    }
    let clock = options.clock.now();
    if clock.plus(CLOCK_BEHIND_MAX) < head.at {
        return Err(StartError::ClockBehind { clock, log: head.at });
    }
    Ok(())
}

struct Worker {
    options: SequencerOptions,
    operations: mpsc::Receiver<Pending>,
    refusal_notes: mpsc::Receiver<RefusalNote>,
    announcements: broadcast::Sender<Announcement>,
    health: watch::Sender<Health>,
    refusals: Refusals,
    connection: Option<Pooled>,
}

/// Why a batch did not become durable.
enum BatchError {
    /// Before the commit: nothing of it happened, and it may be tried again.
    Before(StoreError),
    /// At the commit: it may have happened.
    InDoubt(StoreError),
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        Self::Before(error)
    }
}

impl Worker {
    async fn run(mut self) {
        let mut batch: Vec<Pending> = Vec::with_capacity(BATCH_MAX);
        let mut sweep = tokio::time::interval(REFUSAL_SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                taken = self.operations.recv_many(&mut batch, BATCH_MAX) => if taken == 0 { break },
                Some(note) = self.refusal_notes.recv() => self.take_refusal(note, &mut batch),
                _ = sweep.tick() => {
                    let events = self.refusals.sweep(self.options.clock.now(), &*self.options.entropy);
                    batch.extend(events.into_iter().map(Pending::Note));
                }
            }
            while batch.len() < BATCH_MAX
                && let Ok(note) = self.refusal_notes.try_recv()
            {
                self.take_refusal(note, &mut batch);
            }
            if !batch.is_empty() && self.commit_all(std::mem::take(&mut batch)).await.is_err() {
                break;
            }
        }
    }

    fn take_refusal(&mut self, note: RefusalNote, batch: &mut Vec<Pending>) {
        let RefusalNote { sameness, tenant, kind, actor, object, mut details } = note;
        if let Some(map) = details.as_object_mut() {
            map.insert("reason".to_owned(), sameness.reason.into());
        }
        let refused = Refused { sameness, tenant, kind, actor, object, details: &details };
        let events = self.refusals.note(refused, self.options.clock.now(), &*self.options.entropy);
        batch.extend(events.into_iter().map(Pending::Note));
    }

    /// Commits a batch; an operation that alone breaks it is isolated, and the others go on.
    async fn commit_all(&mut self, operations: Vec<Pending>) -> Result<(), Poisoned> {
        let operations = match self.commit_once(operations).await? {
            None => return Ok(()),
            Some((operations, error)) if operations.len() == 1 => {
                fail(operations, &SubmitError::Failed(error.to_string()));
                return Ok(());
            }
            Some((operations, _)) => operations,
        };
        for operation in operations {
            if let Some((operation, error)) = self.commit_once(vec![operation]).await? {
                fail(operation, &SubmitError::Failed(error.to_string()));
            }
        }
        Ok(())
    }

    /// Tries one batch. Gives the operations back where nothing of it happened.
    async fn commit_once(
        &mut self,
        mut operations: Vec<Pending>,
    ) -> Result<Option<(Vec<Pending>, StoreError)>, Poisoned> {
        let mut connection = match self.take_connection().await {
            Ok(connection) => connection,
            Err(error) => return Ok(Some((operations, error))),
        };
        let mut noted = Vec::new();
        let started = tokio::time::Instant::now();
        match self.run_batch(&mut connection.link(), &mut operations, &mut noted).await {
            Ok((at, written)) => {
                self.connection = Some(connection);
                metrics::histogram!("leasehold_batch_seconds").record(started.elapsed().as_secs_f64());
                metrics::histogram!("leasehold_batch_operations").record(operations.len() as f64);
                self.answer(operations, at, written);
                Ok(None)
            }
            Err(BatchError::Before(error)) => {
                // Its transaction is in an unknown state: closing the connection rolls it back.
                connection.discard().await;
                self.refusals.forget(&noted);
                tracing::warn!(%error, operations = operations.len(), "a batch was rolled back");
                Ok(Some((operations, error)))
            }
            Err(BatchError::InDoubt(error)) => {
                // An fsync that failed is never tried again: the pages may be gone and the second one would lie.
                tracing::error!(%error, "a commit's outcome is unknown; the audit log is closed");
                connection.discard().await;
                fail(operations, &SubmitError::Closed);
                let _ = self.health.send(Health::Poisoned(error.to_string()));
                Err(Poisoned)
            }
        }
    }

    async fn take_connection(&mut self) -> Result<Pooled, StoreError> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.options.db.reader().await,
        }
    }

    async fn run_batch(
        &mut self,
        link: &mut Link<'_>,
        operations: &mut [Pending],
        noted: &mut Vec<Sameness>,
    ) -> Result<(Timestamp, Written), BatchError> {
        link.begin().await?;
        // Alone, first: the lock. Everything that decides is read in later statements.
        let head = log::head_lock(link).await?;
        let at = self.options.clock.now().max(head.at);
        let incarnation =
            vault::vault_show(link).await?.ok_or_else(|| StoreError::corrupt("vault", "id", 1))?.incarnation;
        let mut frontier =
            Frontier::from_bytes(&head.right_edge).map_err(|_| StoreError::corrupt("log_head", "right_edge", 1))?;

        let mut batch = Batch::new(link.again(), at, head.size, incarnation);
        let (subjects, leases) = (subjects(operations), leases(operations));
        batch.read_fences(subjects, leases).await?;
        for operation in operations.iter_mut() {
            self.run_operation(&mut batch, operation, noted).await?;
        }
        let written = batch.finish().await?;

        for entry in &written.entries {
            frontier.append(entry.leaf_hash);
        }
        let size = head.size + i64::try_from(written.entries.len()).expect("a batch has few entries");
        log::head_move(link, size, at, &frontier.to_bytes(), &frontier.root()).await?;
        link.run("COMMIT").await.map_err(BatchError::InDoubt)?;
        Ok((at, written))
    }

    async fn run_operation(
        &mut self,
        batch: &mut Batch<'_>,
        operation: &mut Pending,
        noted: &mut Vec<Sameness>,
    ) -> Result<(), StoreError> {
        match operation {
            Pending::Use(pending) => {
                pending.verdict = Some(match batch.check(&pending.what.lease) {
                    Ok(()) => {
                        batch.keep(pending.what.effect);
                        Ok(batch.append(pending.what.event.clone()).await?)
                    }
                    Err(refusal) => {
                        self.record_refusal(batch, &pending.what, refusal, noted).await?;
                        Err(refusal)
                    }
                });
            }
            Pending::Change(change) => {
                batch.flush_uses().await?;
                if !batch.stands(&change.fences()).await? {
                    return Ok(());
                }
                let mark = batch.mark();
                batch.link().run("SAVEPOINT change").await?;
                if change.apply(batch).await? {
                    batch.link().run("RELEASE SAVEPOINT change").await?;
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
        noted: &mut Vec<Sameness>,
    ) -> Result<(), StoreError> {
        if matches!(what.effect, super::Effect::Issue(_)) {
            return Ok(());
        }
        let mut details = serde_json::Value::Null;
        let refused = refusals::of_lease(&what.lease, refusal, what.event.kind, &mut details);
        let sameness = refused.sameness.clone();
        let events = self.refusals.note(refused, batch.at(), &*self.options.entropy);
        if !events.is_empty() {
            noted.push(sameness);
        }
        for event in events {
            batch.append(event).await?;
        }
        Ok(())
    }

    fn answer(&self, operations: Vec<Pending>, at: Timestamp, written: Written) {
        // First the announcement: who is answered may look at a cache next.
        if !written.raised.is_empty() || !written.announced.is_empty() {
            let Written { raised, announced, .. } = written;
            let _ = self.announcements.send(Announcement { at, raised: raised.into(), entries: announced.into() });
        }
        for operation in operations {
            match operation {
                Pending::Use(PendingUse { verdict, reply, .. }) => {
                    let answer = match verdict {
                        Some(Ok(seq)) => Ok(Admitted { seq, at }),
                        Some(Err(refusal)) => Err(UseError::Refused(refusal)),
                        None => Err(UseError::Unrecorded(SubmitError::Closed)),
                    };
                    let _ = reply.send(answer);
                }
                Pending::Change(change) => change.answer(at),
                Pending::Note(_) => {}
            }
        }
    }
}

/// The log is closed for good.
struct Poisoned;

fn fail(operations: Vec<Pending>, error: &SubmitError) {
    for operation in operations {
        match operation {
            Pending::Use(PendingUse { reply, .. }) => {
                let _ = reply.send(Err(UseError::Unrecorded(error.clone())));
            }
            Pending::Change(change) => change.fail(error.clone()),
            Pending::Note(_) => metrics::counter!("leasehold_notes_lost_total").increment(1),
        }
    }
}

fn subjects(operations: &[Pending]) -> HashSet<Uuid> {
    uses(operations).flat_map(|lease| lease.fences.iter().map(|fence| fence.subject)).collect()
}

fn leases(operations: &[Pending]) -> HashSet<LeaseId> {
    uses(operations).map(|lease| lease.id).collect()
}

fn uses(operations: &[Pending]) -> impl Iterator<Item = &FencedLease> {
    operations.iter().filter_map(|operation| match operation {
        Pending::Use(pending) => Some(&pending.what.lease),
        _ => None,
    })
}

impl<T> Committed<T> {
    /// Keeps the time and changes the output.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Committed<U> {
        Committed { output: change(self.output), at: self.at }
    }
}
