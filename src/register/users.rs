//! People. An address is normalised once, here, so that an alias is the same person.

use super::{
    Made, Once, Refused, Register, RegisterError,
    create::{Create, Insert},
    fence_of, tenants,
};
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    id::{TenantId, UserId},
    identity::normalise_email,
    policy::{
        Permit, Role,
        decide::{UserAdd, UserDisable, UserList},
    },
    store::{
        Page,
        users::{self, NewUser, UserRow},
    },
};

/// A person to add.
pub struct AddUser {
    /// Their address.
    pub email: String,
    /// Their role: a tenant's where the permit is for a tenant, else staff's.
    pub role: Role,
}

impl Register {
    /// Adds a person to the tenant, or to the staff, that the permit is for. They can do nothing until they have an access
    /// key.
    ///
    /// # Errors
    /// `Malformed` where address or role do not fit, `Taken` where the address belongs to somebody.
    pub async fn user_add(
        &self,
        permit: Permit<UserAdd>,
        new: AddUser,
        once: Option<Once>,
    ) -> Result<Made<UserId>, RegisterError> {
        let email = normalise_email(&new.email)
            .ok_or(RegisterError::Malformed { field: "email", why: "is no e-mail address" })?;
        let (tenant, role) = (permit.object().of, new.role);
        if tenant.is_some() != role.is_tenants() {
            let why = "does not fit: owners and viewers belong to a tenant, all others to none";
            return Err(RegisterError::Malformed { field: "role", why });
        }
        let id = UserId::make(&*self.options.clock, &*self.options.entropy);
        let object = Subject::new("user", id.as_uuid());
        let chain = tenant.unwrap_or(TenantId::VAULT);
        let details = serde_json::json!({ "new_role": role });
        let event = self.event(permit.actor(), chain, Kind::UserAdded, object, details);
        let row = InsertUser { id, tenant, email, role };
        let create = Create { id: id.as_uuid(), row, event, fence: fence_of(permit.actor()), once };
        let committed = self.options.sequencer.commit(create).await;
        let earlier = committed.map_err(|error| RegisterError::from(error).naming("this e-mail address"))?.output;
        Ok(earlier.map_or(Made::New(id, ()), |id| Made::Earlier(UserId::from_uuid(id))))
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
}

impl Insert for InsertUser {
    async fn insert(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        // Into a revoked tenant too: somebody has to take its records away and have it erased.
        if let Some(tenant) = self.tenant {
            tenants::tenant_known(batch, tenant).await?;
        }
        let Self { id, tenant, email, role } = self;
        let new = NewUser { id: *id, tenant: *tenant, email, role: *role, password_hash: None };
        let at = batch.at();
        users::user_insert(&mut batch.link(), &new, at).await?;
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
