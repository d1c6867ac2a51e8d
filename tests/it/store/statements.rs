use crate::databases::{TestDatabase, TestStore, both_databases};
use leasehold::store::{Db, Missing, StoreError, sql};
use sqlx::{Connection, Executor, SqlSafeStr};

both_databases!(every_statement_prepares, a_schema_of_a_newer_version_is_refused);

async fn migrated(folder: &tempfile::TempDir) -> Db {
    let url = format!("sqlite:{}", folder.path().join("vault.db").display());
    let db = Db::open(&url, Missing::Create).await.unwrap();
    db.migrate().await.unwrap();
    db
}

async fn every_statement_prepares(database: TestDatabase) {
    assert!(sql::ALL.len() > 80);
    let store = TestStore::make(database).await;
    match &store.db {
        Db::Sqlite(pool) => {
            let mut connection = pool.acquire().await.unwrap();
            prepare_each(&mut *connection, sql::ALL).await;
            prepare_each(&mut *connection, sql::SQLITE).await;
        }
        Db::Postgres { own: pool, .. } => {
            let mut connection = pool.acquire().await.unwrap();
            prepare_each(&mut *connection, sql::ALL).await;
            prepare_each(&mut *connection, sql::POSTGRES).await;
        }
    }
}

async fn a_schema_of_a_newer_version_is_refused(database: TestDatabase) {
    let store = TestStore::make(database).await;
    store.db.migrate().await.unwrap();
    let (head, tail) = ("INSERT INTO _sqlx_migrations VALUES (9999, 'newer', CURRENT_TIMESTAMP, TRUE, ", ", 0)");
    let none = if store.db.is_shared() { "'\\x00'" } else { "x'00'" };
    let newer: &'static str = format!("{head}{none}{tail}").leak();
    store.db.reader().await.unwrap().link().run(newer).await.unwrap();
    let refused = store.db.migrate().await.unwrap_err();
    assert!(matches!(refused, StoreError::Migration(_)), "{refused}");
    assert!(refused.to_string().contains("run the version that wrote it"), "{refused}");
}

async fn prepare_each<C: Connection>(connection: &mut C, statements: &[(&str, &'static str)])
where
    for<'c> &'c mut C: Executor<'c>,
{
    for (name, text) in statements {
        let prepared = connection.prepare(text.into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {}", prepared.err().unwrap());
    }
}

#[tokio::test]
async fn sqlite_syncs_every_commit_and_overwrites_what_it_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let Db::Sqlite(pool) = migrated(&folder).await else { unreachable!("the URL names SQLite") };
    let pragma = async |name: &'static str| -> i64 { sqlx::query_scalar(name).fetch_one(&pool).await.unwrap() };
    assert_eq!(pragma("PRAGMA synchronous").await, 2, "FULL");
    assert_eq!(pragma("PRAGMA secure_delete").await, 1);
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pool).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_missing_file_is_refused_unless_init_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("absent.db").display());
    let refused = Db::open(&url, Missing::Refuse).await.unwrap_err();
    assert!(refused.to_string().contains("leasehold init"), "{refused}");
    assert!(Db::open("mysql://localhost/x", Missing::Refuse).await.is_err());
}
