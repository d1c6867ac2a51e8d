//! Who authorized the application: consents, codes, refresh tokens, and what the selling partner took back.

use super::{
    Amazon, AmazonError,
    errors::LwaError,
    marketplace::Seller,
    state_file::State,
    token::{Purpose, derive_fingerprint},
};
use crate::{
    clock::Timestamp,
    entropy::{self, Entropy},
    secret::SecretText,
};
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use subtle::ConstantTimeEq;

/// The one registered application.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    pub(super) client_id: String,
    pub(super) application_id: String,
    /// The newest last; an older one works until it dies.
    pub(super) secrets: Vec<ClientSecret>,
}

/// What the simulator keeps of a client secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientSecret {
    pub(super) fingerprint: String,
    pub(super) dies_at: Timestamp,
}

/// One selling partner's consent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorization {
    /// Of the only refresh token that works: a renewal replaces it.
    pub(super) refresh_fingerprint: String,
    pub(super) authorized_at: Timestamp,
    pub(super) revoked_at: Option<Timestamp>,
}

/// What is remembered while the process lives.
pub(super) struct Book {
    pub(super) state: State,
    /// Codes that were not exchanged yet, by fingerprint.
    codes: HashMap<String, Code>,
    /// `amazon_state` values handed to login URIs, with the account and the end of each.
    journeys: HashMap<String, (String, Timestamp)>,
    /// What Amazon would have put on the application's queue.
    pub(super) notifications: Vec<Value>,
    rotated_at: Option<Timestamp>,
}

struct Code {
    seller: String,
    redirect_uri: String,
    dies_at: Timestamp,
}

/// What a refresh token holds under its seal.
#[derive(Serialize, Deserialize)]
struct RefreshClaim {
    seller: String,
}

/// What an exchange gave.
pub(super) struct Authorized {
    pub(super) seller: String,
    pub(super) refresh_token: SecretText,
}

/// A second rotation came too soon.
pub(super) struct TooSoon;

impl Book {
    pub(super) fn new(state: State) -> Self {
        Self { state, codes: HashMap::new(), journeys: HashMap::new(), notifications: Vec::new(), rotated_at: None }
    }

    /// Counts the selling partners whose consent stands.
    pub(super) fn consents(&self) -> usize {
        self.state.authorizations.values().filter(|authorization| authorization.revoked_at.is_none()).count()
    }
}

/// How long an authorization code lives.
pub(super) const CODE_TTL: Duration = Duration::from_mins(5);
/// How long a public application's authorization stands before it must be renewed.
const AUTHORIZATION_TTL: Duration = Duration::from_hours(24 * 365);
/// How long a client secret works.
pub(super) const SECRET_TTL: Duration = Duration::from_hours(24 * 180);
/// How long the old client secret still works after a rotation.
const SECRET_OVERLAP: Duration = Duration::from_hours(24 * 7);
/// One rotation a minute: Amazon's 0.0167 requests per second with a burst of one.
const ROTATION_PAUSE: Duration = Duration::from_mins(1);

impl Amazon {
    /// Records that `seller` confirmed, and returns the code to send to `redirect_uri`.
    pub(super) fn make_code(&self, seller: &Seller, redirect_uri: &str) -> String {
        let now = self.now();
        let code = format!("AN{}", BASE32_NOPAD.encode(&entropy::make_array::<15>(self.entropy())));
        let mut book = self.0.book.lock();
        book.codes.retain(|_, code| now < code.dies_at);
        let entry = Code {
            seller: seller.selling_partner_id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            dies_at: now.plus(CODE_TTL),
        };
        book.codes.insert(derive_fingerprint(&code), entry);
        code
    }

    /// Exchanges a code for the refresh token of a new authorization, which replaces an older one. A code works once.
    pub(super) fn exchange_code(&self, code: &str, redirect_uri: &str) -> Result<Authorized, LwaError> {
        let now = self.now();
        let fingerprint = derive_fingerprint(code);
        let seller = {
            let mut book = self.0.book.lock();
            let known = book.codes.get(&fingerprint).filter(|code| now < code.dies_at);
            let known = known.ok_or(LwaError::InvalidGrant("code"))?;
            if known.redirect_uri != redirect_uri {
                return Err(LwaError::InvalidGrant("redirect_uri"));
            }
            book.codes.remove(&fingerprint).ok_or(LwaError::InvalidGrant("code"))?.seller
        };
        let claim = RefreshClaim { seller: seller.clone() };
        let refresh_token = self.0.mint.seal(Purpose::Refresh, &claim, self.entropy());
        let authorization = Authorization {
            refresh_fingerprint: derive_fingerprint(&refresh_token),
            authorized_at: now,
            revoked_at: None,
        };
        self.change(|state| state.authorizations.insert(seller.clone(), authorization))
            .map_err(|_| LwaError::ServerError)?;
        Ok(Authorized { seller, refresh_token: SecretText::new(refresh_token) })
    }

