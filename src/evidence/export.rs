//! A tenant's whole chain as a file of JSON Lines, and the verifier that reads it in one pass: an opening line, a record a
//! line in the order of the chain, and a closing line with the proofs.

use super::{
    Checkpoint, Flaw, Head, Keys, Proof, Step, Witnessed, check_consistency,
    heads::root_of_path,
    missing::{Missing, erased_places},
    record::{Checked, Record},
};
use crate::{clock::Timestamp, domain::event::Kind, id::TenantId, merkle::Hash};
use serde::{Deserialize, Serialize};

/// The version of the file's form.
const VERSION: u8 = 1;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    leasehold_export: u8,
    /// The name of the log.
    pub origin: String,
    /// Whose chain it is.
    pub tenant: TenantId,
    /// How many records follow.
    pub entries: u64,
    /// When the export began.
    pub exported_at: Timestamp,
}

/// The last line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The proof that the newest record is in the log, a C2SP `tlog-proof`.
    pub newest: String,
    /// The entry that commits the map of tenants' newest entries, as a receipt has it.
    pub map: super::ReceiptEntry,
    /// The way from this tenant's place in the map to its root.
    pub path: Vec<Step>,
    /// The introductions of the log's keys.
    pub introductions: Vec<String>,
    /// That the log at an older checkpoint, which the export was asked for, is the beginning of this one.
    pub consistency: Option<Vec<Hash>>,
}

/// Writes the first line, without its end.
#[must_use]
pub fn opening_line(origin: &str, tenant: TenantId, entries: u64, exported_at: Timestamp) -> String {
    written(&Opening { leasehold_export: VERSION, origin: origin.to_owned(), tenant, entries, exported_at })
}

/// Writes the last line, without its end.
#[must_use]
pub fn closing_line(closing: &Closing) -> String {
    written(closing)
}

fn written(line: &impl Serialize) -> String {
    serde_json::to_string(line).expect("it has only text and numbers")
}

/// What a file was found to prove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The name of the log.
    pub origin: String,
    /// Whose chain it is.
    pub tenant: TenantId,
    /// How many entries it has, without a gap from the first on.
    pub entries: u64,
    /// How many of their payloads were erased, each covered by an entry that says so.
    pub payloads_erased: u64,
    /// The newest one's place in the log.
    pub newest_seq: Option<u64>,
    /// How many entries the signed log held.
    pub tree_size: u64,
    /// Up to which entry of the log nothing of this tenant is missing.
    pub complete_through: u64,
    /// When the map that shows this was committed.
    pub complete_at: Timestamp,
    /// The size of the older checkpoint that the log was found to continue.
    pub consistent_since: Option<u64>,
    /// The witnesses that were demanded, and when they saw that log.
    pub witnessed: Vec<Witnessed>,
}

/// Reads an export line by line. Memory does not grow with the file, except by one range for each stretch of erased
/// payloads whose erasure has not come yet.
pub struct ExportVerifier {
    keys: Keys,
    older: Option<Checkpoint>,
    line: u64,
    opening: Option<Opening>,
    newest: Option<Newest>,
    entries: u64,
    erased: u64,
    missing: Missing,
    closing: Option<Closing>,
}

#[derive(Clone, Copy)]
struct Newest {
    seq: u64,
    tenant_seq: u64,
    leaf_hash: Hash,
    at: Timestamp,
}

impl ExportVerifier {
    /// Begins, trusting `keys`. With an older checkpoint, signed by one of them or by a key that one of them introduced,
    /// the log has to be its continuation.
    ///
    /// # Errors
    /// Where the older checkpoint is not signed by a trusted key.
    pub fn new(keys: Keys, older: Option<&str>) -> Result<Self, Flaw> {
        let older = older.map(|note| Checkpoint::open(note, &keys)).transpose()?;
        Ok(Self {
            keys,
            older,
            line: 0,
            opening: None,
            newest: None,
            entries: 0,
            erased: 0,
            missing: Missing::default(),
            closing: None,
        })
    }

    /// Returns how many records the file says it has, once its first line was read.
    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        self.opening.as_ref().map(|opening| opening.entries)
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// With what does not fit; nothing after it says anything.
    pub fn read(&mut self, line: &str) -> Result<(), Flaw> {
        self.line += 1;
        let number = self.line;
        let form = |what: String| Flaw::Form { line: number, what };
        if self.closing.is_some() {
            return Err(form("the file goes on behind its closing line".into()));
        }
        let Some(opening) = &self.opening else {
            let opening: Opening = serde_json::from_str(line).map_err(|why| form(why.to_string()))?;
            if written(&opening) != line {
                return Err(form("the opening line is not in its one spelling".into()));
            }
            if opening.leasehold_export != VERSION {
                return Err(form(format!("version {} of the file's form is not known here", opening.leasehold_export)));
            }
            if opening.origin != self.keys.origin() {
                let (found, expected) = (opening.origin, self.keys.origin().to_owned());
                return Err(Flaw::Origin { what: "the export", found, expected });
            }
            self.opening = Some(opening);
            return Ok(());
        };
        if self.entries == opening.entries {
            let closing: Closing = serde_json::from_str(line).map_err(|why| form(why.to_string()))?;
            if written(&closing) != line {
                return Err(form("the closing line is not in its one spelling".into()));
            }
            self.closing = Some(closing);
            return Ok(());
        }
        let tenant = opening.tenant;
        self.take(Record::parse(line, number)?.check(number)?, tenant)
    }

