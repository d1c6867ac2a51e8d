//! What the audit log says: the kinds of entry, and the form of their payloads.
//!
//! A payload holds identifiers, scopes, methods, path templates, status codes, byte counts and the caller's address; a
//! secret has no place in it.

use super::{entry::payload_hash, words};
use crate::{
    entropy::{Entropy, make_array},
    id::TenantId,
    merkle::Hash,
};
use serde::Serialize;
use uuid::Uuid;

words! {
    /// What an entry records.
    Kind, "kind of entry" {
        /// The vault was made, and got its first staff.
        VaultInitialized = "vault.initialized",
        /// The vault's keys were taken into memory.
        VaultUnsealed = "vault.unsealed",
        /// The vault's keys were dropped from memory.
        VaultSealed = "vault.sealed",
        /// Somebody gave a share of a key.
        ShareGiven = "share.given",
        /// A share was refused: of another set, altered, given twice, or none at all.
        ShareRefused = "share.refused",
        /// The shares that were given were forgotten before there were enough.
        SharesForgotten = "share.forgotten",
        /// Every lease and session was ended.
        EverythingRevoked = "vault.revoked",
        /// A lease-token key was made.
        LeaseKeyMade = "key.lease_made",
        /// A key that signs checkpoints was made, and introduced by the one before it.
        SignerMade = "key.signer_made",

        /// The newest entries of all tenants were committed, as the root of a map.
        HeadsCommitted = "log.heads_committed",
        /// The payloads of a stretch of a chain were erased; their hashes stay.
        PayloadsErased = "log.payloads_erased",

        /// A tenant was added.
        TenantAdded = "tenant.added",
        /// A tenant's access was ended, all connections at once.
        TenantRevoked = "tenant.revoked",
        /// The credentials of a revoked tenant were destroyed.
        TenantDestroyed = "tenant.credentials_destroyed",
        /// A person was added.
        UserAdded = "user.added",
        /// A person was disabled.
        UserDisabled = "user.disabled",
        /// An access key was made.
        AccessKeyAdded = "access_key.added",
        /// An access key was ended.
        AccessKeyEnded = "access_key.ended",
        /// Somebody asked for what his role may not do.
        AccessRefused = "access.refused",

        /// An application's client id or secret was set.
        ApplicationSet = "application.set",
        /// The provider refused the application itself; its connections are left alone.
        ApplicationBroken = "application.broken",
        /// A sub-processor was registered.
        SubProcessorAdded = "sub_processor.added",
        /// A tenant objected to a sub-processor: its workers are excluded.
        SubProcessorObjected = "sub_processor.objected",
        /// A tenant withdrew its objection.
        SubProcessorAccepted = "sub_processor.accepted",
        /// A worker was added.
        WorkerAdded = "worker.added",
        /// A worker got a new secret.
        WorkerSecretAdded = "worker.secret_added",
        /// A worker was disabled.
        WorkerDisabled = "worker.disabled",

        /// A connection was added.
        ConnectionAdded = "connection.added",
        /// Somebody was sent to the provider to consent.
        ConsentBegun = "consent.begun",
        /// A consent came back and was refused.
        ConsentRefused = "consent.refused",
        /// A connection got a credential by consent.
        ConnectionAuthorized = "connection.authorized",
        /// A connection got a credential that the company already held.
        ConnectionImported = "connection.imported",
        /// The provider refused the credential for good.
        ConnectionNeedsReauthorization = "connection.needs_reauthorization",
        /// Staff stopped a connection.
        ConnectionSuspended = "connection.suspended",
        /// A suspended connection goes on.
        ConnectionResumed = "connection.resumed",
        /// A connection was revoked, and its credential destroyed.
        ConnectionRevoked = "connection.revoked",
        /// A cut is true on every node: nothing of it is in flight any more.
        CutConfirmed = "cut.confirmed",
        /// A grant was made or changed.
        GrantSet = "grant.set",
        /// A grant was ended.
        GrantEnded = "grant.ended",

        /// A lease was issued.
        LeaseIssued = "lease.issued",
        /// A lease was ended early.
        LeaseEnded = "lease.ended",
        /// A lease, or a worker's request for one, was refused.
        LeaseRefused = "lease.refused",
        /// An access token was handed out.
        CredentialReleased = "credential.released",
        /// An access token was got from the provider.
        TokenRefreshed = "token.refreshed",
        /// The provider did not give an access token.
        TokenRefused = "token.refused",
        /// A request was let through the gateway.
        GatewayAdmitted = "gateway.admitted",
        /// A request through the gateway ended, and how.
        GatewayEnded = "gateway.ended",
        /// A request through the gateway was refused.
        GatewayRefused = "gateway.refused",
    }
}

