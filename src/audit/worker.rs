//! The sequencer's task: it takes what waits, commits it, and answers. What a failed commit means for those who wait is
//! decided here; the transaction itself is in [`writer`](super::writer).

use super::{
    anchor::{AnchorError, Position},
    batch::Written,
    operation::{Admitted, FenceRefusal, Pending, PendingUse, SubmitError, UseError},
    refusals::{Refusals, Refused, Sameness},
    sequencer::{Announcement, Health, Intake, Outlet, RefusalNote, SequencerOptions},
    witness::Witness,
    writer::{BatchError, CommittedBatch, Settled, Writer},
};
use crate::{clock::Timestamp, domain::quarantine::REMEDY, store::StoreError};
use std::{sync::atomic::Ordering, time::Duration};
use tokio::time::Instant;

/// The most operations in one batch.
const BATCH_MAX: usize = 512;
/// How often the counted refusals of a past minute are looked for.
const REFUSAL_SWEEP: Duration = Duration::from_secs(15);
/// How long a batch is tried again while the database is gone, before those who wait are told.
const OUTAGE_PATIENCE: Duration = Duration::from_secs(4);
/// How often the database is tried while it is gone and nobody asks: a load balancer sends nothing to a node that is not
/// ready, so that the node has to find out by itself.
const PROBE: Duration = Duration::from_secs(1);
/// How long to wait before it is tried again.
const RETRY: Duration = Duration::from_millis(50);

pub(super) struct Worker {
    options: SequencerOptions,
    intake: Intake,
    outlet: Outlet,
    refusals: Refusals,
    writer: Writer,
    witness: Witness,
    /// What is durable, and was not anchored yet.
    unanchored: Option<Position>,
}

/// The log is closed for good.
struct Poisoned;

/// What became of a batch that was tried once.
enum Tried {
    /// It is durable, and answered.
    Durable,
    /// Nothing of it happened.
    Nothing(Vec<Pending>, StoreError),
    /// It may have happened; those who waited were told so.
    Unknown(StoreError),
    /// The anchor cannot be written; those who waited were told so.
    Unanchored(AnchorError),
}

impl Worker {
    pub(super) fn new(options: SequencerOptions, intake: Intake, outlet: Outlet, witness: Witness) -> Self {
        let writer = Writer::new(&options, witness.clone());
        Self { options, intake, outlet, refusals: Refusals::default(), writer, witness, unanchored: None }
    }

