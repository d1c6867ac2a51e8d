//! What every seal owes the vault, written once and run on each.

use super::is_cause_and_remedy;
use leasehold::{
    entropy::{Entropy, SystemEntropy, make_key},
    envelope::{Cost, Master, MasterKey, Quorum, UseBudget},
    id::KeyId,
    seal::{FileSeal, MasterIdentity, PassphraseSeal, Seal, SealError, SealKind, SealedMaster, ShamirSeal},
    secret::SecretText,
};
use serde_json::json;
use uuid::Uuid;

const VAULT: Uuid = Uuid::from_u128(0x1ea5e401d);

fn master() -> MasterKey {
    let id = KeyId::from_uuid(Uuid::from_u128(1));
    MasterKey::from_secret(id, Master { version: 1 }, make_key(&SystemEntropy), UseBudget::resumed(0))
}

async fn wrapped(seal: &dyn Seal) -> (MasterKey, SealedMaster) {
    let master = master();
    let sealed = seal.wrap(&master, VAULT, &SystemEntropy).await.unwrap();
    (master, sealed)
}

/// A file seal with a key of its own.
fn file() -> Box<dyn Seal> {
    let directory = tempfile::tempdir().unwrap();
    Box::new(FileSeal::create(&directory.path().join("seal.key"), &SystemEntropy).unwrap())
}

/// A passphrase seal with a passphrase of its own, at the least cost that is accepted.
fn passphrase() -> Box<dyn Seal> {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    let text = data_encoding::HEXLOWER.encode(&bytes);
    Box::new(PassphraseSeal::new(SecretText::new(text), Cost::new(19 * 1024, 2, 1).unwrap()))
}

/// A seal of shares with a key of its own.
fn shamir() -> Box<dyn Seal> {
    Box::new(ShamirSeal::make(Quorum::new(2, 3).unwrap(), &SystemEntropy).0)
}

async fn gives_back_the_master_key(make: fn() -> Box<dyn Seal>) {
    let seal = make();
    let (master, sealed) = wrapped(&*seal).await;
    // As the store keeps it.
    let parameters = serde_json::from_str(&sealed.parameters.to_string()).unwrap();
    let stored = SealedMaster { parameters, ..sealed };
    let key = seal.unwrap(&stored, MasterIdentity::of(&master, VAULT)).await.unwrap();
    assert_eq!(key.expose(), master.secret().expose());
    assert_eq!(stored.kind, seal.kind());
}

async fn with_another_secret_is_a_wrong_seal_and_says_what_to_do(make: fn() -> Box<dyn Seal>) {
    let (right, wrong) = (make(), make());
    let (master, sealed) = wrapped(&*right).await;
    let refused = wrong.unwrap(&sealed, MasterIdentity::of(&master, VAULT)).await.unwrap_err();
    assert!(matches!(&refused, SealError::WrongKey { kind, .. } if *kind == wrong.kind()), "{refused}");
    assert!(is_cause_and_remedy(&refused), "{refused}");
}

async fn does_not_open_anothers_vault_key_or_version(make: fn() -> Box<dyn Seal>) {
    let seal = make();
    let (master, sealed) = wrapped(&*seal).await;
    let identity = MasterIdentity::of(&master, VAULT);
    for other in [
        MasterIdentity { vault: Uuid::from_u128(2), ..identity },
        MasterIdentity { key: KeyId::from_uuid(Uuid::from_u128(2)), ..identity },
        MasterIdentity { version: 2, ..identity },
    ] {
        let refused = seal.unwrap(&sealed, other).await.unwrap_err();
        assert!(matches!(refused, SealError::Corrupt { .. }), "{other:?}: {refused}");
        assert!(is_cause_and_remedy(&refused), "{refused}");
    }
}

