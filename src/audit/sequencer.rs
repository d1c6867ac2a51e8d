//! The sequencer as its callers see it: operations go in, and come back once they are durable. Behind it one task
//! ([`worker`](super::worker)) owns the writing connection and commits in batches: one transaction, one fsync, hundreds
//! of operations; the next batch fills meanwhile.

use super::{
    anchor::{Anchor, AnchorError, Position},
    operation::{
        Admitted, Change, ChangeError, ChangeReply, Pending, PendingUse, SubmitError, TypedChange, Use, UseError,
    },
    recorded,
    refusals::Sameness,
    start::{self, Start, StartError},
    witness::{Witness, told},
    worker::Worker,
};
use crate::{
    clock::{Clock, Timestamp},
    domain::{
        entry::NO_ENTRY,
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    entropy::Entropy,
    id::{NodeId, TenantId},
    merkle::Hash,
    store::{Db, Link, StoreError, log, restores},
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};

/// How many operations may wait. Past it the vault sheds instead of growing.
const QUEUE_MAX: usize = 8_192;

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
    /// What the operator knows it by.
    pub name: String,
    /// The directory of its anchor, which no other process may have.
    pub anchor: PathBuf,
}

/// Whether the log takes operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Open,
    /// The database is gone: operations are refused until it is back, which is noticed by itself.
    Lost(String),
    /// Nobody knows the database to be the newest. Nothing is released while that is so.
    Quarantined(String),
    /// What is acknowledged cannot be anchored: operations are refused until it can, which is noticed by itself.
    Unanchored(String),
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

/// Why a node does not take the database for the newest.
#[derive(Debug, thiserror::Error)]
pub enum VouchError {
    /// The fleet is quarantined, or the database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The anchor cannot be written.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
}

/// A handle to the sequencer; clones share it.
#[derive(Clone)]
pub struct Sequencer {
    queue: mpsc::Sender<Pending>,
    refusals: mpsc::Sender<RefusalNote>,
    announcements: broadcast::Sender<Announcement>,
    health: watch::Receiver<Health>,
    health_turn: Arc<watch::Sender<Health>>,
    witness: Witness,
    doubt: Arc<Notify>,
    is_quarantined: Arc<AtomicBool>,
}

/// What the task takes in.
pub(super) struct Intake {
    pub(super) operations: mpsc::Receiver<Pending>,
    pub(super) refusal_notes: mpsc::Receiver<RefusalNote>,
    /// The database may be an older copy.
    pub(super) doubt: Arc<Notify>,
}