    fn take(&mut self, checked: Checked<'_>, tenant: TenantId) -> Result<(), Flaw> {
        let Checked { entry, leaf_hash, payload } = checked;
        let altered = |what| Flaw::Altered { seq: entry.seq, what };
        if entry.tenant != tenant {
            return Err(altered("it is of another tenant"));
        }
        if entry.tenant_seq != self.entries {
            return Err(Flaw::Gap { seq: entry.seq, found: entry.tenant_seq, expected: self.entries });
        }
        match self.newest {
            None if entry.tenant_prev != Hash::from_bytes([0; Hash::LEN]) => {
                return Err(altered("the first entry of a chain names one before it"));
            }
            Some(before) if entry.tenant_prev != before.leaf_hash => {
                return Err(altered("it does not continue the entry before it"));
            }
            Some(before) if entry.seq <= before.seq || entry.at < before.at => {
                return Err(altered("it stands before the entry that it continues"));
            }
            _ => {}
        }
        match payload {
            None => {
                self.erased += 1;
                self.missing.note(entry.tenant_seq);
            }
            Some(payload) if entry.kind == Kind::PayloadsErased.as_str() => {
                let places =
                    erased_places(payload).ok_or_else(|| altered("it does not say which payloads were erased"))?;
                self.missing.account(places, entry.tenant_seq);
            }
            Some(_) => {}
        }
        let (seq, tenant_seq, at) = (entry.seq, entry.tenant_seq, entry.at);
        self.newest = Some(Newest { seq, tenant_seq, leaf_hash, at });
        self.entries += 1;
        Ok(())
    }

    /// Checks what only the whole file shows: the proofs, the signatures, and that nothing is missing at the end.
    ///
    /// # Errors
    /// With what does not fit.
    pub fn finish(self) -> Result<Verified, Flaw> {
        let Self { mut keys, older, opening, newest, entries, erased, missing, closing, .. } = self;
        let incomplete = |what: &str| Flaw::Incomplete(what.to_owned());
        let opening = opening.ok_or_else(|| incomplete("it is empty"))?;
        let closing = closing.ok_or_else(|| {
            Flaw::Incomplete(format!("it ends after {entries} of {} entries, without its proofs", opening.entries))
        })?;
        let newest = newest.ok_or_else(|| incomplete("it holds no entry"))?;
        if let Some((from, through)) = missing.first() {
            return Err(Flaw::Unaccounted { from, through });
        }
        keys.introduce(&closing.introductions)?;

        let what = format!("entry {}", newest.seq);
        let proof = Proof::parse(&closing.newest)?;
        if proof.index != newest.seq {
            return Err(Flaw::NotIncluded { what, why: format!("the proof is of entry {}", proof.index) });
        }
        let checkpoint = proof.check(&what, &newest.leaf_hash, &keys)?;
        let map = committed_map(&closing.map, &keys, &checkpoint)?;
        if newest.seq >= map.size {
            return Err(Flaw::NotNewest { seq: newest.seq });
        }
        let head = Head { tenant: opening.tenant, tenant_seq: newest.tenant_seq, leaf_hash: newest.leaf_hash };
        if root_of_path(&head, &closing.path) != Some(map.root) {
            return Err(Flaw::NotNewest { seq: newest.seq });
        }
        if let Some(older) = &older {
            let hashes = closing.consistency.as_deref().ok_or_else(|| Flaw::Inconsistent {
                older: older.size,
                why: "the file has no proof of it: export it with that checkpoint named".into(),
            })?;
            check_consistency(older, &checkpoint, hashes)?;
        }
        Ok(Verified {
            origin: opening.origin,
            tenant: opening.tenant,
            entries,
            payloads_erased: erased,
            newest_seq: Some(newest.seq),
            tree_size: checkpoint.size,
            complete_through: map.size.saturating_sub(1),
            complete_at: map.at,
            consistent_since: older.map(|older| older.size),
            witnessed: keys.witnessed(proof.checkpoint)?,
        })
    }
}

struct CommittedMap {
    root: Hash,
    size: u64,
    at: Timestamp,
}

/// Checks the entry that commits the map, under the same checkpoint as the newest record.
fn committed_map(map: &super::ReceiptEntry, keys: &Keys, checkpoint: &Checkpoint) -> Result<CommittedMap, Flaw> {
    #[derive(Deserialize)]
    struct Payload {
        details: Details,
    }
    #[derive(Deserialize)]
    struct Details {
        size: u64,
        root: Hash,
    }
    let checked = map.record().check(1)?;
    let seq = checked.entry.seq;
    let altered = |what| Flaw::Altered { seq, what };
    if checked.entry.kind != Kind::HeadsCommitted.as_str() || checked.entry.tenant != TenantId::VAULT {
        return Err(altered("it is not the vault's own entry of the tenants' newest entries"));
    }
    let payload = checked.payload.ok_or_else(|| altered("its payload, the map's root, is missing"))?;
    let Payload { details } = serde_json::from_str(payload).map_err(|_| altered("it does not say the map's root"))?;
    // It was made of entries before its own.
    if details.size > seq {
        return Err(altered("it claims to cover entries that come after it"));
    }
    let proof = map.proof.as_deref().ok_or_else(|| Flaw::Incomplete("the map has no proof".into()))?;
    let proof = Proof::parse(proof)?;
    let what = format!("entry {seq}, the map of newest entries,");
    if proof.index != seq {
        return Err(Flaw::NotIncluded { what, why: format!("the proof is of entry {}", proof.index) });
    }
    let under = proof.check(&what, &checked.leaf_hash, keys)?;
    if under != *checkpoint {
        return Err(Flaw::NotIncluded { what, why: "it is proven under another checkpoint".into() });
    }
    Ok(CommittedMap { root: details.root, size: details.size, at: checked.entry.at })
}
