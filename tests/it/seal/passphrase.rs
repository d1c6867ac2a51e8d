//! What is particular to the passphrase seal: its stored parameters.

use leasehold::{
    entropy::SystemEntropy,
    envelope::{Cost, Master, MasterKey},
    id::KeyId,
    seal::{MasterIdentity, PassphraseSeal, Seal, SealError, SealedMaster},
    secret::SecretText,
};
use serde_json::json;
use uuid::Uuid;

const VAULT: Uuid = Uuid::from_u128(1);

fn seal(cost: Cost) -> PassphraseSeal {
    PassphraseSeal::new(SecretText::new("four words are better".into()), cost)
}

fn master() -> MasterKey {
    MasterKey::make(KeyId::from_uuid(Uuid::nil()), Master { version: 1 }, &SystemEntropy)
}

async fn wrapped(cost: Cost) -> (MasterKey, SealedMaster) {
    let master = master();
    let sealed = seal(cost).wrap(&master, VAULT, &SystemEntropy).await.unwrap();
    (master, sealed)
}

#[tokio::test]
async fn the_cost_and_salt_are_stored_with_the_key_and_the_passphrase_is_not() {
    let (_, mut sealed) = wrapped(Cost::PASSWORD).await;
    let salt = sealed.parameters["salt"].take();
    assert_eq!(data_encoding::BASE64.decode(salt.as_str().unwrap().as_bytes()).unwrap().len(), 16);
    let cost = json!({"memory_kib": 19456, "passes": 2, "lanes": 1});
    assert_eq!(sealed.parameters, json!({"function": "argon2id", "cost": cost, "salt": null}));
}

#[tokio::test]
async fn a_key_opens_at_the_cost_it_was_sealed_with_whatever_new_ones_cost() {
    let (master, sealed) = wrapped(Cost::PASSWORD).await;
    let opened = seal(Cost::SEAL).unwrap(&sealed, MasterIdentity::of(&master, VAULT)).await.unwrap();
    assert_eq!(opened.expose(), master.secret().expose());
}

#[tokio::test]
async fn a_key_that_follows_costs_no_less_than_the_one_before_it() {
    let (master, sealed) = wrapped(Cost::SEAL).await;
    let cheap = seal(Cost::PASSWORD);
    cheap.unwrap(&sealed, MasterIdentity::of(&master, VAULT)).await.unwrap();
    let next = cheap.wrap(&master, VAULT, &SystemEntropy).await.unwrap();
    assert_eq!(next.parameters["cost"], sealed.parameters["cost"]);
}

#[tokio::test]
async fn another_salt_or_cost_in_the_row_leads_to_another_key() {
    let (master, sealed) = wrapped(Cost::PASSWORD).await;
    for (field, value) in [
        ("salt", json!(data_encoding::BASE64.encode(&[0; 16]))),
        ("cost", json!({"memory_kib": 19456, "passes": 3, "lanes": 1})),
    ] {
        let mut altered = sealed.clone();
        altered.parameters[field] = value;
        let refused = seal(Cost::PASSWORD).unwrap(&altered, MasterIdentity::of(&master, VAULT)).await;
        assert!(matches!(refused, Err(SealError::WrongKey { .. })), "{field}: {refused:?}");
    }
}

#[tokio::test]
async fn a_row_can_neither_cheapen_a_guess_nor_exhaust_the_host() {
    let (master, sealed) = wrapped(Cost::PASSWORD).await;
    for cost in [
        json!({"memory_kib": 8, "passes": 1, "lanes": 1}),
        json!({"memory_kib": u32::MAX, "passes": 3, "lanes": 4}),
        json!({"memory_kib": 65536, "passes": u32::MAX, "lanes": 4}),
    ] {
        let mut altered = sealed.clone();
        altered.parameters["cost"] = cost;
        let refused = seal(Cost::PASSWORD).unwrap(&altered, MasterIdentity::of(&master, VAULT)).await;
        assert!(matches!(refused, Err(SealError::Corrupt { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_salt_that_is_not_16_bytes_is_refused() {
    let (master, sealed) = wrapped(Cost::PASSWORD).await;
    for salt in ["", "AAAA", "not base64"] {
        let mut altered = sealed.clone();
        altered.parameters["salt"] = json!(salt);
        let refused = seal(Cost::PASSWORD).unwrap(&altered, MasterIdentity::of(&master, VAULT)).await;
        assert!(matches!(refused, Err(SealError::Corrupt { .. })), "{salt:?}: {refused:?}");
    }
}
