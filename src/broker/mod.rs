//! Credentials to access tokens: what a provider is, how to refresh there without two callers racing, how an owner's
//! consent becomes a credential, and the one way out of the vault.

mod addresses;
mod applications;
mod authorize;
mod cells;
mod consent;
pub mod dialer;
mod import;
mod lwa;
mod memory;
mod outcome;
pub mod provider;
mod refresh;
mod tokens;
mod turn;

pub use addresses::Addresses;
pub use applications::{ApplicationError, NewApplication};
pub use authorize::{AuthorizeRefusal, Origin};
pub use consent::{BegunBy, ConsentBegun, ConsentEnded, ConsentError, ConsentReturn, StoreVisit};
pub use import::{Import, ImportError};
pub use lwa::TokenCallError;
pub use tokens::{Token, TokenFailure};

use crate::{
    audit::Sequencer,
    clock::{Clock, Timestamp},
    entropy::Entropy,
    id::{ConnectionId, NodeId},
    keyring::Keyring,
    store::Db,
};
use parking_lot::Mutex;
use provider::Catalogue;
use quick_cache::sync::Cache;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// How many connections' failures are remembered.
const REMEMBERED_FAILURES: usize = 50_000;

/// What a broker is made of.
pub struct BrokerOptions {
    /// The database.
    pub db: Db,
    /// Where everything is recorded.
    pub sequencer: Sequencer,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// The one way out.
    pub dialer: dialer::Dialer,
    /// The providers.
    pub catalogue: Arc<Catalogue>,
    /// Where they are.
    pub addresses: Addresses,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// This process.
    pub node: NodeId,
}

/// Turns credentials into access tokens.
pub struct Broker {
    options: BrokerOptions,
    tokens: memory::TokenMemory,
    /// Refreshes under way: whoever needs the token too waits for the same one.
    flights: Mutex<HashMap<ConnectionId, watch::Receiver<Option<tokens::Flown>>>>,
    /// Until when a connection that failed is left alone.
    resting: Cache<ConnectionId, (Timestamp, TokenFailure)>,
    /// Providers that refused our application, and until when they are left alone.
    breakers: Mutex<HashMap<String, Timestamp>>,
}

impl Broker {
    /// Puts the service together; nothing is called.
    #[must_use]
    pub fn new(options: BrokerOptions) -> Arc<Self> {
        Arc::new(Self {
            options,
            tokens: memory::TokenMemory::new(),
            flights: Mutex::new(HashMap::new()),
            resting: Cache::new(REMEMBERED_FAILURES),
            breakers: Mutex::new(HashMap::new()),
        })
    }

    /// Returns the providers.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.options.catalogue
    }

    /// Returns where the providers are.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.options.addresses
    }

    /// Returns the one way out.
    #[must_use]
    pub fn dialer(&self) -> &dialer::Dialer {
        &self.options.dialer
    }

    /// Forgets a connection's access token: it was revoked, or has a new credential.
    pub fn forget(&self, connection: ConnectionId) {
        self.flights.lock().remove(&connection);
        self.tokens.forget(connection);
        self.resting.remove(&connection);
    }

    /// Forgets every access token: a cut reached many connections.
    pub fn forget_all(&self) {
        // Who comes next waits for no refresh that may bring what was destroyed.
        self.flights.lock().clear();
        self.tokens.forget_all();
    }
}
