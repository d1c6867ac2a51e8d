//! The two databases behind one door: an embedded SQLite file, or PostgreSQL. One SQL text serves both.
//!
//! SQLite runs `journal_mode=WAL` and `synchronous=FULL` (NORMAL loses acknowledged commits on power loss), overwrites
//! what it deletes, and has one writer, which the audit sequencer owns.

use super::{StoreError, notices, postgres, sql};
use sqlx::{
    Connection as _, PgPool, Postgres, Sqlite, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, str::FromStr, time::Duration};

/// Runs one text of SQL and code on whichever database `$target` is: the body is expanded once for each, with
/// `$connection` bound to the driver's own connection and `Database` naming its type.
macro_rules! on {
    ($target:expr, $connection:ident => $body:expr) => {
        match $target {
            $crate::store::Link::Sqlite($connection) => {
                #[allow(dead_code, reason = "only bodies that build a query name it")]
                type Database = sqlx::Sqlite;
                $body
            }
            $crate::store::Link::Postgres($connection) => {
                #[allow(dead_code, reason = "only bodies that build a query name it")]
                type Database = sqlx::Postgres;
                $body
            }
        }
    };
}
pub(crate) use on;

/// A database in memory.
pub(super) const IN_MEMORY: &str = "sqlite::memory:";
/// The mark of a SQLite file whose vault lives on a server now.
pub(super) const COPIED_AWAY: &str = "copied_away";
/// The mark of a database into which a vault is being copied or restored.
pub(super) const UNFINISHED: &str = "unfinished_copy";

/// How many connections requests share.
pub(super) const READERS: u32 = 8;
/// How many connections a node has for itself: the sequencer's, the heartbeat's, the listening one, and one to spare.
pub(super) const OWN: u32 = 4;
/// How long to wait for a free connection or for another process's lock before refusing.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long one statement may take. A connection whose other end is silent would otherwise hold its caller for as long
/// as the kernel tries again: a quarter of an hour.
pub(crate) const STATEMENT_LIMIT: Duration = Duration::from_secs(10);
/// How long closing a connection may take: it sends what is still buffered, which a silent server never takes.
const PARTING_LIMIT: Duration = Duration::from_secs(1);

/// A database.
#[derive(Clone, Debug)]
pub enum Db {
    /// An embedded file.
    Sqlite(SqlitePool),
    /// A server of version 15 or later.
    Postgres {
        /// What requests share.
        readers: PgPool,
        /// What the node itself works over: no crowd of requests keeps its heartbeat from being sent.
        own: PgPool,
    },
}

/// A pooled connection, returned to its pool on drop.
pub enum Pooled {
    /// To SQLite.
    Sqlite(PoolConnection<Sqlite>),
    /// To PostgreSQL.
    Postgres(PoolConnection<Postgres>),
}

/// A borrowed connection, which every store function takes.
pub enum Link<'c> {
    /// To SQLite.
    Sqlite(&'c mut sqlx::SqliteConnection),
    /// To PostgreSQL.
    Postgres(&'c mut sqlx::PgConnection),
}

/// Whether a missing SQLite file may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `leasehold init` makes it.
    Create,
    /// Everything else refuses.
    Refuse,
}

