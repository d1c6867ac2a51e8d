//! One refresh: take the fenced row, say that it is sent, call the provider, validate, commit, and only then use it.
//!
//! No transaction spans the call. A crash at `prepared` sent nothing; a holder that slept past its deadline does not send;
//! an answer whose connection was revoked meanwhile is dropped. LWA does not rotate refresh tokens, so an answer lost
//! between the call and the commit costs one more call.

use super::{
    Broker,
    cells::{credential_cell, token_cell},
    lwa::{self, Client, Grant, TokenAnswer, TokenCallError},
    outcome::{CommitToken, MarkDead},
    provider::{Failure, Provider},
    tokens::{Token, TokenFailure},
    turn::{Talk, Wait},
};
use crate::{
    audit::ChangeError,
    clock::Timestamp,
    domain::{
        connection::ConnectionState,
        event::{Event, Kind, Outcome, Payload, Subject},
        secrets::{ClientSecret, RefreshToken},
    },
    id::{ConnectionId, TenantId},
    keyring::{KeyringError, NewDataKey},
    store::{
        StoreError, applications,
        connections::{self, ConnectionRow},
        credentials::{self, AccessTokenRow},
        refreshes::RefreshFence,
    },
};
use std::{convert::Infallible, sync::Arc, time::Duration};

/// How long a connection is left alone after a failure that passes by itself; drawn between this and twice this.
const REST: Duration = Duration::from_secs(2);
/// How long a provider is left alone after it refused our application.
const BREAKER: Duration = Duration::from_secs(60);

impl From<StoreError> for TokenFailure {
    fn from(error: StoreError) -> Self {
        Self::Vault(error.to_string())
    }
}

impl From<KeyringError> for TokenFailure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Sealed => Self::Sealed,
            // The credential was destroyed between two reads: the connection was revoked.
            KeyringError::Destroyed => Self::NotServing(ConnectionState::Revoked),
            other => Self::Vault(other.to_string()),
        }
    }
}

impl From<ChangeError<Infallible>> for TokenFailure {
    fn from(error: ChangeError<Infallible>) -> Self {
        Self::Vault(KeyringError::from(error).to_string())
    }
}

/// What a refresh works with.
struct Errand {
    connection: ConnectionRow,
    provider: Arc<Provider>,
    client_id: String,
    client_secret: ClientSecret,
    refresh_token: RefreshToken,
    key: crate::id::KeyId,
    generation: i64,
}

impl Broker {
    /// Returns a token from the store if it is still good, else refreshes; and keeps it in memory, unless a cut came
    /// meanwhile.
    pub(super) async fn refresh(&self, id: ConnectionId) -> Result<Arc<Token>, TokenFailure> {
        let began = self.tokens.now();
        let token = self.obtain(id).await?;
        self.resting.remove(&id);
        self.tokens.keep(id, &token, began);
        Ok(token)
    }

    async fn obtain(&self, id: ConnectionId) -> Result<Arc<Token>, TokenFailure> {
        let mut wait = Wait::new();
        let fence = loop {
            if let Some(token) = self.stored_token(id).await? {
                return Ok(token);
            }
            if let Some(fence) = self.turn_take(id, &mut wait).await? {
                break fence;
            }
            // Whoever holds the row may have died with it: nobody waits for a token that would be refused.
            self.must_serve(id).await?;
        };
        let token = self.obtain_in_turn(id, fence).await;
        if let Err(failure) = &token {
            // Whatever went wrong: who comes next must not wait for this row's deadline.
            self.turn_end(id, fence).await;
            self.rest_after(id, failure);
        }
        token
    }

