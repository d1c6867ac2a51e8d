//! Copies an embedded database into an empty one on PostgreSQL, and compares the two cell by cell.
//!
//! From its first statement to its last the target bears a mark, with which no node starts on it: whatever interrupts the
//! copy, nobody takes half of a vault for a whole one. The source is only read, until the target is whole: then it bears
//! a mark in its turn, so that there are never two vaults of one kind, of which one revokes what the other lets through.

mod rows;

use super::{
    Db, StoreError,
    db::{MIGRATIONS, within},
    postgres, sql,
};
use futures_util::TryStreamExt as _;
use rows::{Digest, Table, Value};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Sqlite, SqliteConnection, pool::PoolConnection};

/// How many rows go in one statement. With the widest table's columns, well below the 65,535 arguments of one.
const CHUNK: usize = 500;
/// How often progress is told, in rows.
const TOLD_EVERY: u64 = 500;
/// What belongs to the nodes that ran over the source, of which none runs.
const LEFT_BEHIND: [&str; 4] = ["_sqlx_migrations", "nodes", "batches", "cut_reports"];

/// Why a database was not copied. The source is as it was; a target that was begun bears its mark.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The source is not embedded.
    #[error("database.url names no SQLite file: only such a vault is copied; for a server, use its own replication")]
    NotEmbedded,
    /// The target is no server.
    #[error("--to names no PostgreSQL database: say postgres://USER@HOST/NAME")]
    NoServer,
    /// Something is there already.
    #[error("the target holds a table already, {0}: make an empty database for the copy")]
    NotEmpty(String),
    /// The source has another schema.
    #[error("the source's schema is not this version's: start this version on it once, stop it, and copy again")]
    OtherVersion,
    /// A column cannot be carried over.
    #[error("column {column} of table {table} has a type that is not copied, {kind}; report this as a fault")]
    Column {
        /// Where.
        table: String,
        /// Which.
        column: String,
        /// Its type.
        kind: String,
    },
    /// What arrived is not what was sent.
    #[error("table {0} differs from the source's after the copy: drop the target and copy again")]
    Differs(String),
    /// A value's key is missing.
    #[error(
        "table {table}, row {row}: its key is not there; start the vault on the source once, so that what was revoked is destroyed, and copy again"
    )]
    Keyless {
        /// Where.
        table: String,
        /// Which.
        row: uuid::Uuid,
    },
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A copy that was begun.
pub struct Copying {
    source: PoolConnection<Sqlite>,
    target: PgPool,
    tables: Vec<Table>,
    rows: u64,
}

impl Copying {
    /// Checks both databases, marks the target and makes its schema. The caller holds the source's
    /// [`Claim`](super::Claim).
    ///
    /// # Errors
    /// Where either is not what it has to be; the target is marked only once it was found empty.
    pub async fn begin(source: &Db, to: &str) -> Result<Self, CopyError> {
        let Db::Sqlite(pool) = source else { return Err(CopyError::NotEmbedded) };
        if !(to.starts_with("postgres:") || to.starts_with("postgresql:")) {
            return Err(CopyError::NoServer);
        }
        let mut source = pool.acquire().await?;
        check_version(&mut source).await?;
        let target = postgres::open_target(to, 2).await?;
        let mut connection = target.acquire().await?;
        refuse_filled(&mut connection).await?;
        run(&mut connection, "CREATE TABLE unfinished_copy (begun_at TIMESTAMPTZ NOT NULL DEFAULT now())").await?;
        MIGRATIONS.run(&target).await.map_err(StoreError::Migration)?;
        let tables = rows::tables(&mut connection, &LEFT_BEHIND).await?;
        // One view of the source for all tables.
        run_source(&mut source, "BEGIN").await?;
        let mut rows = 0;
        for table in &tables {
            rows += count(&mut source, table).await?;
        }
        drop(connection);
        Ok(Self { source, target, tables, rows })
    }

