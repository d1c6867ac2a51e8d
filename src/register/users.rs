//! People. An address is normalised once, here, so that an alias is the same person.

use super::{
    Made, Once, Refused, Register, RegisterError,
    access_keys::PREFIX,
    create::{Create, Insert},
    fence_of, tenants,
};
use crate::{
    audit::{Batch, Change, ChangeError, SubmitError},
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    entropy::make_bearer,
    envelope::{Cost, PasswordHash},
    id::{AccessKeyId, TenantId, UserId},
    identity::normalise_email,
    policy::{
        Permit, Role,
        decide::{UserAdd, UserDisable, UserList},
    },
    secret::{SecretHash, SecretText},
    store::{
        Page,
        users::{self, NewAccessKey, NewUser, UserRow},
    },
};
use std::sync::Arc;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// A person to add.
pub struct AddUser {
    /// Their address.
    pub email: String,
    /// Their role: a tenant's where the permit is for a tenant, else staff's.
    pub role: Role,
    /// Their password, of 12 characters and four classes at least, for when they sign in themselves.
    pub password: Option<SecretText>,
}

impl Register {
    /// Adds a person to the tenant, or to the staff, that the permit is for. Yields their first access key, once: whoever
    /// adds them hands it on. So staff may add a tenant's *first* person only: another would let staff act as a customer
    /// without the customer's doing. Costs a slow hash where there is a password.
    ///
    /// # Errors
    /// `Malformed` where address, role or password do not fit, `Taken` where the address belongs to somebody, `HasPeople`
    /// where staff would add to a tenant that can add for itself.
    pub async fn user_add(
        &self,
        permit: Permit<UserAdd>,
        new: AddUser,
        once: Option<Once>,
    ) -> Result<Made<UserId, SecretText>, RegisterError> {
        let email = normalise_email(&new.email)
            .ok_or(RegisterError::Malformed { field: "email", why: "is no e-mail address" })?;
        let (tenant, role) = (permit.object().of, new.role);
        if tenant.is_some() != role.is_tenants() {
            let why = "does not fit: owners and viewers belong to a tenant, all others to none";
            return Err(RegisterError::Malformed { field: "role", why });
        }
        let password_hash = match new.password {
            Some(password) => Some(self.password_hash(password).await?),
            None => None,
        };
        let (clock, entropy) = (&*self.options.clock, &*self.options.entropy);
        let id = UserId::make(clock, entropy);
        let (key, secret) = (AccessKeyId::make(clock, entropy), make_bearer(entropy, PREFIX));
        let object = Subject::new("user", id.as_uuid());
        let chain = tenant.unwrap_or(TenantId::VAULT);
        let details = serde_json::json!({ "new_role": role, "access_key": key });
        let event = self.event(permit.actor(), chain, Kind::UserAdded, object, details);
        let key = (key, SecretHash::of(secret.expose()));
        let by_staff = permit.actor().tenant().is_none();
        let row = InsertUser { id, tenant, email, role, password_hash, key, by_staff };
        let create = Create { id: id.as_uuid(), row, event, fence: fence_of(permit.actor()), once };
        let committed = self.options.sequencer.commit(create).await;
        let earlier = committed.map_err(|error| RegisterError::from(error).naming("this e-mail address"))?.output;
        Ok(match earlier {
            Some(earlier) => Made::Earlier(UserId::from_uuid(earlier)),
            None => Made::New(id, secret),
        })
    }

    /// Hashes a password off the event loop, a few at a time: each takes 19 MiB.
    async fn password_hash(&self, password: SecretText) -> Result<String, RegisterError> {
        static AT_ONCE: Semaphore = Semaphore::const_new(4);
        if !is_strong(password.expose()) {
            let why = "needs 12 characters, with small and capital letters, digits and others";
            return Err(RegisterError::Malformed { field: "password", why });
        }
        let _place = AT_ONCE.acquire().await;
        let entropy = Arc::clone(&self.options.entropy);
        let hashing = tokio::task::spawn_blocking(move || PasswordHash::make(&password, Cost::PASSWORD, &*entropy));
        match hashing.await {
            Ok(Ok(hash)) => Ok(hash.to_string()),
            _ => Err(RegisterError::Unrecorded(SubmitError::Overloaded)),
        }
    }

    /// Lists the people of the tenant that the permit is for, or everybody where it is for the staff.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn user_list(&self, permit: Permit<UserList>, page: Page) -> Result<Vec<UserRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(users::user_page(&mut reader.link(), permit.object().of, page).await?)
    }

    /// Reads a person, so that the caller can ask for a permit.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn user_find(&self, id: UserId) -> Result<Option<UserRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(users::user_show(&mut reader.link(), id).await?)
    }

    /// Disables the person that the permit is for: their epoch is raised, so every session, access key and change under
    /// way ends. Repeating it is safe.
    ///
    /// # Errors
    /// `Missing` where there is no such person.
    pub async fn user_disable(&self, permit: Permit<UserDisable>) -> Result<(), RegisterError> {
        let person = permit.object();
        let chain = person.of.unwrap_or(TenantId::VAULT);
        let object = Subject::new("user", person.id.as_uuid());
        let event = self.event(permit.actor(), chain, Kind::UserDisabled, object, serde_json::json!({}));
        let change = DisableUser { id: person.id, event, fence: fence_of(permit.actor()) };
        self.options.sequencer.commit(change).await.map_err(RegisterError::from)?;
        Ok(())
    }
}

struct InsertUser {
    id: UserId,
    tenant: Option<TenantId>,
    email: String,
    role: Role,
    password_hash: Option<String>,
    key: (AccessKeyId, SecretHash),
    by_staff: bool,
}

/// Amazon's Data Protection Policy 1.4: twelve characters, four classes.
fn is_strong(password: &str) -> bool {
    let has = |class: fn(char) -> bool| password.chars().any(class);
    let others = |c: char| !c.is_alphanumeric() && !c.is_control();
    let long = (12..=256).contains(&password.chars().count());
    long && has(char::is_lowercase) && has(char::is_uppercase) && has(char::is_numeric) && has(others)
}

impl Insert for InsertUser {
    async fn insert(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        // Into a revoked tenant too: somebody has to take its records away and have it erased.
        if let Some(tenant) = self.tenant {
            tenants::tenant_known(batch, tenant).await?;
            let anybody = Page { after: Uuid::nil(), limit: 1 };
            let peopled = !users::user_page(&mut batch.link(), Some(tenant), anybody).await?.is_empty();
            if self.by_staff && peopled {
                return Err(ChangeError::Refused(Refused::HasPeople));
            }
        }
        let Self { id, tenant, email, role, password_hash, .. } = self;
        let new = NewUser { id: *id, tenant: *tenant, email, role: *role, password_hash: password_hash.as_deref() };
        let at = batch.at();
        users::user_insert(&mut batch.link(), &new, at).await?;
        let (key, secret_hash) = self.key;
        let new = NewAccessKey { id: key, user: *id, label: "first key", secret_hash, expires_at: None };
        users::access_key_insert(&mut batch.link(), &new, at).await?;
        Ok(())
    }
}

struct DisableUser {
    id: UserId,
    event: Event,
    fence: Fence,
}

impl Change for DisableUser {
    type Output = ();
    type Refusal = Refused;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        if users::user_show(&mut batch.link(), self.id).await?.is_none() {
            return Err(ChangeError::Refused(Refused::Missing("user")));
        }
        if users::user_end(&mut batch.link(), self.id).await? {
            batch.raise(self.id.as_uuid()).await?;
            batch.record(self.event.clone()).await?;
        }
        Ok(())
    }
}