    /// Asks the provider. A token's commit gives the turn back; nothing else in here does.
    async fn obtain_in_turn(&self, id: ConnectionId, fence: RefreshFence) -> Result<Arc<Token>, TokenFailure> {
        let errand = self.errand(id).await?;
        if self.breaker_is_open(errand.provider.name()) {
            return Err(TokenFailure::Application);
        }
        // The last look before the bytes go: a holder that slept lost its fence or its deadline.
        let talk = self.turn_send(id, fence).await?.ok_or(TokenFailure::Transient)?;
        match self.ask(&errand, &talk).await {
            Some(Ok(answer)) => self.settle(errand, fence, answer).await,
            Some(Err(error)) => Err(self.judge(errand, fence, &error).await?),
            None => Err(TokenFailure::Transient),
        }
    }

    /// Refuses where the connection is not there, or does not serve.
    async fn must_serve(&self, id: ConnectionId) -> Result<(), TokenFailure> {
        let row = connections::connection_show(&mut self.options.db.reader().await?.link(), id).await?;
        match row.map_or(ConnectionState::Revoked, |row| row.state) {
            state if state.serves() => Ok(()),
            state => Err(TokenFailure::NotServing(state)),
        }
    }

    /// Opens the newest stored token, where it is not due.
    async fn stored_token(&self, id: ConnectionId) -> Result<Option<Arc<Token>>, TokenFailure> {
        let mut reader = self.options.db.reader().await?;
        let Some(row) = credentials::access_token_show(&mut reader.link(), id).await? else { return Ok(None) };
        let Some(connection) = connections::connection_show(&mut reader.link(), id).await? else { return Ok(None) };
        drop(reader);
        let refresh_at = self.refresh_at(&connection, row.issued_at, row.expires_at);
        if self.options.clock.now() >= refresh_at || row.credential_version != connection.credential_version {
            return Ok(None);
        }
        let key = self.options.keyring.data_key(row.sealed.key_id()).await?;
        let secret = key.open(&row.sealed, &token_cell(&connection, row.generation)?).map_err(KeyringError::from)?;
        let token = Token { generation: row.generation, secret, expires_at: row.expires_at, refresh_at };
        Ok(Some(Arc::new(token)))
    }

    /// Reads and opens what the call needs.
    async fn errand(&self, id: ConnectionId) -> Result<Errand, TokenFailure> {
        let mut reader = self.options.db.reader().await?;
        let link = &mut reader.link();
        let connection = connections::connection_show(link, id).await?;
        let connection = connection.ok_or(TokenFailure::NotServing(ConnectionState::Revoked))?;
        if !connection.state.serves() {
            return Err(TokenFailure::NotServing(connection.state));
        }
        let unknown = || TokenFailure::Vault(format!("provider `{}` is not described", connection.provider));
        let provider = Arc::clone(self.catalogue().provider(&connection.provider).ok_or_else(unknown)?);
        let sealed = credentials::credential_show(link, id, connection.credential_version).await?;
        let sealed = sealed.ok_or(TokenFailure::NotServing(ConnectionState::Revoked))?;
        let generation = credentials::access_token_show(link, id).await?.map_or(0, |row| row.generation);
        drop(reader);
        let (client_id, client_secret) = self.client(&connection.provider).await?;
        let key = self.options.keyring.data_key(sealed.key_id()).await?;
        let cell = credential_cell(id, connection.tenant, connection.credential_version)?;
        let refresh_token = key.open(&sealed, &cell).map_err(KeyringError::from)?;
        let key = sealed.key_id();
        Ok(Errand { connection, provider, client_id, client_secret, refresh_token, key, generation })
    }

    /// Opens our own application's secret.
    pub(super) async fn client(&self, provider: &str) -> Result<(String, ClientSecret), TokenFailure> {
        let mut reader = self.options.db.reader().await?;
        let row =
            applications::application_show(&mut reader.link(), provider).await?.ok_or(TokenFailure::Application)?;
        drop(reader);
        let key = self.options.keyring.data_key(row.secret.key_id()).await?;
        let cell = super::applications::secret_cell(&row)?;
        let secret = key.open(&row.secret, &cell).map_err(KeyringError::from)?;
        Ok((row.client_id, secret))
    }

