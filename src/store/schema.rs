//! Which schema a database has: what a copy, a backup and its restore have to agree on.

use super::{Db, Link, StoreError, db::rows, sql};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// A schema: its newest migration, and a digest over all up to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// The number of its newest migration.
    pub version: i64,
    /// SHA-256 over the numbers and checksums of its migrations, in base64.
    pub digest: String,
}

impl Schema {
    /// Returns this binary's own.
    #[must_use]
    pub fn own() -> Self {
        Self::up_to(i64::MAX)
    }

    /// Returns what this binary's migrations make up to `version`.
    #[must_use]
    pub fn up_to(version: i64) -> Self {
        let migrations = MIGRATIONS.iter().filter(|migration| migration.version <= version);
        Self::over(migrations.map(|migration| (migration.version, &*migration.checksum)))
    }

    /// Reads a database's; `None` where it holds no vault of any version.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of(link: &mut Link<'_>) -> Result<Option<Self>, StoreError> {
        match rows!(link, (i64, Vec<u8>), sql::MIGRATIONS_APPLIED) {
            Ok(applied) if applied.is_empty() => Ok(None),
            Ok(applied) => Ok(Some(Self::over(applied.iter().map(|(version, sum)| (*version, &sum[..]))))),
            // Without that table the statement itself is refused.
            Err(StoreError::Failed(sqlx::Error::Database(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn over<'a>(migrations: impl Iterator<Item = (i64, &'a [u8])>) -> Self {
        let (mut newest, mut hash) = (0, Sha256::new());
        for (version, checksum) in migrations {
            hash.update(version.to_be_bytes());
            hash.update((checksum.len() as u64).to_be_bytes());
            hash.update(checksum);
            newest = version;
        }
        Self { version: newest, digest: data_encoding::BASE64.encode(&hash.finalize()) }
    }
}

impl Db {
    /// Brings the schema up to this binary's version.
    ///
    /// # Errors
    /// Where the database was written by a newer binary, or a migration was altered after it ran.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.migrate_to(i64::MAX).await
    }

    /// Brings the schema up to `version`.
    pub(super) async fn migrate_to(&self, version: i64) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(pool) => MIGRATIONS.run_to(version, pool).await,
            Self::Postgres { own, .. } => MIGRATIONS.run_to(version, own).await,
        }
        .map_err(StoreError::Migration)
    }
}