/// What the task tells.
pub(super) struct Outlet {
    pub(super) announcements: broadcast::Sender<Announcement>,
    pub(super) health: Arc<watch::Sender<Health>>,
    pub(super) is_quarantined: Arc<AtomicBool>,
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
    /// Checks that the log's head fits its entries, compares both with the anchor, and starts the task: quarantined, where
    /// nobody knows the database to be the newest. It ends when every handle is dropped, after it has committed what was
    /// submitted.
    ///
    /// # Errors
    /// Where there is no vault, head and entries disagree, the clock lies behind the log, or the anchor cannot be used.
    pub async fn start(options: SequencerOptions) -> Result<(Self, tokio::task::JoinHandle<()>), StartError> {
        let Start { witness, quarantine } = start::check(&options).await?;
        let (queue, operations) = mpsc::channel(QUEUE_MAX);
        let (refusals, refusal_notes) = mpsc::channel(QUEUE_MAX);
        let (announcements, _) = broadcast::channel(1_024);
        let (health_turn, health) = watch::channel(Health::Open);
        let health_turn = Arc::new(health_turn);
        let (doubt, is_quarantined) = (Arc::<Notify>::default(), Arc::<AtomicBool>::default());
        let intake = Intake { operations, refusal_notes, doubt: Arc::clone(&doubt) };
        let outlet = Outlet {
            announcements: announcements.clone(),
            health: Arc::clone(&health_turn),
            is_quarantined: Arc::clone(&is_quarantined),
        };
        let worker = Worker::new(options, intake, outlet, witness.clone());
        if let Some(why) = quarantine {
            worker.turn_to(Health::Quarantined(why.to_string()));
        }
        let task = tokio::spawn(worker.run());
        Ok((Self { queue, refusals, announcements, health, health_turn, witness, doubt, is_quarantined }, task))
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
    ///
    /// # Errors
    /// Where that cannot be anchored.
    pub fn saw(&self, seq: i64, leaf_hash: Hash) -> Result<(), AnchorError> {
        let Some(incarnation) = self.witness.incarnation() else { return Ok(()) };
        self.witness.anchor().note(Position { incarnation, size: seq + 1, leaf_hash, root: None })
    }

    /// Checks that a database holds what this node saw; one that does not quarantines the fleet. Costs two reads by primary
    /// key.
    ///
    /// # Errors
    /// `Quarantined` where it does not, or another node found that out; or the database fails.
    pub async fn check(&self, link: &mut Link<'_>) -> Result<(), StoreError> {
        let checked = self.witness.check(link).await;
        if matches!(checked, Err(StoreError::Quarantined(_))) && !self.is_quarantined() {
            self.doubt.notify_one();
        }
        checked
    }

    /// Says whether nothing is released because nobody knows the database to be the newest.
    #[must_use]
    pub fn is_quarantined(&self) -> bool {
        self.is_quarantined.load(Ordering::Relaxed)
    }

    /// Says whether this node has nothing to compare the database with, and waits for another to vouch for it.
    #[must_use]
    pub fn is_unvouched(&self) -> bool {
        self.witness.is_unvouched()
    }

    /// Takes the database for the newest, because a live node vouches for it: one whose own anchor it was compared with, and
    /// that is not quarantined. Costs three reads.
    ///
    /// # Errors
    /// `Quarantined` where the fleet is; or the database fails, or the anchor.
    pub async fn vouched(&self, link: &mut Link<'_>) -> Result<(), VouchError> {
        let fence = restores::vault_fence(link).await?;
        if fence.is_quarantined {
            return Err(StoreError::from(told(link).await?).into());
        }
        let head = log::head_show(link).await?;
        let leaf_hash = log::entry_leaf(link, head.size - 1).await?.unwrap_or(NO_ENTRY);
        let (incarnation, root) = (fence.incarnation, Some(head.root));
        self.witness.begin(Position { incarnation, size: head.size, leaf_hash, root })?;
        tracing::info!(entries = head.size, "a live node vouches for the database; this node's anchor begins with it");
        self.doubt.notify_one();
        Ok(())
    }

    /// Anchors a checkpoint, and everything that was acknowledged before it, on the disk.
    ///
    /// # Errors
    /// `Closed` where that failed, and the log with it: an fsync is never tried again.
    pub(super) async fn checkpointed(&self, note: &str) -> Result<(), SubmitError> {
        let (anchor, note) = (Arc::clone(self.witness.anchor()), note.to_owned());
        let kept = tokio::task::spawn_blocking(move || anchor.checkpoint(&note)).await;
        match kept {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                metrics::counter!("leasehold_anchor_failures_total").increment(1);
                self.poison(&error.to_string());
                Err(SubmitError::Closed)
            }
            Err(_) => Err(SubmitError::Closed),
        }
    }

    /// Closes the log for good: the process ends.
    fn poison(&self, why: &str) {
        tracing::error!(%why, "the audit log is closed");
        let _ = self.health_turn.send(Health::Poisoned(why.to_owned()));
        self.doubt.notify_one();
    }

    /// Returns this node's anchor.
    #[must_use]
    pub fn anchor(&self) -> &Arc<Anchor> {
        self.witness.anchor()
    }

    /// Says whether the log takes operations.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.health.borrow() == Health::Open
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