    /// Calls the provider; a dead grant is confirmed by one more call. `None` where the time for that is over.
    async fn ask(&self, errand: &Errand, talk: &Talk) -> Option<Result<TokenAnswer, TokenCallError>> {
        let clock = &*self.options.clock;
        match talk.call(clock, self.ask_once(errand)).await? {
            Err(error) if error.failure() == Failure::Grant => talk.call(clock, self.ask_once(errand)).await,
            answered => Some(answered),
        }
    }

    async fn ask_once(&self, errand: &Errand) -> Result<TokenAnswer, TokenCallError> {
        let url = self.options.addresses.token_url(&errand.provider);
        let client = Client { id: &errand.client_id, secret: &errand.client_secret };
        metrics::counter!("leasehold_refresh_calls_total").increment(1);
        lwa::call(&self.options.dialer, url, &errand.provider, client, Grant::Refresh(&errand.refresh_token)).await
    }

    /// Commits the answer, and only then lets anybody use it.
    async fn settle(
        &self,
        errand: Errand,
        fence: RefreshFence,
        answer: TokenAnswer,
    ) -> Result<Arc<Token>, TokenFailure> {
        let Errand { connection, refresh_token, key, generation, .. } = errand;
        // LWA echoes the refresh token; a changed one replaces it all the same.
        let rotated = answer.refresh_token.filter(|fresh| *fresh != refresh_token);
        let now = self.options.clock.now();
        let expires_at = now.plus(answer.life);
        let version = connection.credential_version + i64::from(rotated.is_some());
        let (key, rotated) = match rotated {
            None => (SealingKey::Standing(self.options.keyring.data_key_to_seal(key).await?), None),
            Some(fresh) => {
                let made = self.options.keyring.make_data_key(connection.tenant).await?;
                let cell = credential_cell(connection.id, connection.tenant, version)?;
                let sealed = made.key.seal(&fresh, &cell, &*self.options.entropy).map_err(KeyringError::from)?;
                (SealingKey::Made(Box::new(made)), Some(sealed))
            }
        };
        let cell = token_cell(&connection, generation + 1)?;
        let sealed =
            key.data_key().seal(&answer.access_token, &cell, &*self.options.entropy).map_err(KeyringError::from)?;
        let row = AccessTokenRow {
            generation: generation + 1,
            credential_version: version,
            sealed,
            issued_at: now,
            expires_at,
        };
        let details = serde_json::json!({ "generation": row.generation, "expires_at": expires_at, "credential_version": version });
        let event = self.event(&connection, Kind::TokenRefreshed, Outcome::Allowed, details);
        let new_key = match key {
            SealingKey::Standing(_) => None,
            SealingKey::Made(made) => Some(*made),
        };
        let commit = CommitToken { connection: connection.clone(), fence, row, rotated, new_key, event };
        if !self.options.sequencer.commit(commit).await?.output {
            return self.overtaken(connection.id).await;
        }
        let refresh_at = self.refresh_at(&connection, now, expires_at);
        Ok(Arc::new(Token { generation: generation + 1, secret: answer.access_token, expires_at, refresh_at }))
    }

    /// Finds out what made an answer useless: the connection ended, or has a newer credential or token.
    async fn overtaken(&self, id: ConnectionId) -> Result<Arc<Token>, TokenFailure> {
        self.must_serve(id).await?;
        self.stored_token(id).await?.ok_or(TokenFailure::Transient)
    }