words! {
    /// How an operation ended.
    Outcome, "outcome" {
        /// It was done.
        Allowed = "allowed",
        /// It was refused.
        Refused = "refused",
        /// It was let through, and failed.
        Failed = "failed",
        /// It was stopped while it ran.
        Cut = "cut",
    }
}

/// Who or what a payload speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The noun: `worker`, `user`, `connection`, `vault`, …
    #[serde(rename = "type")]
    pub noun: &'static str,
    /// Its id.
    pub id: Uuid,
}

impl Subject {
    /// The vault, acting by itself.
    pub const VAULT: Self = Self { noun: "vault", id: Uuid::nil() };

    /// Names a subject.
    #[must_use]
    pub const fn new(noun: &'static str, id: Uuid) -> Self {
        Self { noun, id }
    }
}

/// An entry's payload, before it is text.
#[derive(Debug, Serialize)]
pub struct Payload<D> {
    /// Who acted.
    pub actor: Subject,
    /// On what.
    pub object: Subject,
    /// How it ended.
    pub outcome: Outcome,
    /// What more there is to say; an object without secrets.
    pub details: D,
}

/// An event ready for the log: its payload is text, and salted and hashed outside the sequencer's turn.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whose chain it goes into.
    pub tenant: TenantId,
    /// What happened.
    pub kind: Kind,
    /// The payload as JSON, at most [`Event::PAYLOAD_MAX`] bytes.
    pub payload: String,
    /// The random salt, erased with the payload.
    pub salt: [u8; 32],
    /// The hash of both, which stays.
    pub payload_hash: Hash,
}

impl Event {
    /// The longest payload kept, in bytes. A longer one loses its details and says so: an oversized record must not
    /// stop the call that it records.
    pub const PAYLOAD_MAX: usize = 16 * 1024;

    /// Writes, salts and hashes an event.
    pub fn make<D: Serialize>(entropy: &dyn Entropy, tenant: TenantId, kind: Kind, payload: &Payload<D>) -> Self {
        let mut text = serde_json::to_string(payload).unwrap_or_default();
        if text.is_empty() || text.len() > Self::PAYLOAD_MAX {
            let Payload { actor, object, outcome, .. } = *payload;
            let details = serde_json::json!({ "details_omitted_bytes": text.len() });
            text = serde_json::to_string(&Payload { actor, object, outcome, details }).unwrap_or_default();
        }
        let salt = make_array(entropy);
        let payload_hash = payload_hash(&salt, &text);
        Self { tenant, kind, payload: text, salt, payload_hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    #[test]
    fn an_oversized_payload_is_kept_short_and_says_so() {
        let details = serde_json::json!({ "text": "x".repeat(Event::PAYLOAD_MAX) });
        let payload = Payload { actor: Subject::VAULT, object: Subject::VAULT, outcome: Outcome::Allowed, details };
        let event = Event::make(&SystemEntropy, TenantId::VAULT, Kind::LeaseIssued, &payload);
        assert!(event.payload.len() < 400);
        assert!(event.payload.contains("details_omitted_bytes"));
    }

    #[test]
    fn every_kind_is_safe_inside_json() {
        for kind in Kind::ALL {
            assert!(kind.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'), "{kind}");
        }
    }
}