    /// Returns the selling partner that a refresh token stands for.
    pub(super) fn recognise_refresh(&self, refresh_token: &str) -> Result<String, LwaError> {
        let invalid = LwaError::InvalidGrant("refresh_token");
        let claim: RefreshClaim = self.0.mint.open(Purpose::Refresh, refresh_token).ok_or(invalid)?;
        let book = self.0.book.lock();
        let authorization = book.state.authorizations.get(&claim.seller).ok_or(invalid)?;
        let current = authorization.refresh_fingerprint == derive_fingerprint(refresh_token);
        let ended = self.now() >= authorization.authorized_at.plus(AUTHORIZATION_TTL);
        if !current || ended || authorization.revoked_at.is_some() {
            return Err(invalid);
        }
        Ok(claim.seller)
    }

    /// Says whether id and secret belong to the application. An old secret works for a week after a rotation.
    pub(super) fn client_known(&self, client_id: &str, client_secret: &str) -> bool {
        let now = self.now();
        let presented = derive_fingerprint(client_secret);
        let book = self.0.book.lock();
        let application = &book.state.application;
        let alive = application.secrets.iter().filter(|secret| now < secret.dies_at);
        let matches = |secret: &ClientSecret| bool::from(secret.fingerprint.as_bytes().ct_eq(presented.as_bytes()));
        application.client_id == client_id && alive.into_iter().any(matches)
    }

    /// Takes the application out of a selling partner's Manage Your Apps page. Refreshing fails from now on; access
    /// tokens that were issued live on. Returns whether there was a consent to take back.
    ///
    /// # Errors
    /// Where the state file cannot be written; then nothing is revoked.
    pub fn revoke(&self, selling_partner_id: &str) -> Result<bool, AmazonError> {
        let now = self.now();
        self.change(|state| match state.authorizations.get_mut(selling_partner_id) {
            Some(authorization) if authorization.revoked_at.is_none() => {
                authorization.revoked_at = Some(now);
                true
            }
            _ => false,
        })
    }

    /// Makes a new client secret and queues the notification that carries it, as Amazon does by SQS.
    pub(super) fn rotate_client_secret(&self) -> Result<Result<(), TooSoon>, AmazonError> {
        let now = self.now();
        let mut book = self.0.book.lock();
        if book.rotated_at.is_some_and(|at| now.since(at) < ROTATION_PAUSE) {
            return Ok(Err(TooSoon));
        }
        let secret = make_client_secret(self.entropy());
        let old_dies_at = now.plus(SECRET_OVERLAP);
        let mut state = book.state.clone();
        for old in &mut state.application.secrets {
            old.dies_at = old.dies_at.min(old_dies_at);
        }
        state.application.secrets.retain(|old| now < old.dies_at);
        let fresh = ClientSecret { fingerprint: derive_fingerprint(secret.expose()), dies_at: now.plus(SECRET_TTL) };
        state.application.secrets.push(fresh);
        self.save(&state)?;
        book.notifications.push(json!({
            "notificationVersion": "1.0",
            "notificationType": "APPLICATION_OAUTH_CLIENT_NEW_SECRET",
            "payloadVersion": "1.0",
            "eventTime": now,
            "payload": { "applicationOAuthClientNewSecret": {
                "clientId": state.application.client_id,
                "newClientSecret": secret.expose(),
                "newClientSecretExpiryTime": now.plus(SECRET_TTL),
                "oldClientSecretExpiryTime": old_dies_at,
            }},
        }));
        book.state = state;
        book.rotated_at = Some(now);
        Ok(Ok(()))
    }

    /// Begins a journey from the Appstore: returns the `amazon_state` that its callback must bring back within the hour.
    pub(super) fn journey_begin(&self, selling_partner_id: &str) -> String {
        let now = self.now();
        let amazon_state = HEXLOWER.encode(&entropy::make_array::<16>(self.entropy()));
        let mut book = self.0.book.lock();
        book.journeys.retain(|_, (_, dies_at)| now < *dies_at);
        let journey = (selling_partner_id.to_owned(), now.plus(Duration::from_hours(1)));
        book.journeys.insert(derive_fingerprint(&amazon_state), journey);
        amazon_state
    }

    /// Ends a journey: returns its account, once.
    pub(super) fn journey_end(&self, amazon_state: &str) -> Option<String> {
        let (seller, dies_at) = self.0.book.lock().journeys.remove(&derive_fingerprint(amazon_state))?;
        (self.now() < dies_at).then_some(seller)
    }

    /// Changes the state, durably, before anybody sees the change. The fsync holds the lock and blocks the executor's
    /// thread: a person's click pays for it, never the path of an access token.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, AmazonError> {
        let mut book = self.0.book.lock();
        let mut state = book.state.clone();
        let result = change(&mut state);
        self.save(&state)?;
        book.state = state;
        Ok(result)
    }

    fn save(&self, state: &State) -> Result<(), AmazonError> {
        match &self.0.state_file {
            Some(path) => state.save(path),
            None => Ok(()),
        }
    }
}

/// Draws a client secret in Amazon's form.
pub(super) fn make_client_secret(entropy: &dyn Entropy) -> SecretText {
    SecretText::new(format!("amzn1.oa2-cs.v1.{}", HEXLOWER.encode(&entropy::make_array::<32>(entropy))))
}
