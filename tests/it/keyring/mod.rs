//! Keys that another node made.

use crate::{databases::TestDatabase, test_vault::TestVault};
use leasehold::{identity::IssueRequest, store::Db};
use sqlx::Executor as _;
use std::net::Ipv4Addr;

#[tokio::test]
async fn a_lease_under_a_key_that_another_node_made_is_opened() {
    let test = TestVault::on(TestDatabase::Postgres).await;
    let Db::Postgres(pool) = &test.vault.db else { panic!("the test's vault is on a server") };
    // The other node finds no lease key, and makes one.
    pool.execute("DELETE FROM lease_keys").await.unwrap();
    let other = test.start_over(&test.vault.db).await;
    let worker = other.identity.worker(&test.worker.to_string(), test.worker_secret.expose()).await.unwrap();
    let request = IssueRequest {
        worker,
        connection: test.connection,
        scopes: None,
        life: leasehold::domain::lease::DEFAULT_LIFE,
        job: None,
        address: Ipv4Addr::LOCALHOST.into(),
        certificate: None,
    };
    let token = other.identity.issue(request).await.unwrap().token;
    let here = test.vault.identity.lease(token.expose()).await.unwrap();
    assert_eq!(here.connection, test.connection);
    let mut forged = token.expose().to_owned();
    forged.replace_range(3..6, "AAA");
    assert!(test.vault.identity.lease(&forged).await.is_err());
}
