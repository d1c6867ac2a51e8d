//! Consents under way, and authorizations that began in a provider's own store. Both are recognised by the hash of a
//! random parameter, used once, and short-lived.

use super::{
    Link, StoreError,
    db::{execute, optional},
    sql,
};
use crate::{
    clock::Timestamp,
    id::{ConnectionId, TenantId, UserId},
    secret::SecretHash,
};

/// A consent under way.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ConsentRow {
    /// The connection to authorize.
    pub connection: ConnectionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Who began it.
    pub user_id: UserId,
    /// That person's epoch when they did.
    pub user_epoch: i64,
    /// The hash of the cookie of the browser that began it, where a browser did.
    pub browser_hash: Option<Vec<u8>>,
    /// The account that has to come back, where it is known.
    pub expected_account: Option<String>,
    /// Where the provider sends the browser back to; the code exchange repeats it.
    pub redirect_uri: String,
    /// When it lapses.
    pub expires_at: Timestamp,
}

/// An authorization that began in the provider's own store.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct StoreVisitRow {
    /// The provider's name.
    pub provider: String,
    /// Where to send the browser once an owner claims it.
    pub callback_uri: String,
    /// The provider's own state, to be sent back unread.
    pub state: String,
    /// The account it is for.
    pub account: String,
    /// Whether the application is a draft.
    pub draft: bool,
    /// When it lapses.
    pub expires_at: Timestamp,
}

/// Keeps a consent under way.
///
/// # Errors
/// Where the database fails.
pub async fn consent_insert(link: &mut Link<'_>, state: &SecretHash, row: &ConsentRow) -> Result<(), StoreError> {
    let ConsentRow {
        connection,
        tenant,
        user_id,
        user_epoch,
        browser_hash,
        expected_account,
        redirect_uri,
        expires_at,
    } = row;
    let (browser, account) = (browser_hash.as_deref(), expected_account.as_deref());
    let state = &state.as_bytes()[..];
    execute!(
        link,
        sql::CONSENT_INSERT,
        state,
        connection,
        tenant,
        user_id,
        user_epoch,
        browser,
        account,
        redirect_uri,
        expires_at
    )
    .map(drop)
}

/// Takes a consent out of the store: whatever comes of it, its state parameter works once.
///
/// # Errors
/// Where the database fails.
pub async fn consent_take(link: &mut Link<'_>, state: &SecretHash) -> Result<Option<ConsentRow>, StoreError> {
    optional!(link, ConsentRow, sql::CONSENT_TAKE, &state.as_bytes()[..])
}

/// Keeps an authorization that began in the provider's store.
///
/// # Errors
/// Where the database fails.
pub async fn store_visit_insert(
    link: &mut Link<'_>,
    ticket: &SecretHash,
    row: &StoreVisitRow,
) -> Result<(), StoreError> {
    let StoreVisitRow { provider, callback_uri, state, account, draft, expires_at } = row;
    execute!(
        link,
        sql::STORE_VISIT_INSERT,
        &ticket.as_bytes()[..],
        provider,
        callback_uri,
        state,
        account,
        draft,
        expires_at
    )
    .map(drop)
}

/// Takes such an authorization out of the store.
///
/// # Errors
/// Where the database fails.
pub async fn store_visit_take(link: &mut Link<'_>, ticket: &SecretHash) -> Result<Option<StoreVisitRow>, StoreError> {
    optional!(link, StoreVisitRow, sql::STORE_VISIT_TAKE, &ticket.as_bytes()[..])
}

/// Sweeps out what lapsed before `now`.
///
/// # Errors
/// Where the database fails.
pub async fn consents_sweep(link: &mut Link<'_>, now: Timestamp) -> Result<(), StoreError> {
    execute!(link, sql::CONSENTS_SWEEP, now)?;
    execute!(link, sql::STORE_VISITS_SWEEP, now).map(drop)
}
