//! Sub-processors, and tenants' objections to them.

use super::{
    Link, Page, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::fence::derive_objection,
    id::{SubProcessorId, TenantId},
};

/// A company whose hosts workers run on.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SubProcessorRow {
    /// Its id.
    pub id: SubProcessorId,
    /// Its name.
    pub name: String,
    /// What it does for us.
    pub service: String,
    /// Where, as an ISO 3166-1 alpha-2 code.
    pub country: String,
    /// The legal basis of the transfer: `none_needed`, `adequacy`, `scc`, or another in words.
    pub basis: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// Registers a sub-processor.
///
/// # Errors
/// `Taken` where one of that name is registered.
pub async fn sub_processor_insert(link: &mut Link<'_>, row: &SubProcessorRow) -> Result<(), StoreError> {
    let SubProcessorRow { id, name, service, country, basis, created_at } = row;
    execute!(link, sql::SUB_PROCESSOR_INSERT, id, name, service, country, basis, created_at).map(drop)
}

/// Reads one sub-processor.
///
/// # Errors
/// Where the database fails.
pub async fn sub_processor_show(
    link: &mut Link<'_>,
    id: SubProcessorId,
) -> Result<Option<SubProcessorRow>, StoreError> {
    optional!(link, SubProcessorRow, sql::SUB_PROCESSOR_SHOW, id)
}

/// Lists sub-processors by id.
///
/// # Errors
/// Where the database fails.
pub async fn sub_processor_page(link: &mut Link<'_>, page: Page) -> Result<Vec<SubProcessorRow>, StoreError> {
    rows!(link, SubProcessorRow, sql::SUB_PROCESSOR_PAGE, page.after, page.limit)
}

/// Whether a tenant's objection to a sub-processor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// Its workers are excluded for this tenant.
    Standing,
    /// There is none, or it was withdrawn.
    None,
}

/// Raises or withdraws an objection.
///
/// # Errors
/// Where the database fails.
pub async fn objection_set(
    link: &mut Link<'_>,
    tenant: TenantId,
    sub_processor: SubProcessorId,
    objection: Objection,
    at: Timestamp,
) -> Result<(), StoreError> {
    let id = derive_objection(tenant.as_uuid(), sub_processor.as_uuid());
    execute!(link, sql::OBJECTION_SET, id, tenant, sub_processor, objection == Objection::Standing, at).map(drop)
}

/// Says whether a tenant objects to a sub-processor.
///
/// # Errors
/// Where the database fails.
pub async fn objection_show(
    link: &mut Link<'_>,
    tenant: TenantId,
    sub_processor: SubProcessorId,
) -> Result<Objection, StoreError> {
    let id = derive_objection(tenant.as_uuid(), sub_processor.as_uuid());
    match optional!(link, (bool,), sql::OBJECTION_SHOW, id)? {
        Some((true,)) => Ok(Objection::Standing),
        Some((false,)) | None => Ok(Objection::None),
    }
}
