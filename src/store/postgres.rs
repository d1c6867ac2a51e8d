//! What a vault asks of a PostgreSQL server, and of each of its sessions.
//!
//! The address in `database.url` is one that follows the primary: HAProxy's, or a managed service's. So one place
//! decides who is primary, and each new connection is checked: a standby, or a server that acknowledges what is not on
//! its disk, is refused.

use super::{
    Db, StoreError,
    db::{OWN, PATIENCE, READERS, within},
    notices, sql,
};
use crate::clock::Timestamp;
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr, time::Duration};

/// The oldest server that is used.
const OLDEST: i64 = 150_000;

/// What every session sets. A node that freezes with the head locked is thrown out by the server after a second, and the
/// others go on; a node whose host is gone is noticed by its silence.
const SESSION: [(&str, &str); 8] = [
    ("idle_in_transaction_session_timeout", "1000"),
    ("lock_timeout", "4000"),
    ("client_connection_check_interval", "1000"),
    ("tcp_user_timeout", "4000"),
    ("tcp_keepalives_idle", "3"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "3"),
    ("client_min_messages", "warning"),
];

/// How long a connection may lie idle and be lent without a look.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);
/// How long a connection that comes back to the pool may take to show that it still answers.
const PING_LIMIT: Duration = Duration::from_secs(1);

/// Why a server is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitServer {
    /// It is too old.
    #[error("the PostgreSQL server is older than version 15: upgrade it")]
    Old,
    /// It is a standby.
    #[error("the PostgreSQL server is a standby: let database.url name an address that follows the primary")]
    Standby,
    /// The session's settings did not reach it.
    #[error(
        "the PostgreSQL session runs without the limits that were asked for, as behind a pooler that drops them: let database.url name the server itself"
    )]
    Pooler,
    /// It would acknowledge what is not on its disk.
    #[error("the PostgreSQL server runs with {0} off: a power loss would take what it acknowledged; turn {0} back on")]
    Unsafe(&'static str),
    /// It would acknowledge what a promotion loses.
    #[error("synchronous_commit is below `on` although the server has synchronous standbys: set it to `on`")]
    BelowStandbys,
    /// Its warnings would go unheard.
    #[error(
        "the server has synchronous standbys, and its warnings are not heard in this process; report this as a fault"
    )]
    Deaf,
}

/// Opens a pool on the server at `url`, once one connection has shown what the server is, and that the database is not
/// half of a copy.
pub(super) async fn open(url: &str) -> Result<Db, StoreError> {
    let own = open_target(url, OWN).await?;
    let asked = sqlx::query_scalar::<_, bool>(sql::COPY_UNFINISHED);
    let mut connection = own.acquire().await?;
    if within(asked.fetch_one(&mut *connection)).await? {
        return Err(StoreError::UnfinishedCopy);
    }
    drop(connection);
    Ok(Db::Postgres { readers: pool(session(url)?, READERS), own })
}

/// Opens a pool of `size` connections on the server at `url`, whatever the database holds.
pub(super) async fn open_target(url: &str, size: u32) -> Result<PgPool, StoreError> {
    let options = session(url)?;
    let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options));
    let mut first = connecting.await.map_err(|_| StoreError::NoAnswer(PATIENCE))?.map_err(StoreError::opening)?;
    check(&mut first).await?;
    let _ = first.close().await;
    Ok(pool(options, size))
}

fn session(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(StoreError::opening)?;
    Ok(options.application_name("leasehold").statement_cache_capacity(256).options(SESSION))
}

/// Makes a pool that connects as it is used.
fn pool(options: PgConnectOptions, size: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move { check(connection).await.map_err(|error| sqlx::Error::Configuration(error.into())) })
        })
        // One that lay idle may have died meanwhile: of a failover, or a firewall that forgets.
        .before_acquire(|connection, idle| {
            Box::pin(async move {
                if idle.idle_for < IDLE_TRUSTED {
                    return Ok(true);
                }
                Ok(tokio::time::timeout(PING_LIMIT, connection.ping()).await.is_ok_and(|it| it.is_ok()))
            })
        })
        // A statement that was given up leaves a connection of which nobody knows whether it still answers.
        .after_release(|connection, _| {
            Box::pin(
                async move { Ok(tokio::time::timeout(PING_LIMIT, connection.ping()).await.is_ok_and(|it| it.is_ok())) },
            )
        })
        .connect_lazy_with(options)
}

/// What a server says of itself.
#[derive(sqlx::FromRow)]
struct ServerFacts {
    version: i64,
    is_standby: bool,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    has_synchronous_standbys: bool,
    /// What became of the session's own settings: the first of them, as the server shows it.
    idle_limit: String,
}

