//! What the sequencer commits: uses, which are fences and an event, and changes, which bring their own code.

use super::batch::Batch;
use crate::{
    clock::Timestamp,
    domain::{
        event::Event,
        fence::{Fence, Incarnation},
        lease::Lease,
        quarantine::REMEDY,
    },
    id::{ConnectionId, LeaseId, TenantId, WorkerId},
    store::{
        StoreError,
        leases::{LeaseCountKey, ResidualKey},
    },
};
use futures_util::future::BoxFuture;
use std::ops::Range;
use tokio::sync::oneshot;

/// The use of a lease: admitted if its fences stand at the moment of the commit.
#[derive(Debug)]
pub struct Use {
    /// The lease, as far as the fence needs it.
    pub lease: FencedLease,
    /// What admitting it leaves behind, besides the entry.
    pub effect: Effect,
    /// The entry to append when it is admitted.
    pub event: Event,
}

/// What a batch has to know of a lease.
#[derive(Clone, Copy, Debug)]
pub struct FencedLease {
    /// Its id.
    pub id: LeaseId,
    /// The incarnation that issued it.
    pub incarnation: Incarnation,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// The epochs that it was issued under, in the order of [`Fenced`].
    pub fences: [Fence; 6],
    /// Whose chain a refusal goes into.
    pub tenant: TenantId,
    /// The connection that it is for.
    pub connection: ConnectionId,
    /// Who holds it.
    pub worker: WorkerId,
}

impl From<&Lease> for FencedLease {
    fn from(lease: &Lease) -> Self {
        Self {
            id: lease.id,
            incarnation: lease.incarnation,
            expires_at: lease.expires_at,
            fences: lease.fences(),
            tenant: lease.tenant,
            connection: lease.connection,
            worker: lease.worker,
        }
    }
}

/// What admitting a use leaves behind, besides its entry.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// A lease lives: it is counted. Its refusal is the issuer's to record, who may look again and try once more.
    Issue(LeaseCountKey),
    /// An access token leaves the vault: it is listed until it dies.
    Release(ResidualKey),
    /// Nothing.
    Pass,
}

/// Which fence was raised, in the order in which a lease lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fenced {
    /// Everything was revoked.
    Vault,
    /// The tenant was revoked.
    Tenant,
    /// The connection was revoked or suspended.
    Connection,
    /// The grant was changed or ended.
    Grant,
    /// The worker was disabled.
    Worker,
    /// The tenant objected to the worker's sub-processor.
    SubProcessor,
}

impl Fenced {
    /// The order of [`Lease::fences`].
    pub const ORDER: [Self; 6] =
        [Self::Vault, Self::Tenant, Self::Connection, Self::Grant, Self::Worker, Self::SubProcessor];

    /// Returns the word for it in entries and problems.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault_revoked",
            Self::Tenant => "tenant_revoked",
            Self::Connection => "connection_revoked",
            Self::Grant => "grant_changed",
            Self::Worker => "worker_disabled",
            Self::SubProcessor => "sub_processor_objected",
        }
    }
}

/// Why a use was refused at the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FenceRefusal {
    /// The lease is from before a restore.
    #[error("the lease was issued before this vault was restored")]
    OtherIncarnation,
    /// Something that the lease rests on was revoked or changed.
    #[error("the lease was revoked ({})", .0.as_str())]
    Raised(Fenced),
    /// The lease was ended early.
    #[error("the lease was ended")]
    Ended,
    /// The lease's time is over.
    #[error("the lease has expired")]
    Expired,
}

impl FenceRefusal {
    /// Returns the word for it in entries and problems.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtherIncarnation => "other_incarnation",
            Self::Raised(fenced) => fenced.as_str(),
            Self::Ended => "lease_ended",
            Self::Expired => "lease_expired",
        }
    }
}

/// A use whose entry is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its place in the log.
    pub seq: i64,
    /// When it was committed.
    pub at: Timestamp,
}

/// Why a use did not happen.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// A fence stands in the way.
    #[error(transparent)]
    Refused(#[from] FenceRefusal),
    /// It could not be recorded, so it may not happen.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

/// Why an operation was not recorded.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// More waits than the sequencer takes on.
    #[error("too much waits to be recorded; try again shortly")]
    Overloaded,
    /// The database did not take it; nothing of it happened.
    #[error("it could not be recorded, so nothing was done: {0}")]
    Failed(String),
    /// The commit's answer was lost, and the database is gone: nobody knows yet whether it happened.
    #[error("whether it was recorded is not known, so nothing was released; ask again once the database is back")]
    InDoubt,
    /// Nobody knows the database to be the newest.
    #[error("quarantined, and nothing is released: {0}; {REMEDY}")]
    Quarantined(String),
    /// It may be recorded, and is acknowledged to nobody.
    #[error("nothing was released, because it could not be anchored: {0}")]
    Unanchored(String),
    /// The commit's outcome is unknown, or the log is closed for good.
    #[error("the audit log is closed; nothing more is acknowledged until the vault is started again")]
    Closed,
    /// Who asked was disabled meanwhile.
    #[error("the caller's access was ended meanwhile")]
    CallerEnded,
}

