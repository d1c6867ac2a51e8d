//! Receipts: the entries that an answer rests on, each with its proof.

use super::{Flaw, Keys, Proof, Witnessed, record::Record};
use crate::{clock::Timestamp, id::TenantId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The name of the log.
    pub origin: String,
    /// What was recorded.
    pub entries: Vec<ReceiptEntry>,
    /// The introductions of the log's keys, for who trusts an older one.
    #[serde(default)]
    pub introductions: Vec<String>,
}

/// One entry of a receipt. What is hashed stands in it as text: a program that reads JSON and writes it again may order
/// and space an object anew, and must not break a receipt by it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptEntry {
    /// The entry: the very bytes that are hashed.
    pub entry: String,
    /// The salt of its payload, in base64; none where it was erased.
    pub salt: Option<String>,
    /// Its payload: the very bytes that are hashed behind the salt; none where it was erased.
    pub payload: Option<String>,
    /// The proof that it is in the log, a C2SP `tlog-proof`; none where the vault was sealed and could not sign: ask
    /// for it later.
    pub proof: Option<String>,
}

/// What a receipt proves of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedEntry {
    /// Its place in the log.
    pub seq: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// Whose chain it is in.
    pub tenant: TenantId,
    /// What happened.
    pub kind: String,
    /// Whether the payload was erased.
    pub payload_erased: bool,
    /// How many entries the signed log held.
    pub tree_size: u64,
    /// The witnesses that were demanded, and when they saw that log.
    pub witnessed: Vec<Witnessed>,
}

impl Receipt {
    /// Reads a receipt, or an answer that carries one as its member `receipt`.
    ///
    /// # Errors
    /// Where it is neither.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        #[derive(Deserialize)]
        struct Answer<'a> {
            #[serde(borrow)]
            receipt: Option<&'a RawValue>,
        }
        let malformed = |why: serde_json::Error| Flaw::Form { line: why.line() as u64, what: why.to_string() };
        let answer: Answer<'_> = serde_json::from_str(text).map_err(malformed)?;
        serde_json::from_str(answer.receipt.map_or(text, RawValue::get)).map_err(malformed)
    }

    /// Checks every entry: its payload, its place in the log, and the signature over that.
    ///
    /// # Errors
    /// With the first thing that does not fit. A receipt of nothing is none.
    pub fn check(&self, keys: &Keys) -> Result<Vec<VerifiedEntry>, Flaw> {
        let mut keys = keys.clone();
        keys.introduce(&self.introductions)?;
        if self.entries.is_empty() {
            return Err(Flaw::Incomplete("it holds no entry".into()));
        }
        self.entries.iter().map(|entry| entry.check(&keys)).collect()
    }
}

impl ReceiptEntry {
    pub(super) fn record(&self) -> Record<'_> {
        Record { entry: &self.entry, salt: self.salt.as_deref(), payload: self.payload.as_deref() }
    }

    fn check(&self, keys: &Keys) -> Result<VerifiedEntry, Flaw> {
        let checked = self.record().check(1)?;
        let entry = checked.entry;
        let what = format!("entry {}", entry.seq);
        let proof = self.proof.as_deref().ok_or_else(|| {
            Flaw::Incomplete(format!(
                "{what} has no proof yet: the vault was sealed; ask for /v1/audit/proof/{}",
                entry.seq
            ))
        })?;
        let proof = Proof::parse(proof)?;
        if proof.index != entry.seq {
            return Err(Flaw::NotIncluded { what, why: format!("the proof is of entry {}", proof.index) });
        }
        let checkpoint = proof.check(&what, &checked.leaf_hash, keys)?;
        Ok(VerifiedEntry {
            seq: entry.seq,
            at: entry.at,
            tenant: entry.tenant,
            kind: entry.kind.to_owned(),
            payload_erased: checked.payload.is_none(),
            tree_size: checkpoint.size,
            witnessed: keys.witnessed(proof.checkpoint)?,
        })
    }
}
