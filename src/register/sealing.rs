//! Opening and closing the seal by hand, with the entry that says who did.

use super::{Register, RegisterError, fence_of};
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    envelope::{Share, ShareKind},
    id::TenantId,
    keyring::{KeyringError, Progress, Purpose, ShareRefused, Taken},
    policy::{
        Actor, Permit,
        decide::{SealClose, SealOpen},
    },
    seal::{Seal, ShamirSeal},
    secret::SecretText,
};
use std::{convert::Infallible, sync::Arc};

impl Register {
    /// Unseals the vault. Where that cannot be recorded, it is sealed again. Repeating it is safe.
    ///
    /// # Errors
    /// `Keyring` where the seal is not this vault's, `Unrecorded` where nobody could tell later who opened it.
    pub async fn seal_open(&self, permit: Permit<SealOpen>, seal: Arc<dyn Seal>) -> Result<(), RegisterError> {
        if self.options.keyring.is_open() {
            return Ok(());
        }
        self.options.keyring.unseal(&seal).await?;
        let details = serde_json::json!({ "seal": seal.kind() });
        let recorded = self.vault_record(permit.actor(), Kind::VaultUnsealed, details).await;
        if recorded.is_err() {
            self.options.keyring.seal();
        }
        recorded
    }

    /// Takes one officer's share of the seal, and unseals the vault as soon as there are enough. Each share that is taken
    /// is an entry, and so is each that is refused.
    ///
    /// # Errors
    /// `Share` where it is refused, and what was given before stays; `Keyring` where no shares open this vault;
    /// `Unrecorded` where nobody could tell later who gave it, and then all shares are forgotten.
    pub async fn seal_open_share(&self, permit: Permit<SealOpen>, share: SecretText) -> Result<(), RegisterError> {
        let keyring = &self.options.keyring;
        if keyring.is_open() {
            return Ok(());
        }
        let set = ShamirSeal::set_of(&keyring.sealed_master().await?).map_err(KeyringError::from)?;
        let taken = Share::parse(&share, ShareKind::Seal).map_err(ShareRefused::from);
        let taken = taken.and_then(|share| Ok((share.place(), keyring.share_give(Purpose::Open, &set, share)?)));
        match self.share_recorded(permit.actor(), Purpose::Open, taken).await? {
            Taken::More(_) => Ok(()),
            Taken::Enough(key) => self.seal_open(permit, Arc::new(ShamirSeal::of(set, key))).await,
        }
    }

    /// Forgets the shares that officers gave to open the seal. Repeating it is safe.
    ///
    /// # Errors
    /// `Unrecorded` where the entry could not be written; the shares are forgotten all the same.
    pub async fn seal_open_cancel(&self, permit: Permit<SealOpen>) -> Result<(), RegisterError> {
        self.shares_cancel(permit.actor(), Purpose::Open).await
    }

    /// Records what became of a share that somebody gave.
    pub(super) async fn share_recorded(
        &self,
        actor: &Actor,
        purpose: Purpose,
        taken: Result<(u8, Taken), ShareRefused>,
    ) -> Result<Taken, RegisterError> {
        match taken {
            Ok((place, taken)) => {
                let still_needed = match &taken {
                    Taken::More(Progress { given, threshold, .. }) => usize::from(*threshold) - given.len(),
                    Taken::Enough(_) => 0,
                };
                let details = serde_json::json!({
                    "purpose": purpose.as_str(), "share": place, "still_needed": still_needed,
                });
                let recorded = self.vault_record(actor, Kind::ShareGiven, details).await;
                if recorded.is_err() {
                    self.options.keyring.shares_forget(purpose);
                }
                recorded.map(|()| taken)
            }
            Err(refused) => {
                let details = serde_json::json!({ "purpose": purpose.as_str(), "reason": refused.as_str() });
                let by = Subject::new("user", actor.user().as_uuid());
                let (kind, reason) = (Kind::ShareRefused, refused.as_str());
                self.options.sequencer.refuse(TenantId::VAULT, kind, by, Subject::VAULT, reason, details);
                Err(refused.into())
            }
        }
    }

    /// Forgets the shares that were given for `purpose`, with an entry where there were any.
    pub(super) async fn shares_cancel(&self, actor: &Actor, purpose: Purpose) -> Result<(), RegisterError> {
        if !self.options.keyring.shares_forget(purpose) {
            return Ok(());
        }
        let details = serde_json::json!({ "purpose": purpose.as_str() });
        self.vault_record(actor, Kind::SharesForgotten, details).await
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
        self.vault_record(permit.actor(), Kind::VaultSealed, serde_json::json!({})).await
    }

    /// Records what somebody did to the vault itself.
    pub(super) async fn vault_record(
        &self,
        actor: &Actor,
        kind: Kind,
        details: serde_json::Value,
    ) -> Result<(), RegisterError> {
        let event = self.event(actor, TenantId::VAULT, kind, Subject::VAULT, details);
        self.options.sequencer.commit(Record { event, fence: fence_of(actor) }).await?;
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
