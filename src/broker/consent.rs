//! Consent: sending an owner to the provider, and what the browser brings back. Begun by us, or by the provider's own
//! store.

use super::{
    Broker, TokenFailure,
    authorize::{Authorization, AuthorizeRefusal, Origin},
    lwa::{self, Client, Grant, TokenCallError},
    provider::{AccountKind, Region},
};
use crate::{
    audit::{Batch, Change, ChangeError, SubmitError},
    clock::Timestamp,
    domain::{
        connection::{ConnectionStep, NoSuchStep},
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Fence,
        standing::Standing,
    },
    entropy::make_bearer,
    id::ConnectionId,
    keyring::KeyringError,
    policy::{Actor, Permit, decide::ConnectionAuthorize},
    secret::{SecretHash, SecretText},
    store::{
        StoreError, applications,
        connections::{self, ConnectionRow},
        consents::{self, ConsentRow, StoreVisitRow},
        fences, users,
    },
};
use std::{convert::Infallible, time::Duration};
use url::Url;

/// How long an owner has from our door to the provider's and back.
const CONSENT_LIFE: Duration = Duration::from_secs(10 * 60);
/// How long an authorization that began in the provider's store waits for an owner to claim it.
const VISIT_LIFE: Duration = Duration::from_secs(30 * 60);
/// The longest parameter that a callback may bring, in bytes.
const PARAMETER_MAX: usize = 1_024;

/// A consent that was begun.
#[derive(Debug)]
pub struct ConsentBegun {
    /// Where to send the browser.
    pub url: Url,
    /// Until when it may come back.
    pub expires_at: Timestamp,
    /// The value of the cookie that has to come back too, where a browser began it.
    pub browser: Option<SecretText>,
}

/// What a browser brings back from the provider.
#[derive(Debug)]
pub struct ConsentReturn {
    /// Our `state`.
    pub state: SecretText,
    /// The code to exchange; none where the owner declined.
    pub code: Option<SecretText>,
    /// The account that consented.
    pub account: Option<String>,
    /// The cookie of the browser that began it.
    pub browser: Option<SecretText>,
}

/// A consent that ended well.
#[derive(Debug)]
pub struct ConsentEnded {
    /// The connection, active.
    pub connection: ConnectionRow,
}

/// An authorization that the provider's store began.
#[derive(Debug)]
pub struct StoreVisit {
    /// Where the provider wants the browser back.
    pub callback_uri: String,
    /// The provider's own state, to be sent back unread.
    pub state: String,
    /// The account that it is for.
    pub account: String,
    /// Whether the application is a draft.
    pub draft: bool,
}

