//! What a revocation promises: exact at its acknowledgement, whatever is cached, whatever is in flight.

use crate::databases::{TestDatabase, both_databases};
use crate::{
    raw_http::RawHttp,
    test_vault::{SELLER, TestVault, TestVaultOptions},
};
use leasehold::{
    audit::{Batch, Change, ChangeError},
    clock::{Clock, SystemClock},
    custody::{Destruction, Receipt},
    entropy::SystemEntropy,
    id::{ConnectionId, NodeId, WorkerId},
    policy::Delivery,
    secret::SecretText,
    store::refreshes,
};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

both_databases!(
    a_slow_body_in_flight_is_broken_off_and_never_ends_cleanly,
    a_lease_already_cached_in_memory_is_refused_by_the_fence,
    a_revocation_commits_while_the_vault_is_sealed,
    a_receipt_lists_what_each_authorization_handed_out,
    a_dead_lease_does_not_wait_for_a_refresh_whose_holder_is_gone,
);
both_databases!(threads; nothing_passes_a_revocation_while_thirty_two_workers_try);

const ORDERS: &str = "/orders/v0/orders";
const WORKERS: usize = 32;
const NEIGHBOURS: usize = 4;
/// What all workers together do before the customer revokes, and each does after.
const BEFORE: usize = 96;
const AFTER: usize = 4;

async fn with_token_delivery(database: TestDatabase) -> TestVault {
    TestVault::with(TestVaultOptions { database, delivery: Delivery::Token, ..TestVaultOptions::default() }).await
}

async fn a_receipt_lists_what_each_authorization_handed_out(database: TestDatabase) {
    let test = with_token_delivery(database).await;
    for authorizations in 1..=3 {
        let lease = test.lease().await;
        let released: Value = test.release(&lease).send().await.unwrap().json().await.unwrap();
        let residual = revoke(&test).await.residual;
        assert_eq!(residual.count, authorizations, "the earlier ones live on");
        assert_eq!(json!(residual.last_ends_at), released["expires_at"]);
        test.clock.advance(Duration::from_secs(60));
        test.import(test.tenant, test.connection, SELLER).await;
    }
}

/// Another node began to refresh, and was killed. Its row stands until its deadline, which is a minute away.
struct Abandon(ConnectionId);

impl Change for Abandon {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        let (now, holder) = (batch.at(), NodeId::make(&SystemClock, &SystemEntropy));
        let deadline = now.plus(Duration::from_secs(65));
        let taken = refreshes::refresh_take(&mut batch.link(), self.0, holder, deadline, now).await?;
        assert!(taken.is_some());
        Ok(())
    }
}

async fn a_dead_lease_does_not_wait_for_a_refresh_whose_holder_is_gone(database: TestDatabase) {
    let test = with_token_delivery(database).await;
    let lease = test.lease().await;
    revoke(&test).await;
    test.vault.sequencer.commit(Abandon(test.connection)).await.unwrap();
    let released = test.release(&lease).send().await.unwrap();
    assert_eq!(released.status(), 403, "{}", released.text().await.unwrap());
    assert_eq!(test.get(ORDERS, &lease).send().await.unwrap().status(), 403);
}

async fn revoke(test: &TestVault) -> Receipt {
    let path = format!("/v1/connections/{}/revoke", test.connection);
    serde_json::from_value(test.post(&path, &test.owner_key).await).unwrap()
}

/// What the tasks share.
struct Race {
    test: TestVault,
    revoked: AtomicBool,
    stop: AtomicBool,
    succeeded: AtomicUsize,
}

/// One thing that a worker did.
struct Deed {
    what: &'static str,
    begun_after: bool,
    status: u16,
}

