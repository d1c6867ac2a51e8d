//! A new credential for a connection, by consent or by import: sealed first, then committed against the very state that
//! it was prepared for.

use super::{
    Broker,
    cells::{credential_cell, token_cell},
    lwa::TokenAnswer,
};
use crate::{
    audit::{Batch, Change, ChangeError},
    clock::Timestamp,
    domain::{
        connection::{ConnectionStep, NoSuchStep},
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Fence,
        secrets::RefreshToken,
    },
    envelope::Sealed,
    id::ConnectionId,
    keyring::{KeyringError, NewDataKey},
    policy::Actor,
    store::{
        Link, StoreError,
        connections::{self, ConnectionRow},
        credentials::{self, AccessTokenRow},
        keys, leases,
    },
};

/// How a credential came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its owner consented at the provider.
    Consent,
    /// The company held it already.
    Import,
}

/// Why a credential was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeRefusal {
    /// The connection's state does not allow it.
    #[error(transparent)]
    State(#[from] NoSuchStep),
    /// The connection belongs to another account at the provider.
    #[error("another account answered: the connection belongs to {expected}")]
    WrongAccount {
        /// The account that the connection belongs to.
        expected: String,
    },
    /// The connection changed while the provider was being asked.
    #[error("the connection was changed meanwhile; begin again")]
    Changed,
}

/// What came of a consent or an import.
pub(super) struct Authorization<'a> {
    pub(super) connection: ConnectionRow,
    pub(super) actor: &'a Actor,
    pub(super) origin: Origin,
    pub(super) account: Option<String>,
    pub(super) refresh_token: RefreshToken,
    pub(super) answer: TokenAnswer,
}

impl Broker {
    /// Seals a credential and its first access token, and commits both. Returns the connection as it is then.
    pub(super) async fn authorize(
        &self,
        authorization: Authorization<'_>,
    ) -> Result<ConnectionRow, Result<AuthorizeRefusal, KeyringError>> {
        let Authorization { connection, actor, origin, account, refresh_token, answer } = authorization;
        connection.state.after(ConnectionStep::Authorize).map_err(|refused| Ok(refused.into()))?;
        if let (Some(expected), Some(came)) = (&connection.account, &account)
            && expected != came
        {
            return Err(Ok(AuthorizeRefusal::WrongAccount { expected: expected.clone() }));
        }
        let account = account.or_else(|| connection.account.clone());
        let options = &self.options;
        let version = connection.credential_version + 1;
        let made = options.keyring.make_data_key(connection.tenant).await.map_err(Err)?;
        let cell = credential_cell(connection.id, connection.tenant, version).map_err(|error| Err(error.into()))?;
        let seal_failed = |error| Err(KeyringError::from(error));
        let credential = made.key.seal(&refresh_token, &cell, &*options.entropy).map_err(seal_failed)?;

        let newest = async { newest_generation(&mut options.db.reader().await?.link(), connection.id).await };
        let generation = newest.await.map_err(|error| Err(error.into()))? + 1;
        let cell = token_cell(&connection, generation).map_err(|error| Err(error.into()))?;
        let sealed = made.key.seal(&answer.access_token, &cell, &*options.entropy).map_err(seal_failed)?;
        let now = options.clock.now();
        let token = AccessTokenRow {
            generation,
            credential_version: version,
            sealed,
            issued_at: now,
            expires_at: now.plus(answer.life),
        };

        let life =
            self.catalogue().provider(&connection.provider).and_then(|provider| provider.token().authorization_life);
        let renew_by = life.map(|life| now.plus(life));
        let kind = match origin {
            Origin::Consent => Kind::ConnectionAuthorized,
            Origin::Import => Kind::ConnectionImported,
        };
        let payload = Payload {
            actor: Subject::new("user", actor.user().as_uuid()),
            object: Subject::new("connection", connection.id.as_uuid()),
            outcome: Outcome::Allowed,
            details: serde_json::json!({ "account": account, "credential_version": version, "renew_by": renew_by, "role": actor.role() }),
        };
        let event = Event::make(&*options.entropy, connection.tenant, kind, &payload);
        let fence = Fence { subject: actor.user().as_uuid(), epoch: actor.epoch() };
        let (id, before) = (connection.id, connection);
        let change = Authorize { before, account, renew_by, credential, token, made, event, fence };
        match options.sequencer.commit(change).await {
            Ok(committed) => {
                self.forget(id);
                Ok(committed.output)
            }
            Err(ChangeError::Refused(refusal)) => Err(Ok(refusal)),
            Err(ChangeError::Store(error)) => Err(Err(error.into())),
            Err(ChangeError::Unrecorded(error)) => Err(Err(error.into())),
        }
    }
}

struct Authorize {
    before: ConnectionRow,
    account: Option<String>,
    renew_by: Option<Timestamp>,
    credential: Sealed<RefreshToken>,
    token: AccessTokenRow,
    made: NewDataKey,
    event: Event,
    fence: Fence,
}

impl Change for Authorize {
    type Output = ConnectionRow;
    type Refusal = AuthorizeRefusal;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<ConnectionRow, ChangeError<AuthorizeRefusal>> {
        let id = self.before.id;
        let changed = || ChangeError::Refused(AuthorizeRefusal::Changed);
        let now = connections::connection_show(&mut batch.link(), id).await?.ok_or_else(changed)?;
        if now.credential_version != self.before.credential_version || now.state != self.before.state {
            return Err(changed());
        }
        if newest_generation(&mut batch.link(), id).await? + 1 != self.token.generation {
            return Err(changed());
        }
        let at = batch.at();
        let (tenant, owner, key) = (now.tenant, id.as_uuid(), &self.made.wrapped);
        let new = keys::NewDataKey { tenant, owner, key, uses: NewDataKey::USES };
        keys::data_key_insert(&mut batch.link(), &new, at).await?;
        let version = self.token.credential_version;
        credentials::credential_insert(&mut batch.link(), id, version, &self.credential, at).await?;
        credentials::credentials_older_destroy(&mut batch.link(), id, version).await?;
        credentials::access_token_set(&mut batch.link(), id, &self.token).await?;
        let (account, renew_by) = (self.account.as_deref(), self.renew_by);
        let what = connections::Authorized { account, credential_version: version, renew_by };
        connections::connection_authorized(&mut batch.link(), id, &what, at).await?;
        batch.record(self.event.clone()).await?;
        connections::connection_show(&mut batch.link(), id).await?.ok_or_else(changed)
    }
}

/// Returns the newest generation that a connection's tokens have, or had where one of them may still live: a revocation
/// destroys the stored token, and a number that came again would hide the new token behind the old one on receipts.
async fn newest_generation(link: &mut Link<'_>, connection: ConnectionId) -> Result<i64, StoreError> {
    let stored = credentials::access_token_show(link, connection).await?.map_or(0, |row| row.generation);
    Ok(stored.max(leases::residual_newest(link, connection).await?))
}