async fn opens_no_altered_blob_and_does_not_call_it_a_wrong_seal(make: fn() -> Box<dyn Seal>) {
    let seal = make();
    let (master, sealed) = wrapped(&*seal).await;
    // One byte of each part: format; nonce, text and tag of the check; nonce, key and tag of the master key.
    for at in [0, 1, 13, 48, 49, 61, 108] {
        let mut altered = sealed.clone();
        altered.blob[at] ^= 1;
        let refused = seal.unwrap(&altered, MasterIdentity::of(&master, VAULT)).await.unwrap_err();
        assert!(matches!(refused, SealError::Corrupt { .. }), "byte {at}: {refused}");
    }
    assert_eq!(sealed.blob.len(), 109);
}

async fn refuses_a_blob_cut_or_grown(make: fn() -> Box<dyn Seal>) {
    let seal = make();
    let (master, sealed) = wrapped(&*seal).await;
    let cut = (sealed.blob[..108].to_vec(), "wrong length");
    let grown = ([&sealed.blob[..], &[0]].concat(), "wrong length");
    for (blob, cause) in [(vec![], "empty"), cut, grown] {
        let refused = seal.unwrap(&SealedMaster { blob, ..sealed.clone() }, MasterIdentity::of(&master, VAULT)).await;
        assert!(matches!(refused, Err(SealError::Corrupt { what }) if what.contains(cause)), "{refused:?}");
    }
}

async fn refuses_parameters_that_it_did_not_write(make: fn() -> Box<dyn Seal>) {
    let seal = make();
    let (master, sealed) = wrapped(&*seal).await;
    for parameters in [json!(null), json!([]), json!({"function": "md5"})] {
        let sealed = SealedMaster { parameters, ..sealed.clone() };
        let refused = seal.unwrap(&sealed, MasterIdentity::of(&master, VAULT)).await;
        assert!(matches!(refused, Err(SealError::Corrupt { .. })), "{refused:?}");
    }
}

async fn refuses_what_another_kind_of_seal_wrote(make: fn() -> Box<dyn Seal>) {
    let seal = make();
    let (master, mut sealed) = wrapped(&*seal).await;
    sealed.kind = if seal.kind() == SealKind::File { SealKind::Passphrase } else { SealKind::File };
    let refused = seal.unwrap(&sealed, MasterIdentity::of(&master, VAULT)).await.unwrap_err();
    assert!(matches!(refused, SealError::OtherKind { offered, .. } if offered == seal.kind()), "{refused}");
    assert!(is_cause_and_remedy(&refused), "{refused}");
}

async fn wraps_the_same_key_differently_each_time(make: fn() -> Box<dyn Seal>) {
    let (seal, master) = (make(), master());
    let one = seal.wrap(&master, VAULT, &SystemEntropy).await.unwrap();
    let two = seal.wrap(&master, VAULT, &SystemEntropy).await.unwrap();
    assert_ne!(one.blob, two.blob);
}

async fn prints_nothing_of_its_secret(make: fn() -> Box<dyn Seal>) {
    assert!(format!("{:?}", make()).contains("[redacted]"));
}

macro_rules! on_every_seal {
    ($($claim:ident),* $(,)?) => {
        mod a_file_seal {
            $(#[tokio::test] async fn $claim() { super::$claim(super::file).await })*
        }
        mod a_passphrase_seal {
            $(#[tokio::test] async fn $claim() { super::$claim(super::passphrase).await })*
        }
        mod a_shamir_seal {
            $(#[tokio::test] async fn $claim() { super::$claim(super::shamir).await })*
        }
    };
}

on_every_seal! {
    gives_back_the_master_key,
    with_another_secret_is_a_wrong_seal_and_says_what_to_do,
    does_not_open_anothers_vault_key_or_version,
    opens_no_altered_blob_and_does_not_call_it_a_wrong_seal,
    refuses_a_blob_cut_or_grown,
    refuses_parameters_that_it_did_not_write,
    refuses_what_another_kind_of_seal_wrote,
    wraps_the_same_key_differently_each_time,
    prints_nothing_of_its_secret,
}

#[test]
fn a_seals_name_is_what_rows_and_configuration_say() {
    for kind in SealKind::ALL {
        assert_eq!(kind.as_str().parse::<SealKind>(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.as_str()));
    }
    assert!("File".parse::<SealKind>().is_err());
}
