//! Connections.

use super::{
    Link, Page, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::connection::ConnectionState,
    id::{ConnectionId, TenantId},
};

/// One tenant's account at one provider.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ConnectionRow {
    /// Its id.
    pub id: ConnectionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The provider's name.
    pub provider: String,
    /// Its name, as people write it.
    pub name: String,
    /// The kind of account: `seller` or `vendor` at Amazon.
    pub kind: String,
    /// The provider's region: `na`, `eu` or `fe` at Amazon.
    pub region: String,
    /// The country whose site the owner consents at, as an ISO 3166-1 alpha-2 code.
    pub country: String,
    /// The provider's id of the account, once it is known.
    pub account: Option<String>,
    /// Its state.
    #[sqlx(try_from = "String")]
    pub state: ConnectionState,
    /// The version of its newest credential; 0 before the first.
    pub credential_version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its owner last consented.
    pub authorized_at: Option<Timestamp>,
    /// When the provider ends the authorization unless it is renewed.
    pub renew_by: Option<Timestamp>,
}

/// A connection to add.
pub struct NewConnection<'a> {
    /// Its id.
    pub id: ConnectionId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The provider's name.
    pub provider: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The kind of account.
    pub kind: &'a str,
    /// The provider's region.
    pub region: &'a str,
    /// The country whose site the owner consents at.
    pub country: &'a str,
    /// The provider's id of the account, if it is known.
    pub account: Option<&'a str>,
}

/// What a consent or an import brought.
pub struct Authorized<'a> {
    /// The provider's id of the account.
    pub account: Option<&'a str>,
    /// The version of the new credential.
    pub credential_version: i64,
    /// When the provider ends it unless it is renewed.
    pub renew_by: Option<Timestamp>,
}

/// Adds a connection, pending.
///
/// # Errors
/// Where the database fails.
pub async fn connection_insert(link: &mut Link<'_>, new: &NewConnection<'_>, at: Timestamp) -> Result<(), StoreError> {
    let NewConnection { id, tenant, provider, name, kind, region, country, account } = *new;
    execute!(link, sql::CONNECTION_INSERT, id, tenant, provider, name, kind, region, country, account, at).map(drop)
}

/// Reads one connection.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn connection_show(link: &mut Link<'_>, id: ConnectionId) -> Result<Option<ConnectionRow>, StoreError> {
    optional!(link, ConnectionRow, sql::CONNECTION_SHOW, id)
}

/// Lists connections by id: of one tenant, or all.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn connection_page(
    link: &mut Link<'_>,
    tenant: Option<TenantId>,
    page: Page,
) -> Result<Vec<ConnectionRow>, StoreError> {
    match tenant {
        Some(tenant) => rows!(link, ConnectionRow, sql::CONNECTION_TENANT_PAGE, tenant, page.after, page.limit),
        None => rows!(link, ConnectionRow, sql::CONNECTION_PAGE, page.after, page.limit),
    }
}

/// Sets a connection's state.
///
/// # Errors
/// Where the database fails.
pub async fn connection_state_set(
    link: &mut Link<'_>,
    id: ConnectionId,
    state: ConnectionState,
) -> Result<(), StoreError> {
    execute!(link, sql::CONNECTION_STATE_SET, id, state.as_str()).map(drop)
}

/// Marks a connection active with a new credential.
///
/// # Errors
/// Where the database fails.
pub async fn connection_authorized(
    link: &mut Link<'_>,
    id: ConnectionId,
    what: &Authorized<'_>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Authorized { account, credential_version, renew_by } = *what;
    execute!(link, sql::CONNECTION_AUTHORIZED, id, account, credential_version, at, renew_by).map(drop)
}

/// Lists up to `limit` of a tenant's connections that still await their revocation.
///
/// # Errors
/// Where the database fails.
pub async fn connections_unrevoked(
    link: &mut Link<'_>,
    tenant: TenantId,
    limit: i64,
) -> Result<Vec<ConnectionId>, StoreError> {
    let rows = rows!(link, (ConnectionId,), sql::CONNECTION_TENANT_UNREVOKED, tenant, limit)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
