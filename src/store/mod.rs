//! The database: one file a noun, one SQL text for both databases (`sql.rs`), and no way to write plaintext: secret
//! columns take and give [`Sealed`](crate::envelope::Sealed) values only.
//!
//! Every function borrows a [`Link`]. Reads may use any; writes happen on the sequencer's, inside its transaction, so that
//! each change has its place in the order of events.

pub mod applications;
pub mod checkpoints;
mod claim;
pub mod connections;
pub mod consents;
pub mod copy;
pub mod credentials;
pub mod cuts;
pub mod db;
pub mod fences;
pub mod grants;
pub mod idempotency;
pub mod intake;
pub mod keys;
pub mod leases;
pub mod log;
pub mod nodes;
mod notices;
pub mod postgres;
pub mod refreshes;
pub mod restores;
pub mod schema;
pub mod scrub;
pub mod signers;
pub mod snapshot;
pub mod sql;
pub mod sub_processors;
pub mod tables;
pub mod tenants;
pub mod tiles;
pub mod typed_documents;
pub mod users;
pub mod vault;
pub mod workers;

pub use claim::Claim;
pub use db::{Db, Durability, Link, Missing, Pooled};
pub use notices::notice_layer;
pub use postgres::UnfitServer;

use crate::{
    clock::Timestamp,
    domain::quarantine::{Quarantine, REMEDY},
};

/// What went wrong at the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that we know.
    #[error("database.url names neither `sqlite:FILE` nor `postgres://…`: correct it in leasehold.toml")]
    UnknownUrl,
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}; check database.url, and run `leasehold init` for a new vault")]
    Open(#[source] sqlx::Error),
    /// The schema cannot be brought to this version.
    #[error(
        "the database's schema does not fit this version of leasehold: {0}; run the version that wrote it, or a newer one"
    )]
    Migration(#[source] sqlx::migrate::MigrateError),
    /// A row holds what no version of us writes.
    #[error("table {table}, row {row}: column {column} is corrupt; restore it from a backup, nothing was altered")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
    },
    /// A row with this key or unique value is there already.
    #[error("a row with this value is there already")]
    Taken,
    /// The server is not one that a vault can rest on.
    #[error(transparent)]
    Server(#[from] UnfitServer),
    /// Nobody knows the database to be the newest.
    #[error("quarantined: {0}; {REMEDY}")]
    Quarantined(#[from] Quarantine),
    /// This host's clock or the server's is wrong.
    #[error(
        "this host's clock says {host}, the database server's {server}: set both by NTP; nothing goes out until then"
    )]
    ClocksApart {
        /// What the host says.
        host: Timestamp,
        /// What the server says.
        server: Timestamp,
    },
    /// Another process serves from this file.
    #[error("another process runs on this database: stop it first; a SQLite file serves one node at a time")]
    Claimed,
    /// Nobody can say whether another process serves from this file.
    #[error("cannot claim the database with {}: {source}", path.display())]
    Unclaimed {
        /// The file that is locked.
        path: std::path::PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A copy or restore into this database did not come to its end.
    #[error(
        "the database holds an unfinished copy of a vault: drop it, make it anew, and copy or restore again; the source is whole"
    )]
    UnfinishedCopy,
    /// This file's vault lives on a server now.
    #[error(
        "this vault was copied to a server, and lives there: let database.url name that one; what is revoked there would not be revoked here"
    )]
    CopiedAway,
    /// The wait for a standby was given up.
    #[error("a commit was acknowledged without the standby that it has to wait for")]
    StandbyGivenUp,
    /// The database did not answer in time; whether it did what it was asked is not known.
    #[error("the database did not answer within {} s", .0.as_secs())]
    NoAnswer(std::time::Duration),
    /// The database is gone, busy, or refused a statement.
    #[error("the database did not do what it was asked: {0}")]
    Failed(#[source] sqlx::Error),
}

impl StoreError {
    pub(crate) fn opening(error: sqlx::Error) -> Self {
        Self::Open(error)
    }

    /// Tells whether the database, and not the statement, is at fault: the same statement may do when it is back.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Open(_) | Self::Server(_) | Self::ClocksApart { .. } | Self::StandbyGivenUp => {
                true
            }
            Self::Failed(error) => postgres::is_outage(error),
            _ => false,
        }
    }

    /// Names a corrupt cell.
    pub fn corrupt(table: &'static str, column: &'static str, row: impl ToString) -> Self {
        Self::Corrupt { table, column, row: row.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(ref db) if db.is_unique_violation() => Self::Taken,
            other => Self::Failed(other),
        }
    }
}

/// Where a listing starts, and how many rows it gives.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// The id after which to start; nil for the beginning.
    pub after: uuid::Uuid,
    /// The most rows to give, 1 to 200.
    pub limit: i64,
}

impl Page {
    /// The most rows in a page.
    pub const MAX: i64 = 200;
}
