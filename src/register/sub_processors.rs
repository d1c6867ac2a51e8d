//! Sub-processors, and tenants' objections to them. An objection raises the epoch of the pair: the leases of that
//! company's workers on that tenant's connections end at once.

use super::{
    Made, Name, Once, Refused, Register, RegisterError,
    create::{Create, Insert},
    fence_of, tenants,
};
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::{
        event::{Event, Kind, Subject},
        fence::{Fence, derive_objection},
    },
    id::{SubProcessorId, TenantId},
    policy::{
        Permit,
        decide::{SubProcessorAdd, SubProcessorList, SubProcessorObject},
    },
    store::{
        Page,
        sub_processors::{self, Objection, SubProcessorRow},
    },
};

/// A sub-processor to add.
pub struct AddSubProcessor {
    /// The company.
    pub name: String,
    /// What it does for us.
    pub service: String,
    /// Where its hosts stand, as an ISO 3166-1 alpha-2 code.
    pub country: String,
    /// The legal basis of the transfer.
    pub basis: String,
}

impl Register {
    /// Adds a sub-processor.
    ///
    /// # Errors
    /// `Taken` where the name is in use.
    pub async fn sub_processor_add(
        &self,
        permit: Permit<SubProcessorAdd>,
        new: AddSubProcessor,
        once: Option<Once>,
    ) -> Result<Made<SubProcessorId>, RegisterError> {
        if new.country.len() != 2 || !new.country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(RegisterError::Malformed { field: "country", why: "is no ISO 3166-1 alpha-2 code" });
        }
        let options = &self.options;
        let id = SubProcessorId::make(&*options.clock, &*options.entropy);
        let row = SubProcessorRow {
            id,
            name: Name::parse("name", &new.name)?.as_str().to_owned(),
            service: Name::parse("service", &new.service)?.as_str().to_owned(),
            country: new.country,
            basis: Name::parse("basis", &new.basis)?.as_str().to_owned(),
            created_at: options.clock.now(),
        };
        let object = Subject::new("sub_processor", id.as_uuid());
        let details = serde_json::json!({ "country": row.country });
        let event = self.event(permit.actor(), TenantId::VAULT, Kind::SubProcessorAdded, object, details);
        let create = Create { id: id.as_uuid(), row, event, fence: fence_of(permit.actor()), once };
        let committed = options.sequencer.commit(create).await;
        let earlier = committed.map_err(|error| RegisterError::from(error).naming("this name"))?.output;
        Ok(earlier.map_or(Made::New(id, ()), |id| Made::Earlier(SubProcessorId::from_uuid(id))))
    }

    /// Lists sub-processors by id, each with whether `tenant` objects to it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sub_processor_list(
        &self,
        permit: &Permit<SubProcessorList>,
        page: Page,
    ) -> Result<Vec<(SubProcessorRow, Objection)>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        let rows = sub_processors::sub_processor_page(&mut reader.link(), page).await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in rows {
            let objection = match permit.actor().tenant() {
                Some(tenant) => sub_processors::objection_show(&mut reader.link(), tenant, row.id).await?,
                None => Objection::None,
            };
            listed.push((row, objection));
        }
        Ok(listed)
    }

    /// Reads one sub-processor, with whether the tenant of whoever asks objects to it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sub_processor_show(
        &self,
        permit: &Permit<SubProcessorList>,
        id: SubProcessorId,
    ) -> Result<Option<(SubProcessorRow, Objection)>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        let Some(row) = sub_processors::sub_processor_show(&mut reader.link(), id).await? else { return Ok(None) };
        let objection = match permit.actor().tenant() {
            Some(tenant) => sub_processors::objection_show(&mut reader.link(), tenant, id).await?,
            None => Objection::None,
        };
        Ok(Some((row, objection)))
    }

    /// Raises or withdraws a tenant's objection to a sub-processor. Repeating it is safe.
    ///
    /// # Errors
    /// `Missing` where there is no such sub-processor.
    pub async fn sub_processor_object(
        &self,
        permit: Permit<SubProcessorObject>,
        objection: Objection,
    ) -> Result<(), RegisterError> {
        let object = *permit.object();
        let kind = match objection {
            Objection::Standing => Kind::SubProcessorObjected,
            Objection::None => Kind::SubProcessorAccepted,
        };
        let subject = Subject::new("sub_processor", object.id.as_uuid());
        let event = self.event(permit.actor(), object.tenant, kind, subject, serde_json::json!({}));
        let (tenant, sub_processor) = (object.tenant, object.id);
        let change = Object { tenant, sub_processor, objection, event, fence: fence_of(permit.actor()) };
        self.options.sequencer.commit(change).await.map_err(RegisterError::from)?;
        Ok(())
    }
}

impl Insert for SubProcessorRow {
    async fn insert(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        let at = batch.at();
        let row = Self { created_at: at, ..self.clone() };
        sub_processors::sub_processor_insert(&mut batch.link(), &row).await?;
        Ok(())
    }
}

struct Object {
    tenant: TenantId,
    sub_processor: SubProcessorId,
    objection: Objection,
    event: Event,
    fence: Fence,
}

impl Change for Object {
    type Output = ();
    type Refusal = Refused;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        let (tenant, sub_processor) = (self.tenant, self.sub_processor);
        tenants::tenant_known(batch, tenant).await?;
        if sub_processors::sub_processor_show(&mut batch.link(), sub_processor).await?.is_none() {
            return Err(ChangeError::Refused(Refused::Missing("sub-processor")));
        }
        if sub_processors::objection_show(&mut batch.link(), tenant, sub_processor).await? == self.objection {
            return Ok(());
        }
        let at = batch.at();
        sub_processors::objection_set(&mut batch.link(), tenant, sub_processor, self.objection, at).await?;
        // Raised on withdrawal too: what is cached under the old epoch still says that the tenant objects, or does not.
        batch.raise(derive_objection(tenant.as_uuid(), sub_processor.as_uuid())).await?;
        batch.record(self.event.clone()).await?;
        Ok(())
    }
}
