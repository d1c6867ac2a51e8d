//! Taking in refresh tokens that a company already holds. Each is tried at the provider before it is believed.

use super::{
    Broker, TokenFailure,
    authorize::{Authorization, AuthorizeRefusal, Origin},
    lwa::{self, Client, Grant, TokenCallError},
    turn::Talk,
};
use crate::{
    domain::secrets::RefreshToken,
    keyring::KeyringError,
    policy::{Permit, decide::ConnectionImport},
    store::{
        StoreError,
        connections::{self, ConnectionRow},
    },
};

/// A credential to take in.
pub struct Import {
    /// The provider's id of the account, where it is known.
    pub account: Option<String>,
    /// The refresh token.
    pub refresh_token: RefreshToken,
}

/// Why a credential was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such connection.
    #[error("no such connection")]
    NoConnection,
    /// The provider did not accept it.
    #[error(transparent)]
    Provider(#[from] TokenCallError),
    /// Our own application is not to be had.
    #[error(transparent)]
    Client(#[from] TokenFailure),
    /// The connection does not take it.
    #[error(transparent)]
    Refused(#[from] AuthorizeRefusal),
    /// The keys or the log are not to be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Keyring(error.into())
    }
}

impl Broker {
    /// Tries a refresh token at the provider and, where it is good, gives it to the connection. Costs one call upstream and
    /// four commits.
    ///
    /// # Errors
    /// See [`ImportError`]; the token is forgotten then.
    pub async fn import(&self, permit: Permit<ConnectionImport>, import: Import) -> Result<ConnectionRow, ImportError> {
        let id = permit.object().id;
        let fence = self.turn_await(id).await?;
        let imported = match self.turn_send(id, fence).await {
            Ok(Some(talk)) => self.try_import(permit, import, talk).await,
            Ok(None) => Err(TokenFailure::Transient.into()),
            Err(failure) => Err(failure.into()),
        };
        self.turn_end(id, fence).await;
        imported
    }

    /// Imports while this node has the connection's turn.
    async fn try_import(
        &self,
        permit: Permit<ConnectionImport>,
        import: Import,
        talk: Talk,
    ) -> Result<ConnectionRow, ImportError> {
        let id = permit.object().id;
        let connection = connections::connection_show(&mut self.options.db.reader().await?.link(), id).await?;
        let connection = connection.ok_or(ImportError::NoConnection)?;
        let provider = self.catalogue().provider(&connection.provider).ok_or(TokenFailure::Application)?;
        let (client_id, client_secret) = self.client(&connection.provider).await?;
        let url = self.options.addresses.token_url(provider);
        let client = Client { id: &client_id, secret: &client_secret };
        let asking = lwa::call(&self.options.dialer, url, provider, client, Grant::Refresh(&import.refresh_token));
        let answer = talk.call(&*self.options.clock, asking).await.ok_or(TokenFailure::Transient)?;
        let mut answer = match answer {
            Err(error) if error.failure() == super::provider::Failure::Application => {
                self.trip_breaker(&connection.provider, &error.word()).await;
                return Err(error.into());
            }
            answer => answer?,
        };
        let refresh_token = answer.refresh_token.take().unwrap_or(import.refresh_token);
        let (actor, origin, account) = (permit.actor(), Origin::Import, import.account);
        let authorization = Authorization { connection, actor, origin, account, refresh_token, answer };
        self.authorize(authorization).await.map_err(|error| match error {
            Ok(refusal) => refusal.into(),
            Err(error) => error.into(),
        })
    }
}
