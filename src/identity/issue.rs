//! Issuing a lease: look up, refuse, commit, seal.

use super::{
    Identity,
    views::{ConnectionView, Freshness},
};
use crate::{
    audit::{Effect, FenceRefusal, Fenced, SubmitError, Use, UseError},
    clock::Timestamp,
    domain::{
        connection::ConnectionState,
        event::{Event, Kind, Outcome, Payload, Subject},
        lease::{Epochs, Lease},
        standing::Standing,
    },
    id::{ConnectionId, LeaseId, TenantId},
    keyring::KeyringError,
    policy::ScopeSet,
    secret::SecretText,
    store::{StoreError, leases::LeaseCountKey, sub_processors::Objection, workers::WorkerRow},
};
use serde::Serialize;
use std::{net::IpAddr, sync::Arc, time::Duration};

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct IssueRequest {
    /// Who asks, authenticated.
    pub worker: Arc<WorkerRow>,
    /// For which connection.
    pub connection: ConnectionId,
    /// For which scopes; all of the grant's where none are named.
    pub scopes: Option<ScopeSet>,
    /// For how long.
    pub life: Duration,
    /// For which job, in the worker's own words.
    pub job: Option<String>,
    /// From where.
    pub address: IpAddr,
    /// The SHA-256 thumbprint of the worker's certificate, where it has one.
    pub certificate: Option<[u8; 32]>,
}

/// A lease that was recorded.
#[derive(Debug)]
pub struct Issued {
    /// The lease.
    pub lease: Lease,
    /// Its token, for the worker only.
    pub token: SecretText,
}

/// Why a worker gets no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such connection, or it is not this worker's to know of.
    #[error("no such connection")]
    NoConnection,
    /// The connection does not serve.
    #[error("the connection is {0}")]
    NotServing(ConnectionState),
    /// The tenant's access was ended.
    #[error("the tenant's access was ended")]
    TenantEnded,
    /// The worker was disabled while it asked.
    #[error("the worker was disabled")]
    WorkerEnded,
    /// The tenant granted this module nothing on the connection.
    #[error("the tenant has granted this module nothing on the connection")]
    NoGrant,
    /// The scopes go beyond the grant.
    #[error("the scopes go beyond the grant")]
    BeyondGrant,
    /// The tenant objects to the worker's sub-processor.
    #[error("the tenant objects to the sub-processor that this worker runs on")]
    SubProcessor,
    /// Things changed faster than they could be read.
    #[error("the connection changed while the lease was being issued")]
    Changing,
}

impl Refused {
    /// Returns the word for it in entries and problems.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoConnection => "no_connection",
            Self::NotServing(ConnectionState::Pending) => "connection_pending",
            Self::NotServing(ConnectionState::NeedsReauthorization) => "connection_needs_reauthorization",
            Self::NotServing(ConnectionState::Suspended) => "connection_suspended",
            Self::NotServing(_) => "connection_revoked",
            Self::TenantEnded => "tenant_revoked",
            Self::WorkerEnded => "worker_disabled",
            Self::NoGrant => "no_grant",
            Self::BeyondGrant => "scope_beyond_grant",
            Self::SubProcessor => "sub_processor_objected",
            Self::Changing => "connection_changing",
        }
    }
}

/// Why no lease was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// It was refused, and the refusal recorded.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys are not to be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

#[derive(Serialize)]
struct IssueDetails<'a> {
    lease: LeaseId,
    module: &'a str,
    scopes: &'a ScopeSet,
    delivery: &'a str,
    expires_at: Timestamp,
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
}

impl Identity {
    /// Issues a lease once its entry is durable. Costs a share of one transaction; the connection and its grants come from
    /// memory once they were used.
    ///
    /// # Errors
    /// `Refused`, decided on a fresh read and recorded; the others release nothing, and a retry is safe.
    pub async fn issue(&self, request: IssueRequest) -> Result<Issued, IssueError> {
        if !self.keyring.is_open() {
            return Err(KeyringError::Sealed.into());
        }
        match self.issue_by(&request, self.view(request.connection).await?).await {
            Err((IssueError::Refused(_), Freshness::Cached)) => {}
            Ok(issued) => return Ok(issued),
            Err((IssueError::Refused(refused), Freshness::Fresh)) => {
                return Err(self.record_refusal(&request, refused, None));
            }
            Err((error, _)) => return Err(error),
        }
        // The cache was out of date: decide once more on what is true now.
        let worker = self.worker_afresh(request.worker.id).await?;
        let Some(worker) = worker.filter(|worker| worker.state == Standing::Active) else {
            return Err(self.record_refusal(&request, Refused::WorkerEnded, None));
        };
        let request = IssueRequest { worker, ..request };
        let view = self.view_afresh(request.connection).await?;
        let tenant = view.as_ref().map(|view| view.connection.tenant);
        match self.issue_by(&request, view.map(|view| (view, Freshness::Fresh))).await {
            Ok(issued) => Ok(issued),
            Err((IssueError::Refused(refused), _)) => Err(self.record_refusal(&request, refused, tenant)),
            Err((error, _)) => Err(error),
        }
    }