    /// Says what a failure means, and records it.
    async fn judge(
        &self,
        errand: Errand,
        fence: RefreshFence,
        error: &TokenCallError,
    ) -> Result<TokenFailure, TokenFailure> {
        let connection = errand.connection;
        tracing::warn!(connection = %connection.id, %error, "a refresh failed");
        metrics::counter!("leasehold_refresh_failures_total", "failure" => error.failure().as_str()).increment(1);
        let failure = match error.failure() {
            Failure::Transient => TokenFailure::Transient,
            Failure::Throttled => TokenFailure::Throttled(error.retry_after().unwrap_or(REST)),
            Failure::Application => {
                self.trip_breaker(&connection.provider, &error.word()).await;
                TokenFailure::Application
            }
            Failure::Grant => {
                let details =
                    serde_json::json!({ "reason": error.word(), "credential_version": connection.credential_version });
                let event = self.event(&connection, Kind::ConnectionNeedsReauthorization, Outcome::Failed, details);
                self.options.sequencer.commit(MarkDead { connection: connection.clone(), fence, event }).await?;
                return Ok(TokenFailure::NotServing(ConnectionState::NeedsReauthorization));
            }
        };
        let subject = Subject::new("connection", connection.id.as_uuid());
        let details = serde_json::json!({ "provider_error": error.word() });
        let (tenant, kind) = (connection.tenant, Kind::TokenRefused);
        self.options.sequencer.refuse(tenant, kind, Subject::VAULT, subject, error.failure().as_str(), details);
        Ok(failure)
    }

    /// Leaves the connection alone for a while where that helps.
    fn rest_after(&self, id: ConnectionId, failure: &TokenFailure) {
        let rest = match failure {
            TokenFailure::Throttled(wait) => *wait,
            TokenFailure::Transient | TokenFailure::Application => self.jittered(REST),
            _ => return,
        };
        self.rest(id, self.options.clock.now().plus(rest), failure.clone());
    }

    fn breaker_is_open(&self, provider: &str) -> bool {
        let now = self.options.clock.now();
        self.breakers.lock().get(provider).is_some_and(|until| now < *until)
    }

    /// Stops calling with an application that the provider refuses: no customer is at fault, and none is marked.
    pub(super) async fn trip_breaker(&self, provider: &str, word: &str) {
        let until = self.options.clock.now().plus(BREAKER);
        let standing = self.breakers.lock().insert(provider.to_owned(), until);
        metrics::counter!("leasehold_application_broken_total").increment(1);
        if standing.is_none() {
            let details = serde_json::json!({ "provider": provider, "reason": word });
            let payload = Payload { actor: Subject::VAULT, object: Subject::VAULT, outcome: Outcome::Failed, details };
            let kind = Kind::ApplicationBroken;
            self.options.sequencer.note(Event::make(&*self.options.entropy, TenantId::VAULT, kind, &payload));
        }
    }

    /// Closes the breaker: the application was set anew.
    pub(super) fn reset_breaker(&self, provider: &str) {
        self.breakers.lock().remove(provider);
    }

    fn event(&self, connection: &ConnectionRow, kind: Kind, outcome: Outcome, details: serde_json::Value) -> Event {
        let object = Subject::new("connection", connection.id.as_uuid());
        let payload = Payload { actor: Subject::VAULT, object, outcome, details };
        Event::make(&*self.options.entropy, connection.tenant, kind, &payload)
    }

    /// A fifth of the life at most, and never more than the provider's file says.
    pub(super) fn refresh_at(
        &self,
        connection: &ConnectionRow,
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Timestamp {
        let fifth = expires_at.since(issued_at) / 5;
        let margin =
            self.catalogue().provider(&connection.provider).map_or(fifth, |it| it.token().refresh_margin.min(fifth));
        expires_at.minus(margin)
    }

    fn jittered(&self, span: Duration) -> Duration {
        let [byte] = crate::entropy::make_array::<1>(&*self.options.entropy);
        span + span.mul_f64(f64::from(byte) / 255.0)
    }
}

enum SealingKey {
    Standing(Arc<crate::envelope::DataKey>),
    Made(Box<NewDataKey>),
}

impl SealingKey {
    fn data_key(&self) -> &crate::envelope::DataKey {
        match self {
            Self::Standing(key) => key,
            Self::Made(made) => &made.key,
        }
    }
}