/// Why a consent does not begin, or ends badly.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// There is no such connection.
    #[error("no such connection")]
    NoConnection,
    /// The connection's state does not allow it.
    #[error(transparent)]
    State(#[from] NoSuchStep),
    /// The provider has no consent page for this kind of account in this country.
    #[error("the provider has no consent page for this kind of account in this country")]
    NoPage,
    /// Our application is not set.
    #[error("our application at this provider is not set: an operator has to run `leasehold application set`")]
    NoApplication,
    /// The state parameter, or the ticket, is unknown, used or lapsed.
    #[error("this consent is unknown, was used already, or has lapsed: begin again")]
    Unknown,
    /// Another browser came back than the one that began.
    #[error("another browser came back than the one that began: begin again in one browser")]
    OtherBrowser,
    /// Whoever began it was disabled meanwhile.
    #[error("the access of whoever began this consent was ended")]
    CallerEnded,
    /// The owner declined at the provider.
    #[error("the consent was declined at the provider")]
    Declined,
    /// The parameters are malformed, or a callback leads elsewhere than to the provider.
    #[error("the parameters are not those of the provider: {0}")]
    Malformed(&'static str),
    /// The connection does not take the credential.
    #[error(transparent)]
    Refused(#[from] AuthorizeRefusal),
    /// The provider did not exchange the code.
    #[error(transparent)]
    Provider(#[from] TokenCallError),
    /// Our own application's secret is not to be had.
    #[error(transparent)]
    Client(#[from] TokenFailure),
    /// The keys, the database or the log are not to be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

impl ConsentError {
    /// Returns the word for it in entries.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NoConnection => "no_connection",
            Self::State(_) => "state",
            Self::NoPage => "no_page",
            Self::NoApplication => "no_application",
            Self::Unknown => "unknown_state",
            Self::OtherBrowser => "other_browser",
            Self::CallerEnded => "caller_ended",
            Self::Declined => "declined",
            Self::Malformed(_) => "malformed",
            Self::Refused(AuthorizeRefusal::WrongAccount { .. }) => "wrong_account",
            Self::Refused(_) => "connection_changed",
            Self::Provider(_) => "code_refused",
            Self::Client(_) => "application",
            Self::Keyring(_) => "vault",
        }
    }
}

impl From<StoreError> for ConsentError {
    fn from(error: StoreError) -> Self {
        Self::Keyring(error.into())
    }
}

impl From<SubmitError> for ConsentError {
    fn from(error: SubmitError) -> Self {
        Self::Keyring(error.into())
    }
}

impl From<ChangeError<Infallible>> for ConsentError {
    fn from(error: ChangeError<Infallible>) -> Self {
        Self::Keyring(error.into())
    }
}

/// Whether a browser began the consent, and so has to be the one that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BegunBy {
    /// A browser: its cookie is bound to the state (RFC 9700 section 4.7).
    Browser,
    /// A command line: there is no session to bind to.
    Program,
}

impl Broker {
    /// Begins a consent: keeps its state by hash and says where to send the browser, which comes back to
    /// `/callback/PROVIDER` below `public_url`. `visit` is the ticket of an
    /// authorization that the provider's store began.
    ///
    /// # Errors
    /// See [`ConsentError`]; nothing was begun then.
    pub async fn consent_begin(
        &self,
        permit: Permit<ConnectionAuthorize>,
        public_url: &Url,
        begun_by: BegunBy,
        visit: Option<&SecretText>,
    ) -> Result<ConsentBegun, ConsentError> {
        let id = permit.object().id;
        let options = &self.options;
        let mut reader = options.db.reader().await?;
        let connection =
            connections::connection_show(&mut reader.link(), id).await?.ok_or(ConsentError::NoConnection)?;
        let application = applications::application_show(&mut reader.link(), &connection.provider).await?;
        drop(reader);
        let application = application.ok_or(ConsentError::NoApplication)?;
        connection.state.after(ConnectionStep::Authorize)?;
        let callback = format!("callback/{}", connection.provider);
        let redirect_uri = &public_url.join(&callback).map_err(|_| ConsentError::NoPage)?;
        let state = make_bearer(&*options.entropy, "");
        let visit = match visit {
            Some(ticket) => Some(self.visit_take(ticket, &connection.provider).await?),
            None => None,
        };
        let expected_account = match (&connection.account, &visit) {
            (Some(account), Some(visit)) if *account != visit.account => {
                return Err(AuthorizeRefusal::WrongAccount { expected: account.clone() }.into());
            }
            (account, visit) => visit.as_ref().map(|visit| visit.account.clone()).or_else(|| account.clone()),
        };
        let url = match &visit {
            Some(visit) => visit_url(visit, &state, redirect_uri)?,
            None => self.consent_url(&connection, &application, &state, redirect_uri)?,
        };
        let browser = (begun_by == BegunBy::Browser).then(|| make_bearer(&*options.entropy, ""));
        let expires_at = options.clock.now().plus(CONSENT_LIFE);
        let actor = permit.actor();
        let row = ConsentRow {
            connection: id,
            tenant: connection.tenant,
            user_id: actor.user(),
            user_epoch: actor.epoch(),
            browser_hash: browser.as_ref().map(|cookie| SecretHash::of(cookie.expose()).as_bytes().to_vec()),
            expected_account,
            redirect_uri: redirect_uri.to_string(),
            expires_at,
        };
        let event = consent_event(
            self,
            actor.user(),
            &connection,
            Kind::ConsentBegun,
            Outcome::Allowed,
            serde_json::json!({ "expires_at": expires_at }),
        );
        let fence = Fence { subject: actor.user().as_uuid(), epoch: actor.epoch() };
        options.sequencer.commit(KeepConsent { state: SecretHash::of(state.expose()), row, event, fence }).await?;
        Ok(ConsentBegun { url, expires_at, browser })
    }

    fn consent_url(
        &self,
        connection: &ConnectionRow,
        application: &applications::ApplicationRow,
        state: &SecretText,
        redirect_uri: &Url,
    ) -> Result<Url, ConsentError> {
        let provider = self.catalogue().provider(&connection.provider).ok_or(ConsentError::NoPage)?;
        let kind: AccountKind = connection.kind.parse().map_err(|_| ConsentError::NoPage)?;
        let region: Region = connection.region.parse().map_err(|_| ConsentError::NoPage)?;
        let page = self.options.addresses.consent_page(provider, kind, region, &connection.country);
        let mut url = page.ok_or(ConsentError::NoPage)?;
        let mut query = url.query_pairs_mut();
        query.append_pair("application_id", &application.public_id);
        query.append_pair("state", state.expose());
        query.append_pair("redirect_uri", redirect_uri.as_str());
        if application.draft {
            query.append_pair("version", "beta");
        }
        drop(query);
        Ok(url)
    }

    /// Ends a consent: takes its state out of the store, checks who came back, exchanges the code and gives the credential
    /// to the connection. A refusal is recorded in the tenant's chain.
    ///
    /// # Errors
    /// See [`ConsentError`]. The state works once, whatever comes of it.
    pub async fn consent_end(&self, provider: &str, came: ConsentReturn) -> Result<ConsentEnded, ConsentError> {
        if came.state.expose().len() > PARAMETER_MAX || came.account.as_ref().is_some_and(|id| !is_account(id)) {
            return Err(ConsentError::Malformed("a parameter is too long or has strange characters"));
        }
        let take = TakeConsent(SecretHash::of(came.state.expose()));
        let row = self.options.sequencer.commit(take).await?.output.ok_or(ConsentError::Unknown)?;
        let connection =
            connections::connection_show(&mut self.options.db.reader().await?.link(), row.connection).await?;
        let connection = connection.filter(|it| it.provider == provider).ok_or(ConsentError::Unknown)?;
        let ended = self.consent_settle(&row, connection.clone(), came).await;
        if let Err(error) = &ended {
            let details = serde_json::json!({ "reason": error.word() });
            let event = consent_event(self, row.user_id, &connection, Kind::ConsentRefused, Outcome::Refused, details);
            self.options.sequencer.note(event);
        }
        ended
    }

    async fn consent_settle(
        &self,
        row: &ConsentRow,
        connection: ConnectionRow,
        came: ConsentReturn,
    ) -> Result<ConsentEnded, ConsentError> {
        if row.expires_at <= self.options.clock.now() {
            return Err(ConsentError::Unknown);
        }
        if let Some(hash) = &row.browser_hash
            && !came.browser.is_some_and(|cookie| SecretHash::of(cookie.expose()).matches(hash))
        {
            return Err(ConsentError::OtherBrowser);
        }
        let actor = self.still_active(row).await?;
        let code = came.code.ok_or(ConsentError::Declined)?;
        let account = came.account.ok_or(ConsentError::Malformed("the account is missing"))?;
        if let Some(expected) = &row.expected_account
            && *expected != account
        {
            return Err(AuthorizeRefusal::WrongAccount { expected: expected.clone() }.into());
        }
        let provider = self.catalogue().provider(&connection.provider).ok_or(ConsentError::NoPage)?;
        let (client_id, client_secret) = self.client(&connection.provider).await?;
        let client = Client { id: &client_id, secret: &client_secret };
        let grant = Grant::Code { code: &code, redirect_uri: &row.redirect_uri };
        let url = self.options.addresses.token_url(provider);
        let mut answer = lwa::call(&self.options.dialer, url, provider, client, grant).await?;
        let refresh_token = answer.refresh_token.take().ok_or(TokenCallError::Malformed)?;
        let (origin, account) = (Origin::Consent, Some(account));
        let authorization = Authorization { connection, actor: &actor, origin, account, refresh_token, answer };
        match self.authorize(authorization).await {
            Ok(connection) => Ok(ConsentEnded { connection }),
            Err(Ok(refusal)) => Err(refusal.into()),
            Err(Err(error)) => Err(error.into()),
        }
    }

    /// Whoever began a consent must still be who they were: a leaver's consent does not complete.
    async fn still_active(&self, row: &ConsentRow) -> Result<Actor, ConsentError> {
        let mut reader = self.options.db.reader().await?;
        let link = &mut reader.link();
        let epoch = fences::epoch_show(link, row.user_id.as_uuid()).await?;
        let user = users::user_show(link, row.user_id).await?;
        let user = user.filter(|user| user.state == Standing::Active && epoch == row.user_epoch);
        let user = user.ok_or(ConsentError::CallerEnded)?;
        Actor::new(user.id, user.role, user.tenant, epoch).map_err(|_| ConsentError::CallerEnded)
    }

    /// Keeps an authorization that the provider's store began, until an owner claims it with the ticket that is returned.
    ///
    /// # Errors
    /// `Malformed` where the callback leads anywhere but to the provider: it would carry our state there.
    pub async fn visit_begin(&self, provider: &str, visit: StoreVisit) -> Result<SecretText, ConsentError> {
        let known = self.catalogue().provider(provider).ok_or(ConsentError::NoPage)?;
        let callback =
            Url::parse(&visit.callback_uri).map_err(|_| ConsentError::Malformed("the callback is no URL"))?;
        if !self.is_central(known, &callback) {
            return Err(ConsentError::Malformed("the callback does not lead to the provider"));
        }
        if visit.state.len() > PARAMETER_MAX || !is_account(&visit.account) {
            return Err(ConsentError::Malformed("a parameter is too long or has strange characters"));
        }
        let ticket = make_bearer(&*self.options.entropy, "");
        let row = StoreVisitRow {
            provider: provider.to_owned(),
            callback_uri: visit.callback_uri,
            state: visit.state,
            account: visit.account,
            draft: visit.draft,
            expires_at: self.options.clock.now().plus(VISIT_LIFE),
        };
        self.options.sequencer.commit(KeepVisit { ticket: SecretHash::of(ticket.expose()), row }).await?;
        Ok(ticket)
    }

    async fn visit_take(&self, ticket: &SecretText, provider: &str) -> Result<StoreVisitRow, ConsentError> {
        let taken = self.options.sequencer.commit(TakeVisit(SecretHash::of(ticket.expose()))).await?.output;
        let live = |visit: &StoreVisitRow| visit.provider == provider && visit.expires_at > self.options.clock.now();
        taken.filter(live).ok_or(ConsentError::Unknown)
    }

    /// Says whether a URL is on one of the hosts where a provider asks for consent.
    fn is_central(&self, provider: &super::provider::Provider, url: &Url) -> bool {
        let addresses = &self.options.addresses;
        let known = provider.marketplaces().iter().flat_map(|marketplace| {
            [AccountKind::Seller, AccountKind::Vendor]
                .map(|kind| addresses.consent_page(provider, kind, marketplace.region, &marketplace.country))
        });
        known.flatten().any(|page| page.origin() == url.origin())
    }
}

fn visit_url(visit: &StoreVisitRow, state: &SecretText, redirect_uri: &Url) -> Result<Url, ConsentError> {
    let mut url = Url::parse(&visit.callback_uri).map_err(|_| ConsentError::Malformed("the callback is no URL"))?;
    let mut query = url.query_pairs_mut();
    query.append_pair("amazon_state", &visit.state);
    query.append_pair("state", state.expose());
    query.append_pair("redirect_uri", redirect_uri.as_str());
    if visit.draft {
        query.append_pair("version", "beta");
    }
    drop(query);
    Ok(url)
}

/// An account's id goes into entries and pages: letters, digits, dots, dashes and underscores.
fn is_account(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn consent_event(
    broker: &Broker,
    user: crate::id::UserId,
    connection: &ConnectionRow,
    kind: Kind,
    outcome: Outcome,
    details: serde_json::Value,
) -> Event {
    let (actor, object) = (Subject::new("user", user.as_uuid()), Subject::new("connection", connection.id.as_uuid()));
    Event::make(&*broker.options.entropy, connection.tenant, kind, &Payload { actor, object, outcome, details })
}

struct KeepConsent {
    state: SecretHash,
    row: ConsentRow,
    event: Event,
    fence: Fence,
}

impl Change for KeepConsent {
    type Output = ();
    type Refusal = Infallible;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        consents::consent_insert(&mut batch.link(), &self.state, &self.row).await?;
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}

struct TakeConsent(SecretHash);

impl Change for TakeConsent {
    type Output = Option<ConsentRow>;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Option<ConsentRow>, ChangeError<Infallible>> {
        Ok(consents::consent_take(&mut batch.link(), &self.0).await?)
    }
}

struct KeepVisit {
    ticket: SecretHash,
    row: StoreVisitRow,
}

impl Change for KeepVisit {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        Ok(consents::store_visit_insert(&mut batch.link(), &self.ticket, &self.row).await?)
    }
}

struct TakeVisit(SecretHash);

impl Change for TakeVisit {
    type Output = Option<StoreVisitRow>;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Option<StoreVisitRow>, ChangeError<Infallible>> {
        Ok(consents::store_visit_take(&mut batch.link(), &self.0).await?)
    }
}

/// Names a connection in a consent's outcome, for who looks at the page.
impl ConsentEnded {
    /// Returns the connection's id.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.connection.id
    }
}
