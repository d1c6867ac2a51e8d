use super::*;
use crate::{
    audit::verify::verify_log,
    broker::{
        Addresses,
        dialer::{Dialer, DialerOptions},
        provider::{AccountKind, Catalogue, Region},
    },
    clock::{ManualClock, Timestamp},
    entropy::SystemEntropy,
    id::{ConnectionId, SubProcessorId},
    keyring::init::vault_make,
    policy::{
        Delivery, Module, Permit, Role, ScopeSet, decide,
        decide::{
            ConnectionAdd, GrantSet, SubProcessorAdd, SubProcessorObject, TenantAdd, UserAdd, UserDisable, WorkerAdd,
        },
        object::{OfTenant, OneUser, Users, VaultWide, WholeTenant},
    },
    seal::{FileSeal, Seal},
    secret::{SecretHash, SecretText},
    store::{db::Missing, fences, sub_processors::Objection},
    vault::{Vault, VaultOptions},
};
use uuid::Uuid;

/// A vault on a new SQLite file, unsealed, with its first staff.
pub(crate) struct TestVault {
    pub(crate) vault: Vault,
    pub(crate) staff: FirstStaff,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) async fn test_vault() -> TestVault {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("vault.db").display());
    let db = Db::open(&url, Missing::Create).await.unwrap();
    db.migrate().await.unwrap();
    let seal: Arc<dyn Seal> = Arc::new(FileSeal::create(&directory.path().join("seal.key"), &SystemEntropy).unwrap());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::from_micros(1_800_000_000_000_000)));
    vault_make(&db, &*seal, &*clock, &SystemEntropy).await.unwrap();
    let options = VaultOptions {
        db,
        dialer: Dialer::new(DialerOptions::default()).unwrap(),
        catalogue: Arc::new(Catalogue::built_in()),
        addresses: Addresses::default(),
        clock,
        entropy: Arc::new(SystemEntropy),
        name: "test".into(),
        anchor: directory.path().join("anchor"),
        claim: None,
    };
    let (vault, _) = Vault::start(options).await.unwrap();
    vault.keyring.unseal(&seal).await.unwrap();
    let staff = init::first_staff(&vault.register, "officer@example.com", "operator@example.com").await.unwrap();
    TestVault { vault, staff, directory }
}

impl TestVault {
    async fn operator(&self) -> Actor {
        self.vault.identity.person(self.staff.operator.key.expose()).await.unwrap()
    }

    async fn tenant(&self) -> TenantId {
        let permit = decide::<TenantAdd>(&self.operator().await, VaultWide).unwrap();
        self.vault.register.tenant_add(permit, "Acme", None).await.unwrap().id()
    }

    async fn owner(&self, tenant: TenantId) -> Actor {
        let permit = decide::<UserAdd>(&self.operator().await, Users { of: Some(tenant) }).unwrap();
        let new = AddUser { email: "Owner@Example.com".into(), role: Role::Owner, password: None };
        let user = self.vault.register.user_add(permit, new, None).await.unwrap().id();
        Actor::new(user, Role::Owner, Some(tenant), 0).unwrap()
    }

    async fn connection(&self, owner: &Actor) -> ConnectionId {
        let permit = decide::<ConnectionAdd>(owner, WholeTenant(owner.tenant().unwrap())).unwrap();
        self.vault.register.connection_add(permit, amazon(), None).await.unwrap().id()
    }

    async fn epoch(&self, subject: Uuid) -> i64 {
        fences::epoch_show(&mut self.vault.db.reader().await.unwrap().link(), subject).await.unwrap()
    }
}

fn amazon() -> AddConnection {
    AddConnection {
        provider: "amazon-sp-api".into(),
        name: "EU".into(),
        kind: AccountKind::Seller,
        region: Region::Eu,
        country: "DE".into(),
        account: None,
    }
}

fn terms(scopes: &str, delivery: Delivery) -> GrantTerms {
    GrantTerms { module: Module::Ops, scopes: ScopeSet::parse(scopes).unwrap(), delivery }
}

#[tokio::test]
async fn the_first_staff_are_made_once_and_the_log_verifies() {
    let test = test_vault().await;
    let again = init::first_staff(&test.vault.register, "a@example.com", "b@example.com").await;
    assert!(matches!(again, Err(RegisterError::Refused(Refused::HasStaff))));
    test.tenant().await;
    assert_eq!(verify_log(&test.vault.db, |_| {}).await.unwrap().chains, 2);
}

#[tokio::test]
async fn a_disabled_persons_change_is_refused_at_the_commit() {
    let test = test_vault().await;
    let tenant = test.tenant().await;
    let owner = test.owner(tenant).await;
    let stale: Permit<ConnectionAdd> = decide(&owner, WholeTenant(tenant)).unwrap();
    let permit = decide::<UserDisable>(&owner, OneUser { of: Some(tenant), id: owner.user() }).unwrap();
    test.vault.register.user_disable(permit).await.unwrap();
    let refused = test.vault.register.connection_add(stale, amazon(), None).await;
    assert!(matches!(refused, Err(RegisterError::Unrecorded(SubmitError::CallerEnded))));
}

#[tokio::test]
async fn an_address_belongs_to_one_person_whatever_its_spelling() {
    let test = test_vault().await;
    let tenant = test.tenant().await;
    let owner = test.owner(tenant).await;
    let permit = decide::<UserAdd>(&owner, Users { of: Some(tenant) }).unwrap();
    let new = AddUser { email: " OWNER@example.com".into(), role: Role::Viewer, password: None };
    assert!(matches!(test.vault.register.user_add(permit, new, None).await, Err(RegisterError::Taken(_))));
}

