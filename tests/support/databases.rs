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
    _kept: Kept,
}

enum Kept {
    Elsewhere,
    File(#[expect(dead_code, reason = "its drop removes it")] TempDir),
    OnServer(String),
}

impl TestStore {
    pub(crate) async fn make(database: TestDatabase) -> Self {
        let (url, kept) = match database {
            TestDatabase::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                (format!("sqlite:{}", directory.path().join("vault.db").display()), Kept::File(directory))
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

    async fn open(url: &str, kept: Kept) -> Self {
        let db = Db::open(url, Missing::Create).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, _kept: kept }
    }
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
