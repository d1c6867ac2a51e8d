//! The scrub: a slow look at the whole log, over and over, behind the uses. The checkpointer inspects each entry once, before
//! it is signed; what is altered later, the scrub finds, and names.
//!
//! One node at a time does it; where it stops moving for a minute, another goes on from its place. A flaw does not stop
//! anything but the handing out of what it damages: what is signed next rests on what was signed before, not on the damaged
//! row. People have to look.

use super::{
    batch::Batch,
    checkpoint::Checkpointer,
    findings::{Finding, Findings, Inspector},
    inspection::{InspectError, Inspection, LogFlaw},
    operation::{Change, ChangeError, SubmitError},
    sequencer::Sequencer,
    verify::{inspect, roots_signed},
};
use crate::{
    clock::{Clock, Timestamp},
    evidence::{Checkpoint, Head, HeadMap},
    id::NodeId,
    store::{
        Db, Link, StoreError, checkpoints, log,
        scrub::{self, ScrubFlaw, ScrubRow},
    },
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How many entries are looked at in one view of the log.
const PAGE: i64 = 1_000;
/// How long a node's place is its own without its moving.
const STALE: Duration = Duration::from_secs(60);
/// How often the place is written down.
const KEPT_EVERY: Duration = Duration::from_secs(20);
/// See [`ScrubPace::rest`].
const REST: Duration = Duration::from_secs(30);

/// How fast the scrub goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubPace {
    /// How many entries it looks at in a second.
    pub entries_per_s: u64,
    /// How long it rests at the log's end, after a failure, and while another node does it.
    pub rest: Duration,
}

impl Default for ScrubPace {
    fn default() -> Self {
        Self { entries_per_s: 1_000, rest: REST }
    }
}

/// What the scrub is made of.
pub struct ScrubOptions {
    /// The database.
    pub db: Db,
    /// Takes its place down.
    pub sequencer: Sequencer,
    /// Whose findings it shares, and whose key signed.
    pub checkpointer: Arc<Checkpointer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This process.
    pub node: NodeId,
    /// How fast it goes.
    pub pace: ScrubPace,
}

/// Looks at the whole log, over and over.
pub struct Scrub {
    options: ScrubOptions,
    round: Option<Round>,
}

/// A look at the whole log that is under way here.
struct Round {
    inspection: Inspection,
    row: ScrubRow,
    /// Whether something was found in it.
    is_flawed: bool,
    kept_at: Timestamp,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It looked at some entries.
    Entries(u64),
    /// It reached the log's end.
    End,
    /// Another node does it.
    Elsewhere,
}

/// Why a step was not made.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log does not take its place down.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

