//! One entry as it is handed over: the bytes that were hashed into the tree, and the payload with its salt, which may
//! have been erased since.

use super::{Flaw, json, spelling::Spelling};
use crate::{clock::Timestamp, id::TenantId, merkle::Hash};
use data_encoding::BASE64;
use serde::{Deserialize as _, de::IntoDeserializer as _};
use sha2::{Digest, Sha256};

/// The version of an entry's form that this verifier reads.
const ENTRY_VERSION: u64 = 1;

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

/// What an entry says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
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
    /// Reads a record of one line, which has one spelling. Copies nothing.
    pub(super) fn parse(line: &'a str, number: u64) -> Result<Self, Flaw> {
        let mut text = Spelling::of(line);
        let record = Self::spelled(&mut text);
        record.ok_or_else(|| misspelled("a record", &text, number))
    }

    fn spelled(text: &mut Spelling<'a>) -> Option<Self> {
        text.literal(r#"{"entry":"#)?;
        // Nothing in an entry holds a brace: what that could be is for the entry's own spelling to say.
        let length = text.rest().find('}')? + 1;
        let entry = &text.rest()[..length];
        text.literal(entry)?;
        text.literal(r#","salt":"#)?;
        let salt = match text.literal("null") {
            Some(()) => None,
            None => {
                text.literal("\"")?;
                Some(text.until('"')?)
            }
        };
        text.literal(r#","payload":"#)?;
        let payload = text.rest().strip_suffix('}')?;
        Some(Self { entry, salt, payload: (payload != "null").then_some(payload) })
    }

    /// Hashes the entry, and checks its payload against it.
    pub(super) fn check(&self, line: u64) -> Result<Checked<'a>, Flaw> {
        let entry = Entry::parse(self.entry, line)?;
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
                // It was hashed so, by whoever wrote it: what others read in it has to be what we read.
                json::check_object(payload)
                    .map_err(|why| Flaw::Form { line, what: format!("the payload of entry {}: {why}", entry.seq) })?;
                Some(payload)
            }
            _ => return Err(altered("half of its payload is missing")),
        };
        let leaf_hash = Hash::from_bytes(tlog_tiles::tlog::record_hash(self.entry.as_bytes()).0);
        Ok(Checked { entry, leaf_hash, payload })
    }
}

impl<'a> Entry<'a> {
    /// Reads an entry's bytes, which have one spelling: these members, in this order, and nothing between them.
    fn parse(bytes: &'a str, line: u64) -> Result<Self, Flaw> {
        let mut text = Spelling::of(bytes);
        let version = text.literal(r#"{"v":"#).and_then(|()| text.number());
        if version.is_some_and(|version| version != ENTRY_VERSION) {
            let what = format!("the entry is of version {}: use a newer leasehold", version.unwrap_or_default());
            return Err(Flaw::Form { line, what });
        }
        let entry = version.and_then(|_| Self::spelled(&mut text));
        entry.ok_or_else(|| misspelled("an entry", &text, line))
    }

    fn spelled(text: &mut Spelling<'a>) -> Option<Self> {
        text.literal(r#","seq":"#)?;
        let seq = text.number()?;
        text.literal(r#","at":""#)?;
        let at = timestamp(text.until('"')?)?;
        text.literal(r#","tenant":""#)?;
        let tenant = tenant(text.until('"')?)?;
        text.literal(r#","tenant_seq":"#)?;
        let tenant_seq = text.number()?;
        text.literal(r#","tenant_prev":""#)?;
        let tenant_prev = text.until('"')?.parse().ok()?;
        text.literal(r#","kind":""#)?;
        let kind = text.until('"')?;
        let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_';
        if kind.is_empty() || !kind.bytes().all(is_word) {
            return None;
        }
        text.literal(r#","payload_hash":""#)?;
        let payload_hash = text.until('"')?.parse().ok()?;
        text.literal("}")?;
        text.rest().is_empty().then_some(Self { seq, at, tenant, tenant_seq, tenant_prev, kind, payload_hash })
    }
}

/// Reads a time in its one spelling: UTC, with six decimals.
fn timestamp(text: &str) -> Option<Timestamp> {
    let at = Timestamp::deserialize(text.into_deserializer()).map_err(|_: serde::de::value::Error| ()).ok()?;
    (at.to_string() == text).then_some(at)
}

/// Reads an id in its one spelling: hyphens, and no capitals.
fn tenant(text: &str) -> Option<TenantId> {
    text.parse().ok().filter(|_| !text.bytes().any(|byte| byte.is_ascii_uppercase()))
}

fn misspelled(what: &str, text: &Spelling<'_>, line: u64) -> Flaw {
    Flaw::Form { line, what: format!("it is not {what} in its one spelling, from byte {} on", text.at()) }
}
