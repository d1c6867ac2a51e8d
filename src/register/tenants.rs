//! Tenants: a row and a key each.

use super::{
    Made, Name, Once, Refused, Register, RegisterError,
    create::{Create, Insert},
    fence_of,
};
use crate::{
    audit::{Batch, ChangeError},
    domain::{
        event::{Kind, Subject},
        standing::Standing,
    },
    id::TenantId,
    keyring::NewTenantKey,
    policy::{
        Permit,
        decide::{TenantAdd, TenantList, TenantShow},
    },
    store::{
        Page, keys,
        tenants::{self, TenantRow},
    },
};

impl Register {
    /// Adds a tenant with a key of its own. Costs one commit; fails while the vault is sealed.
    ///
    /// # Errors
    /// See [`RegisterError`].
    pub async fn tenant_add(
        &self,
        permit: Permit<TenantAdd>,
        name: &str,
        once: Option<Once>,
    ) -> Result<Made<TenantId>, RegisterError> {
        let name = Name::parse("name", name)?;
        let id = TenantId::make(&*self.options.clock, &*self.options.entropy);
        let key = self.options.keyring.make_tenant_key(id).await?;
        let object = Subject::new("tenant", id.as_uuid());
        let event = self.event(permit.actor(), id, Kind::TenantAdded, object, serde_json::json!({}));
        let row = InsertTenant { id, name, key };
        let create = Create { id: id.as_uuid(), row, event, fence: fence_of(permit.actor()), once };
        let earlier = self.options.sequencer.commit(create).await.map_err(RegisterError::from)?.output;
        Ok(earlier.map_or(Made::New(id, ()), |id| Made::Earlier(TenantId::from_uuid(id))))
    }

    /// Reads the tenant that the permit is for.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tenant_show(&self, permit: Permit<TenantShow>) -> Result<Option<TenantRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(tenants::tenant_show(&mut reader.link(), permit.object().0).await?)
    }

    /// Lists tenants by id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tenant_list(&self, _permit: Permit<TenantList>, page: Page) -> Result<Vec<TenantRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(tenants::tenant_page(&mut reader.link(), page).await?)
    }
}

struct InsertTenant {
    id: TenantId,
    name: Name,
    key: NewTenantKey,
}

impl Insert for InsertTenant {
    async fn insert(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        let at = batch.at();
        tenants::tenant_insert(&mut batch.link(), self.id, self.name.as_str(), at).await?;
        keys::tenant_key_insert(&mut batch.link(), self.id, &self.key.wrapped, 0, at).await?;
        Ok(())
    }
}

/// Refuses what concerns a tenant that is not there.
pub(super) async fn tenant_known(batch: &mut Batch<'_>, id: TenantId) -> Result<TenantRow, ChangeError<Refused>> {
    let tenant = tenants::tenant_show(&mut batch.link(), id).await?;
    tenant.ok_or(ChangeError::Refused(Refused::Missing("tenant")))
}

/// Refuses what a tenant whose access was ended cannot have any more.
pub(super) async fn tenant_active(batch: &mut Batch<'_>, id: TenantId) -> Result<(), ChangeError<Refused>> {
    match tenant_known(batch, id).await?.state {
        Standing::Active => Ok(()),
        Standing::Ended => Err(ChangeError::Refused(Refused::Ended("tenant"))),
    }
}