#[tokio::test]
async fn staff_add_a_tenants_first_person_and_no_other() {
    let test = test_vault().await;
    let tenant = test.tenant().await;
    test.owner(tenant).await;
    let permit = decide::<UserAdd>(&test.operator().await, Users { of: Some(tenant) }).unwrap();
    let new = AddUser { email: "me@example.com".into(), role: Role::Owner, password: None };
    let refused = test.vault.register.user_add(permit, new, None).await;
    assert!(matches!(refused, Err(RegisterError::Refused(Refused::HasPeople))));
}

#[tokio::test]
async fn a_weak_password_is_refused() {
    let test = test_vault().await;
    for weak in ["Short1!", "alllowercase1!", "ALLUPPERCASE1!", "NoDigitsHere!!", "NoOthersHere11"] {
        let permit = decide::<UserAdd>(&test.operator().await, Users { of: Some(test.tenant().await) }).unwrap();
        let password = Some(SecretText::new(weak.into()));
        let new = AddUser { email: "a@example.com".into(), role: Role::Owner, password };
        let refused = test.vault.register.user_add(permit, new, None).await;
        assert!(matches!(refused, Err(RegisterError::Malformed { field: "password", .. })), "{weak}");
    }
}

#[tokio::test]
async fn changed_terms_raise_the_grants_epoch_and_the_same_terms_do_not() {
    let test = test_vault().await;
    let tenant = test.tenant().await;
    let owner = test.owner(tenant).await;
    let id = test.connection(&owner).await;
    let permit = || decide::<GrantSet>(&owner, OfTenant { tenant, id }).unwrap();
    let register = &test.vault.register;
    let grant = register.grant_set(permit(), terms("orders:read", Delivery::Gateway)).await.unwrap();
    register.grant_set(permit(), terms("orders:read", Delivery::Gateway)).await.unwrap();
    assert_eq!(test.epoch(grant.id.as_uuid()).await, 0);
    register.grant_set(permit(), terms("orders:read", Delivery::Token)).await.unwrap();
    assert_eq!(test.epoch(grant.id.as_uuid()).await, 1);
    let end = decide(&owner, OfTenant { tenant, id: grant.id }).unwrap();
    register.grant_end(end).await.unwrap();
    let revived = register.grant_set(permit(), terms("orders:read", Delivery::Token)).await.unwrap();
    assert_eq!((revived.id, revived.epoch), (grant.id, 3));
    let undeclared = register.grant_set(permit(), terms("nothing:read", Delivery::Token)).await;
    assert!(matches!(undeclared, Err(RegisterError::Undeclared(_))));
    let secret = register.grant_set(permit(), terms("orders:read", Delivery::Secret)).await;
    assert!(matches!(secret, Err(RegisterError::Malformed { field: "delivery", .. })));
}

#[tokio::test]
async fn an_objection_raises_the_epoch_of_the_pair_once() {
    let test = test_vault().await;
    let tenant = test.tenant().await;
    let owner = test.owner(tenant).await;
    let permit = decide::<SubProcessorAdd>(&test.operator().await, VaultWide).unwrap();
    let new =
        AddSubProcessor { name: "Host".into(), service: "Hosts".into(), country: "DE".into(), basis: "EU".into() };
    let id = test.vault.register.sub_processor_add(permit, new, None).await.unwrap().id();
    let subject = crate::domain::fence::derive_objection(tenant.as_uuid(), id.as_uuid());
    for (objection, epoch) in [(Objection::Standing, 1), (Objection::Standing, 1), (Objection::None, 2)] {
        let permit = decide::<SubProcessorObject>(&owner, OfTenant { tenant, id }).unwrap();
        test.vault.register.sub_processor_object(permit, objection).await.unwrap();
        assert_eq!(test.epoch(subject).await, epoch);
    }
}

#[tokio::test]
async fn an_idempotency_key_makes_one_row_and_refuses_another_body() {
    let test = test_vault().await;
    let operator = test.operator().await;
    let once = |body| Once {
        request: SecretHash::of("request"),
        body: SecretHash::of(body),
        user: operator.user(),
        expires_at: test.vault.clock.now().plus(std::time::Duration::from_secs(60)),
    };
    let permit = || decide::<TenantAdd>(&operator, VaultWide).unwrap();
    let first = test.vault.register.tenant_add(permit(), "Acme", Some(once("a"))).await.unwrap();
    let second = test.vault.register.tenant_add(permit(), "Acme", Some(once("a"))).await.unwrap();
    assert!(matches!(second, Made::Earlier(id) if id == first.id()));
    let other = test.vault.register.tenant_add(permit(), "Other", Some(once("b"))).await;
    assert!(matches!(other, Err(RegisterError::Refused(Refused::OtherBody))));
}

#[tokio::test]
async fn a_worker_of_no_sub_processor_is_refused() {
    let test = test_vault().await;
    let permit = decide::<WorkerAdd>(&test.operator().await, VaultWide).unwrap();
    let sub_processor = SubProcessorId::from_uuid(Uuid::from_u128(1));
    let new = AddWorker { name: "sync".into(), module: Module::Ops, sub_processor };
    let refused = test.vault.register.worker_add(permit, new, None).await;
    assert!(matches!(refused, Err(RegisterError::Malformed { field: "sub_processor", .. })));
}