impl Db {
    /// Opens the database at `url` (`sqlite:FILE` or `postgres://…`).
    ///
    /// # Errors
    /// Where the URL names neither, the file is missing, or the server does not answer within five seconds.
    pub async fn open(url: &str, missing: Missing) -> Result<Self, StoreError> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return postgres::open(url).await;
        }
        if !url.starts_with("sqlite:") {
            return Err(StoreError::UnknownUrl);
        }
        let db = open_embedded(url, missing).await?;
        refuse_marked(&db, &[COPIED_AWAY, UNFINISHED]).await?;
        Ok(db)
    }

    /// Opens the database at `url`, of which another may have become the vault: to copy it once more.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_source(url: &str) -> Result<Self, StoreError> {
        if !url.starts_with("sqlite:") {
            return Self::open(url, Missing::Refuse).await;
        }
        let db = open_embedded(url, Missing::Refuse).await?;
        refuse_marked(&db, &[UNFINISHED]).await?;
        Ok(db)
    }

    /// Borrows a connection for reading, outside any transaction.
    ///
    /// # Errors
    /// Where none is free within five seconds, or the database is gone.
    pub async fn reader(&self) -> Result<Pooled, StoreError> {
        Ok(match self {
            Self::Sqlite(pool) => Pooled::Sqlite(pool.acquire().await?),
            Self::Postgres { readers, .. } => Pooled::Postgres(readers.acquire().await?),
        })
    }

    /// Borrows one of the node's own connections, for the sequencer and the heartbeat. Over SQLite as [`Self::reader`]:
    /// there is no heartbeat, and the sequencer keeps its connection.
    ///
    /// # Errors
    /// Where none is free within five seconds, or the database is gone.
    pub async fn own(&self) -> Result<Pooled, StoreError> {
        Ok(match self {
            Self::Sqlite(_) => self.reader().await?,
            Self::Postgres { own, .. } => Pooled::Postgres(own.acquire().await?),
        })
    }

    /// Tells whether several nodes may work over it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// Closes all connections and, on SQLite, folds the write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres { readers, own } => {
                readers.close().await;
                own.close().await;
            }
        }
    }
}

/// Opens a database that is to take a vault in, whatever it holds; a SQLite file is made, for its owner alone. Over SQLite
/// nothing is certain to be on the disk before a checkpoint; `sqlite::memory:` never is.
pub(super) async fn open_empty(url: &str) -> Result<Db, StoreError> {
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        let pool = postgres::open_target(url, 2).await?;
        return Ok(Db::Postgres { readers: pool.clone(), own: pool });
    }
    if !url.starts_with("sqlite:") {
        return Err(StoreError::UnknownUrl);
    }
    let options = embedded(url)?.create_if_missing(true).synchronous(SqliteSynchronous::Normal);
    if url != IN_MEMORY {
        let made = OpenOptions::new().append(true).create(true).mode(0o600).open(options.get_filename());
        made.map_err(|error| StoreError::opening(error.into()))?;
    }
    // One connection: in memory, another one would see another database.
    let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let pool = pool.acquire_timeout(PATIENCE).connect_with(options).await.map_err(StoreError::opening)?;
    Ok(Db::Sqlite(pool))
}

/// Refuses an embedded database that bears one of these marks.
async fn refuse_marked(db: &Db, marks: &[&str]) -> Result<(), StoreError> {
    let found = rows!(&mut db.own().await?.link(), (String,), sql::MARKS_EMBEDDED)?;
    match found.iter().map(|(name,)| name.as_str()).find(|name| marks.contains(name)) {
        Some(COPIED_AWAY) => Err(StoreError::CopiedAway),
        Some(_) => Err(StoreError::UnfinishedCopy),
        None => Ok(()),
    }
}

async fn open_embedded(url: &str, missing: Missing) -> Result<Db, StoreError> {
    let options = embedded(url)?.create_if_missing(missing == Missing::Create);
    let pool = SqlitePoolOptions::new()
        .max_connections(READERS + OWN)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(StoreError::opening)?;
    Ok(Db::Sqlite(pool))
}

fn embedded(url: &str) -> Result<SqliteConnectOptions, StoreError> {
    Ok(SqliteConnectOptions::from_str(url)
        .map_err(StoreError::opening)?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .statement_cache_capacity(256)
        // A deleted key must not survive in a free page.
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY"))
}

impl Pooled {
    /// Lends the connection to store functions.
    pub fn link(&mut self) -> Link<'_> {
        match self {
            Self::Sqlite(connection) => Link::Sqlite(connection),
            Self::Postgres(connection) => Link::Postgres(connection),
        }
    }

    /// Throws the connection away instead of returning it: its transaction is in an unknown state. A server that has
    /// gone silent is not waited for longer than [`PARTING_LIMIT`]: what was still to be sent to it is dropped.
    pub async fn discard(self) {
        let parting = async {
            match self {
                Self::Sqlite(connection) => drop(connection.detach().close_hard().await),
                Self::Postgres(connection) => drop(connection.detach().close_hard().await),
            }
        };
        if tokio::time::timeout(PARTING_LIMIT, parting).await.is_err() {
            tracing::warn!("a connection to the database was dropped: its other end took nothing more");
        }
    }
}

