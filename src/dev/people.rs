//! The sample people of a development vault. They have passwords and access keys from the start, which the API gives to
//! nobody: staff cannot make a key that acts as a customer.

use super::DevError;
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::event::{Event, Kind, Outcome, Payload, Subject},
    entropy::{make_array, make_bearer},
    envelope::{Cost, PasswordHash},
    id::{AccessKeyId, TenantId, UserId},
    policy::Role,
    secret::{SecretHash, SecretText},
    store::users::{self, NewAccessKey, NewUser},
    vault::Vault,
};
use data_encoding::HEXLOWER;
use std::convert::Infallible;

/// A person who can sign in and call the API.
pub(super) struct Person {
    pub(super) email: String,
    pub(super) password: SecretText,
    pub(super) token: SecretText,
}

/// Adds a person with a drawn password and an access key.
pub(super) async fn person_add(
    vault: &Vault,
    tenant: Option<TenantId>,
    email: &str,
    role: Role,
) -> Result<Person, DevError> {
    let (clock, entropy) = (&*vault.clock, &*vault.entropy);
    // Four classes of characters, as a password page may ask for.
    let password = SecretText::new(format!("Dev-{}", HEXLOWER.encode(&make_array::<12>(entropy))));
    let hash = PasswordHash::make(&password, Cost::PASSWORD, entropy).map_err(|_| DevError::Memory)?;
    let token = make_bearer(entropy, "lhk_");
    let user = UserId::make(clock, entropy);
    let payload = Payload {
        actor: Subject::VAULT,
        object: Subject::new("user", user.as_uuid()),
        outcome: Outcome::Allowed,
        details: serde_json::json!({ "new_role": role }),
    };
    let chain = tenant.unwrap_or(TenantId::VAULT);
    let add = AddPerson {
        user,
        tenant,
        email: email.to_owned(),
        role,
        password_hash: hash.to_string(),
        key: AccessKeyId::make(clock, entropy),
        secret_hash: SecretHash::of(token.expose()),
        event: Event::make(entropy, chain, Kind::UserAdded, &payload),
    };
    vault.sequencer.commit(add).await.map_err(|error| DevError::Person(error.to_string()))?;
    Ok(Person { email: email.to_owned(), password, token })
}

struct AddPerson {
    user: UserId,
    tenant: Option<TenantId>,
    email: String,
    role: Role,
    password_hash: String,
    key: AccessKeyId,
    secret_hash: SecretHash,
    event: Event,
}

impl Change for AddPerson {
    type Output = ();
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Infallible>> {
        let Self { user, tenant, email, role, password_hash, key, secret_hash, event } = self;
        let at = batch.at();
        let new = NewUser { id: *user, tenant: *tenant, email, role: *role, password_hash: Some(password_hash) };
        users::user_insert(&mut batch.link(), &new, at).await?;
        let new = NewAccessKey { id: *key, user: *user, label: "dev", secret_hash: *secret_hash, expires_at: None };
        users::access_key_insert(&mut batch.link(), &new, at).await?;
        batch.record(event.clone()).await?;
        Ok(())
    }
}
