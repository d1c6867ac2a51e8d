//! Workers. A secret is shown once; when a further one is added, the one before works for another day, so that a fleet
//! can be rotated without a gap.

use super::{
    Made, Name, Once, Refused, Register, RegisterError,
    create::{Create, Insert},
    fence_of,
};
use crate::{
    audit::{Batch, Change, ChangeError},
    clock::Timestamp,
    domain::{
        event::{Event, Kind, Subject},
        fence::Fence,
    },
    entropy::make_bearer,
    id::{SubProcessorId, TenantId, WorkerId},
    policy::{
        Module, Permit,
        decide::{WorkerAdd, WorkerList, WorkerSecretAdd, WorkerShow},
    },
    secret::{SecretHash, SecretText},
    store::{
        Page, sub_processors,
        workers::{self, NewWorker, WorkerRow},
    },
};
use std::time::Duration;

/// What a worker's secret begins with.
const PREFIX: &str = "lhw_";
/// How long the secret before works.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// A worker to add.
pub struct AddWorker {
    /// Its name.
    pub name: String,
    /// The module that it works for.
    pub module: Module,
    /// Whose host it runs on.
    pub sub_processor: SubProcessorId,
}

impl Register {
    /// Adds a worker. Yields its secret once.
    ///
    /// # Errors
    /// `Taken` where the name is in use, `Malformed` where there is no such sub-processor.
    pub async fn worker_add(
        &self,
        permit: Permit<WorkerAdd>,
        new: AddWorker,
        once: Option<Once>,
    ) -> Result<Made<WorkerId, SecretText>, RegisterError> {
        let AddWorker { name, module, sub_processor } = new;
        let name = Name::parse("name", &name)?;
        let options = &self.options;
        let id = WorkerId::make(&*options.clock, &*options.entropy);
        let secret = make_bearer(&*options.entropy, PREFIX);
        let object = Subject::new("worker", id.as_uuid());
        let details = serde_json::json!({ "module": module, "sub_processor": sub_processor });
        let event = self.event(permit.actor(), TenantId::VAULT, Kind::WorkerAdded, object, details);
        let row = InsertWorker { id, name, module, sub_processor, secret_hash: SecretHash::of(secret.expose()) };
        let create = Create { id: id.as_uuid(), row, event, fence: fence_of(permit.actor()), once };
        let committed = options.sequencer.commit(create).await;
        let refused = |error| match RegisterError::from(error).naming("this name") {
            RegisterError::Refused(Refused::Missing(_)) => {
                RegisterError::Malformed { field: "sub_processor", why: "is none that is registered" }
            }
            other => other,
        };
        let earlier = committed.map_err(refused)?.output;
        Ok(match earlier {
            Some(earlier) => Made::Earlier(WorkerId::from_uuid(earlier)),
            None => Made::New(id, secret),
        })
    }

    /// Gives the worker that the permit is for a further secret, and yields it once. The one before works for 24 hours; one
    /// older still stops now.
    ///
    /// # Errors
    /// `Missing` where there is no such worker, `Ended` where it was disabled.
    pub async fn worker_secret_add(
        &self,
        permit: Permit<WorkerSecretAdd>,
    ) -> Result<(SecretText, Timestamp), RegisterError> {
        let id = permit.object().0;
        let secret = make_bearer(&*self.options.entropy, PREFIX);
        let object = Subject::new("worker", id.as_uuid());
        let details = serde_json::json!({ "overlap_s": OVERLAP.as_secs() });
        let event = self.event(permit.actor(), TenantId::VAULT, Kind::WorkerSecretAdded, object, details);
        let secret_hash = SecretHash::of(secret.expose());
        let change = SetSecret { id, secret_hash, event, fence: fence_of(permit.actor()) };
        let previous_ends = self.options.sequencer.commit(change).await.map_err(RegisterError::from)?.output;
        Ok((secret, previous_ends))
    }

    /// Reads the worker that the permit is for.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn worker_show(&self, permit: &Permit<WorkerShow>) -> Result<Option<WorkerRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(workers::worker_show(&mut reader.link(), permit.object().0).await?)
    }

    /// Lists workers by id.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn worker_list(&self, _permit: Permit<WorkerList>, page: Page) -> Result<Vec<WorkerRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(workers::worker_page(&mut reader.link(), page).await?)
    }
}

struct InsertWorker {
    id: WorkerId,
    name: Name,
    module: Module,
    sub_processor: SubProcessorId,
    secret_hash: SecretHash,
}

impl Insert for InsertWorker {
    async fn insert(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        let Self { id, name, module, sub_processor, secret_hash } = self;
        if sub_processors::sub_processor_show(&mut batch.link(), *sub_processor).await?.is_none() {
            return Err(ChangeError::Refused(Refused::Missing("sub-processor")));
        }
        let new = NewWorker {
            id: *id,
            name: name.as_str(),
            module: *module,
            sub_processor: *sub_processor,
            secret_hash: *secret_hash,
        };
        let at = batch.at();
        workers::worker_insert(&mut batch.link(), &new, at).await?;
        Ok(())
    }
}

struct SetSecret {
    id: WorkerId,
    secret_hash: SecretHash,
    event: Event,
    fence: Fence,
}

impl Change for SetSecret {
    /// Until when the secret before works.
    type Output = Timestamp;
    type Refusal = Refused;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Timestamp, ChangeError<Refused>> {
        if workers::worker_show(&mut batch.link(), self.id).await?.is_none() {
            return Err(ChangeError::Refused(Refused::Missing("worker")));
        }
        let previous_ends = batch.at().plus(OVERLAP);
        if !workers::worker_secret_set(&mut batch.link(), self.id, &self.secret_hash, previous_ends).await? {
            return Err(ChangeError::Refused(Refused::Ended("worker")));
        }
        batch.record(self.event.clone()).await?;
        Ok(previous_ends)
    }
}
