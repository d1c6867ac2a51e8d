//! The two databases that the store promises to behave alike on, and the macro that runs a test on each.

use crate::postgres::Server;
use leasehold::store::{Db, Missing};
use tempfile::TempDir;

/// Runs each test, an `async fn` that takes a [`TestDatabase`], on both databases: as `sqlite::NAME` and
/// `postgres::NAME`. Begun with `threads;`, on a runtime of two threads.
macro_rules! both_databases {
    (threads; $($name:ident),* $(,)?) => {
        $crate::databases::both_databases!(@ (flavor = "multi_thread", worker_threads = 2) sqlite_on_threads Sqlite $($name)*);
        $crate::databases::both_databases!(@ (flavor = "multi_thread", worker_threads = 2) postgres_on_threads Postgres $($name)*);
    };
    (@ $flavor:tt $module:ident $database:ident $($name:ident)*) => {
        mod $module {
            $($crate::databases::both_databases!(# $flavor $database $name);)*
        }
    };
    (# ($($flavor:tt)*) $database:ident $name:ident) => {
        #[tokio::test($($flavor)*)]
        async fn $name() {
            Box::pin(super::$name($crate::databases::TestDatabase::$database)).await;
        }
    };
    ($($name:ident),* $(,)?) => {
        $crate::databases::both_databases!(@ () sqlite Sqlite $($name)*);
        $crate::databases::both_databases!(@ () postgres Postgres $($name)*);
    };
}
pub(crate) use both_databases;

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TestDatabase {
    #[default]
    Sqlite,
    Postgres,
}

/// A new database with the vault's schema, which goes when this is dropped.
pub(crate) struct TestStore {
    pub(crate) db: Db,
    kept: Kept,
}

enum Kept {
    Elsewhere,
    File(TempDir),
    OnServer(String),
}

impl TestStore {
    pub(crate) async fn make(database: TestDatabase) -> Self {
        let (url, kept) = match database {
            TestDatabase::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                (url_of(&directory), Kept::File(directory))
            }
            TestDatabase::Postgres => {
                let url = Server::shared().await.database_make().await;
                (url.clone(), Kept::OnServer(url))
            }
        };
        Self::open(&url, kept).await
    }

    /// Makes the schema in an empty database that goes with its server.
    pub(crate) async fn at(url: &str) -> Self {
        Self::open(url, Kept::Elsewhere).await
    }

    /// Copies the database as it is now, as a backup does: SQLite's file and its log, PostgreSQL's dump. Nothing may be
    /// written meanwhile.
    pub(crate) async fn copy(&self) -> Self {
        match &self.kept {
            Kept::File(from) => {
                let to = tempfile::tempdir().unwrap();
                for name in ["vault.db", "vault.db-wal"] {
                    if from.path().join(name).exists() {
                        std::fs::copy(from.path().join(name), to.path().join(name)).unwrap();
                    }
                }
                Self::open(&url_of(&to), Kept::File(to)).await
            }
            Kept::OnServer(url) => {
                let copy = Server::shared().await.database_copy(url).await;
                Self::open(&copy, Kept::OnServer(copy.clone())).await
            }
            Kept::Elsewhere => panic!("a database of a test's own server is copied by that server"),
        }
    }

    async fn open(url: &str, kept: Kept) -> Self {
        let db = Db::open(url, Missing::Create).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, kept }
    }
}

fn url_of(directory: &TempDir) -> String {
    format!("sqlite:{}", directory.path().join("vault.db").display())
}

/// A database takes 8 MB of the server's directory, so that hundreds of tests would fill a disk.
impl Drop for Kept {
    fn drop(&mut self) {
        let Self::OnServer(url) = self else { return };
        let url = std::mem::take(url);
        // The test's own runtime cannot wait here.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { Server::shared().await.database_drop(&url).await });
        });
        let _ = dropped.join();
    }
}
