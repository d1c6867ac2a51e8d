//! An empty database that takes a whole vault in, row by row: what copies and restores write to.
//!
//! From the first statement to the last it bears a mark, with which no node starts on it: whatever interrupts the work,
//! nobody takes half of a vault for a whole one.

use super::{
    Db, StoreError,
    db::{self, optional},
    schema::Schema,
    sql,
    tables::{self, Table, TableDigest, TableRow, UnknownKind},
};
use futures_util::TryStreamExt as _;

/// A database that was marked and takes rows.
pub struct Intake {
    db: Db,
    tables: Vec<Table>,
}

/// Why a database takes no vault in. One that was begun bears its mark.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something is there already.
    #[error("the target holds a table already, {0}: name an empty database; nothing there was altered")]
    NotEmpty(String),
    /// What is to come has a schema that this binary does not know.
    #[error("its schema, version {theirs}, is not of this version of leasehold, which goes up to {own}: {remedy}")]
    OtherSchema {
        /// The version that it says.
        theirs: i64,
        /// The newest that this binary knows.
        own: i64,
        /// What to do.
        remedy: &'static str,
    },
    /// A column cannot be taken in.
    #[error(transparent)]
    Column(#[from] UnknownKind),
    /// What arrived is not what was sent.
    #[error("table {0} differs from what was written to it: drop the target, and do it again with an empty one")]
    Differs(String),
    /// A value's key is missing.
    #[error("table {table}, row {row}: its key is not there, so that it could never be opened; the source is damaged")]
    Keyless {
        /// Where.
        table: String,
        /// Which.
        row: uuid::Uuid,
    },
}

impl IntakeError {
    fn other_schema(theirs: i64) -> Self {
        let own = Schema::own().version;
        let remedy = if theirs > own {
            "use the version that wrote it, or a newer one"
        } else {
            "use the version that wrote it"
        };
        Self::OtherSchema { theirs, own, remedy }
    }
}

impl Intake {
    /// Checks that the database at `url` is empty, marks it, and makes the tables of `schema`.
    ///
    /// # Errors
    /// Where it is not empty, or this binary does not know the schema; it is marked only once it was found empty.
    pub async fn begin(url: &str, schema: &Schema) -> Result<Self, IntakeError> {
        if Schema::up_to(schema.version) != *schema {
            return Err(IntakeError::other_schema(schema.version));
        }
        Self::mark(db::open_empty(url).await?, schema).await
    }

    /// As [`Self::begin`], in memory: nothing of it touches a disk, and it goes with its handle.
    ///
    /// # Errors
    /// As there.
    pub async fn begin_in_memory(schema: &Schema) -> Result<Self, IntakeError> {
        Self::begin(db::IN_MEMORY, schema).await
    }

    async fn mark(db: Db, schema: &Schema) -> Result<Self, IntakeError> {
        let mut connection = db.own().await?;
        let link = &mut connection.link();
        let statement = if db.is_shared() { sql::ANY_TABLE } else { sql::ANY_TABLE_EMBEDDED };
        if let Some((table,)) = optional!(link, (String,), statement)? {
            return Err(IntakeError::NotEmpty(table));
        }
        link.run(sql::MARK_UNFINISHED).await?;
        drop(connection);
        db.migrate_to(schema.version).await?;
        let tables = tables::tables(&mut db.own().await?.link()).await??;
        Ok(Self { db, tables })
    }

    /// Lists its tables.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Lends the database, for what verifies it.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Writes rows, at most [`tables::CHUNK`] of them.
    ///
    /// # Errors
    /// Where the database does not take them.
    pub async fn insert(&self, table: &Table, rows: &[TableRow]) -> Result<(), IntakeError> {
        Ok(table.insert(&mut self.db.own().await?.link(), rows).await?)
    }

    /// Reads a table back and compares it with what was sent. `advance` is called for each row.
    ///
    /// # Errors
    /// `Differs` where it is not the same.
    pub async fn compare(
        &self,
        table: &Table,
        sent: &TableDigest,
        mut advance: impl FnMut(u64),
    ) -> Result<(), IntakeError> {
        let mut arrived = TableDigest::default();
        let mut connection = self.db.own().await?;
        let mut rows = table.rows(connection.link());
        while let Some(row) = rows.try_next().await? {
            arrived.add(&row);
            advance(1);
        }
        if arrived == *sent { Ok(()) } else { Err(IntakeError::Differs(table.name.clone())) }
    }

    /// Brings the schema up to this binary's version, and looks for sealed values whose own key did not come along.
    ///
    /// # Errors
    /// `Keyless` where there is one.
    pub async fn complete(&self) -> Result<(), IntakeError> {
        self.db.migrate().await?;
        let found = optional!(&mut self.db.own().await?.link(), (String, uuid::Uuid), sql::KEYLESS)?;
        match found {
            Some((table, row)) => Err(IntakeError::Keyless { table, row }),
            None => Ok(()),
        }
    }

    /// Makes sure that everything is on the disk, and takes the mark away: nodes start on it from here on.
    ///
    /// # Errors
    /// Where the database fails; it then bears its mark.
    pub async fn finish(self) -> Result<(), IntakeError> {
        let mut connection = self.db.own().await?;
        let link = &mut connection.link();
        if !self.db.is_shared() {
            // Commits were not waited for one by one.
            link.run("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            link.run("PRAGMA synchronous = FULL").await?;
        }
        link.run("DROP TABLE unfinished_copy").await?;
        drop(connection);
        self.db.close().await;
        Ok(())
    }
}
