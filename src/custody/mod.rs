//! Ending access: cuts of a connection, a tenant, a worker or everything, the requests in flight that they stop, what
//! they destroy, and the receipts that say so.
//!
//! A cut is one epoch raised in one commit. It is answered once the requests it covers have stopped, so that the receipt
//! is true when it is read.

mod cut;
mod in_flight;
mod jobs;
mod receipt;

pub use cut::CutRefusal;
pub use in_flight::{Cut, InFlight, Passage};
pub use receipt::{
    Confirmation, CutKind, Destruction, ProviderNotice, RESIDUALS_LISTED, Receipt, Residual, ResidualToken,
};

use crate::{
    audit::{Batch, Change, ChangeError, Sequencer, SubmitError, on_behalf},
    broker::Broker,
    clock::Clock,
    domain::{
        connection::ConnectionStep,
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Fence,
    },
    entropy::Entropy,
    fleet::{Fleet, Following, News, Stopped},
    id::{ConnectionId, ReceiptId, TenantId, UserId, WorkerId, make_uuid},
    identity::{Identity, LeaseError},
    keyring::Keyring,
    policy::{
        Actor, Permit,
        decide::{
            ConnectionResume, ConnectionRevoke, ConnectionSuspend, ReceiptShow, RevokeAll, TenantRevoke, WorkerDisable,
        },
    },
    secret::SecretText,
    store::{
        Db, StoreError,
        connections::{self, ConnectionRow},
        cuts::{self, ReceiptRow},
        fences::{self, Raise},
        leases::{self, Reach},
        log,
    },
};
use cut::{ConfirmCut, CutMade, MakeCut, Target, receipt_text};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use uuid::Uuid;

/// The longest reason that is kept, in bytes.
const REASON_MAX: usize = 500;

