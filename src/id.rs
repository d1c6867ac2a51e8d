//! Identifiers: UUID version 7 (RFC 9562), one type a noun, so that a tenant's id cannot be passed for a worker's.
//! An id is never used twice.

use crate::{clock::Clock, entropy::Entropy};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Draws a UUID version 7: 48 bits of milliseconds, then 74 random bits.
pub fn make_uuid(clock: &dyn Clock, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(clock.now().as_micros() / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// An id's text was not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: a UUID is expected, such as 018f4e2a-7b1c-7def-8a55-0123456789ab")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Draws a new id.
            pub fn make(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
                Self(make_uuid(clock, entropy))
            }

            /// Wraps a UUID that a row or a sealed token held.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID, as the store binds it.
            #[must_use]
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        /// Accepts the hyphenated form only, in either case, so that one id has one spelling in paths and handles.
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                if text.len() != 36 {
                    return Err(NotAnId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }
    )*};
}

ids! {
    /// A customer organization.
    TenantId,
    /// One tenant's account at one provider.
    ConnectionId,
    /// A tenant's permission for one module on one connection.
    GrantId,
    /// The operator's own OAuth client at a provider.
    ApplicationId,
    /// A workload identity.
    WorkerId,
    /// A company whose hosts workers run on; our own hosts are one too.
    SubProcessorId,
    /// A person.
    UserId,
    /// A bearer key of a person.
    AccessKeyId,
    /// A short-lived right of one worker to use one connection.
    LeaseId,
    /// A key of the hierarchy: master, tenant, data, lease.
    KeyId,
    /// A key that signs checkpoints.
    SignerId,
    /// A revocation's receipt.
    ReceiptId,
    /// A committed batch of operations.
    BatchId,
    /// A running vault process.
    NodeId,
}

impl TenantId {
    /// Stands for the vault itself in the audit log: events of no tenant form this chain.
    pub const VAULT: Self = Self(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_form_of_spelling() {
        let text = "018f4e2a-7b1c-7def-8a55-0123456789ab";
        assert_eq!(text.parse::<TenantId>().unwrap().to_string(), text);
        for other in [
            "018f4e2a7b1c7def8a550123456789ab",
            "{018f4e2a-7b1c-7def-8a55-0123456789ab}",
            "urn:uuid:018f4e2a-7b1c-7def-8a55-0123456789ab",
            "",
        ] {
            assert_eq!(other.parse::<TenantId>(), Err(NotAnId), "{other}");
        }
    }
}
