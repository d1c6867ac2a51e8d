//! The simulated Amazon: consent pages, Login with Amazon, and enough of the SP-API to sync a store with.
//!
//! The only part of the system that pretends. It owns what a selling partner decided and what reached it, and it knows
//! nothing of the vault: it imports floor 0 and no more, so that the two can only meet over HTTP. One listener serves
//! every host; `na.localhost`, `eu.localhost` and `fe.localhost` mean that region's endpoint.
//!
//! | file | what |
//! |---|---|
//! | `authorization`, `state_file`, `token` | consents, codes, tokens; what survives a restart |
//! | `lwa`, `consent`, `appstore`, `page` | what a browser and a token client see |
//! | `caller`, `errors`, `quota` | who may call the SP-API, and Amazon's refusals |
//! | `orders` … `vendor` | the resources; `sample` is the data behind them |
//! | `record`, `stats`, `control`, `steer`, `sim` | what a test sees and steers, under `/_sim` |

mod appstore;
mod authorization;
mod caller;
mod catalog;
mod consent;
mod control;
mod errors;
mod feeds;
mod finances;
mod job;
mod listings;
mod lwa;
mod marketplace;
mod options;
mod orders;
mod orders_2026;
mod page;
mod presigned;
mod pricing;
mod quota;
mod record;
mod reports;
mod request;
mod restricted;
mod sample;
mod selling;
mod sim;
mod state_file;
mod stats;
mod steer;
#[cfg(test)]
mod tests;
mod token;
mod vendor;

pub use marketplace::{Kind, Region, Seller};
pub use options::{AmazonError, AmazonOptions};

use crate::{
    clock::{Clock, Timestamp},
    entropy::{self, Entropy},
    secret::SecretKey,
};
use authorization::Book;
use axum::{Router, extract::DefaultBodyLimit, middleware};
use control::Control;
use data_encoding::BASE64;
use job::Jobs;
use parking_lot::{Mutex, RwLock};
use record::Record;
use restricted::RestrictedTokens;
use state_file::State;
use stats::Stats;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use token::Mint;

/// The simulated Amazon. Clones share one state.
#[derive(Clone)]
pub struct Amazon(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    mint: Mint,
    state_file: Option<PathBuf>,
    redirect_uris: RwLock<Vec<String>>,
    over_tls: AtomicBool,
    book: Mutex<Book>,
    restricted: Mutex<RestrictedTokens>,
    jobs: Mutex<Jobs>,
    control: Mutex<Control>,
    record: Record,
    stats: Mutex<Stats>,
}

impl Amazon {
    /// Opens the simulator. Where the state file exists, the application registered in it stands, and the ids and the
    /// secret in `options` are not looked at: a vault that was killed still holds the old ones. Redirect URIs always come
    /// from `options` and [`Self::allow_redirect`], since ports change.
    ///
    /// # Errors
    /// Where the state file cannot be read, understood or written.
    pub fn open(options: AmazonOptions, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, AmazonError> {
        let remembered = options.state_file.as_deref().map(State::load).transpose()?.flatten();
        let state = match remembered {
            Some(state) => state,
            None => options::register(&options, clock.as_ref(), entropy.as_ref()),
        };
        if let Some(path) = &options.state_file {
            state.save(path)?;
        }
        let key = BASE64.decode(state.token_key.as_bytes()).ok().and_then(|key| SecretKey::from_slice(&key));
        // A key that does not decode was edited by hand. A new one ends the tokens and nothing else.
        let key = key.unwrap_or_else(|| entropy::make_key(entropy.as_ref()));
        Ok(Self(Arc::new(Inner {
            clock,
            entropy,
            mint: Mint::new(key),
            state_file: options.state_file,
            redirect_uris: RwLock::new(options.redirect_uris),
            over_tls: AtomicBool::new(false),
            book: Mutex::new(Book::new(state)),
            restricted: Mutex::default(),
            jobs: Mutex::default(),
            control: Mutex::default(),
            record: Record::default(),
            stats: Mutex::default(),
        })))
    }

    /// Serves everything on one listener.
    pub fn router(&self) -> Router {
        let selling_partner_api = Router::new()
            .merge(orders::routes())
            .merge(orders_2026::routes())
            .merge(catalog::routes())
            .merge(listings::routes())
            .merge(pricing::routes())
            .merge(finances::routes())
            .merge(reports::routes())
            .merge(feeds::routes())
            .merge(selling::routes())
            .merge(vendor::routes())
            .merge(restricted::routes());
        let pages = Router::new().merge(consent::routes()).merge(appstore::routes());
        selling_partner_api
            .merge(pages)
            .merge(presigned::routes())
            .fallback(|| async { errors::Refusal::Denied })
            .method_not_allowed_fallback(|| async { errors::Refusal::Denied })
            .layer(middleware::from_fn_with_state(self.clone(), steer::steered))
            // Steers itself: it must read the body first, to count what runs at once for one refresh token.
            .merge(lwa::routes())
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(middleware::from_fn_with_state(self.clone(), quota::stamped))
            .layer(middleware::from_fn_with_state(self.clone(), record::recorded))
            .merge(sim::routes())
            .with_state(self.clone())
    }

    /// Registers one more redirect URI; doing so twice changes nothing.
    pub fn allow_redirect(&self, uri: impl Into<String>) {
        let uri = uri.into();
        let mut uris = self.0.redirect_uris.write();
        if !uris.contains(&uri) {
            uris.push(uri);
        }
    }

    /// Says that the listener speaks TLS, so that URLs that point back here (documents, the Appstore's callback) begin
    /// with `https`.
    pub fn served_over_tls(&self) {
        self.0.over_tls.store(true, Ordering::Relaxed);
    }

    /// Lists the accounts that the consent page offers.
    #[must_use]
    pub fn sellers(&self) -> Vec<Seller> {
        self.0.book.lock().state.sellers.clone()
    }

    /// Returns the LWA client id of the registered application.
    #[must_use]
    pub fn client_id(&self) -> String {
        self.0.book.lock().state.application.client_id.clone()
    }

    /// Returns the application id of consent URLs.
    #[must_use]
    pub fn application_id(&self) -> String {
        self.0.book.lock().state.application.application_id.clone()
    }

    fn seller(&self, selling_partner_id: &str) -> Option<Seller> {
        let book = self.0.book.lock();
        book.state.sellers.iter().find(|seller| seller.selling_partner_id == selling_partner_id).cloned()
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn entropy(&self) -> &dyn Entropy {
        self.0.entropy.as_ref()
    }

    /// Draws an id for requests, reports and documents, in Amazon's form: a random UUID.
    fn make_id(&self) -> String {
        uuid::Builder::from_random_bytes(entropy::make_array(self.entropy())).into_uuid().to_string()
    }

    /// Returns the address that `host` reached us under.
    fn base_url(&self, host: &str) -> String {
        let scheme = if self.0.over_tls.load(Ordering::Relaxed) { "https" } else { "http" };
        format!("{scheme}://{host}")
    }
}

/// Bounds what a request may make the simulator hold. Larger than any body a gateway under test reads whole.
const MAX_BODY_BYTES: usize = 64 << 20;
