//! Credentials and access tokens, sealed.

use super::{
    Link, StoreError,
    db::{execute, optional, rows},
    keys, sql,
};
use crate::{
    clock::Timestamp,
    domain::secrets::{AccessToken, RefreshToken},
    envelope::Sealed,
    id::{ConnectionId, KeyId},
};

/// An access token as it is kept.
#[derive(Clone, Debug)]
pub struct AccessTokenRow {
    /// Which of the connection's tokens it is, from 1.
    pub generation: i64,
    /// The credential version that it was got with.
    pub credential_version: i64,
    /// The token.
    pub sealed: Sealed<AccessToken>,
    /// When it was got.
    pub issued_at: Timestamp,
    /// When it dies.
    pub expires_at: Timestamp,
}

/// Writes a new credential version.
///
/// # Errors
/// `Taken` where the version is there.
pub async fn credential_insert(
    link: &mut Link<'_>,
    connection: ConnectionId,
    version: i64,
    sealed: &Sealed<RefreshToken>,
    at: Timestamp,
) -> Result<(), StoreError> {
    execute!(link, sql::CREDENTIAL_INSERT, connection, version, sealed.key_id(), sealed.as_bytes(), at).map(drop)
}

/// Reads a credential version; `None` where it was destroyed.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn credential_show(
    link: &mut Link<'_>,
    connection: ConnectionId,
    version: i64,
) -> Result<Option<Sealed<RefreshToken>>, StoreError> {
    let Some((_, key, sealed)) = optional!(link, (i64, KeyId, Vec<u8>), sql::CREDENTIAL_SHOW, connection, version)?
    else {
        return Ok(None);
    };
    let corrupt = |_| StoreError::corrupt("credentials", "sealed", connection);
    Sealed::from_stored(key, sealed).map(Some).map_err(corrupt)
}

/// Destroys the credential versions before `version`, with their data keys.
///
/// # Errors
/// Where the database fails.
pub async fn credentials_older_destroy(
    link: &mut Link<'_>,
    connection: ConnectionId,
    version: i64,
) -> Result<(), StoreError> {
    for (key,) in rows!(link, (KeyId,), sql::CREDENTIAL_KEYS_OLDER, connection, version)? {
        keys::data_key_destroy(link, key).await?;
    }
    execute!(link, sql::CREDENTIALS_OLDER_DESTROY, connection, version).map(drop)
}

/// What a destruction removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// Data keys.
    pub data_keys: u64,
    /// Credential versions.
    pub credentials: u64,
    /// Cached access tokens.
    pub access_tokens: u64,
}

/// Destroys a connection's credential: its data keys, every credential version and the cached access token.
///
/// # Errors
/// Where the database fails.
pub async fn credential_destroy(link: &mut Link<'_>, connection: ConnectionId) -> Result<Destroyed, StoreError> {
    Ok(Destroyed {
        data_keys: keys::data_keys_destroy(link, connection.as_uuid()).await?,
        credentials: execute!(link, sql::CREDENTIALS_DESTROY, connection)?,
        access_tokens: execute!(link, sql::ACCESS_TOKEN_DESTROY, connection)?,
    })
}

/// Reads a connection's newest access token.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn access_token_show(
    link: &mut Link<'_>,
    connection: ConnectionId,
) -> Result<Option<AccessTokenRow>, StoreError> {
    type Row = (i64, i64, KeyId, Vec<u8>, Timestamp, Timestamp);
    let Some((generation, credential_version, key, sealed, issued_at, expires_at)) =
        optional!(link, Row, sql::ACCESS_TOKEN_SHOW, connection)?
    else {
        return Ok(None);
    };
    let sealed =
        Sealed::from_stored(key, sealed).map_err(|_| StoreError::corrupt("access_tokens", "sealed", connection))?;
    Ok(Some(AccessTokenRow { generation, credential_version, sealed, issued_at, expires_at }))
}

/// Keeps a connection's newest access token in place of the one before.
///
/// # Errors
/// Where the database fails.
pub async fn access_token_set(
    link: &mut Link<'_>,
    connection: ConnectionId,
    row: &AccessTokenRow,
) -> Result<(), StoreError> {
    let AccessTokenRow { generation, credential_version, sealed, issued_at, expires_at } = row;
    let (key, bytes) = (sealed.key_id(), sealed.as_bytes());
    execute!(link, sql::ACCESS_TOKEN_SET, connection, generation, credential_version, key, bytes, issued_at, expires_at)
        .map(drop)
}