/// Why access was not ended, or let go on.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// The state of things does not allow it.
    #[error(transparent)]
    Refused(#[from] CutRefusal),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

impl From<ChangeError<CutRefusal>> for CustodyError {
    fn from(error: ChangeError<CutRefusal>) -> Self {
        match error {
            ChangeError::Refused(refusal) => Self::Refused(refusal),
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl From<ChangeError<std::convert::Infallible>> for CustodyError {
    fn from(error: ChangeError<std::convert::Infallible>) -> Self {
        match error {
            ChangeError::Refused(never) => match never {},
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

/// Ends access.
pub struct Custody {
    /// The database.
    pub db: Db,
    /// The order of events.
    pub sequencer: Sequencer,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Access tokens in memory.
    pub broker: Arc<Broker>,
    /// Requests in flight.
    pub in_flight: InFlight,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// This node among the others.
    pub fleet: Arc<Fleet>,
    /// Workers in memory.
    pub identity: Arc<Identity>,
}

impl Custody {
    /// Revokes a connection: ends its leases, stops its requests, destroys its credential. Works while the vault is
    /// sealed. Repeating it is safe and gives a new receipt.
    ///
    /// # Errors
    /// `Refused` where there is no such connection; else nothing was committed. A receipt without a confirmation means that
    /// access has ended, and that nobody could write down on which nodes: a repeat brings it.
    pub async fn connection_revoke(
        self: &Arc<Self>,
        permit: Permit<ConnectionRevoke>,
        reason: Option<String>,
    ) -> Result<Receipt, CustodyError> {
        let id = permit.object().id;
        let receipt = self.cut(Target::Connection(id), permit.actor(), reason).await;
        self.broker.forget(id);
        receipt
    }

    /// Suspends a connection, reversibly: ends its leases and stops its requests, keeps its credential.
    ///
    /// # Errors
    /// As [`Self::connection_revoke`].
    pub async fn connection_suspend(
        self: &Arc<Self>,
        permit: Permit<ConnectionSuspend>,
        reason: Option<String>,
    ) -> Result<Receipt, CustodyError> {
        self.cut(Target::Suspension(permit.object().id), permit.actor(), reason).await
    }

    /// Lets a suspended connection go on. Leases from before stay ended.
    ///
    /// # Errors
    /// `Refused` where it is not suspended.
    pub async fn connection_resume(&self, permit: Permit<ConnectionResume>) -> Result<ConnectionRow, CustodyError> {
        let actor = permit.actor();
        let fence = Fence { subject: actor.user().as_uuid(), epoch: actor.epoch() };
        let resume = Resume { id: permit.object().id, actor: actor.user(), fence, entropy: Arc::clone(&self.entropy) };
        Ok(self.sequencer.commit(resume).await?.output)
    }

    /// Revokes all of a tenant's connections: one epoch now, the destruction by a job that follows and survives a crash.
    ///
    /// # Errors
    /// As [`Self::connection_revoke`].
    pub async fn tenant_revoke(
        self: &Arc<Self>,
        permit: Permit<TenantRevoke>,
        reason: Option<String>,
    ) -> Result<Receipt, CustodyError> {
        let receipt = self.cut(Target::Tenant(permit.object().0), permit.actor(), reason).await?;
        let custody = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = custody.jobs_run().await {
                tracing::error!(%error, "a tenant's credentials are not destroyed yet; the next start goes on");
            }
        });
        Ok(receipt)
    }

    /// Disables a worker: ends its leases on every connection and stops its requests. Destroys nothing.
    ///
    /// # Errors
    /// As [`Self::connection_revoke`].
    pub async fn worker_disable(
        self: &Arc<Self>,
        permit: Permit<WorkerDisable>,
        reason: Option<String>,
    ) -> Result<Receipt, CustodyError> {
        self.cut(Target::Worker(permit.object().0), permit.actor(), reason).await
    }

    /// Ends every lease and stops every request. Destroys nothing.
    ///
    /// # Errors
    /// As [`Self::connection_revoke`].
    pub async fn revoke_all(
        self: &Arc<Self>,
        permit: Permit<RevokeAll>,
        reason: Option<String>,
    ) -> Result<Receipt, CustodyError> {
        self.cut(Target::Vault, permit.actor(), reason).await
    }

    /// Ends one lease of the worker's early, and its requests on every node; see [`Identity::end`]. It goes on when the
    /// caller stops waiting.
    ///
    /// # Errors
    /// As [`Identity::end`].
    pub async fn lease_end(self: &Arc<Self>, token: SecretText, worker: WorkerId) -> Result<(), LeaseError> {
        let custody = Arc::clone(self);
        let ending = tokio::spawn(async move {
            let Some(lease) = custody.identity.end(token.expose(), worker).await? else { return Ok(()) };
            custody.in_flight.cut(Cut::Lease(lease.id.as_uuid())).await;
            custody.call_nodes().await?;
            Ok(())
        });
        ending.await.unwrap_or(Err(LeaseError::Unrecorded(SubmitError::Closed)))
    }

    /// Returns once what ended with `subject`'s epoch has stopped on every node: a changed grant, an objection. Its raise
    /// must be durable; it is followed everywhere whether anybody waits or not. Costs two reads, and as long as the slowest
    /// node takes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle(&self, subject: Uuid) -> Result<(), StoreError> {
        let epochs = fences::epochs_show(&mut self.db.reader().await?.link(), &[subject]).await?;
        if let Some(epoch) = epochs.get(&subject) {
            self.in_flight.cut(Cut::Below(Fence { subject, epoch: *epoch })).await;
            self.call_nodes().await?;
        }
        Ok(())
    }

    /// Waits until every node has followed what is durable now.
    async fn call_nodes(&self) -> Result<(), StoreError> {
        if !self.db.is_shared() {
            return Ok(());
        }
        let turn = log::head_show(&mut self.db.reader().await?.link()).await?.turn;
        self.fleet.call(turn, self.fleet.uptime()).await;
        Ok(())
    }

    /// Reads a receipt's row, whose tenant decides who may see it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn receipt_row(&self, id: ReceiptId) -> Result<Option<ReceiptRow>, StoreError> {
        cuts::receipt_show(&mut self.db.reader().await?.link(), id).await
    }

    /// Lists the tokens that a receipt calls residual and that still live, from `offset` on.
    ///
    /// # Errors
    /// Where the receipt is corrupt, or the database fails.
    pub async fn residual_page(
        &self,
        permit: &Permit<ReceiptShow>,
        row: &ReceiptRow,
        offset: i64,
    ) -> Result<Vec<ResidualToken>, StoreError> {
        let corrupt = || StoreError::corrupt("receipts", "body", permit.object().id);
        let receipt: Receipt = serde_json::from_str(&row.body).map_err(|_| corrupt())?;
        let reach = match receipt.kind {
            CutKind::Connection | CutKind::Suspension => Reach::Connection(ConnectionId::from_uuid(receipt.subject)),
            CutKind::Tenant => Reach::Tenant(TenantId::from_uuid(receipt.subject)),
            CutKind::Worker => Reach::Worker(WorkerId::from_uuid(receipt.subject)),
            CutKind::Vault => Reach::Vault,
        };
        let mut reader = self.db.reader().await?;
        let rows = leases::residual_page(&mut reader.link(), reach, self.clock.now(), RESIDUALS_LISTED, offset).await?;
        // A token handed out after the cut, under a new consent, is not residual of this one.
        let before = rows.into_iter().filter(|token| token.first_at <= receipt.at);
        Ok(before.map(Into::into).collect())
    }

    /// Commits a cut and waits until what it covers has stopped. It goes on when the caller stops waiting.
    async fn cut(
        self: &Arc<Self>,
        target: Target,
        actor: &Actor,
        reason: Option<String>,
    ) -> Result<Receipt, CustodyError> {
        let make = MakeCut {
            target,
            actor: actor.user(),
            fence: Fence { subject: actor.user().as_uuid(), epoch: actor.epoch() },
            receipt: ReceiptId::make(&*self.clock, &*self.entropy),
            job: make_uuid(&*self.clock, &*self.entropy),
            reason: reason.map(|text| text.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect()),
            entropy: Arc::clone(&self.entropy),
        };
        let custody = Arc::clone(self);
        let ending = tokio::spawn(on_behalf(async move {
            let made = custody.sequencer.commit(make).await?.output;
            let unconfirmed = made.receipt.clone();
            match custody.confirm(made).await {
                Ok(confirmed) => Ok(confirmed),
                Err(error) => {
                    // Access has ended all the same: whoever is told that nothing was done would believe it.
                    tracing::error!(%error, receipt = %unconfirmed.id, "a cut is durable, and its confirmation is not");
                    Ok(unconfirmed)
                }
            }
        }));
        ending.await.unwrap_or(Err(CustodyError::Unrecorded(SubmitError::Closed)))
    }

    /// Stops what the cut covers, here and on every node, and says so in the receipt and the log.
    async fn confirm(&self, made: CutMade) -> Result<Receipt, CustodyError> {
        let CutMade { mut receipt, raised, turn } = made;
        // After the commit: no node's lease that was renewed from here on misses the cut.
        let since = self.fleet.uptime();
        self.keyring.forget_data_keys();
        let stopped_here = self.in_flight.cut(Cut::Below(raised)).await;
        let nodes = self.fleet.call(turn, since).await;
        receipt.requests_cut = stopped_here + self.fleet.requests_stopped(turn, raised.subject).await?;
        let details = serde_json::json!({ "receipt": receipt.id, "revoked_seq": receipt.seq, "requests_cut": receipt.requests_cut, "nodes": nodes });
        receipt.confirmation = Some(Confirmation { at: self.clock.now().max(receipt.at), nodes });
        let object = Subject::new(receipt.kind.as_str(), receipt.subject);
        let payload = Payload { actor: Subject::VAULT, object, outcome: Outcome::Allowed, details };
        let event = Event::make(&*self.entropy, receipt.tenant, Kind::CutConfirmed, &payload);
        let body = receipt_text(&receipt)?;
        self.sequencer.commit(ConfirmCut { receipt: receipt.clone(), body, event }).await?;
        metrics::counter!("leasehold_cuts_total", "kind" => receipt.kind.as_str()).increment(1);
        Ok(receipt)
    }

    /// Stops requests in flight for every epoch that is raised by anything but a cut: a changed grant, an objection, a
    /// disabled person. Runs until the sequencer ends.
    pub async fn follow_raises(self: Arc<Self>) {
        let mut announcements = self.sequencer.announcements();
        loop {
            match announcements.recv().await {
                Ok(announcement) => {
                    for raised in announcement.raised.iter() {
                        self.in_flight.cut(Cut::Below(*raised)).await;
                    }
                    self.forget_stale(announcement.entries.iter().map(|(_, kind, _)| *kind));
                }
                // What was missed is not known: every request is stopped, and its worker tries again.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                    self.identity.forget_workers();
                    self.in_flight.cut_all().await;
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    }
}

impl Custody {
    /// Forgets workers whose secret or standing changed: a cached row would let an ended secret in.
    fn forget_stale(&self, kinds: impl Iterator<Item = Kind>) {
        if kinds.into_iter().any(|kind| matches!(kind, Kind::WorkerSecretAdded | Kind::WorkerDisabled)) {
            self.identity.forget_workers();
        }
    }
}

impl Following for Custody {
    fn follow<'a>(&'a self, news: &'a News) -> BoxFuture<'a, Vec<Stopped>> {
        Box::pin(async move {
            let mut stopped = Vec::with_capacity(news.raised.len());
            if !news.raised.is_empty() {
                // Which of them destroyed something is not told: what is forgotten is read again.
                self.keyring.forget_data_keys();
                self.broker.forget_all();
            }
            for Raise { fence, turn } in &news.raised {
                let requests = self.in_flight.cut(Cut::Below(*fence)).await;
                stopped.push(Stopped { turn: *turn, subject: fence.subject, requests });
            }
            for lease in &news.ended {
                self.in_flight.cut(Cut::Lease(lease.as_uuid())).await;
            }
            if news.entries.iter().any(|entry| entry.kind.is_none()) {
                self.identity.forget_workers();
            }
            self.forget_stale(news.entries.iter().filter_map(|entry| entry.kind));
            stopped
        })
    }

    fn stop_all(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.in_flight.cut_all())
    }

    fn begin_anew(&self) -> BoxFuture<'_, ()> {
        self.keyring.forget_data_keys();
        self.broker.forget_all();
        self.identity.forget_workers();
        Box::pin(self.in_flight.cut_all())
    }
}

struct Resume {
    id: ConnectionId,
    actor: UserId,
    fence: Fence,
    entropy: Arc<dyn Entropy>,
}

impl Change for Resume {
    type Output = ConnectionRow;
    type Refusal = CutRefusal;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<ConnectionRow, ChangeError<CutRefusal>> {
        let missing = || ChangeError::Refused(CutRefusal::Missing);
        let row = connections::connection_show(&mut batch.link(), self.id).await?.ok_or_else(missing)?;
        let step = row.state.after(ConnectionStep::Resume);
        let state = step.map_err(|refused| ChangeError::Refused(refused.into()))?;
        connections::connection_state_set(&mut batch.link(), self.id, state).await?;
        let actor = Subject::new("user", self.actor.as_uuid());
        let object = Subject::new("connection", self.id.as_uuid());
        let payload = Payload { actor, object, outcome: Outcome::Allowed, details: serde_json::json!({}) };
        batch.record(Event::make(&*self.entropy, row.tenant, Kind::ConnectionResumed, &payload)).await?;
        Ok(ConnectionRow { state, ..row })
    }
}
