//! Secrets that a create shows once. The one type of this door that serializes a secret.

use crate::{register::Made, secret::SecretText};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// A secret on its way to whoever asked for it.
#[derive(Debug)]
pub(super) struct ShownOnce(SecretText);

impl Serialize for ShownOnce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

/// Whether the answer shows the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SecretShown {
    /// Here, and never again.
    Now,
    /// It was in the answer to an earlier request with the same Idempotency-Key, and cannot be shown again.
    Earlier,
}

impl From<SecretText> for ShownOnce {
    fn from(secret: SecretText) -> Self {
        Self(secret)
    }
}

/// Takes the secret out of what was made, where it was made now.
pub(super) fn reveal<Id>(made: Made<Id, SecretText>) -> (Option<ShownOnce>, SecretShown) {
    match made {
        Made::New(_, secret) => (Some(ShownOnce(secret)), SecretShown::Now),
        Made::Earlier(_) => (None, SecretShown::Earlier),
    }
}
