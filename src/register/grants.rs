//! Grants: at most one for a connection and a module. Changing or ending one raises its epoch, so the leases under the old
//! terms end at once, wider and narrower alike.

use super::{Refused, Register, RegisterError, connections::tenant_of, fence_of, tenants};
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
        standing::Standing,
    },
    id::{ConnectionId, GrantId, TenantId},
    policy::{
        Delivery, Module, Permit, ScopeSet,
        decide::{GrantEnd, GrantList, GrantSet},
    },
    store::{
        Page, connections,
        grants::{self, GrantRow, NewGrant},
    },
};

/// What a grant permits.
pub struct GrantTerms {
    /// To which module.
    pub module: Module,
    /// For what.
    pub scopes: ScopeSet,
    /// How it may be used.
    pub delivery: Delivery,
}

impl Register {
    /// Grants a module the use of the connection that the permit is for, or changes what it was granted. Terms that stand
    /// already are left alone, and the leases under them too.
    ///
    /// # Errors
    /// `Undeclared` where the provider declares no such scope, `Malformed` where there is no scope or the delivery is not
    /// for this provider.
    pub async fn grant_set(&self, permit: Permit<GrantSet>, terms: GrantTerms) -> Result<GrantRow, RegisterError> {
        let object = *permit.object();
        let options = &self.options;
        let connection = connections::connection_show(&mut options.db.reader().await?.link(), object.id).await?;
        let connection = connection.ok_or(Refused::Missing("connection"))?;
        self.check_terms(&connection.provider, &terms)?;
        let new_id = GrantId::make(&*options.clock, &*options.entropy);
        let subject = Subject::new("connection", object.id.as_uuid());
        let details = serde_json::json!({ "module": terms.module, "scopes": terms.scopes, "delivery": terms.delivery });
        let event = self.event(permit.actor(), object.tenant, Kind::GrantSet, subject, details);
        let (tenant, connection) = (object.tenant, object.id);
        let change = SetGrant { new_id, tenant, connection, terms, event, fence: fence_of(permit.actor()) };
        Ok(options.sequencer.commit(change).await.map_err(RegisterError::from)?.output)
    }

    /// Ends the grant that the permit is for, and the leases under it. Repeating it is safe.
    ///
    /// # Errors
    /// `Missing` where there is no such grant.
    pub async fn grant_end(&self, permit: Permit<GrantEnd>) -> Result<(), RegisterError> {
        let object = *permit.object();
        let subject = Subject::new("grant", object.id.as_uuid());
        let event = self.event(permit.actor(), object.tenant, Kind::GrantEnded, subject, serde_json::json!({}));
        let change = EndGrant { id: object.id, event, fence: fence_of(permit.actor()) };
        self.options.sequencer.commit(change).await.map_err(RegisterError::from)?;
        Ok(())
    }

    /// Reads a grant, so that the caller can ask for a permit.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grant_find(&self, id: GrantId) -> Result<Option<GrantRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(grants::grant_show(&mut reader.link(), id).await?)
    }

    /// Lists the grants that the permit reaches, by id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn grant_list(&self, permit: Permit<GrantList>, page: Page) -> Result<Vec<GrantRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(grants::grant_page(&mut reader.link(), tenant_of(*permit.object()), page).await?)
    }

    fn check_terms(&self, provider: &str, terms: &GrantTerms) -> Result<(), RegisterError> {
        let malformed = |field, why| RegisterError::Malformed { field, why };
        let provider = self.options.broker.catalogue().provider(provider);
        let provider =
            provider.ok_or(malformed("connection", "belongs to a provider that is not described any more"))?;
        if terms.scopes.is_empty() {
            return Err(malformed("scopes", "names none"));
        }
        if let Some(scope) = terms.scopes.iter().find(|scope| !provider.declares(scope)) {
            return Err(RegisterError::Undeclared(scope.clone()));
        }
        // Every provider that a file can describe so far is OAuth's: its credential is a refresh token, which is never
        // handed out.
        if terms.delivery == Delivery::Secret {
            return Err(malformed("delivery", "cannot be `secret`: the provider's credential is never handed out"));
        }
        Ok(())
    }
}

struct SetGrant {
    new_id: GrantId,
    tenant: TenantId,
    connection: ConnectionId,
    terms: GrantTerms,
    event: Event,
    fence: Fence,
}

impl Change for SetGrant {
    type Output = GrantRow;
    type Refusal = Refused;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<GrantRow, ChangeError<Refused>> {
        tenants::tenant_active(batch, self.tenant).await?;
        let GrantTerms { module, scopes, delivery } = &self.terms;
        let stored = grants::grants_of_connection(&mut batch.link(), self.connection).await?;
        let at = batch.at();
        let id = match stored.into_iter().find(|grant| grant.module == *module) {
            Some(grant) => {
                let stands = grant.state == Standing::Active;
                if stands && grant.scopes == *scopes && grant.delivery == *delivery {
                    return Ok(grant);
                }
                grants::grant_change(&mut batch.link(), grant.id, scopes, *delivery, at).await?;
                // A revived grant is raised as well: a lease from before its end must not come back with it.
                batch.raise(grant.id.as_uuid()).await?;
                grant.id
            }
            None => {
                let (id, tenant, connection) = (self.new_id, self.tenant, self.connection);
                let new = NewGrant { id, tenant, connection, module: *module, scopes, delivery: *delivery };
                grants::grant_insert(&mut batch.link(), &new, at).await?;
                id
            }
        };
        batch.record(self.event.clone()).await?;
        let grant = grants::grant_show(&mut batch.link(), id).await?;
        grant.ok_or_else(|| ChangeError::Store(crate::store::StoreError::corrupt("grants", "id", id)))
    }
}

struct EndGrant {
    id: GrantId,
    event: Event,
    fence: Fence,
}

impl Change for EndGrant {
    type Output = ();
    type Refusal = Refused;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        if grants::grant_show(&mut batch.link(), self.id).await?.is_none() {
            return Err(ChangeError::Refused(Refused::Missing("grant")));
        }
        let at = batch.at();
        if grants::grant_end(&mut batch.link(), self.id, at).await? {
            batch.raise(self.id.as_uuid()).await?;
            batch.record(self.event.clone()).await?;
        }
        Ok(())
    }
}
