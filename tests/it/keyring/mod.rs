//! Keys that another node made.

use crate::{databases::TestDatabase, test_vault::TestVault};
use leasehold::{identity::IssueRequest, keyring::TokenError, store::Db};
use sqlx::Executor as _;
use std::net::Ipv4Addr;

/// A lease under a key that this vault does not know yet.
async fn lease_of_another_node(test: &TestVault) -> String {
    let Db::Postgres { own: pool, .. } = &test.vault.db else { panic!("the test's vault is on a server") };
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
    other.identity.issue(request).await.unwrap().token.expose().to_owned()
}

fn forged(token: &str) -> String {
    let mut forged = token.to_owned();
    forged.replace_range(3..6, "AAA");
    forged
}

#[tokio::test]
async fn a_lease_under_a_key_that_another_node_made_is_opened() {
    let test = TestVault::on(TestDatabase::Postgres).await;
    // The other node finds no lease key, and makes one.
    let token = lease_of_another_node(&test).await;
    let here = test.vault.identity.lease(&token).await.unwrap();
    assert_eq!(here.connection, test.connection);
    assert!(test.vault.identity.lease(&forged(&token)).await.is_err());
}

#[tokio::test]
async fn invented_keys_do_not_keep_another_nodes_from_being_found() {
    let test = TestVault::on(TestDatabase::Postgres).await;
    let invented = forged(&test.lease().await);
    // A look that finds nothing, before the other node makes its key.
    assert!(matches!(test.vault.identity.lease(&invented).await, Err(TokenError::NotOurs)));
    let token = lease_of_another_node(&test).await;
    let more = (0..8).map(|_| test.vault.identity.lease(&invented));
    let (more, found) = tokio::join!(futures_util::future::join_all(more), test.vault.identity.lease(&token));
    assert!(more.iter().all(|one| matches!(one, Err(TokenError::NotOurs))), "{more:?}");
    assert_eq!(found.unwrap().connection, test.connection);
}

#[tokio::test]
async fn a_lease_of_which_the_database_does_not_say_whose_it_is_is_not_called_dead() {
    let test = TestVault::on(TestDatabase::Postgres).await;
    let token = lease_of_another_node(&test).await;
    let Db::Postgres { readers, .. } = &test.vault.db else { panic!("the test's vault is on a server") };
    readers.close().await;
    let both = tokio::join!(test.vault.identity.lease(&token), test.vault.identity.lease(&token));
    assert!(matches!(both, (Err(TokenError::Unknown), Err(TokenError::Unknown))), "{both:?}");
    assert_eq!(test.get("/orders/v0/orders", &token).send().await.unwrap().status(), 503);
}
