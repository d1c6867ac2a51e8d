//! What follows a wide cut: destroying the credentials of a revoked tenant, in batches that survive a crash. Until it is
//! done the tenant stays ended, so nothing is usable meanwhile; then its owner may consent anew.

use super::Custody;
use crate::{
    audit::{Batch, Change, ChangeError},
    domain::{
        connection::ConnectionState,
        event::{Event, Kind, Outcome, Payload, Subject},
        standing::Standing,
    },
    entropy::Entropy,
    id::TenantId,
    keyring::KeyringError,
    store::{
        connections,
        credentials::{self, Destroyed},
        cuts::{self, JobKind},
        tenants, typed_documents,
    },
};
use std::{convert::Infallible, sync::Arc};
use uuid::Uuid;

/// How many connections one commit destroys: uses wait behind it.
const BATCH: i64 = 50;

impl Custody {
    /// Carries out every job that is open, at start and after each wide cut. Safe to repeat and to interrupt.
    ///
    /// # Errors
    /// Where the database or the log fails; what was done stays done.
    pub async fn jobs_run(&self) -> Result<(), KeyringError> {
        loop {
            let open = cuts::jobs_open(&mut self.db.reader().await?.link(), 100).await?;
            if open.is_empty() {
                return Ok(());
            }
            for (job, kind, subject) in open {
                match kind {
                    JobKind::DestroyTenantCredentials => {
                        self.destroy_tenant(job, TenantId::from_uuid(subject)).await?;
                    }
                }
            }
        }
    }

    async fn destroy_tenant(&self, job: Uuid, tenant: TenantId) -> Result<(), KeyringError> {
        loop {
            let step = DestroySome { job, tenant, entropy: Arc::clone(&self.entropy) };
            let finished = self.sequencer.commit(step).await?.output;
            self.keyring.forget_data_keys();
            self.broker.forget_all();
            if finished {
                return Ok(());
            }
        }
    }
}

struct DestroySome {
    job: Uuid,
    tenant: TenantId,
    entropy: Arc<dyn Entropy>,
}

impl Change for DestroySome {
    /// Whether nothing is left.
    type Output = bool;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, ChangeError<Infallible>> {
        let at = batch.at();
        let link = &mut batch.link();
        let left = connections::connections_unrevoked(link, self.tenant, BATCH).await?;
        let mut sum = Destroyed::default();
        for id in &left {
            let Destroyed { data_keys, credentials, access_tokens } =
                credentials::credential_destroy(link, *id).await?;
            sum.data_keys += data_keys;
            sum.credentials += credentials;
            sum.access_tokens += access_tokens;
            typed_documents::typed_documents_destroy(link, *id).await?;
            connections::connection_state_set(link, *id, ConnectionState::Revoked).await?;
        }
        let finished = left.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        if finished {
            cuts::job_done(link, self.job, at).await?;
            tenants::tenant_state_set(link, self.tenant, Standing::Active).await?;
        }
        let details = serde_json::json!({
            "connections": left.len(), "data_keys": sum.data_keys, "credentials": sum.credentials,
            "access_tokens": sum.access_tokens, "finished": finished,
        });
        let object = Subject::new("tenant", self.tenant.as_uuid());
        let payload = Payload { actor: Subject::VAULT, object, outcome: Outcome::Allowed, details };
        batch.record(Event::make(&*self.entropy, self.tenant, Kind::TenantDestroyed, &payload)).await?;
        Ok(finished)
    }
}
