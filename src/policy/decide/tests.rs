//! Every action × role × {own, foreign}, against a table that is written out a second time, by outcome rather than by
//! rule. A cell: `Y` permitted, `R` this role may not (403), `F` no such object (404). Columns: owner, viewer, operator,
//! security officer, auditor.

use super::*;
use crate::id::{TenantId, UserId};
use uuid::Uuid;

const OWN: TenantId = TenantId::from_uuid(Uuid::from_u128(0xA));
const OTHER: TenantId = TenantId::from_uuid(Uuid::from_u128(0xB));
const SOMEONE: UserId = UserId::from_uuid(Uuid::from_u128(0x50));

fn actor(role: Role) -> Actor {
    let user = UserId::from_uuid(Uuid::from_u128(1 + role as u128));
    Actor::new(user, role, role.is_tenants().then_some(OWN), 7).unwrap()
}

fn outcomes<A: Action>(object: impl Fn() -> A::Object) -> String {
    let cell = |&role: &Role| match decide::<A>(&actor(role), object()) {
        Ok(permit) => {
            assert_eq!(permit.actor(), &actor(role));
            'Y'
        }
        Err(Refusal::Role) => 'R',
        Err(Refusal::Foreign) => 'F',
    };
    Role::ALL.iter().map(cell).collect()
}

/// Claims what five roles get for an object of their own tenant (or of the vault), and for one of another tenant.
struct Claims(Vec<ActionName>);

impl Claims {
    fn vault<A: Action<Object = VaultWide>>(&mut self, expected: &str) {
        self.0.push(A::NAME);
        assert_eq!(outcomes::<A>(|| VaultWide), expected, "{}", A::NAME);
    }

    fn thing<A: Action<Object = OfVault<WorkerId>>>(&mut self, expected: &str) {
        self.0.push(A::NAME);
        let id = WorkerId::from_uuid(Uuid::from_u128(9));
        assert_eq!(outcomes::<A>(|| OfVault(id)), expected, "{}", A::NAME);
    }

    fn tenant<A: Action>(&mut self, object: impl Fn(TenantId) -> A::Object, own: &str, foreign: &str) {
        self.0.push(A::NAME);
        assert_eq!(outcomes::<A>(|| object(OWN)), own, "{} own", A::NAME);
        assert_eq!(outcomes::<A>(|| object(OTHER)), foreign, "{} foreign", A::NAME);
        assert_eq!(&foreign[..2], "FF", "{}: a tenant's person learns of a foreign object", A::NAME);
    }

    fn share<A: Action<Object = Share>>(&mut self, own: &str, foreign: &str, all: &str) {
        self.tenant::<A>(Share::One, own, foreign);
        assert_eq!(outcomes::<A>(|| Share::One(TenantId::VAULT)), foreign, "{} vault's", A::NAME);
        assert_eq!(outcomes::<A>(|| Share::All), all, "{} all", A::NAME);
    }
}

fn of<Id: Copy>(id: fn(Uuid) -> Id) -> impl Fn(TenantId) -> OfTenant<Id> {
    move |tenant| OfTenant { tenant, id: id(Uuid::from_u128(9)) }
}

