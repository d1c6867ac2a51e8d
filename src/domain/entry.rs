//! An entry of the audit log: the bytes that are hashed.
//!
//! Compact JSON with this fixed order of fields, standard base64 for hashes, hyphenated UUIDs and RFC 3339 times
//! with six decimals. The payload and its salt are not among them, so that erasing personal data leaves every proof
//! intact: `payload_hash = SHA-256(salt ‖ payload)`.
//!
//! ```text
//! {"v":1,"seq":7,"at":"2026-01-02T03:04:05.000006Z","tenant":"…","tenant_seq":3,"tenant_prev":"…","kind":"lease.issued","payload_hash":"…"}
//! ```

use crate::{clock::Timestamp, id::TenantId, merkle::Hash};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt::Write as _};

/// Stands for "no entry before" in `tenant_prev`.
pub const NO_ENTRY: Hash = Hash::from_bytes([0; 32]);

/// The version of the entry form that this binary writes.
pub const ENTRY_VERSION: u8 = 1;

/// What is hashed of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHead {
    /// Its place in the log, from 0, without a gap.
    pub seq: i64,
    /// When it was committed: never earlier than the entry before it.
    pub at: Timestamp,
    /// Whose chain it belongs to; nil for the vault's own.
    pub tenant: TenantId,
    /// Its place in the tenant's chain, from 0, without a gap.
    pub tenant_seq: i64,
    /// The leaf hash of the tenant's entry before it, or [`NO_ENTRY`].
    pub tenant_prev: Hash,
    /// What happened.
    pub kind: Cow<'static, str>,
    /// The hash of the salted payload.
    pub payload_hash: Hash,
}

impl EntryHead {
    /// Writes the bytes that are hashed into `out`, which is cleared first.
    pub fn write_bytes(&self, out: &mut String) {
        out.clear();
        // `kind` is one of our own words: letters, dots and underscores, which JSON takes as they are.
        write!(
            out,
            r#"{{"v":{},"seq":{},"at":"{}","tenant":"{}","tenant_seq":{},"tenant_prev":"{}","kind":"{}","payload_hash":"{}"}}"#,
            ENTRY_VERSION,
            self.seq,
            self.at,
            self.tenant,
            self.tenant_seq,
            self.tenant_prev,
            self.kind,
            self.payload_hash,
        )
        .expect("writing to a String does not fail");
    }
}

/// Hashes a payload with its salt.
#[must_use]
pub fn payload_hash(salt: &[u8; 32], payload: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(payload.as_bytes());
    Hash::from_bytes(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_s_bytes_are_fixed_for_ever() {
        let head = EntryHead {
            seq: 7,
            at: Timestamp::from_micros(1_700_000_000_000_001),
            tenant: TenantId::VAULT,
            tenant_seq: 3,
            tenant_prev: NO_ENTRY,
            kind: "lease.issued".into(),
            payload_hash: payload_hash(&[1; 32], "{}"),
        };
        let mut bytes = String::new();
        head.write_bytes(&mut bytes);
        assert_eq!(
            bytes,
            concat!(
                r#"{"v":1,"seq":7,"at":"2023-11-14T22:13:20.000001Z","tenant":"00000000-0000-0000-0000-000000000000","tenant_seq":3,"#,
                r#""tenant_prev":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","kind":"lease.issued","#,
                r#""payload_hash":"d56a7c0c0b0f0f0f"}"#
            )
            .replace("d56a7c0c0b0f0f0f", &head.payload_hash.to_string())
        );
        let parsed: serde_json::Value = serde_json::from_str(&bytes).unwrap();
        assert_eq!(parsed["kind"], "lease.issued");
    }
}
