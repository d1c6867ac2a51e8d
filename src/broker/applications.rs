//! Our own applications at providers: set by staff, used by refreshes, their secrets sealed under the vault's own key.

use super::Broker;
use crate::{
    audit::{Batch, Change, ChangeError, SubmitError},
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Fence,
        secrets::ClientSecret,
    },
    envelope::Cell,
    id::{ApplicationId, TenantId},
    keyring::{KeyringError, NewDataKey},
    policy::{Permit, decide::ApplicationSet},
    store::{
        StoreError,
        applications::{self, ApplicationRow},
        keys,
    },
};

/// An application to set.
pub struct NewApplication {
    /// At which provider.
    pub provider: String,
    /// Its OAuth client id.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: ClientSecret,
    /// The id that the provider's consent page asks for.
    pub public_id: String,
    /// Whether the provider lists it as a draft.
    pub draft: bool,
}

/// Why an application is not set.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationError {
    /// There is no such provider.
    #[error("no provider of that name is described")]
    NoProvider,
    /// Somebody else set it at the same moment.
    #[error("the application was changed meanwhile; try again")]
    Changed,
    /// The keys are not to be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

impl From<ChangeError<Changed>> for ApplicationError {
    fn from(error: ChangeError<Changed>) -> Self {
        match error {
            ChangeError::Refused(Changed) => Self::Changed,
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

/// The application is not what it was when the change was prepared.
#[derive(Clone, Copy, Debug)]
pub struct Changed;

impl Broker {
    /// Sets the application of a provider; a secret that was there is replaced and its key destroyed. A breaker that the
    /// old one tripped is closed.
    ///
    /// # Errors
    /// See [`ApplicationError`]; nothing is changed then.
    pub async fn application_set(
        &self,
        permit: Permit<ApplicationSet>,
        new: NewApplication,
    ) -> Result<ApplicationRow, ApplicationError> {
        if self.catalogue().provider(&new.provider).is_none() {
            return Err(ApplicationError::NoProvider);
        }
        let options = &self.options;
        let before = applications::application_show(&mut options.db.reader().await?.link(), &new.provider).await?;
        let now = options.clock.now();
        let (id, version, created_at) = match &before {
            Some(row) => (row.id, row.version + 1, row.created_at),
            None => (ApplicationId::make(&*options.clock, &*options.entropy), 1, now),
        };
        let made = options.keyring.make_data_key(TenantId::VAULT).await?;
        let cell = cell(id, version)?;
        let secret = made.key.seal(&new.client_secret, &cell, &*options.entropy).map_err(KeyringError::from)?;
        let NewApplication { provider, client_id, public_id, draft, .. } = new;
        let row =
            ApplicationRow { id, provider, client_id, public_id, draft, version, secret, created_at, changed_at: now };
        let actor = permit.actor();
        let payload = Payload {
            actor: Subject::new("user", actor.user().as_uuid()),
            object: Subject::new("application", id.as_uuid()),
            outcome: Outcome::Allowed,
            details: serde_json::json!({ "provider": row.provider, "client_id": row.client_id, "draft": draft, "secret_version": version }),
        };
        let event = Event::make(&*options.entropy, TenantId::VAULT, Kind::ApplicationSet, &payload);
        let fence = Fence { subject: actor.user().as_uuid(), epoch: actor.epoch() };
        let before = before.map(|row| row.version);
        options.sequencer.commit(SetApplication { row: row.clone(), before, made, event, fence }).await?;
        self.reset_breaker(&row.provider);
        Ok(row)
    }
}

pub(super) fn secret_cell(row: &ApplicationRow) -> Result<Cell<'static>, StoreError> {
    cell(row.id, row.version)
}

fn cell(id: ApplicationId, version: i64) -> Result<Cell<'static>, StoreError> {
    let version = u32::try_from(version).map_err(|_| StoreError::corrupt("applications", "version", id))?;
    Ok(Cell { table: "applications", column: "secret", row: id.as_uuid(), tenant: TenantId::VAULT, version })
}

struct SetApplication {
    row: ApplicationRow,
    before: Option<i64>,
    made: NewDataKey,
    event: Event,
    fence: Fence,
}

impl Change for SetApplication {
    type Output = ();
    type Refusal = Changed;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Changed>> {
        let stored = applications::application_show(&mut batch.link(), &self.row.provider).await?;
        if stored.map(|row| row.version) != self.before {
            return Err(ChangeError::Refused(Changed));
        }
        keys::data_keys_destroy(&mut batch.link(), self.row.id.as_uuid()).await?;
        let (tenant, owner) = (TenantId::VAULT, self.row.id.as_uuid());
        let new = keys::NewDataKey { tenant, owner, key: &self.made.wrapped, uses: NewDataKey::USES };
        let at = batch.at();
        keys::data_key_insert(&mut batch.link(), &new, at).await?;
        applications::application_set(&mut batch.link(), &self.row).await?;
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}
