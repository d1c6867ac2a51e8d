//! A vault's move from SQLite to PostgreSQL.

use crate::{
    postgres::{Cluster, Server},
    test_vault::TestVault,
};
use leasehold::{
    audit::verify::verify_log,
    store::{
        Db, Missing, StoreError,
        copy::{CopyError, Copying},
        intake::IntakeError,
    },
};
use sqlx::{AssertSqlSafe, Executor as _, SqlitePool};
use std::{
    path::Path,
    process::{Command, Output},
};

/// Has the server alter one column on its way in, as a fault of the copy would.
const BENDING: &str = "
    CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.name := 'bent'; RETURN NEW; END $$;
    CREATE FUNCTION bending() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'public.tenants') THEN
            CREATE TRIGGER bends BEFORE INSERT ON tenants FOR EACH ROW EXECUTE FUNCTION bend();
        END IF; END $$;
    CREATE EVENT TRIGGER bending ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION bending();";

fn source_of(test: &TestVault) -> &SqlitePool {
    let Db::Sqlite(pool) = &test.vault.db else { panic!("the test's vault is embedded") };
    pool
}

async fn open(url: &str) -> Result<Db, StoreError> {
    Db::open(url, Missing::Refuse).await
}

async fn copy(source: &Db, to: &str) -> Result<u64, CopyError> {
    let mut copying = Copying::begin(source, to).await?;
    let rows = copying.rows();
    copying.run(|_| ()).await?;
    copying.finish().await?;
    Ok(rows)
}

#[tokio::test]
async fn a_copied_vault_goes_on_where_it_was() {
    let test = TestVault::start().await;
    let lease = test.lease().await;
    let before = verify_log(&test.vault.db, |_| ()).await.unwrap();
    let url = Server::shared().await.database_make().await;

    let rows = copy(&test.vault.db, &url).await.unwrap();
    assert!(rows > u64::try_from(before.entries).unwrap());
    let db = open(&url).await.unwrap();
    assert_eq!(verify_log(&db, |_| ()).await.unwrap(), before);
    let source = format!("sqlite:{}", source_of(&test).connect_options().get_filename().display());
    let twin = open(&source).await;
    assert!(
        matches!(twin, Err(StoreError::CopiedAway)),
        "what one vault revokes the other would let through: {twin:?}"
    );
    Db::open_source(&source).await.expect("it may be copied once more");

    db.migrate().await.unwrap();
    let moved = test.start_over(&db).await;
    assert_eq!(moved.identity.lease(&lease).await.unwrap().connection, test.connection, "its lease key came along");
    let token = moved.broker.token(test.connection).await.unwrap();
    let kept = test.vault.broker.token(test.connection).await.unwrap();
    assert_eq!(token.secret.expose(), kept.secret.expose(), "its sealed token opens");
    let after = verify_log(&db, |_| ()).await.unwrap();
    assert!(after.entries >= before.entries);
    Server::shared().await.database_drop(&url).await;
}

#[tokio::test]
async fn a_target_that_holds_anything_is_refused_and_left_alone() {
    let test = TestVault::start().await;
    let server = Server::shared().await;
    let url = server.database_make().await;
    copy(&test.vault.db, &url).await.unwrap();
    assert!(matches!(copy(&test.vault.db, &url).await, Err(CopyError::Target(IntakeError::NotEmpty(_)))));
    open(&url).await.expect("it bears no mark");
    server.database_drop(&url).await;
    assert!(matches!(copy(&test.vault.db, "sqlite:other.db").await, Err(CopyError::NoServer)));
}

#[tokio::test]
async fn a_copy_that_differs_is_found_and_no_node_starts_on_it() {
    let test = TestVault::start().await;
    let cluster = Cluster::start().await;
    let url = cluster.database_make().await;
    let name = url.rsplit_once('/').unwrap().1;
    cluster.run(name, BENDING).await;
    let differs = copy(&test.vault.db, &url).await;
    assert!(
        matches!(&differs, Err(CopyError::Target(IntakeError::Differs(table))) if table == "tenants"),
        "{differs:?}"
    );
    assert!(matches!(open(&url).await, Err(StoreError::UnfinishedCopy)));
    assert!(
        matches!(copy(&test.vault.db, &url).await, Err(CopyError::Target(IntakeError::NotEmpty(_)))),
        "nor is it taken for empty"
    );
    verify_log(&test.vault.db, |_| ()).await.expect("the source is whole");
}

#[tokio::test]
async fn a_sealed_value_without_its_key_is_found() {
    for (table, column) in [("credentials", "key"), ("access_tokens", "key"), ("applications", "secret_key")] {
        let test = TestVault::start().await;
        test.vault.broker.token(test.connection).await.unwrap();
        let stray = format!("UPDATE {table} SET {column} = x'00000000000000000000000000000001'");
        source_of(&test).execute(AssertSqlSafe(stray)).await.unwrap();
        let server = Server::shared().await;
        let url = server.database_make().await;
        let keyless = copy(&test.vault.db, &url).await;
        assert!(
            matches!(&keyless, Err(CopyError::Target(IntakeError::Keyless { table: found, .. })) if found == table),
            "{keyless:?}"
        );
        assert!(matches!(open(&url).await, Err(StoreError::UnfinishedCopy)));
        server.database_drop(&url).await;
    }
}

#[tokio::test]
async fn a_source_of_another_version_is_refused_before_the_target_is_touched() {
    let test = TestVault::start().await;
    let forget = "DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    source_of(&test).execute(forget).await.unwrap();
    let server = Server::shared().await;
    let url = server.database_make().await;
    assert!(matches!(copy(&test.vault.db, &url).await, Err(CopyError::OtherVersion)));
    open(&url).await.expect("it bears no mark");
    server.database_drop(&url).await;
}

fn leasehold(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
    command.current_dir(directory).args(arguments).env_clear().env("LEASEHOLD_TLS_OFF", "true").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[tokio::test]
async fn the_command_copies_a_stopped_vault_and_refuses_one_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let server = Server::shared().await;
    let url = server.database_make().await;
    let made = leasehold(directory, &["init"]);
    assert!(made.status.success(), "{}", said(&made));
    let copy = ["database", "copy", "--to", &url, "--json"];

    let running = open(&format!("sqlite:{}", directory.join("leasehold.db").display())).await.unwrap();
    let claim = running.claim().unwrap();
    let refused = leasehold(directory, &copy);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("another process runs on this database"), "{}", said(&refused));
    let second = leasehold(directory, &["serve"]);
    assert!(!second.status.success() && said(&second).contains("another process runs on"), "{}", said(&second));
    drop((claim, running));

    let copied = leasehold(directory, &copy);
    assert!(copied.status.success(), "{}", said(&copied));
    let verified = leasehold(directory, &["audit", "verify", "--full", "--json", "--database", &url]);
    assert!(verified.status.success(), "{}", said(&verified));
    let root = |output: &Output| serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["root"].clone();
    assert_eq!(root(&copied), root(&verified));
    server.database_drop(&url).await;
}
