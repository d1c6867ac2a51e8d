use super::{get, keys};
use crate::{
    databases::{TestDatabase, both_databases},
    test_vault::TestVault,
};
use leasehold::{
    evidence::{Flaw, Keys, Receipt},
    seal::{FileSeal, Seal},
};
use serde_json::{Value, json};
use std::sync::Arc;

both_databases!(
    a_revocation_answers_with_a_receipt_that_needs_no_server,
    a_change_of_a_sealed_vault_has_its_proof_later,
    who_trusts_the_first_key_trusts_those_that_it_introduced,
);

async fn a_revocation_answers_with_a_receipt_that_needs_no_server(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let answer = test.post(&format!("/v1/connections/{}/revoke", test.connection), &test.owner_key).await;
    let keys = keys(&test).await;
    let receipt = Receipt::parse(&answer.to_string()).unwrap();
    let verified = receipt.check(&keys).unwrap();
    let kinds: Vec<&str> = verified.iter().map(|entry| &*entry.kind).collect();
    assert_eq!(kinds, ["connection.revoked", "cut.confirmed"]);
    assert!(verified.iter().all(|entry| entry.tenant == test.tenant && !entry.payload_erased));
    assert_eq!(verified[0].seq, answer["seq"].as_u64().unwrap());

    // The same entry, asked for by its number, is proven too.
    let again = get(&test, &format!("/v1/audit/proof/{}", answer["seq"])).await;
    let again = Receipt::parse(&again.to_string()).unwrap().check(&keys).unwrap();
    assert_eq!((again[0].seq, &*again[0].kind), (verified[0].seq, "connection.revoked"));
}

async fn a_change_of_a_sealed_vault_has_its_proof_later(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let keys = {
        test.post(&format!("/v1/connections/{}/suspend", test.connection), &test.owner_key).await;
        keys(&test).await
    };
    test.vault.keyring.seal();
    let answer = test.post(&format!("/v1/connections/{}/revoke", test.connection), &test.owner_key).await;
    let early = Receipt::parse(&answer.to_string()).unwrap();
    assert!(matches!(early.check(&keys), Err(Flaw::Incomplete(_))));

    let seal: Arc<dyn Seal> = Arc::new(FileSeal::open(&test.seal_path()).unwrap());
    test.vault.keyring.unseal(&seal).await.unwrap();
    let later = get(&test, &format!("/v1/audit/proof/{}", answer["seq"])).await;
    let verified = Receipt::parse(&later.to_string()).unwrap().check(&keys).unwrap();
    assert_eq!(verified[0].kind, "connection.revoked");
}

async fn who_trusts_the_first_key_trusts_those_that_it_introduced(database: TestDatabase) {
    let test = TestVault::on(database).await;
    test.post(&format!("/v1/connections/{}/suspend", test.connection), &test.owner_key).await;
    let first = keys(&test).await;
    for number in 2..4 {
        let request = test.client.post(format!("{}/v1/keys/rotate", test.api)).bearer_auth(test.officer_key.expose());
        let response = request.json(&json!({ "key": "signer" })).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let rotated: Value = response.json().await.unwrap();
        let listed = get(&test, "/v1/audit/keys").await;
        assert_eq!(listed["keys"][number - 1]["verifier"], rotated["verifier"]);
        // The rotation is an entry, proven like any other, under the new key already.
        let verified = Receipt::parse(&rotated.to_string()).unwrap().check(&first).unwrap();
        assert_eq!(verified[0].kind, "key.signer_made");
    }

    let answer = test.post(&format!("/v1/connections/{}/resume", test.connection), &test.officer_key).await;
    let receipt = Receipt::parse(&answer.to_string()).unwrap();
    receipt.check(&first).unwrap();
    let without = |kept: fn(usize) -> bool| {
        let introductions = receipt.introductions.iter().enumerate().filter(|(at, _)| kept(*at));
        Receipt { introductions: introductions.map(|(_, note)| note.clone()).collect(), ..receipt.clone() }
    };
    assert!(matches!(without(|_| false).check(&first), Err(Flaw::Signature { .. })));
    assert!(matches!(without(|at| at != 1).check(&first), Err(Flaw::Signature { .. })), "the chain of keys is broken");
    let stranger = "leasehold/other+4ae2a3fb+AS5wAXZWRlUWlWMWOlCtoVWx1n5hWe34OYrI6ojmwfEC";
    assert!(Keys::parse(stranger).is_err(), "an id that is not the key's");
}

#[tokio::test]
async fn every_kind_of_change_answers_with_its_receipt() {
    let test = TestVault::start().await;
    let send = async |method: &str, path: &str, key: &leasehold::secret::SecretText, body: Value| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = test.client.request(method, format!("{}{path}", test.api)).bearer_auth(key.expose());
        let response = request.json(&body).send().await.unwrap();
        assert!(response.status().is_success(), "{path} {}", response.status());
        assert!(response.headers().get("link").unwrap().to_str().unwrap().contains("/v1/audit/proof/"), "{path}");
        response.json::<Value>().await.unwrap()
    };
    let tenant = send("POST", "/v1/tenants", &test.operator_key, json!({ "name": "Bolt" })).await;
    let keys = keys(&test).await;
    let check = |answer: &Value, kind: &str| {
        let verified = Receipt::parse(&answer.to_string()).unwrap().check(&keys).unwrap();
        assert!(verified.iter().any(|entry| entry.kind == kind), "{kind}: {verified:?}");
    };
    check(&tenant, "tenant.added");
    let body = json!({ "tenant": test.tenant, "email": "viewer@example.com", "role": "viewer" });
    let user = send("POST", "/v1/users", &test.owner_key, body).await;
    check(&user, "user.added");
    let grants = get(&test, "/v1/grants").await;
    let grant = grants["items"][0]["id"].as_str().unwrap();
    // It has no other body.
    let ended = send("DELETE", &format!("/v1/grants/{grant}"), &test.owner_key, json!({})).await;
    check(&ended, "grant.ended");
    let sealed = send("POST", "/v1/seal/close", &test.officer_key, json!({})).await;
    assert_eq!(sealed["receipt"]["entries"][0]["proof"], Value::Null);
}

#[tokio::test]
async fn an_answer_that_changed_nothing_has_no_receipt() {
    let test = TestVault::start().await;
    let answer = get(&test, "/v1/grants").await;
    assert!(answer.get("receipt").is_none());
    let refused = test.client.post(format!("{}/v1/revoke-all", test.api)).bearer_auth(test.owner_key.expose());
    let refused: Value = refused.send().await.unwrap().json().await.unwrap();
    assert!(refused.get("receipt").is_none(), "{refused}");
}
