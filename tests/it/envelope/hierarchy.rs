//! Which key opens what, and every way in which one does not.

use leasehold::{
    entropy::SystemEntropy,
    envelope::{
        Cell, Data, DataKey, KeyCheck, Lease, LeaseKey, MalformedPlaintext, Master, MasterKey, NotSealed, OpenError,
        Sealable, Sealed, SealingError, Tenant, TenantKey, UnwrapError, UseBudget, UseError, Wrapped, WrongKey,
    },
    id::{KeyId, TenantId},
    secret::{SecretBuffer, SecretText},
};
use uuid::Uuid;

#[derive(Debug, PartialEq)]
struct RefreshToken(SecretText);

impl Sealable for RefreshToken {
    const PURPOSE: &'static str = "refresh-token";
    fn plaintext(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
    fn from_plaintext(plaintext: SecretBuffer) -> Result<Self, MalformedPlaintext> {
        SecretText::from_utf8(&plaintext).map(Self).ok_or(MalformedPlaintext { purpose: Self::PURPOSE })
    }
}

#[derive(Debug, PartialEq)]
struct Blob(Vec<u8>);

impl Sealable for Blob {
    const PURPOSE: &'static str = "blob";
    fn plaintext(&self) -> &[u8] {
        &self.0
    }
    fn from_plaintext(plaintext: SecretBuffer) -> Result<Self, MalformedPlaintext> {
        Ok(Self(plaintext.to_vec()))
    }
}

#[test]
fn a_value_opens_again_after_the_whole_hierarchy_went_through_the_store() {
    let (master, tenant, data) = (master(1), tenant_key(), data_key());
    let sealed = data.seal(&token(), &CELL, &SystemEntropy).unwrap();

    let tenant_row = stored(&master.wrap(&tenant, &SystemEntropy).unwrap());
    let data_row = stored(&tenant.wrap(&data, &SystemEntropy).unwrap());
    let value_row = Sealed::from_stored(sealed.key_id(), sealed.as_bytes().to_vec()).unwrap();

    let tenant = master.unwrap(&tenant_row, Tenant { tenant: ACME }, UseBudget::resumed(9)).unwrap();
    let data = tenant.unwrap(&data_row, Data { tenant: ACME }, UseBudget::resumed(9)).unwrap();
    assert_eq!(data.open::<RefreshToken>(&value_row, &CELL).unwrap(), token());
    assert_eq!(data.uses().reserved(), 9);
}

#[test]
fn a_ciphertext_moved_to_another_cell_does_not_open() {
    let data = data_key();
    let sealed = data.seal(&token(), &CELL, &SystemEntropy).unwrap();
    for moved in [
        Cell { table: "tokens", ..CELL },
        Cell { column: "sealed_access_token", ..CELL },
        Cell { row: Uuid::from_u128(78), ..CELL },
        Cell { tenant: GLOBEX, ..CELL },
        Cell { version: 4, ..CELL },
    ] {
        assert!(matches!(data.open(&sealed, &moved), Err(OpenError::DoesNotOpen(_))), "{moved:?}");
    }
}

#[test]
fn a_ciphertext_read_for_another_purpose_does_not_open() {
    let data = data_key();
    let sealed = data.seal(&token(), &CELL, &SystemEntropy).unwrap();
    let other = Sealed::<Blob>::from_stored(sealed.key_id(), sealed.as_bytes().to_vec()).unwrap();
    assert!(matches!(data.open(&other, &CELL), Err(OpenError::DoesNotOpen(_))));
}

#[test]
fn a_value_that_names_another_key_is_refused_by_name() {
    let data = data_key();
    let sealed = data.seal(&token(), &CELL, &SystemEntropy).unwrap();
    let renamed = Sealed::<RefreshToken>::from_stored(id(99), sealed.as_bytes().to_vec()).unwrap();
    let refused = data.open(&renamed, &CELL);
    assert_eq!(refused, Err(OpenError::OtherKey { named: id(99), offered: data.id() }));
}

#[test]
fn an_authentic_value_in_another_form_is_told_from_an_altered_one() {
    struct NotText(Vec<u8>);
    impl Sealable for NotText {
        const PURPOSE: &'static str = RefreshToken::PURPOSE;
        fn plaintext(&self) -> &[u8] {
            &self.0
        }
        fn from_plaintext(plaintext: SecretBuffer) -> Result<Self, MalformedPlaintext> {
            Ok(Self(plaintext.to_vec()))
        }
    }
    let data = data_key();
    let sealed = data.seal(&NotText(vec![0xff]), &CELL, &SystemEntropy).unwrap();
    let sealed = Sealed::<RefreshToken>::from_stored(sealed.key_id(), sealed.as_bytes().to_vec()).unwrap();
    let refused = data.open(&sealed, &CELL);
    assert_eq!(refused, Err(OpenError::Malformed(MalformedPlaintext { purpose: "refresh-token" })));
}

#[test]
fn a_data_key_refuses_to_seal_for_another_tenant() {
    let cell = Cell { tenant: GLOBEX, ..CELL };
    let refused = data_key().seal(&token(), &cell, &SystemEntropy);
    assert_eq!(refused, Err(SealingError::Foreign { key: id(3), of: ACME, asked: GLOBEX }));
}

#[test]
fn a_tenant_key_refuses_to_wrap_a_data_key_of_another_tenant() {
    let foreign = DataKey::make(id(5), Data { tenant: GLOBEX }, &SystemEntropy);
    let refused = tenant_key().wrap(&foreign, &SystemEntropy).unwrap_err();
    assert_eq!(refused, SealingError::Foreign { key: id(2), of: ACME, asked: GLOBEX });
}

#[test]
fn a_wrapped_key_claimed_for_another_tenant_or_row_does_not_unwrap() {
    let master = master(1);
    let wrapped = master.wrap(&tenant_key(), &SystemEntropy).unwrap();
    let elsewhere = Wrapped::from_stored(id(77), master.id(), wrapped.as_bytes().to_vec()).unwrap();
    let claims = [(&wrapped, Tenant { tenant: GLOBEX }), (&elsewhere, Tenant { tenant: ACME })];
    for (row, level) in claims {
        let refused = master.unwrap(row, level, UseBudget::resumed(0)).unwrap_err();
        assert!(matches!(refused, UnwrapError::DoesNotOpen { level: "tenant", .. }), "{refused}");
    }
}

#[test]
fn a_wrapped_tenant_key_does_not_unwrap_as_a_lease_key() {
    let master = master(1);
    let wrapped = master.wrap(&tenant_key(), &SystemEntropy).unwrap();
    let row = Wrapped::<Lease>::from_stored(wrapped.id(), master.id(), wrapped.as_bytes().to_vec()).unwrap();
    let refused = master.unwrap(&row, Lease, UseBudget::resumed(0)).unwrap_err();
    assert!(matches!(refused, UnwrapError::DoesNotOpen { level: "lease", .. }), "{refused}");
}

#[test]
fn after_a_rotation_the_older_master_key_is_refused_by_name() {
    let (old, new) = (master(1), master(2));
    let wrapped = new.wrap(&tenant_key(), &SystemEntropy).unwrap();
    let refused = old.unwrap(&wrapped, Tenant { tenant: ACME }, UseBudget::resumed(0)).unwrap_err();
    assert_eq!(refused, UnwrapError::OtherParent { key: id(2), named: new.id(), offered: old.id() });
}

#[test]
fn a_wrapping_is_bound_to_the_version_of_its_master_key() {
    let first = master(1);
    let wrapped = first.wrap(&tenant_key(), &SystemEntropy).unwrap();
    let relabelled =
        MasterKey::from_secret(first.id(), Master { version: 2 }, first.secret().duplicate(), UseBudget::resumed(0));
    assert!(relabelled.unwrap(&wrapped, Tenant { tenant: ACME }, UseBudget::resumed(0)).is_err());
}

#[test]
fn every_altered_byte_of_a_wrapped_key_is_refused() {
    let master = master(1);
    let wrapped = master.wrap(&tenant_key(), &SystemEntropy).unwrap();
    for at in 1..wrapped.as_bytes().len() {
        let mut bytes = wrapped.as_bytes().to_vec();
        bytes[at] ^= 0x80;
        let row = Wrapped::from_stored(wrapped.id(), wrapped.wrapped_by(), bytes).unwrap();
        assert!(master.unwrap(&row, Tenant { tenant: ACME }, UseBudget::resumed(0)).is_err(), "byte {at}");
    }
}

#[test]
fn stored_bytes_that_cannot_be_a_wrapped_key_are_refused() {
    for length in [0, 60, 62] {
        let refused = Wrapped::<Tenant>::from_stored(id(1), id(2), vec![1; length]).unwrap_err();
        assert_eq!(refused, NotSealed::Length { length, expected: 61 });
    }
    let refused = Wrapped::<Tenant>::from_stored(id(1), id(2), vec![0; 61]).unwrap_err();
    assert_eq!(refused, NotSealed::Format { format: 0 });
}

#[test]
fn a_key_without_reserved_uses_neither_seals_nor_wraps_nor_makes_a_check() {
    let data = DataKey::make(id(3), Data { tenant: ACME }, &SystemEntropy);
    let tenant = TenantKey::make(id(2), Tenant { tenant: ACME }, &SystemEntropy);
    let master = MasterKey::make(id(1), Master { version: 1 }, &SystemEntropy);
    let lease = LeaseKey::make(id(4), Lease, &SystemEntropy);
    let spent = SealingError::Use(UseError::ReservationSpent);
    assert_eq!(data.seal(&token(), &CELL, &SystemEntropy), Err(spent));
    assert_eq!(tenant.wrap(&data, &SystemEntropy).unwrap_err(), spent);
    assert_eq!(master.make_check(&SystemEntropy), Err(UseError::ReservationSpent));
    let mut out = Vec::new();
    assert_eq!(lease.seal_token(b"", b"claims", &SystemEntropy, &mut out), Err(UseError::ReservationSpent));
    assert!(out.is_empty());
}

#[test]
fn each_seal_takes_one_use_and_opening_takes_none() {
    let data = data_key();
    let before = data.uses().left();
    let sealed = data.seal(&token(), &CELL, &SystemEntropy).unwrap();
    data.open(&sealed, &CELL).unwrap();
    assert_eq!(data.uses().left(), before - 1);
}

#[test]
fn the_same_value_sealed_twice_gives_different_bytes() {
    let data = data_key();
    let [one, two] = [0, 0].map(|_| data.seal(&token(), &CELL, &SystemEntropy).unwrap());
    assert_ne!(one.as_bytes(), two.as_bytes());
}

#[test]
fn a_lease_token_opens_where_it_lies_and_a_forged_one_does_not() {
    let lease = LeaseKey::make(id(4), Lease, &SystemEntropy);
    lease.uses().reserve(0..10).unwrap();
    let mut token = Vec::new();
    lease.seal_token(b"lh_1", b"claims", &SystemEntropy, &mut token).unwrap();
    assert_eq!(lease.open_token(b"lh_1", &mut token.clone()).unwrap(), b"claims");
    assert!(lease.open_token(b"lh_2", &mut token.clone()).is_err());
    token[20] ^= 1;
    assert!(lease.open_token(b"lh_1", &mut token).is_err());
}

#[test]
fn a_lease_key_survives_the_store() {
    let master = master(1);
    let lease = LeaseKey::make(id(4), Lease, &SystemEntropy);
    lease.uses().reserve(0..1).unwrap();
    let mut token = Vec::new();
    lease.seal_token(b"", b"claims", &SystemEntropy, &mut token).unwrap();
    let row = stored(&master.wrap(&lease, &SystemEntropy).unwrap());
    let lease = master.unwrap(&row, Lease, UseBudget::resumed(1)).unwrap();
    assert_eq!(lease.open_token(b"", &mut token).unwrap(), b"claims");
}

#[test]
fn a_key_check_accepts_its_own_key_and_refuses_another_version_and_an_altered_value() {
    let right = master(1);
    let check = right.make_check(&SystemEntropy).unwrap();
    let check = KeyCheck::from_stored(check.as_bytes().to_vec()).unwrap();
    assert_eq!(right.verify_check(&check), Ok(()));

    let wrong = master(1);
    assert_eq!(wrong.verify_check(&check), Err(WrongKey { key: wrong.id(), version: 1 }));
    let relabelled =
        MasterKey::from_secret(right.id(), Master { version: 2 }, right.secret().duplicate(), UseBudget::resumed(0));
    assert!(relabelled.verify_check(&check).is_err());
    let mut altered = check.as_bytes().to_vec();
    altered[30] ^= 1;
    assert!(right.verify_check(&KeyCheck::from_stored(altered).unwrap()).is_err());
    assert!(KeyCheck::from_stored(vec![1; 5]).is_err());
}

#[test]
fn a_key_prints_its_level_and_id_alone() {
    assert_eq!(format!("{:?}", tenant_key()), format!("tenant key {} [redacted]", id(2)));
}

const ACME: TenantId = TenantId::from_uuid(Uuid::from_u128(0xACE));
const GLOBEX: TenantId = TenantId::from_uuid(Uuid::from_u128(0x910));
const CELL: Cell<'static> =
    Cell { table: "credentials", column: "sealed", row: Uuid::from_u128(77), tenant: ACME, version: 3 };

fn id(number: u128) -> KeyId {
    KeyId::from_uuid(Uuid::from_u128(number))
}

fn token() -> RefreshToken {
    RefreshToken(SecretText::new("Atzr|IwEBIA".into()))
}

fn master(version: i64) -> MasterKey {
    let key = MasterKey::make(id(0x1000 + version.unsigned_abs() as u128), Master { version }, &SystemEntropy);
    key.uses().reserve(0..100).unwrap();
    key
}

fn tenant_key() -> TenantKey {
    let key = TenantKey::make(id(2), Tenant { tenant: ACME }, &SystemEntropy);
    key.uses().reserve(0..100).unwrap();
    key
}

fn data_key() -> DataKey {
    let key = DataKey::make(id(3), Data { tenant: ACME }, &SystemEntropy);
    key.uses().reserve(0..100).unwrap();
    key
}

fn stored<C: leasehold::envelope::Level>(wrapped: &Wrapped<C>) -> Wrapped<C> {
    Wrapped::from_stored(wrapped.id(), wrapped.wrapped_by(), wrapped.as_bytes().to_vec()).unwrap()
}