/// A change to what the vault holds, made inside a batch. It must be repeatable: a batch that fails is tried again, one
/// operation at a time.
pub trait Change: Send + 'static {
    /// What the change yields once it is durable.
    type Output: Send + 'static;
    /// Why it may be refused; nothing of a refused change stays.
    type Refusal: Send + 'static;

    /// Lists the epochs that must stand for the change to be made: those of who asked.
    fn fences(&self) -> Vec<Fence> {
        Vec::new()
    }

    /// Makes the change through `batch`: reads and writes rows, raises epochs, records events.
    ///
    /// # Errors
    /// `Refused` rolls back this change alone; `Store` fails the batch, which is then tried one by one.
    fn apply<'a>(
        &'a self,
        batch: &'a mut Batch<'_>,
    ) -> impl Future<Output = Result<Self::Output, ChangeError<Self::Refusal>>> + Send + 'a;
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<R> {
    /// The state that it met does not allow it.
    #[error("refused")]
    Refused(R),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

/// A change that is durable.
#[derive(Clone, Debug)]
pub struct Committed<T> {
    /// What it yielded.
    pub output: T,
    /// When it was committed.
    pub at: Timestamp,
    /// The sequence numbers of its entries.
    pub entries: Range<i64>,
}

/// An operation on its way through the sequencer.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all that waits is uses: boxing each would cost an allocation a use"
)]
pub(super) enum Pending {
    Use(PendingUse),
    Change(Box<dyn PendingChange>),
    /// An event that nobody waits for: the end of a request, a refusal.
    Note(Event),
}

pub(super) struct PendingUse {
    pub(super) what: Use,
    pub(super) verdict: Option<Result<i64, FenceRefusal>>,
    pub(super) reply: oneshot::Sender<Result<Admitted, UseError>>,
}

/// A change whose types are forgotten, with the place for its verdict and who waits for it.
pub(super) trait PendingChange: Send {
    fn fences(&self) -> Vec<Fence>;
    /// Forgets what became of it when it was tried before: that was rolled back.
    fn forget(&mut self);
    /// Applies it; `Ok(false)` where it was refused and has to be rolled back.
    fn apply<'a>(&'a mut self, batch: &'a mut Batch<'_>) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// Keeps which entries it appended.
    fn keep_entries(&mut self, entries: Range<i64>);
    fn answer(self: Box<Self>, at: Timestamp);
    fn fail(self: Box<Self>, error: SubmitError);
}

type Verdict<C> = Result<<C as Change>::Output, ChangeError<<C as Change>::Refusal>>;
pub(super) type ChangeReply<C> = Result<Committed<<C as Change>::Output>, ChangeError<<C as Change>::Refusal>>;

pub(super) struct TypedChange<C: Change> {
    pub(super) change: C,
    pub(super) verdict: Option<Verdict<C>>,
    pub(super) entries: Range<i64>,
    pub(super) reply: oneshot::Sender<ChangeReply<C>>,
}

impl<C: Change + Sync> PendingChange for TypedChange<C> {
    fn fences(&self) -> Vec<Fence> {
        self.change.fences()
    }

    fn forget(&mut self) {
        self.verdict = None;
        self.entries = 0..0;
    }

    fn apply<'a>(&'a mut self, batch: &'a mut Batch<'_>) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            match self.change.apply(batch).await {
                Ok(output) => {
                    self.verdict = Some(Ok(output));
                    Ok(true)
                }
                // A value that is taken is the caller's to choose anew, not a fault of the batch.
                Err(refusal @ (ChangeError::Refused(_) | ChangeError::Store(StoreError::Taken))) => {
                    self.verdict = Some(Err(refusal));
                    Ok(false)
                }
                Err(ChangeError::Unrecorded(error)) => {
                    self.verdict = Some(Err(ChangeError::Unrecorded(error)));
                    Ok(false)
                }
                Err(ChangeError::Store(error)) => Err(error),
            }
        })
    }

    fn keep_entries(&mut self, entries: Range<i64>) {
        self.entries = entries;
    }

    fn answer(self: Box<Self>, at: Timestamp) {
        let verdict = self.verdict.unwrap_or(Err(ChangeError::Unrecorded(SubmitError::CallerEnded)));
        // Who no longer waits loses the answer, not the change.
        let entries = self.entries;
        let _ = self.reply.send(verdict.map(|output| Committed { output, at, entries }));
    }

    fn fail(self: Box<Self>, error: SubmitError) {
        let _ = self.reply.send(Err(ChangeError::Unrecorded(error)));
    }
}

impl<T> Committed<T> {
    /// Keeps the time and the entries, and changes the output.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Committed<U> {
        Committed { output: change(self.output), at: self.at, entries: self.entries }
    }
}