impl From<ChangeError<Infallible>> for ScrubError {
    fn from(error: ChangeError<Infallible>) -> Self {
        match error {
            ChangeError::Refused(never) => match never {},
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl Scrub {
    /// Makes it; nothing is looked at yet.
    #[must_use]
    pub fn new(options: ScrubOptions) -> Self {
        Self { options, round: None }
    }

    /// Looks, at its pace, until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let ScrubPace { entries_per_s, rest } = self.options.pace;
        let mut wait = rest;
        while shutdown.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
            wait = match shutdown.run_until_cancelled(self.step()).await {
                Some(Ok(Step::Entries(entries))) => {
                    Duration::from_secs_f64(entries as f64 / entries_per_s.max(1) as f64)
                }
                Some(Ok(Step::End | Step::Elsewhere)) => rest,
                Some(Err(error)) => {
                    metrics::counter!("leasehold_scrub_failures_total").increment(1);
                    tracing::warn!(%error, "the audit log could not be looked at; trying again shortly");
                    self.round = None;
                    rest
                }
                None => break,
            };
        }
        if let Some(round) = self.round.take() {
            // The next node, or the next start, goes on from here.
            let _ = self.keep(&round.row).await;
        }
    }

    /// Looks at the next thousand entries. Costs one view of the log, and now and then a commit.
    ///
    /// # Errors
    /// Where the database or the log fails; what is found wrong is no error, but a finding.
    pub async fn step(&mut self) -> Result<Step, ScrubError> {
        let now = self.options.clock.now();
        let Some(mut round) = self.begin(now).await? else { return Ok(Step::Elsewhere) };
        let from = round.row.next;
        let mut reader = self.options.db.reader().await?;
        reader.link().begin_reading().await?;
        let looked = self.look(&mut reader.link(), &mut round).await;
        reader.discard().await;
        let end = match looked {
            Ok(end) => end,
            Err(InspectError::Flaw(flaw)) => return self.flawed(round, &flaw, now).await,
            Err(InspectError::Store(error)) => return Err(error.into()),
        };
        round.row.next = stored(round.inspection.size());
        let looked_at = round.row.next.saturating_sub(from).unsigned_abs();
        metrics::gauge!("leasehold_scrub_next_entry").set(round.row.next as f64);
        if end {
            round.row.next = 0;
            round.row.rounds += 1;
            if !round.is_flawed {
                round.row.flaw = None;
                self.findings().cleared(Inspector::Scrub);
            }
        } else if now.since(round.kept_at) < KEPT_EVERY {
            self.round = Some(round);
            return Ok(Step::Entries(looked_at));
        }
        round.row.moved_at = now;
        if !self.keep(&round.row).await? {
            return Ok(Step::Elsewhere);
        }
        round.kept_at = now;
        self.round = (!end).then_some(round);
        Ok(if end { Step::End } else { Step::Entries(looked_at) })
    }

    fn findings(&self) -> &Findings {
        self.options.checkpointer.findings()
    }

    /// Takes up the round: this node's own, or one that nobody moves.
    async fn begin(&mut self, now: Timestamp) -> Result<Option<Round>, ScrubError> {
        if let Some(round) = self.round.take() {
            return Ok(Some(round));
        }
        let node = self.options.node;
        let mut reader = self.options.db.reader().await?;
        let link = &mut reader.link();
        let kept = scrub::scrub_show(link).await?;
        let is_own = kept.as_ref().is_some_and(|row| row.node == node);
        let row = match kept {
            Some(row) if !is_own && now < row.moved_at.plus(STALE) => return Ok(None),
            Some(row) => ScrubRow { node, moved_at: now, ..row },
            None => ScrubRow { next: 0, rounds: 0, node, moved_at: now, flaw: None },
        };
        if let Some(ScrubFlaw { seq, what, found_at }) = &row.flaw {
            let finding = Finding { seq: *seq, what: what.clone(), found_at: *found_at };
            self.findings().found(Inspector::Scrub, finding);
        }
        let size = log::head_show(link).await?.size;
        let (row, inspection) = match row.next {
            1.. if row.next <= size => {
                let behind = Inspection::behind(link, row.next.unsigned_abs()).await?;
                (row, behind)
            }
            _ => (ScrubRow { next: 0, ..row }, Inspection::new()),
        };
        drop(reader);
        // Own already, it is looked at even while nothing can be written down: the head itself may be damaged.
        if !is_own && !self.keep(&row).await? {
            return Ok(None);
        }
        Ok(Some(Round { inspection, row, is_flawed: false, kept_at: now }))
    }

    /// Looks at the next entries, and at the log's end at what only the whole shows. Returns whether that was reached.
    async fn look(&self, link: &mut Link<'_>, round: &mut Round) -> Result<bool, InspectError> {
        let size = log::head_show(link).await?.size;
        let from = round.row.next;
        let reached = size.min(from + PAGE);
        if reached > from {
            let signed = roots_signed(link, from, reached).await?;
            inspect(link, &mut round.inspection, reached.unsigned_abs(), &signed).await?;
        }
        if reached < size {
            return Ok(false);
        }
        round.inspection.check_missing(link).await?;
        if round.inspection.is_whole() {
            let heads = log::chain_heads_list(link).await?.into_iter();
            let head = |(tenant, head): (_, log::ChainHead)| Head {
                tenant,
                tenant_seq: head.tenant_seq.unsigned_abs(),
                leaf_hash: head.leaf_hash,
            };
            round.inspection.check_heads(link, &HeadMap::new(heads.map(head).collect())).await?;
        }
        if log::head_show(link).await?.root != round.inspection.root() {
            return Err(LogFlaw::Head("its root").into());
        }
        self.check_signature(link).await?;
        Ok(true)
    }

    /// Checks that this vault's own key signed the newest checkpoint. While the vault is sealed nobody can tell.
    async fn check_signature(&self, link: &mut Link<'_>) -> Result<(), InspectError> {
        let Ok(keys) = self.options.checkpointer.signer().keys().await else { return Ok(()) };
        match checkpoints::checkpoint_newest(link).await? {
            Some(row) if Checkpoint::open(&row.note, &keys).is_err() => Err(LogFlaw::Signed { size: row.size }.into()),
            _ => Ok(()),
        }
    }

    /// Notes a flaw, and goes on behind it; where that cannot be done, from the log's beginning.
    async fn flawed(&mut self, mut round: Round, flaw: &LogFlaw, now: Timestamp) -> Result<Step, ScrubError> {
        let found = Finding::of(flaw, now);
        let is_first = round.row.flaw.as_ref().is_none_or(|known| !round.is_flawed || found.seq < known.seq);
        if is_first {
            let before = round.row.flaw.take().filter(|known| (known.seq, &known.what) == (found.seq, &found.what));
            let found_at = before.map_or(now, |known| known.found_at);
            round.row.flaw = Some(ScrubFlaw { seq: found.seq, what: found.what.clone(), found_at });
            self.findings().found(Inspector::Scrub, Finding { found_at, ..found });
        }
        round.is_flawed = true;
        let mut reader = self.options.db.reader().await?;
        let link = &mut reader.link();
        let size = log::head_show(link).await?.size;
        let next = flaw.seq().map_or(size, |seq| seq + 1).max(stored(round.inspection.size())).min(size);
        let behind = Inspection::behind(link, next.unsigned_abs()).await;
        drop(reader);
        let from = round.row.next;
        match behind {
            Ok(inspection) if next < size => (round.inspection, round.row.next) = (inspection, next),
            _ => (round.row.next, round.row.rounds) = (0, round.row.rounds + 1),
        }
        round.row.moved_at = now;
        let kept = self.keep(&round.row).await?;
        let goes_on = round.row.next > 0;
        self.round = (kept && goes_on).then_some(round);
        Ok(if goes_on { Step::Entries(next.saturating_sub(from).unsigned_abs()) } else { Step::End })
    }

    /// Takes the place down, unless another node has moved it meanwhile.
    async fn keep(&self, row: &ScrubRow) -> Result<bool, ScrubError> {
        let stale = row.moved_at.minus(STALE);
        Ok(self.options.sequencer.commit(Keep { row: row.clone(), stale }).await?.output)
    }
}

struct Keep {
    row: ScrubRow,
    stale: Timestamp,
}

impl Change for Keep {
    type Output = bool;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, ChangeError<Infallible>> {
        Ok(scrub::scrub_move(&mut batch.link(), &self.row, self.stale).await?)
    }
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).expect("no log has more entries than a BIGINT counts")
}
