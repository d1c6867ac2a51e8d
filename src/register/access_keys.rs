//! Access keys: bearer secrets of people, shown once and kept as hashes.

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
        standing::Standing,
    },
    entropy::make_bearer,
    id::{AccessKeyId, TenantId, UserId},
    policy::{
        Permit,
        decide::{AccessKeyAdd, AccessKeyRevoke, UserShow},
    },
    secret::{SecretHash, SecretText},
    store::users::{self, AccessKeyRow, NewAccessKey},
};
use std::time::Duration;

/// What an access key begins with, so that a scanner of repositories recognises one.
pub(super) const PREFIX: &str = "lhk_";

/// An access key to make.
pub struct NewKey {
    /// What it is for.
    pub label: String,
    /// How long it lives; until it is ended where nothing is said.
    pub life: Option<Duration>,
}

impl Register {
    /// Makes an access key for the person that the permit is for. Yields the secret once.
    ///
    /// # Errors
    /// See [`RegisterError`]; `Ended` where the person was disabled.
    pub async fn access_key_add(
        &self,
        permit: Permit<AccessKeyAdd>,
        new: NewKey,
        once: Option<Once>,
    ) -> Result<Made<AccessKeyId, SecretText>, RegisterError> {
        let label = Name::parse("label", &new.label)?;
        let options = &self.options;
        let id = AccessKeyId::make(&*options.clock, &*options.entropy);
        let secret = make_bearer(&*options.entropy, PREFIX);
        let expires_at = new.life.map(|life| options.clock.now().plus(life));
        let person = permit.object();
        let object = Subject::new("access_key", id.as_uuid());
        let details = serde_json::json!({ "user": person.id, "expires_at": expires_at });
        let tenant = person.of.unwrap_or(TenantId::VAULT);
        let event = self.event(permit.actor(), tenant, Kind::AccessKeyAdded, object, details);
        let secret_hash = SecretHash::of(secret.expose());
        let row = InsertKey { id, user: person.id, label, secret_hash, expires_at };
        let create = Create { id: id.as_uuid(), row, event, fence: fence_of(permit.actor()), once };
        let earlier = options.sequencer.commit(create).await.map_err(RegisterError::from)?.output;
        Ok(match earlier {
            Some(earlier) => Made::Earlier(AccessKeyId::from_uuid(earlier)),
            None => Made::New(id, secret),
        })
    }

    /// Lists the access keys of the person that the permit is for, ended ones included.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn access_key_list(&self, permit: &Permit<UserShow>) -> Result<Vec<AccessKeyRow>, RegisterError> {
        let mut reader = self.options.db.reader().await?;
        Ok(users::access_keys_of_user(&mut reader.link(), permit.object().id).await?)
    }

    /// Ends an access key of the person that the permit is for. Repeating it is safe.
    ///
    /// # Errors
    /// `Missing` where the person has no such key.
    pub async fn access_key_end(&self, permit: Permit<AccessKeyRevoke>, id: AccessKeyId) -> Result<(), RegisterError> {
        let person = permit.object();
        let object = Subject::new("access_key", id.as_uuid());
        let tenant = person.of.unwrap_or(TenantId::VAULT);
        let details = serde_json::json!({ "user": person.id });
        let event = self.event(permit.actor(), tenant, Kind::AccessKeyEnded, object, details);
        let change = EndKey { id, user: person.id, event, fence: fence_of(permit.actor()) };
        self.options.sequencer.commit(change).await.map_err(RegisterError::from)?;
        Ok(())
    }
}

struct InsertKey {
    id: AccessKeyId,
    user: UserId,
    label: Name,
    secret_hash: SecretHash,
    expires_at: Option<Timestamp>,
}

impl Insert for InsertKey {
    async fn insert(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        let user = users::user_show(&mut batch.link(), self.user).await?;
        match user.map(|user| user.state) {
            Some(Standing::Active) => {}
            Some(Standing::Ended) => return Err(ChangeError::Refused(Refused::Ended("user"))),
            None => return Err(ChangeError::Refused(Refused::Missing("user"))),
        }
        let Self { id, user, label, secret_hash, expires_at } = self;
        let new = NewAccessKey {
            id: *id,
            user: *user,
            label: label.as_str(),
            secret_hash: *secret_hash,
            expires_at: *expires_at,
        };
        let at = batch.at();
        users::access_key_insert(&mut batch.link(), &new, at).await?;
        Ok(())
    }
}

struct EndKey {
    id: AccessKeyId,
    user: UserId,
    event: Event,
    fence: Fence,
}

impl Change for EndKey {
    type Output = ();
    type Refusal = Refused;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), ChangeError<Refused>> {
        let key = users::access_key_show(&mut batch.link(), self.id).await?;
        // The permit is for the person: a key of somebody else's is none.
        if key.is_none_or(|key| key.user_id != self.user) {
            return Err(ChangeError::Refused(Refused::Missing("access key")));
        }
        let at = batch.at();
        if users::access_key_end(&mut batch.link(), self.id, at).await? {
            batch.record(self.event.clone()).await?;
        }
        Ok(())
    }
}