#[test]
fn each_role_may_do_what_the_design_says_and_nothing_else() {
    let mut claim = Claims(Vec::new());

    claim.vault::<TenantAdd>("RRYRR");
    claim.vault::<TenantList>("RRYYY");
    claim.tenant::<TenantShow>(WholeTenant, "YYYYY", "FFYYY");
    claim.tenant::<TenantExport>(WholeTenant, "YRRRR", "FFRRR");
    claim.tenant::<TenantRevoke>(WholeTenant, "YRRYR", "FFRYR");
    claim.tenant::<TenantErase>(WholeTenant, "YRRRR", "FFRRR");

    let people = |tenant| Users { of: Some(tenant) };
    let someone = |tenant| OneUser { of: Some(tenant), id: SOMEONE };
    claim.tenant::<UserAdd>(people, "YRYRR", "FFYRR");
    claim.tenant::<UserList>(people, "YYYYY", "FFYYY");
    claim.tenant::<UserShow>(someone, "YYYYY", "FFYYY");
    claim.tenant::<UserDisable>(someone, "YRRYR", "FFRYR");
    claim.tenant::<AccessKeyAdd>(someone, "YRRRR", "FFRRR");
    claim.tenant::<AccessKeyRevoke>(someone, "YRRYR", "FFRYR");

    claim.vault::<ApplicationSet>("RRYYR");
    claim.vault::<ApplicationList>("RRYYY");
    claim.vault::<SubProcessorAdd>("RRYRR");
    claim.vault::<SubProcessorList>("YYYYY");
    claim.tenant::<SubProcessorObject>(of(SubProcessorId::from_uuid), "YRRRR", "FFRRR");

    claim.vault::<WorkerAdd>("RRYRR");
    claim.vault::<WorkerList>("RRYYY");
    claim.thing::<WorkerShow>("FFYYY");
    claim.thing::<WorkerDisable>("FFYYR");
    claim.thing::<WorkerSecretAdd>("FFYYR");

    let connection = || of(ConnectionId::from_uuid);
    claim.tenant::<ConnectionAdd>(WholeTenant, "YRYRR", "FFYRR");
    claim.share::<ConnectionList>("YYYYY", "FFYYY", "RRYYY");
    claim.tenant::<ConnectionShow>(connection(), "YYYYY", "FFYYY");
    claim.tenant::<ConnectionAuthorize>(connection(), "YRRRR", "FFRRR");
    claim.tenant::<ConnectionImport>(connection(), "YRYRR", "FFYRR");
    claim.tenant::<ConnectionRevoke>(connection(), "YRRYR", "FFRYR");
    claim.tenant::<ConnectionSuspend>(connection(), "YRYYR", "FFYYR");
    claim.tenant::<ConnectionResume>(connection(), "YRRYR", "FFRYR");

    claim.tenant::<GrantSet>(connection(), "YRRRR", "FFRRR");
    claim.share::<GrantList>("YYYYY", "FFYYY", "RRYYY");
    claim.tenant::<GrantShow>(of(GrantId::from_uuid), "YYYYY", "FFYYY");
    claim.tenant::<GrantEnd>(of(GrantId::from_uuid), "YRRRR", "FFRRR");

    claim.vault::<RevokeAll>("RRRYR");
    claim.tenant::<ReceiptShow>(of(ReceiptId::from_uuid), "YYYYY", "FFYYY");
    claim.share::<AuditRead>("YYYYY", "FFYYY", "RRYYY");
    claim.vault::<CheckpointRead>("YYYYY");
    claim.vault::<AuditHealthShow>("RRYYY");
    claim.share::<AuditExport>("YRRYY", "FFRYY", "RRRYY");
    claim.share::<EventsRead>("YYYYY", "FFYYY", "RRYYY");

    claim.vault::<KeysShow>("RRYYY");
    claim.vault::<KeysRotate>("RRRYR");
    claim.vault::<SealShow>("RRYYY");
    claim.vault::<SealOpen>("RRRYR");
    claim.vault::<SealClose>("RRRYR");
    claim.vault::<RestoreAccept>("RRRYR");

    assert_eq!(claim.0, ActionName::ALL, "an action has no claim here, or stands out of order");
}

#[test]
fn staff_are_unknown_to_tenants_people_and_added_by_a_security_officer_only() {
    let staff = OneUser { of: None, id: SOMEONE };
    assert_eq!(outcomes::<UserAdd>(|| Users { of: None }), "FFRYR");
    assert_eq!(outcomes::<UserList>(|| Users { of: None }), "FFYYY");
    assert_eq!(outcomes::<UserShow>(|| staff), "FFYYY");
    assert_eq!(outcomes::<UserDisable>(|| staff), "FFRYR");
    assert_eq!(outcomes::<AccessKeyAdd>(|| staff), "FFRYR");
    assert_eq!(outcomes::<AccessKeyRevoke>(|| staff), "FFRYR");
}

#[test]
fn anyone_makes_and_ends_access_keys_of_their_own() {
    for &role in Role::ALL {
        let oneself = OneUser { of: actor(role).tenant(), id: actor(role).user() };
        assert!(decide::<AccessKeyAdd>(&actor(role), oneself).is_ok(), "{role}");
        assert!(decide::<AccessKeyRevoke>(&actor(role), oneself).is_ok(), "{role}");
    }
}

#[test]
fn staff_cannot_make_an_access_key_that_acts_as_a_customer() {
    let owner = OneUser { of: Some(OWN), id: actor(Role::Owner).user() };
    for role in [Role::Operator, Role::SecurityOfficer, Role::Auditor] {
        assert_eq!(decide::<AccessKeyAdd>(&actor(role), owner).unwrap_err(), Refusal::Role, "{role}");
    }
}

#[test]
fn a_permit_carries_what_it_is_for() {
    let object = OfTenant { tenant: OWN, id: ConnectionId::from_uuid(Uuid::from_u128(9)) };
    let permit = decide::<ConnectionRevoke>(&actor(Role::Owner), object).unwrap();
    assert_eq!(permit.object(), &object);
    assert_eq!(permit.actor().epoch(), 7);
}

#[test]
fn action_names_are_distinct_and_have_a_noun_and_a_verb() {
    let mut names: Vec<_> = ActionName::ALL.iter().map(|name| name.as_str()).collect();
    assert!(names.iter().all(|name| name.split('.').count() == 2));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ActionName::ALL.len());
}
