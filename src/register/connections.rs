//! Connections: added pending, until an owner consents.

use super::{
    Made, Name, Once, Refused, Register, RegisterError,
    create::{Create, Insert},
    fence_of, tenants,
};
use crate::{
    audit::{Batch, ChangeError},
    broker::provider::{AccountKind, Region},
    domain::event::{Kind, Subject},
    id::{ConnectionId, TenantId},
    policy::{
        Permit,
        decide::{ConnectionAdd, ConnectionList},
        object::Share,
    },
    store::{
        Page,
        connections::{self, ConnectionRow, NewConnection},
    },
};

/// The longest id that a provider gives an account, in bytes.
const ACCOUNT_MAX: usize = 128;

/// A connection to add.
pub struct AddConnection {
    /// The provider's name.
    pub provider: String,
    /// Its name.
    pub name: String,
    /// The kind of account.
    pub kind: AccountKind,
    /// The provider's region.
    pub region: Region,
    /// The country whose site the owner consents at, as the provider abbreviates it.
    pub country: String,
    /// The provider's id of the account, where it is known; another account is refused then.
    pub account: Option<String>,
}

impl Register {
    /// Adds a connection to the tenant that the permit is for, pending its owner's consent.
    ///
    /// # Errors
    /// `Malformed` where the provider has no such region or country, or no consent page there; `Ended` where the tenant's
    /// access was ended.
    pub async fn connection_add(
        &self,
        permit: Permit<ConnectionAdd>,
        new: AddConnection,
        once: Option<Once>,
    ) -> Result<Made<ConnectionId>, RegisterError> {
        self.check_place(&new)?;
        let name = Name::parse("name", &new.name)?;
        let options = &self.options;
        let id = ConnectionId::make(&*options.clock, &*options.entropy);
        let tenant = permit.object().0;
        let object = Subject::new("connection", id.as_uuid());
        let details = serde_json::json!({
            "provider": new.provider, "kind": new.kind, "region": new.region, "country": new.country,
            "account": new.account,
        });
        let event = self.event(permit.actor(), tenant, Kind::ConnectionAdded, object, details);
        let row = InsertConnection { id, tenant, name, new };
        let create = Create { id: id.as_uuid(), row, event, fence: fence_of(permit.actor()), once };
        let earlier = options.sequencer.commit(create).await.map_err(RegisterError::from)?.output;
        Ok(earlier.map_or(Made::New(id, ()), |id| Made::Earlier(ConnectionId::from_uuid(id))))
    }

    /// Reads a connection, so that the caller can ask for a permit.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn connection_find(&self, id: ConnectionId) -> Result<Option<ConnectionRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(connections::connection_show(&mut reader.link(), id).await?)
    }

    /// Lists the connections that the permit reaches, by id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn connection_list(
        &self,
        permit: Permit<ConnectionList>,
        page: Page,
    ) -> Result<Vec<ConnectionRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(connections::connection_page(&mut reader.link(), tenant_of(*permit.object()), page).await?)
    }

    fn check_place(&self, new: &AddConnection) -> Result<(), RegisterError> {
        let malformed = |field, why| RegisterError::Malformed { field, why };
        let provider = self.options.broker.catalogue().provider(&new.provider);
        let provider = provider.ok_or(malformed("provider", "is none that is described"))?;
        if provider.endpoint(new.region).is_none() {
            return Err(malformed("region", "is none of the provider's"));
        }
        let marketplace = provider.marketplaces().iter().find(|marketplace| marketplace.country == new.country);
        let marketplace = marketplace.ok_or(malformed("country", "is none of the provider's"))?;
        if marketplace.region != new.region {
            return Err(malformed("country", "lies in another region"));
        }
        if provider.consent().is_some() && provider.consent_page(new.kind, &new.country).is_none() {
            return Err(malformed("kind", "has no consent page in this country"));
        }
        let fits = |account: &String| {
            (1..=ACCOUNT_MAX).contains(&account.len()) && account.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if new.account.as_ref().is_some_and(|account| !fits(account)) {
            return Err(malformed("account", "is no account's id"));
        }
        Ok(())
    }
}

/// Says which rows a share covers: those of one tenant, or all.
pub(super) fn tenant_of(share: Share) -> Option<TenantId> {
    match share {
        Share::One(tenant) => Some(tenant),
        Share::All => None,
    }
}

struct InsertConnection {
    id: ConnectionId,
    tenant: TenantId,
    name: Name,
    new: AddConnection,
}

impl Insert for InsertConnection {
    async fn insert(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        tenants::tenant_active(batch, self.tenant).await?;
        let AddConnection { provider, kind, region, country, account, .. } = &self.new;
        let new = NewConnection {
            id: self.id,
            tenant: self.tenant,
            provider,
            name: self.name.as_str(),
            kind: kind.as_str(),
            region: region.as_str(),
            country,
            account: account.as_deref(),
        };
        let at = batch.at();
        connections::connection_insert(&mut batch.link(), &new, at).await?;
        Ok(())
    }
}
