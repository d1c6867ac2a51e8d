//! Workers. A worker's secret is 256 random bits, recognised by its SHA-256.

use super::{
    Link, Page, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::standing::Standing,
    id::{SubProcessorId, WorkerId},
    policy::Module,
    secret::SecretHash,
};

/// A workload identity.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WorkerRow {
    /// Its id, which is its OAuth client id too.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// The module that it works for.
    #[sqlx(try_from = "String")]
    pub module: Module,
    /// Whose host it runs on.
    pub sub_processor: SubProcessorId,
    /// Whether it may act.
    #[sqlx(try_from = "String")]
    pub state: Standing,
    /// The SHA-256 of its secret.
    pub secret_hash: Vec<u8>,
    /// The SHA-256 of the secret before.
    pub previous_secret_hash: Option<Vec<u8>>,
    /// Until when the secret before works.
    pub previous_secret_ends: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Its epoch.
    pub epoch: i64,
}

/// A worker to add.
pub struct NewWorker<'a> {
    /// Its id.
    pub id: WorkerId,
    /// Its name.
    pub name: &'a str,
    /// The module that it works for.
    pub module: Module,
    /// Whose host it runs on.
    pub sub_processor: SubProcessorId,
    /// The SHA-256 of its secret.
    pub secret_hash: SecretHash,
}

/// Adds a worker.
///
/// # Errors
/// `Taken` where one of that name is there.
pub async fn worker_insert(link: &mut Link<'_>, new: &NewWorker<'_>, at: Timestamp) -> Result<(), StoreError> {
    let hash = &new.secret_hash.as_bytes()[..];
    execute!(link, sql::WORKER_INSERT, new.id, new.name, new.module.as_str(), new.sub_processor, hash, at).map(drop)
}

/// Reads one worker, with its epoch.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn worker_show(link: &mut Link<'_>, id: WorkerId) -> Result<Option<WorkerRow>, StoreError> {
    optional!(link, WorkerRow, sql::WORKER_SHOW, id)
}

/// Lists workers by id.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn worker_page(link: &mut Link<'_>, page: Page) -> Result<Vec<WorkerRow>, StoreError> {
    rows!(link, WorkerRow, sql::WORKER_PAGE, page.after, page.limit)
}

/// Disables a worker; says whether it was active.
///
/// # Errors
/// Where the database fails.
pub async fn worker_end(link: &mut Link<'_>, id: WorkerId) -> Result<bool, StoreError> {
    Ok(execute!(link, sql::WORKER_END, id)? == 1)
}

/// Gives a worker a new secret; the one before works until `previous_ends`. Says whether the worker is active.
///
/// # Errors
/// Where the database fails.
pub async fn worker_secret_set(
    link: &mut Link<'_>,
    id: WorkerId,
    secret_hash: &SecretHash,
    previous_ends: Timestamp,
) -> Result<bool, StoreError> {
    Ok(execute!(link, sql::WORKER_SECRET_SET, id, &secret_hash.as_bytes()[..], previous_ends)? == 1)
}
