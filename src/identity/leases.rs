//! Leases in a worker's hands: opened, introspected (RFC 7662), ended early (RFC 7009).

use super::Identity;
use crate::{
    audit::{Batch, Change, ChangeError, SubmitError},
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        lease::Lease,
    },
    id::WorkerId,
    keyring::{KeyringError, TokenError},
    store::{StoreError, fences, leases, vault},
};
use std::convert::Infallible;

/// Whether a lease is in force at the moment.
#[derive(Debug)]
pub enum Introspection {
    /// It is, as far as is known now; only a commit decides.
    Active(Box<Lease>),
    /// It is not, or it is none.
    Inactive,
}

/// Why a lease could not be looked at or ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The vault is sealed, so nobody can tell.
    #[error("the vault is sealed")]
    Sealed,
    /// Another node may have issued it, and the database does not say.
    #[error("the database does not say whether another node issued this lease")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The end could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

impl From<ChangeError<Infallible>> for LeaseError {
    fn from(error: ChangeError<Infallible>) -> Self {
        match error {
            ChangeError::Refused(never) => match never {},
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl Identity {
    /// Opens a lease token. Whether the lease is in force is for the commit to say.
    ///
    /// # Errors
    /// `NotOurs`, or `Sealed`.
    pub async fn lease(&self, token: &str) -> Result<Lease, TokenError> {
        self.keyring.open_lease(token).await
    }

    /// Says whether a lease is in force. Only its holder learns anything; anybody else's is inactive. Costs three reads.
    ///
    /// # Errors
    /// Where the vault is sealed or the database fails.
    pub async fn introspect(&self, token: &str, caller: WorkerId) -> Result<Introspection, LeaseError> {
        let lease = match self.held(token, caller).await? {
            Some(lease) if self.clock.now() < lease.expires_at => lease,
            _ => return Ok(Introspection::Inactive),
        };
        let mut reader = self.db.reader().await?;
        let link = &mut reader.link();
        let incarnation = vault::vault_show(link).await?.map(|vault| vault.incarnation);
        let lease_fences = lease.fences();
        let epochs = fences::epochs_show(link, &lease_fences.map(|fence| fence.subject)).await?;
        let stands = lease_fences.iter().all(|fence| epochs.get(&fence.subject).copied().unwrap_or(0) == fence.epoch);
        let ended = fences::ended_lease_show(link, lease.id).await?;
        if incarnation == Some(lease.incarnation) && stands && !ended {
            return Ok(Introspection::Active(Box::new(lease)));
        }
        Ok(Introspection::Inactive)
    }

    /// Ends one lease of the caller's early. A lease that is another's, or none, does nothing and tells nothing (RFC 7009
    /// section 2.2). Repeating it is safe. Yields the lease where there was one to end.
    ///
    /// # Errors
    /// Where the vault is sealed, the database fails or the end cannot be recorded.
    pub async fn end(&self, token: &str, caller: WorkerId) -> Result<Option<Lease>, LeaseError> {
        let Some(lease) = self.held(token, caller).await? else { return Ok(None) };
        if lease.expires_at <= self.clock.now() {
            return Ok(None);
        }
        let payload = Payload {
            actor: Subject::new("worker", caller.as_uuid()),
            object: Subject::new("connection", lease.connection.as_uuid()),
            outcome: Outcome::Allowed,
            details: serde_json::json!({ "lease": lease.id }),
        };
        let event = Event::make(&*self.entropy, lease.tenant, Kind::LeaseEnded, &payload);
        self.sequencer.commit(EndLease { lease: lease.clone(), event }).await?;
        Ok(Some(lease))
    }

    async fn held(&self, token: &str, caller: WorkerId) -> Result<Option<Lease>, LeaseError> {
        match self.keyring.open_lease(token).await {
            Ok(lease) if lease.worker == caller => Ok(Some(lease)),
            Ok(_) | Err(TokenError::NotOurs) => Ok(None),
            Err(TokenError::Sealed) => Err(LeaseError::Sealed),
            Err(TokenError::Unknown) => Err(LeaseError::Unknown),
        }
    }
}

impl From<KeyringError> for LeaseError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => Self::Store(error),
            KeyringError::Unrecorded(error) => Self::Unrecorded(error),
            _ => Self::Sealed,
        }
    }
}

struct EndLease {
    lease: Lease,
    event: Event,
}

impl Change for EndLease {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        let Lease { id, connection, worker, expires_at, .. } = self.lease;
        if fences::ended_lease_show(&mut batch.link(), id).await? {
            return Ok(());
        }
        batch.end_lease(id, expires_at).await?;
        leases::lease_count_lower(&mut batch.link(), connection, worker, expires_at).await?;
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}
