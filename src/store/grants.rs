//! Grants: one a connection and module.

use super::{
    Link, Page, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::standing::Standing,
    id::{ConnectionId, GrantId, TenantId},
    policy::{Delivery, Module, ScopeSet},
};

/// A tenant's permission for one module on one connection.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct GrantRow {
    /// Its id.
    pub id: GrantId,
    /// Whose it is.
    pub tenant: TenantId,
    /// On which connection.
    pub connection: ConnectionId,
    /// For which module.
    #[sqlx(try_from = "String")]
    pub module: Module,
    /// For which scopes.
    #[sqlx(try_from = "String")]
    pub scopes: ScopeSet,
    /// By which delivery.
    #[sqlx(try_from = "String")]
    pub delivery: Delivery,
    /// Whether it is in force.
    #[sqlx(try_from = "String")]
    pub state: Standing,
    /// When it was first made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// Its epoch.
    pub epoch: i64,
}

/// A grant to make.
pub struct NewGrant<'a> {
    /// Its id.
    pub id: GrantId,
    /// Whose it is.
    pub tenant: TenantId,
    /// On which connection.
    pub connection: ConnectionId,
    /// For which module.
    pub module: Module,
    /// For which scopes.
    pub scopes: &'a ScopeSet,
    /// By which delivery.
    pub delivery: Delivery,
}

/// Makes a grant.
///
/// # Errors
/// `Taken` where the module has one on this connection.
pub async fn grant_insert(link: &mut Link<'_>, new: &NewGrant<'_>, at: Timestamp) -> Result<(), StoreError> {
    let scopes = new.scopes.to_string();
    let (module, delivery) = (new.module.as_str(), new.delivery.as_str());
    execute!(link, sql::GRANT_INSERT, new.id, new.tenant, new.connection, module, scopes.as_str(), delivery, at)
        .map(drop)
}

/// Changes a grant's scopes and delivery, and puts it in force.
///
/// # Errors
/// Where the database fails.
pub async fn grant_change(
    link: &mut Link<'_>,
    id: GrantId,
    scopes: &ScopeSet,
    delivery: Delivery,
    at: Timestamp,
) -> Result<(), StoreError> {
    let scopes = scopes.to_string();
    execute!(link, sql::GRANT_CHANGE, id, scopes.as_str(), delivery.as_str(), at).map(drop)
}

/// Ends a grant; says whether it was in force.
///
/// # Errors
/// Where the database fails.
pub async fn grant_end(link: &mut Link<'_>, id: GrantId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(execute!(link, sql::GRANT_END, id, at)? == 1)
}

/// Reads one grant.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn grant_show(link: &mut Link<'_>, id: GrantId) -> Result<Option<GrantRow>, StoreError> {
    optional!(link, GrantRow, sql::GRANT_SHOW, id)
}

/// Reads all grants of a connection, ended ones included: one a module, so at most four.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn grants_of_connection(link: &mut Link<'_>, id: ConnectionId) -> Result<Vec<GrantRow>, StoreError> {
    rows!(link, GrantRow, sql::GRANTS_OF_CONNECTION, id)
}

/// Lists grants by id: of one tenant, or all.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn grant_page(
    link: &mut Link<'_>,
    tenant: Option<TenantId>,
    page: Page,
) -> Result<Vec<GrantRow>, StoreError> {
    match tenant {
        Some(tenant) => rows!(link, GrantRow, sql::GRANT_TENANT_PAGE, tenant, page.after, page.limit),
        None => rows!(link, GrantRow, sql::GRANT_PAGE, page.after, page.limit),
    }
}