    pub(super) async fn run(mut self) {
        let mut batch: Vec<Pending> = Vec::with_capacity(BATCH_MAX);
        let mut sweep = tokio::time::interval(REFUSAL_SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut probe = tokio::time::interval(PROBE);
        probe.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let open = self.is_open();
            tokio::select! {
                biased;
                taken = self.intake.operations.recv_many(&mut batch, BATCH_MAX) => if taken == 0 { break },
                Some(note) = self.intake.refusal_notes.recv() => self.take_refusal(note, &mut batch),
                _ = sweep.tick() => {
                    let events = self.refusals.sweep(self.options.clock.now(), &*self.options.entropy);
                    batch.extend(events.into_iter().map(Pending::Note));
                }
                // Nothing in it, and over a new connection: it finds the older copy that another look found.
                () = self.intake.doubt.notified() => {
                    if self.is_poisoned() {
                        break;
                    }
                    self.writer.disconnect().await;
                    if self.commit_all(Vec::new()).await.is_err() { break }
                }
                // A batch of nothing: it takes the lock and commits, and so shows what an operation would meet.
                _ = probe.tick(), if !open => if self.commit_all(Vec::new()).await.is_err() { break },
            }
            while batch.len() < BATCH_MAX
                && let Ok(note) = self.intake.refusal_notes.try_recv()
            {
                self.take_refusal(note, &mut batch);
            }
            if self.is_poisoned() {
                fail(std::mem::take(&mut batch), &SubmitError::Closed);
                break;
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
        // What a probe has not found well again is not asked of the database by each operation.
        let quarantined = match &*self.outlet.health.borrow() {
            Health::Quarantined(why) if !operations.is_empty() => Some(why.clone()),
            _ => None,
        };
        if let Some(why) = quarantined {
            fail(operations, &SubmitError::Quarantined(why));
            return Ok(());
        }
        let Some((operations, error)) = self.commit_patiently(operations).await? else { return Ok(()) };
        if operations.len() == 1 {
            fail(operations, &SubmitError::Failed(error.to_string()));
            return Ok(());
        }
        let mut operations = operations.into_iter();
        for operation in operations.by_ref() {
            if let Some((operation, error)) = self.commit_patiently(vec![operation]).await? {
                fail(operation, &SubmitError::Failed(error.to_string()));
            } else if !self.is_open() {
                // Each of the others would wait for the database by itself, one after the other.
                break;
            }
        }
        fail(operations.collect(), &SubmitError::Failed("the database is gone".to_owned()));
        Ok(())
    }

    /// Commits a batch, again and again while the database is gone; past its patience it tells those who wait. Gives the
    /// operations back where one of them is at fault.
    async fn commit_patiently(
        &mut self,
        mut operations: Vec<Pending>,
    ) -> Result<Option<(Vec<Pending>, StoreError)>, Poisoned> {
        // Who comes while the database is known to be gone waits for one try only.
        let patience = if self.is_open() { OUTAGE_PATIENCE } else { Duration::ZERO };
        let deadline = Instant::now() + patience;
        loop {
            match self.commit_once(operations).await? {
                Tried::Durable => {
                    self.turn_to(Health::Open);
                    return Ok(None);
                }
                Tried::Unknown(error) => {
                    self.turn_to(Health::Lost(error.to_string()));
                    return Ok(None);
                }
                Tried::Unanchored(error) => {
                    self.turn_to(Health::Unanchored(error.to_string()));
                    return Ok(None);
                }
                Tried::Nothing(back, StoreError::Quarantined(why)) => {
                    self.turn_to(Health::Quarantined(why.to_string()));
                    fail(back, &SubmitError::Quarantined(why.to_string()));
                    return Ok(None);
                }
                Tried::Nothing(back, error) if !error.is_outage() => return Ok(Some((back, error))),
                Tried::Nothing(back, error) if Instant::now() >= deadline => {
                    self.turn_to(Health::Lost(error.to_string()));
                    fail(back, &SubmitError::Failed(error.to_string()));
                    return Ok(None);
                }
                Tried::Nothing(back, _) => {
                    operations = back;
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    fn is_open(&self) -> bool {
        *self.outlet.health.borrow() == Health::Open
    }

    /// Says whether the log was closed for good, here or by the anchor.
    fn is_poisoned(&self) -> bool {
        matches!(*self.outlet.health.borrow(), Health::Poisoned(_))
    }

    pub(super) fn turn_to(&self, health: Health) {
        let changed = self.outlet.health.send_if_modified(|now| {
            let changed =
                std::mem::discriminant(now) != std::mem::discriminant(&health) && !matches!(now, Health::Poisoned(_));
            if changed {
                *now = health.clone();
            }
            changed
        });
        if changed {
            let is_quarantined = matches!(health, Health::Quarantined(_));
            self.outlet.is_quarantined.store(is_quarantined, Ordering::Relaxed);
            metrics::gauge!("leasehold_quarantined").set(f64::from(u8::from(is_quarantined)));
        }
        match (changed, health) {
            (true, Health::Open) => tracing::info!("the audit log takes operations again"),
            (true, Health::Lost(why)) => {
                tracing::error!(%why, "the database is gone: nothing is released until it is back")
            }
            (true, Health::Quarantined(why)) => {
                tracing::error!(%why, remedy = REMEDY, "quarantined: nothing is released")
            }
            (true, Health::Unanchored(why)) => {
                tracing::error!(%why, "the anchor cannot be written: nothing is released until it can")
            }
            _ => {}
        }
    }

    async fn commit_once(&mut self, mut operations: Vec<Pending>) -> Result<Tried, Poisoned> {
        if let Err(error) = self.anchor_again() {
            fail(operations, &SubmitError::Unanchored(error.to_string()));
            return Ok(Tried::Unanchored(error));
        }
        let mut noted: Vec<Sameness> = Vec::new();
        let started = Instant::now();
        let error = match self.writer.commit(&mut operations, &mut self.refusals, &mut noted).await {
            Ok(committed) => {
                metrics::histogram!("leasehold_commit_duration_seconds").record(started.elapsed().as_secs_f64());
                metrics::histogram!("leasehold_commit_batch_size").record(operations.len() as f64);
                return Ok(self.acknowledge(operations, committed));
            }
            Err(BatchError::Before(error)) => {
                self.refusals.forget(&noted);
                tracing::warn!(%error, operations = operations.len(), "a batch was rolled back");
                return Ok(Tried::Nothing(operations, error));
            }
            Err(BatchError::InDoubt(error, committed)) => {
                tracing::warn!(%error, operations = operations.len(), "a commit's answer was lost");
                match self.writer.settle().await {
                    Settled::Durable => return Ok(self.acknowledge(operations, committed)),
                    Settled::Nothing => {
                        self.refusals.forget(&noted);
                        return Ok(Tried::Nothing(operations, error));
                    }
                    Settled::Unknown => {
                        fail(operations, &SubmitError::InDoubt);
                        return Ok(Tried::Unknown(error));
                    }
                    Settled::Never => error,
                }
            }
        };
        // An fsync that failed is never tried again: the pages may be gone and the second one would lie.
        tracing::error!(%error, "a commit's outcome is unknown; the audit log is closed");
        fail(operations, &SubmitError::Closed);
        let _ = self.outlet.health.send(Health::Poisoned(error.to_string()));
        Err(Poisoned)
    }

    /// Anchors a durable batch, and answers it. What cannot be anchored is announced, because it is true, and acknowledged to
    /// nobody: an older copy of the database without it would not be known for one.
    fn acknowledge(&mut self, operations: Vec<Pending>, committed: CommittedBatch) -> Tried {
        let CommittedBatch { at, written, position } = committed;
        self.announce(at, written);
        self.unanchored = position;
        if let Err(error) = self.anchor_again() {
            fail(operations, &SubmitError::Unanchored(error.to_string()));
            return Tried::Unanchored(error);
        }
        answer(operations, at);
        Tried::Durable
    }

    fn anchor_again(&mut self) -> Result<(), AnchorError> {
        let Some(position) = self.unanchored else { return Ok(()) };
        let noted = self.witness.anchor().note(position);
        match &noted {
            Ok(()) => self.unanchored = None,
            Err(_) => metrics::counter!("leasehold_anchor_failures_total").increment(1),
        }
        noted
    }

    /// Announces a batch, before it is answered: who is answered may look at a cache next. Over a shared database the entries
    /// are announced by whoever follows all nodes' changes, so that none comes twice.
    fn announce(&self, at: Timestamp, written: Written) {
        let Written { raised, announced, .. } = written;
        let announced = if self.options.db.is_shared() { Vec::new() } else { announced };
        if !raised.is_empty() || !announced.is_empty() {
            let (raised, entries) = (raised.into(), announced.into());
            let _ = self.outlet.announcements.send(Announcement { at, raised, entries, is_after_gap: false });
        }
    }
}

fn answer(operations: Vec<Pending>, at: Timestamp) {
    for operation in operations {
        match operation {
            Pending::Use(PendingUse { verdict, reply, .. }) => {
                let _ = reply.send(verdict_of(verdict, at));
            }
            Pending::Change(change) => change.answer(at),
            Pending::Note(_) => {}
        }
    }
}

fn verdict_of(verdict: Option<Result<i64, FenceRefusal>>, at: Timestamp) -> Result<Admitted, UseError> {
    match verdict {
        Some(Ok(seq)) => Ok(Admitted { seq, at }),
        Some(Err(refusal)) => Err(UseError::Refused(refusal)),
        None => Err(UseError::Unrecorded(SubmitError::Closed)),
    }
}

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