impl Link<'_> {
    /// Lends the same connection on.
    pub fn again(&mut self) -> Link<'_> {
        match self {
            Link::Sqlite(connection) => Link::Sqlite(connection),
            Link::Postgres(connection) => Link::Postgres(connection),
        }
    }

    /// Begins the batch transaction: `IMMEDIATE` on SQLite (the write lock first), READ COMMITTED on PostgreSQL (a
    /// later snapshot would be older than the wait for the head).
    ///
    /// # Errors
    /// Where the database is gone, or another process holds SQLite's write lock.
    pub async fn begin(&mut self) -> Result<(), StoreError> {
        match self {
            Link::Sqlite(_) => self.run("BEGIN IMMEDIATE").await,
            Link::Postgres(_) => self.run("BEGIN ISOLATION LEVEL READ COMMITTED").await,
        }
    }

    /// Begins a transaction that only reads, and sees the database as it is at its first statement.
    ///
    /// # Errors
    /// Where the database is gone.
    pub async fn begin_reading(&mut self) -> Result<(), StoreError> {
        match self {
            Link::Sqlite(_) => self.run("BEGIN").await,
            Link::Postgres(_) => self.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await,
        }
    }

    /// Commits. Returns `Durable` only where the commit is as safe as the server is set up to make it.
    ///
    /// # Errors
    /// Where the answer did not come: the commit may have happened.
    pub async fn commit(&mut self) -> Result<Durability, StoreError> {
        match self {
            Link::Sqlite(_) => self.run("COMMIT").await.map(|()| Durability::Durable),
            Link::Postgres(_) => {
                let (done, heard) = notices::listen(self.run("COMMIT")).await;
                done?;
                Ok(if heard.is_empty() { Durability::Durable } else { Durability::Unknown })
            }
        }
    }

    /// Runs a statement that takes no arguments: `ROLLBACK`, a savepoint.
    ///
    /// # Errors
    /// Where the database refuses it.
    pub async fn run(&mut self, statement: &'static str) -> Result<(), StoreError> {
        on!(self, c => within(async { sqlx::query(statement).execute(&mut **c).await.map(drop) }).await)
    }
}

/// What a commit that was answered is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk, and on the standbys that the server waits for.
    Durable,
    /// It was answered with a warning: the wait for a standby was given up, and a promotion could lose it.
    Unknown,
}

/// Bounds one statement by [`STATEMENT_LIMIT`].
pub(crate) async fn within<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match tokio::time::timeout(STATEMENT_LIMIT, statement).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(StoreError::NoAnswer(STATEMENT_LIMIT)),
    }
}

/// Runs a statement with arguments; yields how many rows it touched.
macro_rules! execute {
    ($link:expr, $sql:expr $(, $argument:expr)* $(,)?) => {
        $crate::store::db::on!($link, c => $crate::store::db::within(async {
            sqlx::query($sql)$(.bind($argument))*.execute(&mut **c).await.map(|done| done.rows_affected())
        }).await)
    };
}
pub(crate) use execute;

/// Fetches at most one row as `$row`, a tuple or a `FromRow` type.
macro_rules! optional {
    ($link:expr, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {
        $crate::store::db::on!($link, c => $crate::store::db::within(async {
            sqlx::query_as::<Database, $row>($sql)$(.bind($argument))*.fetch_optional(&mut **c).await
        }).await)
    };
}
pub(crate) use optional;

/// Fetches all rows as `$row`.
macro_rules! rows {
    ($link:expr, $row:ty, $sql:expr $(, $argument:expr)* $(,)?) => {
        $crate::store::db::on!($link, c => $crate::store::db::within(async {
            sqlx::query_as::<Database, $row>($sql)$(.bind($argument))*.fetch_all(&mut **c).await
        }).await)
    };
}
pub(crate) use rows;
