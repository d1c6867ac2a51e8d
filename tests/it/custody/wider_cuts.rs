//! The other cuts: what each ends, and what it keeps or destroys.

use crate::databases::{TestDatabase, both_databases};
use crate::test_vault::{TestVault, TestVaultOptions};
use leasehold::{
    custody::{CutKind, Destruction, Receipt},
    policy::Delivery,
    secret::SecretText,
    store::Db,
};

both_databases!(
    a_revoked_connection_holds_nothing_any_more_and_a_new_consent_revives_it,
    a_suspended_connection_keeps_its_credential_and_goes_on_with_new_leases,
    a_disabled_worker_has_nothing_and_no_credential_is_destroyed,
    revoking_everything_ends_every_lease_of_everybody_and_destroys_nothing,
    a_revoked_tenants_credentials_are_destroyed_by_the_job_that_follows,
);

const ORDERS: &str = "/orders/v0/orders";

async fn start(database: TestDatabase) -> TestVault {
    TestVault::with(TestVaultOptions { database, delivery: Delivery::Token, ..TestVaultOptions::default() }).await
}

/// A lease that was used both ways: every cache knows it.
async fn warm(test: &TestVault) -> String {
    let lease = test.lease().await;
    assert_eq!(gateway(test, &lease).await, 200);
    assert_eq!(test.release(&lease).send().await.unwrap().status(), 200);
    lease
}

async fn gateway(test: &TestVault, lease: &str) -> u16 {
    test.get(ORDERS, lease).send().await.unwrap().status().as_u16()
}

async fn assert_dead(test: &TestVault, lease: &str) {
    let reached = test.reached_amazon(ORDERS).await.len();
    assert_eq!(gateway(test, lease).await, 403);
    assert_eq!(test.release(lease).send().await.unwrap().status(), 403);
    assert_eq!(test.reached_amazon(ORDERS).await.len(), reached);
}

async fn cut(test: &TestVault, path: &str, key: &SecretText) -> Receipt {
    serde_json::from_value(test.post(path, key).await).unwrap()
}

/// Counts the rows of credentials, of the tenant's data keys and of access tokens.
async fn kept(test: &TestVault) -> [i64; 3] {
    let count = |text: &'static str, id: uuid::Uuid| async move {
        match &test.vault.db {
            Db::Sqlite(pool) => sqlx::query_scalar(text).bind(id).fetch_one(pool).await.unwrap(),
            Db::Postgres { own: pool, .. } => sqlx::query_scalar(text).bind(id).fetch_one(pool).await.unwrap(),
        }
    };
    let (connection, tenant) = (test.connection.as_uuid(), test.tenant.as_uuid());
    [
        count("SELECT COUNT(*) FROM credentials WHERE connection = $1", connection).await,
        count("SELECT COUNT(*) FROM data_keys WHERE tenant = $1", tenant).await,
        count("SELECT COUNT(*) FROM access_tokens WHERE connection = $1", connection).await,
    ]
}

async fn a_revoked_connection_holds_nothing_any_more_and_a_new_consent_revives_it(database: TestDatabase) {
    let test = start(database).await;
    let lease = warm(&test).await;
    let receipt = cut(&test, &format!("/v1/connections/{}/revoke", test.connection), &test.owner_key).await;
    assert_eq!((receipt.kind, receipt.leases_ended), (CutKind::Connection, 1));
    assert!(!receipt.provider.told);
    assert_eq!(kept(&test).await, [0, 0, 0]);
    assert_dead(&test, &lease).await;
    assert!(test.issue(test.worker, &test.worker_secret, test.connection, None).await.is_err());

    test.import(test.tenant, test.connection, "A2ZV5Q9KQ7MX1D").await;
    let new = warm(&test).await;
    assert_dead(&test, &lease).await;
    assert_eq!(gateway(&test, &new).await, 200);
}

async fn a_suspended_connection_keeps_its_credential_and_goes_on_with_new_leases(database: TestDatabase) {
    let test = start(database).await;
    let lease = warm(&test).await;
    let before = kept(&test).await;
    let receipt = cut(&test, &format!("/v1/connections/{}/suspend", test.connection), &test.officer_key).await;
    assert!(matches!(receipt.destruction, Destruction::None));
    assert_eq!(receipt.residual.count, 1, "the token that was handed out lives on");
    let again = cut(&test, &format!("/v1/connections/{}/suspend", test.connection), &test.officer_key).await;
    assert!(again.seq > receipt.seq && again.confirmation.is_some(), "who asks again is told that it holds");
    assert_dead(&test, &lease).await;
    assert!(test.issue(test.worker, &test.worker_secret, test.connection, None).await.is_err());
    assert_eq!(kept(&test).await, before);

    test.post(&format!("/v1/connections/{}/resume", test.connection), &test.owner_key).await;
    assert_dead(&test, &lease).await;
    warm(&test).await;
}

