//! Receipts of revocations, and the work that follows wide ones.

use super::{
    Link, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::words,
    id::{ReceiptId, TenantId},
};
use uuid::Uuid;

/// A receipt as it is kept: its body is the JSON that was answered.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ReceiptRow {
    /// Its id.
    pub id: ReceiptId,
    /// Whose it is; nil where the cut was of no single tenant.
    pub tenant: TenantId,
    /// The sequence number of the revocation's entry.
    pub seq: i64,
    /// The receipt, as JSON.
    pub body: String,
    /// When the revocation was committed.
    pub created_at: Timestamp,
}

words! {
    /// Work that survives a crash.
    JobKind, "kind of job" {
        /// Destroys the credentials of a revoked tenant, in batches.
        DestroyTenantCredentials = "destroy_tenant_credentials",
    }
}

/// Keeps a receipt.
///
/// # Errors
/// Where the database fails.
pub async fn receipt_insert(link: &mut Link<'_>, row: &ReceiptRow) -> Result<(), StoreError> {
    execute!(link, sql::RECEIPT_INSERT, row.id, row.tenant, row.seq, row.body.as_str(), row.created_at).map(drop)
}

/// Replaces a receipt's body, once the cut is true on every node.
///
/// # Errors
/// Where the database fails.
pub async fn receipt_confirm(link: &mut Link<'_>, id: ReceiptId, body: &str) -> Result<(), StoreError> {
    execute!(link, sql::RECEIPT_CONFIRM, id, body).map(drop)
}

/// Reads a receipt.
///
/// # Errors
/// Where the database fails.
pub async fn receipt_show(link: &mut Link<'_>, id: ReceiptId) -> Result<Option<ReceiptRow>, StoreError> {
    optional!(link, ReceiptRow, sql::RECEIPT_SHOW, id)
}

/// Keeps a job until it is done.
///
/// # Errors
/// Where the database fails.
pub async fn job_insert(
    link: &mut Link<'_>,
    id: Uuid,
    kind: JobKind,
    subject: Uuid,
    at: Timestamp,
) -> Result<(), StoreError> {
    execute!(link, sql::JOB_INSERT, id, kind.as_str(), subject, at).map(drop)
}

/// Lists up to `limit` jobs that are not done: id, kind and subject.
///
/// # Errors
/// Where the kind is corrupt, or the database fails.
pub async fn jobs_open(link: &mut Link<'_>, limit: i64) -> Result<Vec<(Uuid, JobKind, Uuid)>, StoreError> {
    rows!(link, (Uuid, String, Uuid), sql::JOBS_OPEN, limit)?
        .into_iter()
        .map(|(id, kind, subject)| {
            let kind = kind.parse().map_err(|_| StoreError::corrupt("jobs", "kind", id))?;
            Ok((id, kind, subject))
        })
        .collect()
}

/// Marks a job done.
///
/// # Errors
/// Where the database fails.
pub async fn job_done(link: &mut Link<'_>, id: Uuid, at: Timestamp) -> Result<(), StoreError> {
    execute!(link, sql::JOB_DONE, id, at).map(drop)
}