impl ServerFacts {
    /// Tells whether what the server acknowledges stays.
    fn judge(&self) -> Result<(), UnfitServer> {
        if self.version < OLDEST {
            return Err(UnfitServer::Old);
        }
        if self.is_standby {
            return Err(UnfitServer::Standby);
        }
        if self.idle_limit != "1s" {
            return Err(UnfitServer::Pooler);
        }
        for (setting, value) in [
            ("fsync", &self.fsync),
            ("full_page_writes", &self.full_page_writes),
            ("synchronous_commit", &self.synchronous_commit),
        ] {
            if value == "off" {
                return Err(UnfitServer::Unsafe(setting));
            }
        }
        if self.has_synchronous_standbys && !matches!(self.synchronous_commit.as_str(), "on" | "remote_apply") {
            return Err(UnfitServer::BelowStandbys);
        }
        Ok(())
    }
}

/// Checks what the server is. Costs one statement, and one more where it has synchronous standbys.
async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let asked = sqlx::query_as::<_, ServerFacts>(sql::SERVER_CHECK);
    let facts = within(asked.fetch_one(&mut *connection)).await?;
    facts.judge()?;
    if !facts.has_synchronous_standbys {
        return Ok(());
    }
    // A commit whose wait for a standby was cancelled is acknowledged with a warning, and with nothing else.
    let (warned, heard) = notices::listen(within(
        sqlx::raw_sql("DO $$ BEGIN RAISE WARNING 'leasehold makes sure that it hears warnings'; END $$")
            .execute(connection),
    ))
    .await;
    warned?;
    if heard.is_empty() { Err(UnfitServer::Deaf.into()) } else { Ok(()) }
}

/// Reads the server's clock.
///
/// # Errors
/// Where the database fails.
pub(super) async fn server_clock(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
    let (micros,) = within(sqlx::query_as::<_, (i64,)>(sql::SERVER_CLOCK).fetch_one(connection)).await?;
    Ok(Timestamp::from_micros(micros))
}

/// Tells an outage from a statement that the server refused: a lost connection, a server that starts, stops or has no
/// place, a lock or a transaction that took too long, a server that became a standby.
pub(super) fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Configuration(_) => true,
        sqlx::Error::Database(refused) => refused.code().is_some_and(|code| {
            // Connection exceptions, no resources, operator intervention, transaction rollback; then: read-only,
            // idle in transaction for too long, lock not available.
            ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class))
                || ["25006", "25P03", "55P03"].contains(&&*code)
                || is_taken(&code)
        }),
        _ => false,
    }
}

/// Whether SQLite said that another process holds its lock: BUSY or LOCKED, the low byte of an extended code.
fn is_taken(code: &str) -> bool {
    // PostgreSQL's codes have five characters.
    code.len() < 5 && code.parse::<u16>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ServerFacts {
        ServerFacts {
            version: 150_004,
            is_standby: false,
            fsync: "on".to_owned(),
            full_page_writes: "on".to_owned(),
            synchronous_commit: "on".to_owned(),
            has_synchronous_standbys: false,
            idle_limit: "1s".to_owned(),
        }
    }

    #[test]
    fn a_server_that_would_lose_what_it_acknowledged_is_refused() {
        assert_eq!(facts().judge(), Ok(()));
        let off = || "off".to_owned();
        let judge = |facts: ServerFacts| facts.judge().unwrap_err();
        assert_eq!(judge(ServerFacts { version: 149_999, ..facts() }), UnfitServer::Old);
        assert_eq!(judge(ServerFacts { is_standby: true, ..facts() }), UnfitServer::Standby);
        assert_eq!(judge(ServerFacts { idle_limit: "0".to_owned(), ..facts() }), UnfitServer::Pooler);
        assert_eq!(judge(ServerFacts { fsync: off(), ..facts() }), UnfitServer::Unsafe("fsync"));
        assert_eq!(judge(ServerFacts { full_page_writes: off(), ..facts() }), UnfitServer::Unsafe("full_page_writes"));
        assert_eq!(
            judge(ServerFacts { synchronous_commit: off(), ..facts() }),
            UnfitServer::Unsafe("synchronous_commit")
        );
    }

    #[test]
    fn below_on_is_enough_without_synchronous_standbys_only() {
        for (level, with_standbys) in [("local", false), ("remote_write", false), ("on", true), ("remote_apply", true)]
        {
            let alone = ServerFacts { synchronous_commit: level.to_owned(), ..facts() };
            assert_eq!(alone.judge(), Ok(()), "{level}");
            let replicated = ServerFacts { has_synchronous_standbys: true, ..alone };
            assert_eq!(replicated.judge().is_ok(), with_standbys, "{level}");
        }
    }
}
