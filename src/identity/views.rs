//! What issuing a lease has to know of a connection, with the epochs that it was read at.

use super::Identity;
use crate::{
    domain::{
        fence::{Incarnation, VAULT_SUBJECT, derive_objection},
        standing::Standing,
    },
    id::{ConnectionId, SubProcessorId},
    policy::Module,
    store::{
        StoreError,
        connections::{self, ConnectionRow},
        fences,
        grants::{self, GrantRow},
        sub_processors::{self, Objection},
        tenants, vault,
    },
};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};

/// A connection, its grants, and the epochs of everything that a lease on it rests on.
#[derive(Debug)]
pub struct ConnectionView {
    /// The connection.
    pub connection: ConnectionRow,
    /// Whether its tenant is in force.
    pub tenant_state: Standing,
    /// Its grants, at most one a module.
    pub grants: Vec<GrantRow>,
    pub(super) incarnation: Incarnation,
    pub(super) vault_epoch: i64,
    pub(super) tenant_epoch: i64,
    pub(super) connection_epoch: i64,
    /// Objections to sub-processors that were looked up, with their epochs.
    pub(super) objections: Mutex<HashMap<SubProcessorId, (Objection, i64)>>,
}

impl ConnectionView {
    /// Returns the grant of a module, if it is in force.
    #[must_use]
    pub fn grant(&self, module: Module) -> Option<&GrantRow> {
        self.grants.iter().find(|grant| grant.module == module && grant.state == Standing::Active)
    }
}

/// Whether a view came from memory, and may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    Cached,
    Fresh,
}

impl Identity {
    /// Returns a connection's view, from memory where it is there.
    pub(super) async fn view(&self, id: ConnectionId) -> Result<Option<(Arc<ConnectionView>, Freshness)>, StoreError> {
        if let Some(view) = self.connections.get(&id) {
            return Ok(Some((view, Freshness::Cached)));
        }
        Ok(self.view_afresh(id).await?.map(|view| (view, Freshness::Fresh)))
    }

    /// Reads a connection's view anew, into the cache. Costs six reads.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn view_afresh(&self, id: ConnectionId) -> Result<Option<Arc<ConnectionView>>, StoreError> {
        let mut reader = self.db.reader().await?;
        let link = &mut reader.link();
        let Some(found) = connections::connection_show(link, id).await? else {
            self.connections.remove(&id);
            return Ok(None);
        };
        // Epochs first, what they guard after: a change in between leaves an old epoch, and the commit refuses it.
        let subjects = [VAULT_SUBJECT, found.tenant.as_uuid(), id.as_uuid()];
        let epochs = fences::epochs_show(link, &subjects).await?;
        let [vault_epoch, tenant_epoch, connection_epoch] =
            subjects.map(|subject| epochs.get(&subject).copied().unwrap_or(0));
        let incarnation =
            vault::vault_show(link).await?.ok_or_else(|| StoreError::corrupt("vault", "id", 1))?.incarnation;
        let tenant = tenants::tenant_show(link, found.tenant).await?;
        let tenant = tenant.ok_or_else(|| StoreError::corrupt("connections", "tenant", id))?;
        let grants = grants::grants_of_connection(link, id).await?;
        let Some(connection) = connections::connection_show(link, id).await? else { return Ok(None) };
        let view = Arc::new(ConnectionView {
            connection,
            tenant_state: tenant.state,
            grants,
            incarnation,
            vault_epoch,
            tenant_epoch,
            connection_epoch,
            objections: Mutex::new(HashMap::new()),
        });
        self.connections.insert(id, Arc::clone(&view));
        Ok(Some(view))
    }

    /// Says whether the view's tenant objects to a sub-processor, and at which epoch.
    pub(super) async fn objection(
        &self,
        view: &ConnectionView,
        sub_processor: SubProcessorId,
    ) -> Result<(Objection, i64), StoreError> {
        if let Some(known) = view.objections.lock().get(&sub_processor) {
            return Ok(*known);
        }
        let tenant = view.connection.tenant;
        let mut reader = self.db.reader().await?;
        let link = &mut reader.link();
        let subject = derive_objection(tenant.as_uuid(), sub_processor.as_uuid());
        let epoch = fences::epoch_show(link, subject).await?;
        let known = (sub_processors::objection_show(link, tenant, sub_processor).await?, epoch);
        view.objections.lock().insert(sub_processor, known);
        Ok(known)
    }
}