    async fn issue_by(
        &self,
        request: &IssueRequest,
        view: Option<(Arc<ConnectionView>, Freshness)>,
    ) -> Result<Issued, (IssueError, Freshness)> {
        let Some((view, freshness)) = view else {
            return Err((Refused::NoConnection.into(), Freshness::Fresh));
        };
        let issued = async {
            let lease = self.lease_from(request, &view).await?;
            self.admit(request, &lease).await?;
            let token = self.keyring.seal_lease(&lease).await?;
            Ok(Issued { lease, token })
        };
        issued.await.map_err(|error| (error, freshness))
    }

    /// Refuses, or says what the lease would be.
    async fn lease_from(&self, request: &IssueRequest, view: &ConnectionView) -> Result<Lease, IssueError> {
        let worker = &request.worker;
        let grant = view.grant(worker.module);
        // What a worker learns of a connection that nobody granted to it is nothing.
        let Some(grant) = grant else { return Err(Refused::NoGrant.into()) };
        if view.tenant_state != Standing::Active {
            return Err(Refused::TenantEnded.into());
        }
        if !view.connection.state.serves() {
            return Err(Refused::NotServing(view.connection.state).into());
        }
        let (objection, objection_epoch) = self.objection(view, worker.sub_processor).await?;
        if objection == Objection::Standing {
            return Err(Refused::SubProcessor.into());
        }
        let scopes = match &request.scopes {
            Some(scopes) if !scopes.is_subset(&grant.scopes) => return Err(Refused::BeyondGrant.into()),
            Some(scopes) => scopes.clone(),
            None => grant.scopes.clone(),
        };
        let now = self.clock.now();
        Ok(Lease {
            id: LeaseId::make(&*self.clock, &*self.entropy),
            incarnation: view.incarnation,
            tenant: view.connection.tenant,
            connection: view.connection.id,
            grant: grant.id,
            worker: worker.id,
            sub_processor: worker.sub_processor,
            epochs: Epochs {
                vault: view.vault_epoch,
                tenant: view.tenant_epoch,
                connection: view.connection_epoch,
                grant: grant.epoch,
                worker: worker.epoch,
                objection: objection_epoch,
            },
            issued_at: now,
            expires_at: now.plus(request.life),
            module: worker.module,
            delivery: grant.delivery,
            certificate: request.certificate,
            job: request.job.clone(),
            scopes,
        })
    }

    async fn admit(&self, request: &IssueRequest, lease: &Lease) -> Result<(), IssueError> {
        let details = IssueDetails {
            lease: lease.id,
            module: lease.module.as_str(),
            scopes: &lease.scopes,
            delivery: lease.delivery.as_str(),
            expires_at: lease.expires_at,
            address: request.address,
            job: lease.job.as_deref(),
        };
        let actor = Subject::new("worker", lease.worker.as_uuid());
        let object = Subject::new("connection", lease.connection.as_uuid());
        let payload = Payload { actor, object, outcome: Outcome::Allowed, details };
        let count = LeaseCountKey {
            connection: lease.connection,
            worker: lease.worker,
            expiry_minute: lease.expires_at.as_minutes(),
            tenant: lease.tenant,
        };
        let event = Event::make(&*self.entropy, lease.tenant, Kind::LeaseIssued, &payload);
        let what = Use { lease: lease.into(), effect: Effect::Issue(count), event };
        match self.sequencer.admit(what).await {
            Ok(_) => Ok(()),
            Err(UseError::Refused(FenceRefusal::Raised(Fenced::Worker))) => Err(Refused::WorkerEnded.into()),
            Err(UseError::Refused(_)) => Err(Refused::Changing.into()),
            Err(UseError::Unrecorded(error)) => Err(error.into()),
        }
    }

    fn record_refusal(&self, request: &IssueRequest, refused: Refused, tenant: Option<TenantId>) -> IssueError {
        let tenant = tenant.or_else(|| Some(self.connections.get(&request.connection)?.connection.tenant));
        let actor = Subject::new("worker", request.worker.id.as_uuid());
        let object = Subject::new("connection", request.connection.as_uuid());
        let details = serde_json::json!({ "module": request.worker.module, "address": request.address });
        let tenant = tenant.unwrap_or(TenantId::VAULT);
        self.sequencer.refuse(tenant, Kind::LeaseRefused, actor, object, refused.as_str(), details);
        refused.into()
    }
}
