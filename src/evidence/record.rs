//! One entry as it is handed over: the bytes that were hashed into the tree, and the payload with its salt, which may
//! have been erased since.

use super::Flaw;
use crate::{clock::Timestamp, id::TenantId, merkle::Hash};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The version of an entry's form that this verifier reads.
const ENTRY_VERSION: u8 = 1;

/// An entry, its payload and its salt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// The entry: the very bytes that are hashed.
    pub(super) entry: &'a str,
    /// The salt in base64; none where it was erased.
    pub(super) salt: Option<&'a str>,
    /// The payload: the very bytes that are hashed behind the salt; none where it was erased.
    pub(super) payload: Option<&'a str>,
}

/// A record on a line of its own: entry and payload stand there as objects, so that people and programs can read them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    entry: &'a RawValue,
    #[serde(borrow)]
    salt: Option<&'a str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

/// Writes a record on one line, without its end.
pub fn record_line(entry: &str, salt: Option<&[u8; 32]>, payload: Option<&str>, out: &mut String) {
    out.push_str(r#"{"entry":"#);
    out.push_str(entry);
    match salt {
        Some(salt) => {
            out.push_str(r#","salt":""#);
            BASE64.encode_append(salt, out);
            out.push('"');
        }
        None => out.push_str(r#","salt":null"#),
    }
    out.push_str(r#","payload":"#);
    out.push_str(payload.unwrap_or("null"));
    out.push('}');
}

/// What an entry says, in its fixed order.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry<'a> {
    v: u8,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) tenant: TenantId,
    pub(super) tenant_seq: u64,
    pub(super) tenant_prev: Hash,
    pub(super) kind: &'a str,
    payload_hash: Hash,
}

/// A record whose payload, where it is there, is the one that was hashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) leaf_hash: Hash,
    pub(super) payload: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// Reads a record of one line.
    pub(super) fn parse(line: &'a str, number: u64) -> Result<Self, Flaw> {
        let Line { entry, salt, payload } =
            serde_json::from_str(line).map_err(|why| Flaw::Form { line: number, what: why.to_string() })?;
        Ok(Self { entry: entry.get(), salt, payload: payload.map(RawValue::get) })
    }

    /// Hashes the entry, and checks its payload against it.
    pub(super) fn check(&self, line: u64) -> Result<Checked<'a>, Flaw> {
        let bytes = self.entry;
        let entry: Entry<'a> =
            serde_json::from_str(bytes).map_err(|why| Flaw::Form { line, what: format!("the entry: {why}") })?;
        if entry.v != ENTRY_VERSION {
            return Err(Flaw::Form {
                line,
                what: format!("the entry is of version {}: use a newer leasehold", entry.v),
            });
        }
        let altered = |what| Flaw::Altered { seq: entry.seq, what };
        let payload = match (self.salt, self.payload) {
            (None, None) => None,
            (Some(salt), Some(payload)) => {
                let salt = BASE64.decode(salt.as_bytes()).map_err(|_| altered("its salt is no base64"))?;
                if salt.len() != 32 {
                    return Err(altered("its salt is not of 32 bytes"));
                }
                let hash = Sha256::new_with_prefix(&salt).chain_update(payload.as_bytes()).finalize();
                if hash.as_slice() != entry.payload_hash.as_bytes() {
                    return Err(altered("its payload does not match its hash"));
                }
                Some(payload)
            }
            _ => return Err(altered("half of its payload is missing")),
        };
        let leaf_hash = Hash::from_bytes(tlog_tiles::tlog::record_hash(bytes.as_bytes()).0);
        Ok(Checked { entry, leaf_hash, payload })
    }
}