impl Race {
    /// Gets leases, takes the token and reads orders in turn, until told to stop.
    async fn work(
        self: Arc<Self>,
        worker: WorkerId,
        secret: SecretText,
        connection: ConnectionId,
        first: usize,
    ) -> Vec<Deed> {
        let mut lease = self.test.issue(worker, &secret, connection, None).await.unwrap();
        let (mut deeds, mut after) = (Vec::new(), 0);
        for turn in first.. {
            let begun_after = self.revoked.load(Ordering::SeqCst);
            let (what, status) = match turn % 3 {
                0 => ("release", self.test.release(&lease).send().await.unwrap().status().as_u16()),
                1 => ("gateway", read_orders(&self.test, &lease).await),
                _ => match self.test.issue(worker, &secret, connection, None).await {
                    Ok(issued) => {
                        lease = issued;
                        ("issue", 200)
                    }
                    Err(_) => ("issue", 403),
                },
            };
            if status == 200 && !begun_after {
                self.succeeded.fetch_add(1, Ordering::SeqCst);
            }
            deeds.push(Deed { what, begun_after, status });
            after += usize::from(begun_after);
            if after >= AFTER && self.stop.load(Ordering::SeqCst) {
                break;
            }
        }
        deeds
    }
}

/// Reads orders through the gateway to the end; a body that breaks off is no success.
async fn read_orders(test: &TestVault, lease: &str) -> u16 {
    match test.get(ORDERS, lease).send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            if response.bytes().await.is_ok() { status } else { 0 }
        }
        Err(_) => 0,
    }
}

async fn nothing_passes_a_revocation_while_thirty_two_workers_try(database: TestDatabase) {
    let test = with_token_delivery(database).await;
    let neighbour = test.neighbour("orders:read", Delivery::Token).await;
    let token = test.vault.broker.token(test.connection).await.unwrap();
    let race = Arc::new(Race {
        test,
        revoked: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        succeeded: AtomicUsize::new(0),
    });
    let test = &race.test;
    let ours: Vec<_> = (0..WORKERS)
        .map(|first| {
            let secret = test.worker_secret.clone();
            tokio::spawn(Arc::clone(&race).work(test.worker, secret, test.connection, first))
        })
        .collect();
    let theirs: Vec<_> = (0..NEIGHBOURS)
        .map(|first| {
            let secret = neighbour.worker_secret.clone();
            tokio::spawn(Arc::clone(&race).work(neighbour.worker, secret, neighbour.connection, first))
        })
        .collect();
    while race.succeeded.load(Ordering::SeqCst) < BEFORE {
        tokio::task::yield_now().await;
    }

    let receipt = revoke(test).await;
    race.revoked.store(true, Ordering::SeqCst);
    // What the kernel had taken already cannot be recalled: the simulator reads it before it answers this.
    test.reached_amazon(ORDERS).await;
    let receipt_at = test.clock.now();
    test.clock.advance(Duration::from_secs(1));
    race.stop.store(true, Ordering::SeqCst);

    let mut late = 0;
    for worker in ours {
        for deed in worker.await.unwrap().into_iter().filter(|deed| deed.begun_after) {
            assert_eq!(deed.status, 403, "{} was begun after the receipt", deed.what);
            late += 1;
        }
    }
    assert!(late >= WORKERS * AFTER);
    for worker in theirs {
        for deed in worker.await.unwrap() {
            assert_eq!(deed.status, 200, "{} of the other tenant", deed.what);
        }
    }

    let connection = test.connection.to_string();
    for row in test.log().await.into_iter().filter(|row| row.head.seq > receipt.seq) {
        let payload: Value = serde_json::from_str(&row.payload.unwrap()).unwrap();
        let used = matches!(&*row.head.kind, "lease.issued" | "credential.released" | "gateway.admitted");
        let ours = payload["object"]["id"] == *connection;
        assert!(!(used && ours), "{} {} after {}", row.head.kind, row.head.seq, receipt.seq);
    }

    assert!(matches!(receipt.destruction, Destruction::Done { credentials: 1.., .. }));
    assert_eq!(receipt.residual.count, 1, "one worker took one token");
    let residual = &receipt.residual.tokens[0];
    assert_eq!((residual.worker, residual.generation), (test.worker, token.generation));
    assert_eq!(residual.ends_at, token.expires_at);
    assert_eq!(receipt.residual.last_ends_at, Some(token.expires_at));

    let reached = test.reached_amazon("/").await;
    let with_token = reached.iter().filter(|entry| entry["headers"]["x-amz-access-token"] == token.secret.expose());
    let (before, after): (Vec<_>, Vec<_>) =
        with_token.partition(|entry| entry["at"].as_str().unwrap() <= &*receipt_at.to_string());
    assert!(!before.is_empty());
    assert!(after.is_empty(), "{after:?}");
    leasehold::audit::verify::verify_log(&test.vault.db, |_| {}).await.unwrap();
}

