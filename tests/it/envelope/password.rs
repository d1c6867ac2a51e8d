//! Argon2id against published values, and the bounds on its cost.

use leasehold::{
    entropy::SystemEntropy,
    envelope::{Cost, CostError, MalformedHash, PasswordHash, SALT_LEN, derive_key},
    secret::SecretText,
};

fn text(text: &str) -> SecretText {
    SecretText::new(text.into())
}

/// From `test.c` of the reference implementation, P-H-C/phc-winner-argon2 (CC0 or Apache License 2.0).
const REFERENCE: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

#[test]
fn the_reference_implementations_hash_verifies_its_password_alone() {
    let hash = PasswordHash::parse(REFERENCE).unwrap();
    assert!(hash.verify(&text("password")).unwrap());
    assert!(!hash.verify(&text("differentpassword")).unwrap());
    assert_eq!(hash.to_string(), REFERENCE);
}

#[test]
fn a_hash_made_here_survives_its_phc_string_and_has_a_salt_of_its_own() {
    let [one, two] =
        [0, 0].map(|_| PasswordHash::make(&text("correct horse"), Cost::PASSWORD, &SystemEntropy).unwrap().to_string());
    assert_ne!(one, two);
    let hash = PasswordHash::parse(&one).unwrap();
    assert!(hash.verify(&text("correct horse")).unwrap());
    assert!(!hash.verify(&text("correct horse ")).unwrap());
    assert!(!hash.verify(&text("")).unwrap());
    assert_eq!(hash.cost(), Cost::PASSWORD);
    assert_eq!(format!("{hash:?}"), "[redacted]");
}

#[test]
fn a_derived_key_is_argon2ids_output_and_depends_on_passphrase_salt_and_cost() {
    let salt = *b"sixteen bytes ok";
    let key = derive_key(&text("passphrase"), &salt, Cost::PASSWORD).unwrap();
    let encode = |bytes: &[u8]| data_encoding::BASE64_NOPAD.encode(bytes);
    let phc = format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", encode(&salt), encode(key.expose()));
    assert!(PasswordHash::parse(&phc).unwrap().verify(&text("passphrase")).unwrap());

    let dearer = Cost::new(19 * 1024, 3, 1).unwrap();
    for other in [
        derive_key(&text("Passphrase"), &salt, Cost::PASSWORD).unwrap(),
        derive_key(&text("passphrase"), &[0; SALT_LEN], Cost::PASSWORD).unwrap(),
        derive_key(&text("passphrase"), &salt, dearer).unwrap(),
    ] {
        assert_ne!(other.expose(), key.expose());
    }
}

#[test]
fn a_cost_that_is_too_cheap_to_guess_against_is_refused() {
    for (memory_kib, passes, lanes) in
        [(19 * 1024 - 1, 2, 1), (19 * 1024, 1, 1), (46 * 1024 - 1, 1, 1), (65536, 0, 1), (65536, 3, 0)]
    {
        let refused = Cost::new(memory_kib, passes, lanes);
        assert!(matches!(refused, Err(CostError::TooCheap(_))), "{memory_kib} {passes} {lanes}: {refused:?}");
    }
    assert!(Cost::new(19 * 1024, 2, 1).is_ok());
    assert!(Cost::new(46 * 1024, 1, 1).is_ok());
}

#[test]
fn a_cost_that_would_exhaust_the_host_is_refused() {
    for (memory_kib, passes, lanes) in
        [(4 * 1024 * 1024 + 1, 2, 1), (65536, 65, 1), (65536, 3, 65), (u32::MAX, u32::MAX, u32::MAX)]
    {
        let refused = Cost::new(memory_kib, passes, lanes);
        assert!(matches!(refused, Err(CostError::TooDear(_))), "{memory_kib} {passes} {lanes}: {refused:?}");
    }
}

#[test]
fn the_cost_of_a_seal_is_at_least_64_mib() {
    assert_eq!(serde_json::to_string(&Cost::SEAL).unwrap(), r#"{"memory_kib":65536,"passes":3,"lanes":4}"#);
}

#[test]
fn a_stored_cost_is_held_to_the_same_bounds() {
    for stored in [
        r#"{"memory_kib":8,"passes":3,"lanes":1}"#,
        r#"{"memory_kib":4294967295,"passes":3,"lanes":1}"#,
        r#"{"memory_kib":65536,"passes":3}"#,
        r#"{"memory_kib":65536,"passes":3,"lanes":4,"pepper":1}"#,
    ] {
        assert!(serde_json::from_str::<Cost>(stored).is_err(), "{stored}");
    }
    assert_eq!(serde_json::from_str::<Cost>(&serde_json::to_string(&Cost::SEAL).unwrap()).unwrap(), Cost::SEAL);
}

#[test]
fn a_stored_hash_of_another_kind_is_refused() {
    let refusal = |text: &str| PasswordHash::parse(text).unwrap_err();
    for text in
        ["", "hunter2", "$argon2id$v=19$m=65536,t=2,p=1", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$c2hvcnQtaGFzaA"]
    {
        assert_eq!(refusal(text), MalformedHash::NotPhc, "{text}");
    }
    assert_eq!(refusal(&REFERENCE.replace("argon2id", "argon2i")), MalformedHash::NotArgon2id);
    assert_eq!(refusal(&REFERENCE.replace("v=19", "v=16")), MalformedHash::NotArgon2id);
    assert!(matches!(refusal(&REFERENCE.replace("65536", "64")), MalformedHash::Cost(CostError::TooCheap(_))));
    assert!(matches!(refusal(&REFERENCE.replace("65536", "65536000")), MalformedHash::Cost(CostError::TooDear(_))));
}
