//! What a vault asks of a PostgreSQL server, and of each of its sessions.
//!
//! The address in `database.url` is one that follows the primary: HAProxy's, or a managed service's. So one place
//! decides who is primary, and each new connection is checked: a standby, or a server that acknowledges what is not on
//! its disk, is refused.

use super::{
    StoreError,
    db::{CONNECTIONS, PATIENCE, within},
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

/// Opens a pool on the server at `url`, once one connection has shown what the server is.
pub(super) async fn open(url: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(StoreError::opening)?
        .application_name("leasehold")
        .statement_cache_capacity(256)
        .options(SESSION);
    let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options));
    let mut first = connecting.await.map_err(|_| StoreError::NoAnswer(PATIENCE))?.map_err(StoreError::opening)?;
    check(&mut first).await?;
    let _ = first.close().await;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move { check(connection).await.map_err(|error| sqlx::Error::Configuration(error.into())) })
        })
        // A statement that was given up leaves a connection of which nobody knows whether it still answers.
        .after_release(|connection, _| {
            Box::pin(
                async move { Ok(tokio::time::timeout(PING_LIMIT, connection.ping()).await.is_ok_and(|it| it.is_ok())) },
            )
        })
        .connect_lazy_with(options);
    Ok(pool)
}

/// Checks what the server is. Costs one statement, and one more where it has synchronous standbys.
async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row = sqlx::query_as::<_, (i64, bool, String, String, String, bool)>(sql::SERVER_CHECK);
    let (version, standby, fsync, full_pages, synchronous, standbys) = within(row.fetch_one(&mut *connection)).await?;
    if version < OLDEST {
        return Err(UnfitServer::Old.into());
    }
    if standby {
        return Err(UnfitServer::Standby.into());
    }
    for (setting, value) in [("fsync", &fsync), ("full_page_writes", &full_pages), ("synchronous_commit", &synchronous)]
    {
        if value == "off" {
            return Err(UnfitServer::Unsafe(setting).into());
        }
    }
    if !standbys {
        return Ok(());
    }
    if !matches!(synchronous.as_str(), "on" | "remote_apply") {
        return Err(UnfitServer::BelowStandbys.into());
    }
    // A commit whose wait for a standby was cancelled is acknowledged with a warning, and with nothing else.
    let (warned, heard) =
        notices::listen(within(sqlx::raw_sql("DO $$ BEGIN RAISE WARNING 'heard'; END $$").execute(connection))).await;
    warned?;
    if heard.is_empty() { Err(UnfitServer::Deaf.into()) } else { Ok(()) }
}

/// Reads the server's clock.
///
/// # Errors
/// Where the database fails.
pub async fn server_clock(connection: &mut PgConnection) -> Result<Timestamp, StoreError> {
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
        }),
        _ => false,
    }
}