    /// Returns how many rows there are to copy.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Copies every row, then reads all of them back and compares. Memory does not grow with the tables. `progress` is
    /// called with the rows done, each of which is done twice.
    ///
    /// # Errors
    /// Where a database fails, or a table differs afterwards.
    pub async fn run(&mut self, mut progress: impl FnMut(u64)) -> Result<(), CopyError> {
        let mut target = self.target.acquire().await?;
        let mut done = 0;
        let mut advance = |rows: u64| {
            let before = done / TOLD_EVERY;
            done += rows;
            if done / TOLD_EVERY > before {
                progress(done);
            }
        };
        for table in &self.tables {
            let sent = copy_table(&mut self.source, &mut target, table, &mut advance).await?;
            let mut arrived = Digest::default();
            let mut read = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut *target);
            while let Some(row) = read.try_next().await? {
                arrived.add(&table.read_target(&row)?);
                advance(1);
            }
            if sent != arrived {
                return Err(CopyError::Differs(table.name.clone()));
            }
        }
        progress(done);
        refuse_keyless(&mut target).await
    }

    /// Lends the target, for the verification of its log.
    #[must_use]
    pub fn target(&self) -> Db {
        Db::Postgres { readers: self.target.clone(), own: self.target.clone() }
    }

    /// Marks the source as copied and takes the target's mark away: from here on, nodes start on the target and no more
    /// on the source. In between they start on neither.
    ///
    /// # Errors
    /// Where a database fails; a target that still bears its mark is copied again.
    pub async fn finish(mut self) -> Result<(), CopyError> {
        run_source(&mut self.source, "ROLLBACK").await?;
        run_source(
            &mut self.source,
            "CREATE TABLE IF NOT EXISTS copied_away (at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)",
        )
        .await?;
        run(&mut *self.target.acquire().await?, "DROP TABLE unfinished_copy").await
    }
}

/// Refuses an embedded database that bears the mark of a finished copy.
pub(super) async fn refuse_copied(db: &Db) -> Result<(), StoreError> {
    let Db::Sqlite(pool) = db else { return Ok(()) };
    let marked = "SELECT EXISTS (SELECT * FROM sqlite_schema WHERE name = 'copied_away')";
    let marked = sqlx::query_scalar::<_, bool>(marked).fetch_one(pool).await?;
    if marked { Err(StoreError::CopiedAway) } else { Ok(()) }
}

/// Copies one table's rows, and returns what it read.
async fn copy_table(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    table: &Table,
    advance: &mut impl FnMut(u64),
) -> Result<Digest, CopyError> {
    let mut sent = Digest::default();
    let mut chunk: Vec<Vec<Value>> = Vec::with_capacity(CHUNK);
    let mut read = sqlx::query(AssertSqlSafe(table.select())).fetch(source);
    while let Some(row) = read.try_next().await? {
        let row = table.read_source(&row)?;
        sent.add(&row);
        chunk.push(row);
        if chunk.len() == CHUNK {
            table.insert(target, &chunk).await?;
            chunk.clear();
        }
        advance(1);
    }
    if !chunk.is_empty() {
        table.insert(target, &chunk).await?;
    }
    Ok(sent)
}

async fn check_version(source: &mut SqliteConnection) -> Result<(), CopyError> {
    let applied =
        sqlx::query_as::<_, (i64, Vec<u8>)>("SELECT version, checksum FROM _sqlx_migrations ORDER BY version");
    // A file without that table holds no vault of any version.
    let applied = applied.fetch_all(source).await.map_err(|_| CopyError::OtherVersion)?;
    let own = MIGRATIONS.iter().map(|migration| (migration.version, migration.checksum.to_vec()));
    if own.eq(applied) { Ok(()) } else { Err(CopyError::OtherVersion) }
}

async fn refuse_filled(target: &mut PgConnection) -> Result<(), CopyError> {
    let found = sqlx::query_scalar::<_, String>(sql::ANY_TABLE).fetch_optional(target);
    match within(found).await? {
        Some(table) => Err(CopyError::NotEmpty(table)),
        None => Ok(()),
    }
}

/// Looks for a key or a sealed value whose own key did not come along.
async fn refuse_keyless(target: &mut PgConnection) -> Result<(), CopyError> {
    let found = sqlx::query_as::<_, (String, uuid::Uuid)>(sql::KEYLESS).fetch_optional(target).await?;
    match found {
        Some((table, row)) => Err(CopyError::Keyless { table, row }),
        None => Ok(()),
    }
}

async fn count(source: &mut SqliteConnection, table: &Table) -> Result<u64, CopyError> {
    let rows: i64 =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {}", table.name))).fetch_one(source).await?;
    Ok(rows.unsigned_abs())
}

async fn run(target: &mut PgConnection, statement: &'static str) -> Result<(), CopyError> {
    within(async { sqlx::query(statement).execute(target).await.map(drop) }).await.map_err(Into::into)
}

async fn run_source(source: &mut SqliteConnection, statement: &'static str) -> Result<(), CopyError> {
    Ok(sqlx::query(statement).execute(source).await.map(drop)?)
}
