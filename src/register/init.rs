//! What `leasehold init` writes into the books of a new vault: the first two people, who add all others.

use super::{Refused, Register, RegisterError, access_keys::PREFIX};
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::event::{Event, Kind, Outcome, Payload, Subject},
    entropy::make_bearer,
    id::{AccessKeyId, TenantId, UserId},
    identity::normalise_email,
    policy::Role,
    secret::{SecretHash, SecretText},
    store::{
        Page,
        users::{self, NewAccessKey, NewUser},
    },
};

/// A first member of staff, with the access key that is shown once.
#[derive(Debug)]
pub struct StaffKey {
    /// Who.
    pub user: UserId,
    /// Their access key.
    pub key: SecretText,
}

/// The first staff of a vault.
#[derive(Debug)]
pub struct FirstStaff {
    /// Seals, rotates, contains, and adds further staff.
    pub officer: StaffKey,
    /// Runs the vault, and adds tenants.
    pub operator: StaffKey,
}

/// Enters a security officer and an operator, and records that the vault was made. A retry is safe: it is done once.
///
/// # Errors
/// `HasStaff` where it was done before; nothing is changed then.
pub async fn first_staff(
    register: &Register,
    officer_email: &str,
    operator_email: &str,
) -> Result<FirstStaff, RegisterError> {
    let malformed = |field| RegisterError::Malformed { field, why: "is no e-mail address" };
    let officer_email = normalise_email(officer_email).ok_or(malformed("officer"))?;
    let operator_email = normalise_email(operator_email).ok_or(malformed("operator"))?;
    let (officer, officer_key) = newcomer(register, officer_email, Role::SecurityOfficer);
    let (operator, operator_key) = newcomer(register, operator_email, Role::Operator);
    let payload = Payload {
        actor: Subject::VAULT,
        object: Subject::VAULT,
        outcome: Outcome::Allowed,
        details: serde_json::json!({ "officer": officer.user, "operator": operator.user }),
    };
    let event = Event::make(&*register.options.entropy, TenantId::VAULT, Kind::VaultInitialized, &payload);
    let staff = FirstStaff {
        officer: StaffKey { user: officer.user, key: officer_key },
        operator: StaffKey { user: operator.user, key: operator_key },
    };
    let committed = register.options.sequencer.commit(Initialize { people: [officer, operator], event }).await;
    committed.map_err(|error| RegisterError::from(error).naming("one of the e-mail addresses"))?;
    Ok(staff)
}

struct Newcomer {
    user: UserId,
    email: String,
    role: Role,
    key: AccessKeyId,
    secret_hash: SecretHash,
}

fn newcomer(register: &Register, email: String, role: Role) -> (Newcomer, SecretText) {
    let (clock, entropy) = (&*register.options.clock, &*register.options.entropy);
    let secret = make_bearer(entropy, PREFIX);
    let secret_hash = SecretHash::of(secret.expose());
    let (user, key) = (UserId::make(clock, entropy), AccessKeyId::make(clock, entropy));
    (Newcomer { user, email, role, key, secret_hash }, secret)
}

struct Initialize {
    people: [Newcomer; 2],
    event: Event,
}

impl Change for Initialize {
    type Output = ();
    type Refusal = Refused;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        let anybody = Page { after: uuid::Uuid::nil(), limit: 1 };
        if !users::user_page(&mut batch.link(), None, anybody).await?.is_empty() {
            return Err(ChangeError::Refused(Refused::HasStaff));
        }
        let at = batch.at();
        for person in &self.people {
            let Newcomer { user, email, role, key, secret_hash } = person;
            let new = NewUser { id: *user, tenant: None, email, role: *role, password_hash: None };
            users::user_insert(&mut batch.link(), &new, at).await?;
            let new =
                NewAccessKey { id: *key, user: *user, label: "first key", secret_hash: *secret_hash, expires_at: None };
            users::access_key_insert(&mut batch.link(), &new, at).await?;
        }
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}
