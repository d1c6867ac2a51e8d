//! The commit of a cut: count, raise one epoch, destroy, record, keep the receipt. One transaction, whose cost does not
//! grow with the leases that live.

use super::receipt::{CutKind, Destruction, ProviderNotice, RESIDUALS_LISTED, Receipt, Residual};
use crate::{
    audit::{Batch, Change, ChangeError},
    clock::Timestamp,
    domain::{
        connection::{ConnectionStep, NoSuchStep},
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::{Fence, VAULT_SUBJECT},
        standing::Standing,
    },
    entropy::Entropy,
    id::{ConnectionId, ReceiptId, TenantId, UserId, WorkerId},
    store::{
        StoreError, connections, credentials,
        cuts::{self, JobKind, ReceiptRow},
        leases::{self, Reach},
        tenants, typed_documents, workers,
    },
};
use std::sync::Arc;
use uuid::Uuid;

/// What is to be cut.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Connection(ConnectionId),
    Suspension(ConnectionId),
    Tenant(TenantId),
    Worker(WorkerId),
    Vault,
}

/// Why nothing was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutRefusal {
    /// It is not there.
    #[error("there is nothing of that id to cut")]
    Missing,
    /// The connection's state does not allow it.
    #[error(transparent)]
    State(#[from] NoSuchStep),
}

/// A cut to commit.
pub(super) struct MakeCut {
    pub(super) target: Target,
    pub(super) actor: UserId,
    pub(super) fence: Fence,
    pub(super) receipt: ReceiptId,
    /// The id of the job that follows, where one does.
    pub(super) job: Uuid,
    pub(super) reason: Option<String>,
    pub(super) entropy: Arc<dyn Entropy>,
}

/// What a cut left for the nodes to do.
pub(super) struct CutMade {
    pub(super) receipt: Receipt,
    pub(super) raised: Fence,
    /// The head's turn in which it was raised.
    pub(super) turn: i64,
}

impl Target {
    fn subject(self) -> Uuid {
        match self {
            Self::Connection(id) | Self::Suspension(id) => id.as_uuid(),
            Self::Tenant(id) => id.as_uuid(),
            Self::Worker(id) => id.as_uuid(),
            Self::Vault => VAULT_SUBJECT,
        }
    }

    fn reach(self) -> Reach {
        match self {
            Self::Connection(id) | Self::Suspension(id) => Reach::Connection(id),
            Self::Tenant(id) => Reach::Tenant(id),
            Self::Worker(id) => Reach::Worker(id),
            Self::Vault => Reach::Vault,
        }
    }

    fn kind(self) -> (CutKind, Kind, &'static str) {
        match self {
            Self::Connection(_) => (CutKind::Connection, Kind::ConnectionRevoked, "connection"),
            Self::Suspension(_) => (CutKind::Suspension, Kind::ConnectionSuspended, "connection"),
            Self::Tenant(_) => (CutKind::Tenant, Kind::TenantRevoked, "tenant"),
            Self::Worker(_) => (CutKind::Worker, Kind::WorkerDisabled, "worker"),
            Self::Vault => (CutKind::Vault, Kind::EverythingRevoked, "vault"),
        }
    }
}

impl Change for MakeCut {
    type Output = CutMade;
    type Refusal = CutRefusal;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<CutMade, ChangeError<CutRefusal>> {
        let (at, reach) = (batch.at(), self.target.reach());
        let leases_ended = leases::lease_count(&mut batch.link(), reach, at).await?;
        let residual = residual_of(batch, reach, at, self.receipt).await?;
        let (tenant, destruction) = self.end(batch).await?;
        let epoch = batch.raise_unannounced(self.target.subject()).await?;
        leases::lease_counts_clear(&mut batch.link(), reach).await?;
        let seq = self.record(batch, tenant, leases_ended, &destruction, &residual).await?;
        let receipt = Receipt {
            id: self.receipt,
            kind: self.target.kind().0,
            subject: self.target.subject(),
            tenant,
            actor: self.actor,
            seq,
            at,
            leases_ended,
            requests_cut: 0,
            confirmation: None,
            destruction,
            provider: self.provider_notice(),
            residual,
        };
        let body = receipt_text(&receipt)?;
        let row = ReceiptRow { id: self.receipt, tenant, seq, body, created_at: at };
        cuts::receipt_insert(&mut batch.link(), &row).await?;
        Ok(CutMade { receipt, raised: Fence { subject: self.target.subject(), epoch }, turn: batch.turn() })
    }
}

