//! Tenants.

use super::{
    Link, Page, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{clock::Timestamp, domain::standing::Standing, id::TenantId};

/// A customer organization.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TenantRow {
    /// Its id.
    pub id: TenantId,
    /// Its name, as people write it.
    pub name: String,
    /// Whether its access is in force.
    #[sqlx(try_from = "String")]
    pub state: Standing,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Adds a tenant in force.
///
/// # Errors
/// Where the database fails.
pub async fn tenant_insert(link: &mut Link<'_>, id: TenantId, name: &str, at: Timestamp) -> Result<(), StoreError> {
    execute!(link, sql::TENANT_INSERT, id, name, at).map(drop)
}

/// Reads one tenant.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn tenant_show(link: &mut Link<'_>, id: TenantId) -> Result<Option<TenantRow>, StoreError> {
    optional!(link, TenantRow, sql::TENANT_SHOW, id)
}

/// Lists tenants by id.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn tenant_page(link: &mut Link<'_>, page: Page) -> Result<Vec<TenantRow>, StoreError> {
    rows!(link, TenantRow, sql::TENANT_PAGE, page.after, page.limit)
}

/// Sets a tenant's state.
///
/// # Errors
/// Where the database fails.
pub async fn tenant_state_set(link: &mut Link<'_>, id: TenantId, state: Standing) -> Result<(), StoreError> {
    execute!(link, sql::TENANT_STATE_SET, id, state.as_str()).map(drop)
}
