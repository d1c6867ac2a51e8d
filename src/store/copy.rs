//! Copies an embedded database into an empty one on PostgreSQL, and compares the two cell by cell.
//!
//! The source is only read, until the target is whole: then it bears a mark in its turn, so that there are never two
//! vaults of one kind, of which one revokes what the other lets through.

use super::{
    Db, StoreError,
    intake::{Intake, IntakeError},
    schema::Schema,
    snapshot::{Snapshot, SnapshotError},
    tables::{CHUNK, TableDigest},
};
use futures_util::TryStreamExt as _;

/// How often progress is told, in rows.
const TOLD_EVERY: u64 = 500;

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
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SnapshotError),
    /// The target does not take it in.
    #[error(transparent)]
    Target(#[from] IntakeError),
    /// The source has another schema.
    #[error("the source's schema is not this version's: start this version on it once, stop it, and copy again")]
    OtherVersion,
}

/// A copy that was begun.
pub struct Copying {
    source: Db,
    snapshot: Snapshot,
    target: Intake,
}

impl Copying {
    /// Checks both databases, marks the target and makes its schema. The caller holds the source's
    /// [`Claim`](super::Claim).
    ///
    /// # Errors
    /// Where either is not what it has to be; the target is marked only once it was found empty.
    pub async fn begin(source: &Db, to: &str) -> Result<Self, CopyError> {
        if source.is_shared() {
            return Err(CopyError::NotEmbedded);
        }
        if !(to.starts_with("postgres:") || to.starts_with("postgresql:")) {
            return Err(CopyError::NoServer);
        }
        let snapshot = match Snapshot::take(source).await {
            Err(SnapshotError::NoVault) => return Err(CopyError::OtherVersion),
            taken => taken?,
        };
        if *snapshot.schema() != Schema::own() {
            return Err(CopyError::OtherVersion);
        }
        let target = Intake::begin(to, snapshot.schema()).await?;
        Ok(Self { source: source.clone(), snapshot, target })
    }

    /// Returns how many rows there are to copy.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.snapshot.row_count()
    }

    /// Copies every row, then reads all of them back and compares. Memory does not grow with the tables. `progress` is
    /// called with the rows done, each of which is done twice.
    ///
    /// # Errors
    /// Where a database fails, or a table differs afterwards.
    pub async fn run(&mut self, mut progress: impl FnMut(u64)) -> Result<(), CopyError> {
        let mut done = 0;
        let mut advance = |rows: u64| {
            let before = done / TOLD_EVERY;
            done += rows;
            if done / TOLD_EVERY > before {
                progress(done);
            }
        };
        for table in self.target.tables().to_owned() {
            let mut sent = TableDigest::default();
            let mut rows = self.snapshot.rows(&table).try_chunks(CHUNK);
            while let Some(chunk) = rows.try_next().await.map_err(|failed| failed.1)? {
                chunk.iter().for_each(|row| sent.add(row));
                self.target.insert(&table, &chunk).await?;
                advance(chunk.len() as u64);
            }
            self.target.compare(&table, &sent, &mut advance).await?;
        }
        progress(done);
        Ok(self.target.complete().await?)
    }

    /// Lends the target, for the verification of its log.
    #[must_use]
    pub fn target(&self) -> Db {
        self.target.db().clone()
    }

    /// Marks the source as copied and takes the target's mark away: from here on, nodes start on the target and no more
    /// on the source. In between they start on neither.
    ///
    /// # Errors
    /// Where a database fails; a target that still bears its mark is copied again.
    pub async fn finish(self) -> Result<(), CopyError> {
        drop(self.snapshot);
        let mark = "CREATE TABLE IF NOT EXISTS copied_away (at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";
        self.source.own().await?.link().run(mark).await?;
        Ok(self.target.finish().await?)
    }
}