impl MakeCut {
    /// Ends the noun itself; yields whose it was and what was destroyed.
    async fn end(&self, batch: &mut Batch<'_>) -> Result<(TenantId, Destruction), ChangeError<CutRefusal>> {
        let missing = || ChangeError::Refused(CutRefusal::Missing);
        let at = batch.at();
        let link = &mut batch.link();
        match self.target {
            Target::Connection(id) => {
                let row = connections::connection_show(link, id).await?.ok_or_else(missing)?;
                let state = row.state.after(ConnectionStep::Revoke).map_err(refused)?;
                connections::connection_state_set(link, id, state).await?;
                let destroyed = credentials::credential_destroy(link, id).await?;
                typed_documents::typed_documents_destroy(link, id).await?;
                Ok((row.tenant, Destruction::done(destroyed)))
            }
            Target::Suspension(id) => {
                let row = connections::connection_show(link, id).await?.ok_or_else(missing)?;
                let state = row.state.after(ConnectionStep::Suspend).map_err(refused)?;
                connections::connection_state_set(link, id, state).await?;
                Ok((row.tenant, Destruction::None))
            }
            Target::Tenant(id) => {
                tenants::tenant_show(link, id).await?.ok_or_else(missing)?;
                tenants::tenant_state_set(link, id, Standing::Ended).await?;
                cuts::job_insert(link, self.job, JobKind::DestroyTenantCredentials, id.as_uuid(), at).await?;
                Ok((id, Destruction::Following))
            }
            Target::Worker(id) => {
                workers::worker_show(link, id).await?.ok_or_else(missing)?;
                workers::worker_end(link, id).await?;
                Ok((TenantId::VAULT, Destruction::None))
            }
            Target::Vault => Ok((TenantId::VAULT, Destruction::None)),
        }
    }

    async fn record(
        &self,
        batch: &mut Batch<'_>,
        tenant: TenantId,
        leases_ended: i64,
        destruction: &Destruction,
        residual: &Residual,
    ) -> Result<i64, StoreError> {
        let (_, kind, noun) = self.target.kind();
        let details = serde_json::json!({
            "receipt": self.receipt,
            "leases_ended": leases_ended,
            "destruction": destruction,
            "residual_tokens": residual.count,
            "residual_last_ends_at": residual.last_ends_at,
            "reason": self.reason,
        });
        let payload = Payload {
            actor: Subject::new("user", self.actor.as_uuid()),
            object: Subject::new(noun, self.target.subject()),
            outcome: Outcome::Allowed,
            details,
        };
        batch.record(Event::make(&*self.entropy, tenant, kind, &payload)).await
    }

    fn provider_notice(&self) -> ProviderNotice {
        let note = match self.target {
            Target::Connection(_) | Target::Tenant(_) => {
                "Amazon has no way for an application to end an authorization: the seller ends it in Seller Central or \
                 Vendor Central, under Manage Your Apps. The vault no longer holds what it was used with."
            }
            _ => "The authorization at the provider is untouched: this cut ends access through the vault.",
        };
        ProviderNotice { told: false, note: note.to_owned() }
    }
}

fn refused(step: NoSuchStep) -> ChangeError<CutRefusal> {
    ChangeError::Refused(step.into())
}

async fn residual_of(
    batch: &mut Batch<'_>,
    reach: Reach,
    at: Timestamp,
    receipt: ReceiptId,
) -> Result<Residual, StoreError> {
    let rows = leases::residual_page(&mut batch.link(), reach, at, RESIDUALS_LISTED, 0).await?;
    let count = leases::residual_count(&mut batch.link(), reach, at).await?;
    let more = (count > RESIDUALS_LISTED).then(|| format!("/v1/receipts/{receipt}/residual?offset={RESIDUALS_LISTED}"));
    let last_ends_at = rows.first().map(|row| row.expires_at);
    Ok(Residual { count, last_ends_at, tokens: rows.into_iter().map(Into::into).collect(), more })
}

pub(super) fn receipt_text(receipt: &Receipt) -> Result<String, StoreError> {
    serde_json::to_string(receipt).map_err(|_| StoreError::corrupt("receipts", "body", receipt.id))
}

/// Writes into the receipt that the cut is true on every node.
pub(super) struct ConfirmCut {
    pub(super) receipt: Receipt,
    pub(super) body: String,
    pub(super) event: Event,
}

impl Change for ConfirmCut {
    type Output = ();
    type Refusal = std::convert::Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<std::convert::Infallible>> {
        cuts::receipt_confirm(&mut batch.link(), self.receipt.id, &self.body).await?;
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}
