//! One view of a whole database, read table by table while nodes go on writing: what copies and backups are made of.

use super::{
    Db, Link, StoreError,
    schema::Schema,
    tables::{self, Table, TableRow, UnknownKind},
};
use futures_util::stream::BoxStream;
use sqlx::{Connection as _, PgConnection, SqliteConnection};

/// What a session sets on a server whose rows are taken slowly: by a network, a disk. A vault's own sessions are thrown out
/// after a second without a statement, and cut where a full buffer is not emptied for four.
const PATIENT_SESSION: [(&str, &str); 2] =
    [("idle_in_transaction_session_timeout", "300000"), ("tcp_user_timeout", "300000")];

/// A view. It has a connection of its own, which closes with it; nothing of the nodes waits for it. While it stands, SQLite's
/// write-ahead log grows, and PostgreSQL keeps the rows that it may still ask for.
pub struct Snapshot {
    reading: Reading,
    schema: Schema,
    tables: Vec<Table>,
    rows: u64,
}

enum Reading {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Why there is no view of a database.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no vault.
    #[error("the database holds no vault: check database.url")]
    NoVault,
    /// A column cannot be carried over.
    #[error(transparent)]
    Column(#[from] UnknownKind),
}

impl From<sqlx::Error> for SnapshotError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Snapshot {
    /// Takes the view, and counts every row in it.
    ///
    /// # Errors
    /// Where there is no vault in the database, or it fails.
    pub async fn take(db: &Db) -> Result<Self, SnapshotError> {
        let mut reading = Reading::connect(db).await?;
        let link = &mut reading.link();
        link.begin_reading().await?;
        let schema = Schema::of(link).await?.ok_or(SnapshotError::NoVault)?;
        let tables = tables::tables(link).await??;
        let mut rows = 0;
        for table in &tables {
            rows += table.count(link).await?;
        }
        Ok(Self { reading, schema, tables, rows })
    }

    /// Returns the schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Lists the tables, by name.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Returns how many rows there are in all tables.
    #[must_use]
    pub fn row_count(&self) -> u64 {
        self.rows
    }

    /// Reads a table, in no order.
    pub fn rows<'a>(&'a mut self, table: &'a Table) -> BoxStream<'a, Result<TableRow, StoreError>> {
        table.rows(self.reading.link())
    }

    /// Lends the view to store functions that read.
    pub fn link(&mut self) -> Link<'_> {
        self.reading.link()
    }
}

impl Reading {
    async fn connect(db: &Db) -> Result<Self, sqlx::Error> {
        Ok(match db {
            Db::Sqlite(pool) => Self::Sqlite(SqliteConnection::connect_with(&pool.connect_options()).await?),
            Db::Postgres { own, .. } => {
                let options = own.connect_options().as_ref().clone().options(PATIENT_SESSION);
                Self::Postgres(PgConnection::connect_with(&options).await?)
            }
        })
    }

    fn link(&mut self) -> Link<'_> {
        match self {
            Self::Sqlite(connection) => Link::Sqlite(connection),
            Self::Postgres(connection) => Link::Postgres(connection),
        }
    }
}
