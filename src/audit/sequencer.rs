//! The sequencer as its callers see it: operations go in, and come back once they are durable. Behind it one task
//! ([`worker`](super::worker)) owns the writing connection and commits in batches: one transaction, one fsync, hundreds
//! of operations; the next batch fills meanwhile.

use super::{
    operation::{
        Admitted, Change, ChangeError, ChangeReply, Pending, PendingUse, SubmitError, TypedChange, Use, UseError,
    },
    recorded,
    refusals::Sameness,
    witness::Witness,
    worker::Worker,
};
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    entropy::Entropy,
    id::{NodeId, TenantId},
    merkle::{Frontier, Hash},
    store::{Db, Link, StoreError, log, nodes, vault},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

/// How many operations may wait. Past it the vault sheds instead of growing.
const QUEUE_MAX: usize = 8_192;
/// How far the host's clock may lie behind the log before the vault refuses to start.
const CLOCK_BEHIND_MAX: Duration = Duration::from_secs(300);

/// What the sequencer is made of.
pub struct SequencerOptions {
    /// The database; the sequencer keeps one of its connections.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Salts for the entries that the sequencer writes by itself.
    pub entropy: Arc<dyn Entropy>,
    /// This process, whose batches are counted.
    pub node: NodeId,
}

/// Whether the log takes operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Open,
    /// The database is gone: operations are refused until it is back, which is noticed by itself.
    Lost(String),
    /// The database lacks what this node acknowledged: it is an older copy. Nothing is released while it is.
    Quarantined(String),
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
    /// The entries that changes appended: tenant, kind, payload. Uses are not announced. Over a shared database they
    /// come for all nodes' changes, a moment after the epochs that this node raised itself.
    pub entries: Arc<[(TenantId, Kind, String)]>,
    /// Whether something may have been missed before it: who listens has to look at the log.
    pub is_after_gap: bool,
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
    witness: Witness,
    doubt: Arc<Notify>,
}

/// What the task takes in.
pub(super) struct Intake {
    pub(super) operations: mpsc::Receiver<Pending>,
    pub(super) refusal_notes: mpsc::Receiver<RefusalNote>,
    /// The database may be an older copy.
    pub(super) doubt: Arc<Notify>,
}

pub(super) struct RefusalNote {
    pub(super) sameness: Sameness,
    pub(super) tenant: TenantId,
    pub(super) kind: Kind,
    pub(super) actor: Subject,
    pub(super) object: Subject,
    pub(super) details: serde_json::Value,
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
        let (witness, doubt) = (Witness::default(), Arc::<Notify>::default());
        let intake = Intake { operations, refusal_notes, doubt: Arc::clone(&doubt) };
        let worker = Worker::new(options, intake, announcements.clone(), health_tx, witness.clone());
        let task = tokio::spawn(worker.run());
        Ok((Self { queue, refusals, announcements, health, witness, doubt }, task))
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
        self.send(Pending::Change(Box::new(TypedChange { change, verdict: None, entries: 0..0, reply })))?;
        let committed = answer.await.unwrap_or(Err(ChangeError::Unrecorded(SubmitError::Closed)))?;
        recorded::note(committed.entries.clone());
        Ok(committed)
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

    /// Announces durable changes of other nodes to whoever listens here.
    pub fn announce(&self, announcement: Announcement) {
        // Nobody may be listening.
        let _ = self.announcements.send(announcement);
    }

    /// Notes an entry that another node appended: from here on, a database that lacks it is an older copy.
    pub fn saw(&self, seq: i64, leaf_hash: Hash) {
        self.witness.saw(seq, leaf_hash);
    }

    /// Checks that a database holds the newest entry that this node saw; one that does not quarantines the log. Costs one
    /// read by primary key.
    ///
    /// # Errors
    /// `Rollback` where it does not; or the database fails.
    pub async fn check(&self, link: &mut Link<'_>) -> Result<(), StoreError> {
        let checked = self.witness.check(link).await;
        if matches!(checked, Err(StoreError::Rollback { .. })) {
            self.doubt.notify_one();
        }
        checked
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
    // One view of head and entries: other nodes append meanwhile.
    reader.link().begin_reading().await?;
    let checked = check_in(&mut reader.link(), options).await;
    reader.discard().await;
    checked?;
    if options.db.is_shared() {
        // Before the first batch, so that a row that is missing later means that nobody can tell.
        nodes::batch_begin(&mut options.db.own().await?.link(), options.node).await?;
    }
    Ok(())
}

async fn check_in(link: &mut Link<'_>, options: &SequencerOptions) -> Result<(), StartError> {
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
