//! Access tokens for use: from memory, else from the store, else by one refresh that everybody waits for.

use super::Broker;
use crate::{
    clock::Timestamp,
    domain::{connection::ConnectionState, secrets::AccessToken},
    id::ConnectionId,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// An access token, in memory only while it may be used.
#[derive(Debug)]
pub struct Token {
    /// Which of the connection's tokens it is.
    pub generation: i64,
    /// The token.
    pub secret: AccessToken,
    /// When it dies.
    pub expires_at: Timestamp,
    /// From when on it is refreshed.
    pub(super) refresh_at: Timestamp,
}

/// Why there is no access token to use.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenFailure {
    /// The vault is sealed.
    #[error("the vault is sealed")]
    Sealed,
    /// The connection does not serve.
    #[error("the connection is {0}")]
    NotServing(ConnectionState),
    /// The provider cannot be reached or is failing.
    #[error("the provider is not answering; try again later")]
    Transient,
    /// The provider throttles us.
    #[error("the provider throttles token requests")]
    Throttled(Duration),
    /// Somebody else has the connection's turn at the provider.
    #[error("the provider is being asked for this connection; try again in a moment")]
    Busy,
    /// The provider refuses our own application.
    #[error("the provider refuses our application; the operator has been told")]
    Application,
    /// The vault itself cannot record or read.
    #[error("the vault cannot record the refresh: {0}")]
    Vault(String),
}

/// What a refresh brought everybody who waited for it.
pub(super) type Flown = Result<Arc<Token>, TokenFailure>;

/// How long before its death a token is still handed out while it is being refreshed.
const LAST_USE: Duration = Duration::from_secs(30);

impl Broker {
    /// Returns a connection's access token. Costs nothing while one is in memory; past its refresh time the old one is
    /// handed out while a new one is got. The refresh goes on when the caller stops waiting.
    ///
    /// Whether the caller may have it was decided by his commit, before this.
    ///
    /// # Errors
    /// Typed by whose fault it is; see [`TokenFailure`].
    pub async fn token(self: &Arc<Self>, connection: ConnectionId) -> Result<Arc<Token>, TokenFailure> {
        let now = self.options.clock.now();
        if let Some(token) = self.tokens.get(connection) {
            if now < token.refresh_at {
                return Ok(token);
            }
            if now.plus(LAST_USE) < token.expires_at {
                if self.rest_of(connection, now).is_none() {
                    self.fly(connection);
                }
                return Ok(token);
            }
        }
        if let Some(failure) = self.rest_of(connection, now) {
            return Err(failure);
        }
        let mut flight = self.fly(connection);
        loop {
            if let Some(flown) = flight.borrow_and_update().clone() {
                return flown;
            }
            if flight.changed().await.is_err() {
                return Err(TokenFailure::Transient);
            }
        }
    }

    /// Leaves a connection alone until `until`.
    pub(super) fn rest(&self, connection: ConnectionId, until: Timestamp, failure: TokenFailure) {
        self.resting.insert(connection, (until, failure));
    }

    fn rest_of(&self, connection: ConnectionId, now: Timestamp) -> Option<TokenFailure> {
        self.resting.get(&connection).and_then(|(until, failure)| (now < until).then_some(failure))
    }

    /// Joins the refresh that is under way, or begins one, detached from its caller.
    fn fly(self: &Arc<Self>, connection: ConnectionId) -> watch::Receiver<Option<Flown>> {
        let mut flights = self.flights.lock();
        if let Some(flight) = flights.get(&connection) {
            return flight.clone();
        }
        let (land, flight) = watch::channel(None);
        flights.insert(connection, flight.clone());
        drop(flights);
        let own = flight.clone();
        let broker = Arc::clone(self);
        tokio::spawn(async move {
            let guard = Landing { broker: &broker, connection, flight: &own };
            let flown = broker.refresh(connection).await;
            drop(guard);
            let _ = land.send(Some(flown));
        });
        flight
    }
}

/// Ends a flight however it ends: a panic must not leave a connection waiting for ever.
struct Landing<'a> {
    broker: &'a Broker,
    connection: ConnectionId,
    flight: &'a watch::Receiver<Option<Flown>>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut flights = self.broker.flights.lock();
        // After a cut another one may be under way in its place.
        if flights.get(&self.connection).is_some_and(|flight| flight.same_channel(self.flight)) {
            flights.remove(&self.connection);
        }
    }
}
