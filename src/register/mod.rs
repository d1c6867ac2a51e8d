//! The vault's books: tenants, people and their access keys, sub-processors, workers, connections and grants. Each change
//! is fenced on the person who asks and leaves an entry; what a member of staff does to a tenant goes into that tenant's
//! own chain.
//!
//! This module issues no lease and ends no access but what a grant, an objection or a person's own rights carry; the cuts
//! are `custody`'s. Payloads name ids only, never a secret or an e-mail address.

mod access_keys;
mod connections;
mod create;
mod grants;
pub mod init;
mod name;
mod sealing;
mod sub_processors;
mod tenants;
#[cfg(test)]
pub(crate) mod tests;
mod users;
mod workers;

pub use access_keys::NewKey;
pub use connections::AddConnection;
pub use create::{Made, Once};
pub use grants::GrantTerms;
pub use init::{FirstStaff, StaffKey};
pub use name::{Name, NotAName};
pub use sub_processors::AddSubProcessor;
pub use users::AddUser;
pub use workers::AddWorker;

use crate::{
    audit::{ChangeError, Sequencer, SubmitError},
    broker::Broker,
    clock::Clock,
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Fence,
    },
    entropy::Entropy,
    id::TenantId,
    keyring::{Keyring, KeyringError, ShareRefused},
    policy::{Actor, Scope},
    store::{Db, StoreError},
};
use std::{convert::Infallible, sync::Arc};

/// What a register is made of.
pub struct RegisterOptions {
    /// The database.
    pub db: Db,
    /// Where everything is recorded.
    pub sequencer: Sequencer,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// What the providers are.
    pub broker: Arc<Broker>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Keeps the vault's books.
pub struct Register {
    options: RegisterOptions,
}

/// Why something was not entered into the books; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// A name is none.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// A field holds what it cannot.
    #[error("{field} {why}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The provider does not declare a scope.
    #[error("the provider declares no scope {0}")]
    Undeclared(Scope),
    /// The state that the change met does not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A unique value is in use.
    #[error("{0} is in use already")]
    Taken(&'static str),
    /// A share was not taken.
    #[error(transparent)]
    Share(#[from] ShareRefused),
    /// The keys are not to be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be recorded.
    #[error(transparent)]
    Unrecorded(#[from] SubmitError),
}

/// Why the state that a change met does not allow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// What it is about is not there.
    #[error("no such {0}")]
    Missing(&'static str),
    /// What it is about has ended.
    #[error("the {0} has ended")]
    Ended(&'static str),
    /// An idempotency key came back with another body.
    #[error("this Idempotency-Key was used with another body")]
    OtherBody,
    /// The vault has its first staff already.
    #[error("the vault has its first staff already; nothing was changed")]
    HasStaff,
    /// The tenant has people, who add others themselves.
    #[error("the tenant has people, and its owners add others themselves")]
    HasPeople,
}

impl From<ChangeError<Refused>> for RegisterError {
    fn from(error: ChangeError<Refused>) -> Self {
        match error {
            ChangeError::Refused(refused) => Self::Refused(refused),
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl From<ChangeError<Infallible>> for RegisterError {
    fn from(error: ChangeError<Infallible>) -> Self {
        match error {
            ChangeError::Refused(never) => match never {},
            ChangeError::Store(error) => Self::Store(error),
            ChangeError::Unrecorded(error) => Self::Unrecorded(error),
        }
    }
}

impl RegisterError {
    /// Names the value that is in use, where the store only says that one is.
    fn naming(self, value: &'static str) -> Self {
        match self {
            Self::Store(StoreError::Taken) => Self::Taken(value),
            other => other,
        }
    }
}

impl Register {
    /// Puts the service together.
    #[must_use]
    pub fn new(options: RegisterOptions) -> Self {
        Self { options }
    }

    /// Writes the entry of what a person did.
    fn event(
        &self,
        actor: &Actor,
        tenant: TenantId,
        kind: Kind,
        object: Subject,
        mut details: serde_json::Value,
    ) -> Event {
        if let Some(map) = details.as_object_mut() {
            map.insert("role".to_owned(), actor.role().as_str().into());
        }
        let actor = Subject::new("user", actor.user().as_uuid());
        let payload = Payload { actor, object, outcome: Outcome::Allowed, details };
        Event::make(&*self.options.entropy, tenant, kind, &payload)
    }
}

/// The fence of whoever acts: a change does not outlive the session that it was asked for in.
fn fence_of(actor: &Actor) -> Fence {
    Fence { subject: actor.user().as_uuid(), epoch: actor.epoch() }
}
