//! People and their access keys. A key is recognised by its SHA-256 and never stored.

use super::{
    Link, Page, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::standing::Standing,
    id::{AccessKeyId, TenantId, UserId},
    policy::Role,
    secret::SecretHash,
};

/// A person.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UserRow {
    /// Their id.
    pub id: UserId,
    /// Their tenant; none for staff.
    pub tenant: Option<TenantId>,
    /// Their address, normalised.
    pub email: String,
    /// Their role.
    #[sqlx(try_from = "String")]
    pub role: Role,
    /// Whether they may act.
    #[sqlx(try_from = "String")]
    pub state: Standing,
    /// When they were added.
    pub created_at: Timestamp,
}

/// A person to add.
pub struct NewUser<'a> {
    /// Their id.
    pub id: UserId,
    /// Their tenant; none for staff.
    pub tenant: Option<TenantId>,
    /// Their address, normalised.
    pub email: &'a str,
    /// Their role.
    pub role: Role,
    /// The argon2id hash of their password, as a PHC string.
    pub password_hash: Option<&'a str>,
}

/// What a presented access key says of its bearer.
#[derive(Clone, Debug)]
pub struct CallerRow {
    /// The key.
    pub key: AccessKeyId,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// The person.
    pub user: UserId,
    /// Their tenant; none for staff.
    pub tenant: Option<TenantId>,
    /// Their role.
    pub role: Role,
    /// Their epoch.
    pub epoch: i64,
}

/// An access key, without the key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AccessKeyRow {
    /// Its id.
    pub id: AccessKeyId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
    /// When it was ended early.
    pub ended_at: Option<Timestamp>,
}

/// An access key to add.
pub struct NewAccessKey<'a> {
    /// Its id.
    pub id: AccessKeyId,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub label: &'a str,
    /// The SHA-256 of the key.
    pub secret_hash: SecretHash,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

/// Adds a person.
///
/// # Errors
/// `Taken` where the address belongs to somebody.
pub async fn user_insert(link: &mut Link<'_>, new: &NewUser<'_>, at: Timestamp) -> Result<(), StoreError> {
    execute!(link, sql::USER_INSERT, new.id, new.tenant, new.email, new.role.as_str(), new.password_hash, at).map(drop)
}

/// Reads one person.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn user_show(link: &mut Link<'_>, id: UserId) -> Result<Option<UserRow>, StoreError> {
    optional!(link, UserRow, sql::USER_SHOW, id)
}

/// Lists people by id: of one tenant, or all.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn user_page(link: &mut Link<'_>, tenant: Option<TenantId>, page: Page) -> Result<Vec<UserRow>, StoreError> {
    match tenant {
        Some(tenant) => rows!(link, UserRow, sql::USER_TENANT_PAGE, tenant, page.after, page.limit),
        None => rows!(link, UserRow, sql::USER_PAGE, page.after, page.limit),
    }
}

/// Disables a person; says whether they were active.
///
/// # Errors
/// Where the database fails.
pub async fn user_end(link: &mut Link<'_>, id: UserId) -> Result<bool, StoreError> {
    Ok(execute!(link, sql::USER_END, id)? == 1)
}

/// Finds who bears the key with this hash, if both are in force.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn access_key_caller(link: &mut Link<'_>, secret_hash: &SecretHash) -> Result<Option<CallerRow>, StoreError> {
    type Row = (AccessKeyId, Option<Timestamp>, UserId, Option<TenantId>, String, i64);
    let Some((key, expires_at, user, tenant, role, epoch)) =
        optional!(link, Row, sql::ACCESS_KEY_CALLER, &secret_hash.as_bytes()[..])?
    else {
        return Ok(None);
    };
    let role = role.parse().map_err(|_| StoreError::corrupt("users", "role", user))?;
    Ok(Some(CallerRow { key, expires_at, user, tenant, role, epoch }))
}

/// Adds an access key.
///
/// # Errors
/// Where the database fails.
pub async fn access_key_insert(link: &mut Link<'_>, new: &NewAccessKey<'_>, at: Timestamp) -> Result<(), StoreError> {
    let hash = &new.secret_hash.as_bytes()[..];
    execute!(link, sql::ACCESS_KEY_INSERT, new.id, new.user, new.label, hash, at, new.expires_at).map(drop)
}

/// Reads one access key.
///
/// # Errors
/// Where the database fails.
pub async fn access_key_show(link: &mut Link<'_>, id: AccessKeyId) -> Result<Option<AccessKeyRow>, StoreError> {
    optional!(link, AccessKeyRow, sql::ACCESS_KEY_SHOW, id)
}

/// Lists a person's access keys, ended ones included.
///
/// # Errors
/// Where the database fails.
pub async fn access_keys_of_user(link: &mut Link<'_>, user: UserId) -> Result<Vec<AccessKeyRow>, StoreError> {
    rows!(link, AccessKeyRow, sql::ACCESS_KEYS_OF_USER, user)
}

/// Ends an access key; says whether it was in force.
///
/// # Errors
/// Where the database fails.
pub async fn access_key_end(link: &mut Link<'_>, id: AccessKeyId, at: Timestamp) -> Result<bool, StoreError> {
    Ok(execute!(link, sql::ACCESS_KEY_END, id, at)? == 1)
}
