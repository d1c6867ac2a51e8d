//! What a refresh leaves behind: the commit of a new token, or of the news that the grant is dead.

use crate::{
    audit::{Batch, Change, ChangeError},
    domain::{connection::ConnectionStep, event::Event, secrets::RefreshToken},
    keyring::NewDataKey,
    store::{
        StoreError,
        connections::{self, ConnectionRow},
        credentials::{self, AccessTokenRow},
        keys,
        refreshes::{self, RefreshFence},
    },
};
use std::convert::Infallible;

/// The new token, `WHERE generation = g AND fence = f AND` the connection still serves with the same credential.
pub(super) struct CommitToken {
    pub(super) connection: ConnectionRow,
    pub(super) fence: RefreshFence,
    pub(super) row: AccessTokenRow,
    pub(super) rotated: Option<crate::envelope::Sealed<RefreshToken>>,
    pub(super) new_key: Option<NewDataKey>,
    pub(super) event: Event,
}

impl Change for CommitToken {
    type Output = bool;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, ChangeError<Infallible>> {
        let id = self.connection.id;
        if !refreshes::refresh_done(&mut batch.link(), id, self.fence).await?
            || !still_serves(batch, &self.connection).await?
        {
            return Ok(false);
        }
        let before = credentials::access_token_show(&mut batch.link(), id).await?.map_or(0, |row| row.generation);
        if before + 1 != self.row.generation {
            return Ok(false);
        }
        let at = batch.at();
        if let Some(made) = &self.new_key {
            let new = keys::NewDataKey {
                tenant: self.connection.tenant,
                owner: id.as_uuid(),
                key: &made.wrapped,
                uses: NewDataKey::USES,
            };
            keys::data_key_insert(&mut batch.link(), &new, at).await?;
        }
        if let Some(sealed) = &self.rotated {
            let version = self.row.credential_version;
            credentials::credential_insert(&mut batch.link(), id, version, sealed, at).await?;
            let ConnectionRow { account, renew_by, .. } = &self.connection;
            let what = connections::Authorized {
                account: account.as_deref(),
                credential_version: version,
                renew_by: *renew_by,
            };
            connections::connection_authorized(&mut batch.link(), id, &what, at).await?;
            credentials::credentials_older_destroy(&mut batch.link(), id, version).await?;
        }
        credentials::access_token_set(&mut batch.link(), id, &self.row).await?;
        batch.record(self.event.clone()).await?;
        Ok(true)
    }
}

/// The provider refused the credential twice: its owner has to consent again.
pub(super) struct MarkDead {
    pub(super) connection: ConnectionRow,
    pub(super) fence: RefreshFence,
    pub(super) event: Event,
}

impl Change for MarkDead {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        let id = self.connection.id;
        let held = refreshes::refresh_done(&mut batch.link(), id, self.fence).await?;
        // A consent that came meanwhile brought a credential that nobody refused.
        if !held || !still_serves(batch, &self.connection).await? {
            return Ok(());
        }
        if let Ok(state) = self.connection.state.after(ConnectionStep::Refuse) {
            connections::connection_state_set(&mut batch.link(), id, state).await?;
            batch.record(self.event.clone()).await?;
        }
        Ok(())
    }
}

async fn still_serves(batch: &mut Batch<'_>, seen: &ConnectionRow) -> Result<bool, StoreError> {
    let now = connections::connection_show(&mut batch.link(), seen.id).await?;
    Ok(now.is_some_and(|now| now.state.serves() && now.credential_version == seen.credential_version))
}