async fn a_disabled_worker_has_nothing_and_no_credential_is_destroyed(database: TestDatabase) {
    let test = start(database).await;
    let neighbour = test.neighbour("orders:read", Delivery::Token).await;
    let theirs = test.issue(neighbour.worker, &neighbour.worker_secret, neighbour.connection, None).await.unwrap();
    let lease = warm(&test).await;
    let before = kept(&test).await;
    let receipt = cut(&test, &format!("/v1/workers/{}/disable", test.worker), &test.officer_key).await;
    assert_eq!((receipt.kind, receipt.leases_ended), (CutKind::Worker, 1));
    assert_dead(&test, &lease).await;
    // Its secret may still be known in memory: the fence refuses the lease all the same.
    if test.vault.identity.worker(&test.worker.to_string(), test.worker_secret.expose()).await.is_ok() {
        assert!(test.issue(test.worker, &test.worker_secret, test.connection, None).await.is_err());
    }
    assert_eq!(kept(&test).await, before);
    assert_eq!(gateway(&test, &theirs).await, 200);
}

async fn revoking_everything_ends_every_lease_of_everybody_and_destroys_nothing(database: TestDatabase) {
    let test = start(database).await;
    let neighbour = test.neighbour("orders:read", Delivery::Token).await;
    let theirs = test.issue(neighbour.worker, &neighbour.worker_secret, neighbour.connection, None).await.unwrap();
    let lease = warm(&test).await;
    let before = kept(&test).await;
    let receipt = cut(&test, "/v1/revoke-all", &test.officer_key).await;
    assert_eq!((receipt.kind, receipt.leases_ended), (CutKind::Vault, 2));
    assert_dead(&test, &lease).await;
    assert_dead(&test, &theirs).await;
    assert_eq!(kept(&test).await, before);
    warm(&test).await;
}

async fn a_revoked_tenants_credentials_are_destroyed_by_the_job_that_follows(database: TestDatabase) {
    let test = start(database).await;
    let neighbour = test.neighbour("orders:read", Delivery::Token).await;
    let theirs = test.issue(neighbour.worker, &neighbour.worker_secret, neighbour.connection, None).await.unwrap();
    let lease = warm(&test).await;
    let receipt = cut(&test, &format!("/v1/tenants/{}/revoke", test.tenant), &test.owner_key).await;
    assert_eq!(receipt.kind, CutKind::Tenant);
    assert!(matches!(receipt.destruction, Destruction::Following));
    assert_dead(&test, &lease).await;
    let destroyed = test.entries_once("tenant.credentials_destroyed", 1).await;
    assert_eq!(destroyed[0]["details"]["finished"], true);
    assert_eq!(kept(&test).await, [0, 0, 0]);
    assert!(test.issue(test.worker, &test.worker_secret, test.connection, None).await.is_err());
    assert_eq!(gateway(&test, &theirs).await, 200);
}

#[tokio::test]
async fn a_cut_whose_confirmation_is_not_recorded_is_told_as_done_and_a_repeat_confirms_it() {
    let test = start(TestDatabase::Sqlite).await;
    let lease = warm(&test).await;
    let deaf = "CREATE TRIGGER deaf BEFORE UPDATE ON receipts BEGIN SELECT RAISE(ABORT, 'deaf'); END";
    test.vault.db.reader().await.unwrap().link().run(deaf).await.unwrap();
    let url = format!("{}/v1/connections/{}/revoke", test.api, test.connection);
    let asked = || test.client.post(&url).bearer_auth(test.owner_key.expose()).send();
    let answer = asked().await.unwrap();
    assert_eq!(answer.status(), 202);
    let receipt: Receipt = answer.json().await.unwrap();
    assert!(receipt.confirmation.is_none());
    assert_dead(&test, &lease).await;
    assert_eq!(kept(&test).await[0], 0, "it is destroyed");

    test.vault.db.reader().await.unwrap().link().run("DROP TRIGGER deaf").await.unwrap();
    let answer = asked().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.json::<Receipt>().await.unwrap().confirmation.is_some());
}