async fn a_slow_body_in_flight_is_broken_off_and_never_ends_cleanly(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    test.steer(json!({ "slow_body": {
        "path_prefix": ORDERS, "chunks": 100_000, "chunk_bytes": 1_024, "interval_ms": 1,
    } }))
    .await;
    let mut raw = RawHttp::connect(&test.gateway, &test.ca_pem).await;
    let request = format!("GET {ORDERS} HTTP/1.1\r\nHost: localhost\r\nx-amz-access-token: {lease}\r\n\r\n");
    assert!(raw.send(request.as_bytes()).await);
    let (status, head) = raw.head().await.unwrap();
    assert_eq!(status, 200);
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert!(raw.more().await);

    let receipt = revoke(&test).await;
    assert!(receipt.requests_cut >= 1);
    assert!(receipt.confirmation.is_some());
    while raw.more().await {}
    assert!(!raw.unread().ends_with(b"0\r\n\r\n"), "the body ended cleanly");
    let ended = test.entries_once("gateway.ended", 1).await;
    assert_eq!(ended[0]["outcome"], "cut");
    assert!(ended[0]["details"]["bytes_down"].as_u64().unwrap() > 0);
    let confirmed = test.entries("cut.confirmed").await;
    assert_eq!(confirmed[0]["details"]["requests_cut"], receipt.requests_cut);
}

/// Raises an epoch and tells nobody: no cache, no request in flight hears of it.
struct RaiseSilently(ConnectionId);

impl Change for RaiseSilently {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        batch.raise_unannounced(self.0.as_uuid()).await?;
        Ok(())
    }
}

async fn a_lease_already_cached_in_memory_is_refused_by_the_fence(database: TestDatabase) {
    let test = with_token_delivery(database).await;
    let lease = test.lease().await;
    assert_eq!(read_orders(&test, &lease).await, 200);
    assert_eq!(test.release(&lease).send().await.unwrap().status(), 200);
    let reached = test.reached_amazon(ORDERS).await.len();
    test.vault.sequencer.commit(RaiseSilently(test.connection)).await.unwrap();
    assert_eq!(read_orders(&test, &lease).await, 403);
    assert_eq!(test.release(&lease).send().await.unwrap().status(), 403);
    assert_eq!(test.reached_amazon(ORDERS).await.len(), reached);
    let refused = test.entries_once("lease.refused", 1).await;
    assert_eq!(refused[0]["details"]["reason"], "connection_revoked");
}

async fn a_revocation_commits_while_the_vault_is_sealed(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let lease = test.lease().await;
    test.vault.keyring.seal();
    let receipt = revoke(&test).await;
    assert_eq!(receipt.leases_ended, 1);
    assert!(matches!(receipt.destruction, Destruction::Done { credentials: 1.., data_keys: 1.., .. }));
    let revoked = test.entries("connection.revoked").await;
    assert_eq!(revoked.len(), 1);
    assert_eq!(test.get(ORDERS, &lease).send().await.unwrap().status(), 503);
    assert!(test.reached_amazon(ORDERS).await.is_empty());
}
