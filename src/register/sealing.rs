//! Opening and closing the seal by hand, with the entry that says who did.

use super::{Register, RegisterError, fence_of};
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    id::TenantId,
    policy::{
        Permit,
        decide::{SealClose, SealOpen},
    },
    seal::Seal,
};
use std::convert::Infallible;

impl Register {
    /// Unseals the vault. Where that cannot be recorded, it is sealed again. Repeating it is safe.
    ///
    /// # Errors
    /// `Keyring` where the seal is not this vault's, `Unrecorded` where nobody could tell later who opened it.
    pub async fn seal_open(&self, permit: Permit<SealOpen>, seal: &dyn Seal) -> Result<(), RegisterError> {
        if self.options.keyring.is_open() {
            return Ok(());
        }
        self.options.keyring.unseal(seal).await?;
        let details = serde_json::json!({ "seal": seal.kind() });
        let event = self.event(permit.actor(), TenantId::VAULT, Kind::VaultUnsealed, Subject::VAULT, details);
        let recorded = self.options.sequencer.commit(Record { event, fence: fence_of(permit.actor()) }).await;
        if let Err(error) = recorded {
            self.options.keyring.seal();
            return Err(error.into());
        }
        Ok(())
    }

    /// Seals the vault, at once; the entry follows. Repeating it is safe.
    ///
    /// # Errors
    /// `Unrecorded` where the entry could not be written; the vault is sealed all the same.
    pub async fn seal_close(&self, permit: Permit<SealClose>) -> Result<(), RegisterError> {
        if !self.options.keyring.is_open() {
            return Ok(());
        }
        self.options.keyring.seal();
        let details = serde_json::json!({});
        let event = self.event(permit.actor(), TenantId::VAULT, Kind::VaultSealed, Subject::VAULT, details);
        self.options.sequencer.commit(Record { event, fence: fence_of(permit.actor()) }).await?;
        Ok(())
    }
}

struct Record {
    event: Event,
    fence: Fence,
}

impl Change for Record {
    type Output = ();
    type Refusal = Infallible;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}
