//! Making a row, at most once for each idempotency key. The key is written in the same transaction as the row, so that
//! two repeats at the same moment make one.

use super::Refused;
use crate::{
    audit::{Batch, Change, ChangeError},
    clock::Timestamp,
    domain::{event::Event, fence::Fence},
    id::UserId,
    secret::SecretHash,
    store::idempotency,
};
use uuid::Uuid;

/// An idempotency key that came with a request.
#[derive(Clone, Copy, Debug)]
pub struct Once {
    /// The hash of person, request path and key.
    pub request: SecretHash,
    /// The hash of the body.
    pub body: SecretHash,
    /// Whose key it is.
    pub user: UserId,
    /// Until when a repeat is recognised.
    pub expires_at: Timestamp,
}

/// What a create made.
#[derive(Debug)]
pub enum Made<Id, Secret = ()> {
    /// It was made now; its secret, where it has one, is shown this once.
    New(Id, Secret),
    /// An earlier request with the same key made it.
    Earlier(Id),
}

impl<Id: Copy, Secret> Made<Id, Secret> {
    /// Returns the id of what was made, now or earlier.
    pub fn id(&self) -> Id {
        match self {
            Self::New(id, _) | Self::Earlier(id) => *id,
        }
    }
}

/// Writes one noun's row.
pub(super) trait Insert: Send + Sync + 'static {
    /// Checks what the row rests on, and writes it.
    fn insert<'a>(
        &'a self,
        batch: &'a mut Batch<'_>,
    ) -> impl Future<Output = Result<(), ChangeError<Refused>>> + Send + 'a;
}

/// Makes a row under the fence of whoever asks, and records it.
pub(super) struct Create<I> {
    pub(super) id: Uuid,
    pub(super) row: I,
    pub(super) event: Event,
    pub(super) fence: Fence,
    pub(super) once: Option<Once>,
}

impl<I: Insert> Change for Create<I> {
    /// The id of what an earlier request made, where one did.
    type Output = Option<Uuid>;
    type Refusal = Refused;

    fn fences(&self) -> Vec<Fence> {
        vec![self.fence]
    }

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Option<Uuid>, ChangeError<Refused>> {
        if let Some(once) = &self.once {
            let at = batch.at();
            idempotency::idempotency_sweep(&mut batch.link(), at).await?;
            match idempotency::idempotency_show(&mut batch.link(), &once.request).await? {
                Some(earlier) if once.body.matches(&earlier.body_hash) => return Ok(Some(earlier.created)),
                Some(_) => return Err(ChangeError::Refused(Refused::OtherBody)),
                None => {}
            }
            let Once { request, body, user, expires_at } = once;
            idempotency::idempotency_insert(&mut batch.link(), request, *user, body, self.id, *expires_at).await?;
        }
        self.row.insert(batch).await?;
        batch.record(self.event.clone()).await?;
        Ok(None)
    }
}
