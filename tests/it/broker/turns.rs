//! A connection's turn at its provider: given back however it ends, held no longer than it may be.

use crate::{
    databases::{TestDatabase, both_databases},
    test_vault::TestVault,
};
use leasehold::{
    audit::{Batch, Change, ChangeError},
    broker::TokenFailure,
    clock::{Clock as _, SystemClock, Timestamp},
    entropy::SystemEntropy,
    id::{ConnectionId, NodeId},
    store::refreshes,
};
use serde_json::json;
use std::{convert::Infallible, time::Duration};

both_databases!(
    a_turn_that_was_lost_is_not_told_as_a_revocation,
    a_refresh_that_fails_after_its_call_gives_its_turn_back,
    a_holder_that_sends_is_waited_for_from_then_on,
);

const TOKEN: &str = "/auth/o2/token";

/// A vault whose token is stale and whose provider takes its time to give another.
async fn slow(database: TestDatabase) -> TestVault {
    let test = TestVault::on(database).await;
    test.steer(json!({ "path_prefix": TOKEN, "delay_ms": 1_500 })).await;
    test.clock.advance(Duration::from_secs(7_200));
    test.vault.broker.forget(test.connection);
    test
}

async fn held_until(test: &TestVault) -> Option<Timestamp> {
    let mut reader = test.vault.db.reader().await.unwrap();
    refreshes::refresh_held_until(&mut reader.link(), test.connection).await.unwrap()
}

/// Waits until the provider is being asked: the deadline has moved on from what a holder gets to prepare.
async fn asking(test: &TestVault) -> Timestamp {
    let asking = async {
        loop {
            if let Some(until) = held_until(test).await
                && until > test.clock.now().plus(Duration::from_secs(25))
            {
                return until;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking).await.expect("the provider is asked")
}

async fn a_turn_that_was_lost_is_not_told_as_a_revocation(database: TestDatabase) {
    let test = slow(database).await;
    let stolen = async {
        asking(&test).await;
        let steal = "UPDATE refreshes SET fence = fence + 1, state = 'idle'";
        test.vault.db.reader().await.unwrap().link().run(steal).await.unwrap();
    };
    let (token, ()) = tokio::join!(test.vault.broker.token(test.connection), stolen);
    assert!(matches!(token, Err(TokenFailure::Transient)), "{token:?}");
}

async fn a_refresh_that_fails_after_its_call_gives_its_turn_back(database: TestDatabase) {
    let test = slow(database).await;
    let sealed = async {
        asking(&test).await;
        test.vault.keyring.seal();
    };
    let (token, ()) = tokio::join!(test.vault.broker.token(test.connection), sealed);
    assert!(matches!(token, Err(TokenFailure::Sealed)), "{token:?}");
    assert_eq!(held_until(&test).await, None);
}

async fn a_holder_that_sends_is_waited_for_from_then_on(database: TestDatabase) {
    let test = slow(database).await;
    let (token, until) = tokio::join!(test.vault.broker.token(test.connection), asking(&test));
    assert!(token.is_ok());
    // Both calls that it may make, fifteen seconds each, and what two hosts' clocks may lie apart.
    assert!(until >= test.clock.now().plus(Duration::from_secs(40)), "{until}");
    assert_eq!(held_until(&test).await, None);
}

/// Another node has the turn.
struct Hold(ConnectionId);

impl Change for Hold {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        let (now, holder) = (batch.at(), NodeId::make(&SystemClock, &SystemEntropy));
        let deadline = now.plus(Duration::from_secs(3_600));
        refreshes::refresh_take(&mut batch.link(), self.0, holder, deadline, now).await?.expect("nobody has it");
        Ok(())
    }
}

#[tokio::test]
async fn an_owner_is_told_that_the_provider_is_being_asked() {
    let test = TestVault::start().await;
    test.vault.sequencer.commit(Hold(test.connection)).await.unwrap();
    let url = format!("{}/v1/connections/{}/import", test.api, test.connection);
    let body = json!({ "refresh_token": "Atzr|another" });
    let answer = test.client.post(url).bearer_auth(test.owner_key.expose()).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(problem["reason"], "busy", "{problem}");
    assert!(test.reached_amazon(TOKEN).await.iter().all(|entry| !entry.to_string().contains("another")));
}
