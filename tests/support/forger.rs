//! A log without a vault: whoever has its key can write any entry, sign any root, and so make evidence of any form, true and
//! false. What an honest vault never writes is made here.

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use leasehold::{
    clock::Timestamp,
    evidence::{
        Closing, Head, HeadMap, ReceiptEntry, checkpoint_text, closing_line, cosigned_prefix, opening_line, proof_text,
        record_line,
    },
    id::TenantId,
    merkle::{Hash, consistency_proof, inclusion_proof, leaf_hash, root_of},
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A key that signs notes: of a log (type 1) or a witness (type 4).
pub(crate) struct NoteKey {
    name: String,
    kind: u8,
    key: SigningKey,
}

impl NoteKey {
    pub(crate) fn of_log(name: &str, seed: u8) -> Self {
        Self { name: name.to_owned(), kind: 1, key: SigningKey::from_bytes(&[seed; 32]) }
    }

    pub(crate) fn of_witness(name: &str, seed: u8) -> Self {
        Self { name: name.to_owned(), kind: 4, key: SigningKey::from_bytes(&[seed; 32]) }
    }

    fn bytes(&self) -> Vec<u8> {
        [&[self.kind][..], self.key.verifying_key().as_bytes()].concat()
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new_with_prefix(&self.name).chain_update(b"\n").chain_update(self.bytes()).finalize();
        *hash.first_chunk().unwrap()
    }

    /// Writes the public key.
    pub(crate) fn public(&self) -> String {
        format!("{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), BASE64.encode(&self.bytes()))
    }

    /// Signs a text: the line that follows it in a note.
    pub(crate) fn line(&self, text: &str) -> String {
        let signature = match self.kind {
            4 => {
                let seconds: u64 = 1_800_000_000;
                let signed = format!("{}{text}", cosigned_prefix(seconds));
                [&seconds.to_be_bytes()[..], &self.key.sign(signed.as_bytes()).to_bytes()].concat()
            }
            _ => self.key.sign(text.as_bytes()).to_bytes().to_vec(),
        };
        format!("— {} {}\n", self.name, BASE64.encode(&[&self.id()[..], &signature].concat()))
    }

    /// Signs a text as a note.
    pub(crate) fn note(&self, text: &str) -> String {
        format!("{text}\n{}", self.line(text))
    }
}

/// An entry as a record holds it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) seq: u64,
    pub(crate) entry: String,
    pub(crate) salt: [u8; 32],
    pub(crate) payload: String,
}

impl Written {
    /// Writes it on a line, without its end.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        record_line(&self.entry, Some(&self.salt), Some(&self.payload), &mut line);
        line
    }

    /// Writes it on a line, its payload erased.
    pub(crate) fn erased_line(&self) -> String {
        let mut line = String::new();
        record_line(&self.entry, None, None, &mut line);
        line
    }

    fn receipt_entry(&self, proof: String) -> ReceiptEntry {
        ReceiptEntry {
            entry: self.entry.clone(),
            salt: Some(BASE64.encode(&self.salt)),
            payload: Some(self.payload.clone()),
            proof: Some(proof),
        }
    }
}

/// The log.
pub(crate) struct Forger {
    pub(crate) origin: String,
    pub(crate) key: NoteKey,
    pub(crate) leaves: Vec<Hash>,
    /// Each tenant's newest entry: its place in the log, its place in the chain, its hash.
    pub(crate) heads: BTreeMap<TenantId, (u64, u64, Hash)>,
}

impl Forger {
    pub(crate) fn new() -> Self {
        let origin = "leasehold/0190a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b".to_owned();
        let key = NoteKey::of_log(&origin, 1);
        Self { origin, key, leaves: Vec::new(), heads: BTreeMap::new() }
    }

    pub(crate) fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(0x0190_a1b2_0000_7000_8000_0000_0000_0000 + number))
    }

    /// Returns the bytes of an honest next entry of a tenant, as a vault writes them.
    pub(crate) fn entry_of(&self, tenant: TenantId, kind: &str, payload_hash: &Hash) -> String {
        let seq = self.leaves.len() as u64;
        let (place, before) = match self.heads.get(&tenant) {
            Some((_, place, hash)) => (place + 1, *hash),
            None => (0, Hash::from_bytes([0; 32])),
        };
        let at = Timestamp::from_micros(1_800_000_000_000_000 + i64::try_from(seq).unwrap() * 1_000);
        format!(
            r#"{{"v":1,"seq":{seq},"at":"{at}","tenant":"{tenant}","tenant_seq":{place},"tenant_prev":"{before}","kind":"{kind}","payload_hash":"{payload_hash}"}}"#
        )
    }

    /// Appends an entry to a tenant's chain.
    pub(crate) fn append(&mut self, tenant: TenantId, kind: &str, payload: &str) -> Written {
        self.append_as(tenant, kind, payload, |entry| entry)
    }

    /// Appends an entry that is written otherwise than a vault writes it.
    pub(crate) fn append_as(
        &mut self,
        tenant: TenantId,
        kind: &str,
        payload: &str,
        otherwise: impl FnOnce(String) -> String,
    ) -> Written {
        let seq = self.leaves.len() as u64;
        let salt: [u8; 32] = Sha256::digest(seq.to_be_bytes()).into();
        let payload_hash = Sha256::new_with_prefix(salt).chain_update(payload.as_bytes()).finalize();
        let entry = otherwise(self.entry_of(tenant, kind, &Hash::from_bytes(payload_hash.into())));
        let leaf = leaf_hash(entry.as_bytes());
        let place = self.heads.get(&tenant).map_or(0, |(_, place, _)| place + 1);
        self.heads.insert(tenant, (seq, place, leaf));
        self.leaves.push(leaf);
        Written { seq, entry, salt, payload: payload.to_owned() }
    }

    /// Returns the map of the tenants' newest entries.
    pub(crate) fn map(&self) -> HeadMap {
        let head = |(tenant, (_, tenant_seq, leaf_hash)): (&TenantId, &(u64, u64, Hash))| Head {
            tenant: *tenant,
            tenant_seq: *tenant_seq,
            leaf_hash: *leaf_hash,
        };
        HeadMap::new(self.heads.iter().map(head).collect())
    }

    /// Commits a map of `size` entries with this root, as the vault's own entry.
    pub(crate) fn commit_map(&mut self, size: u64, root: &Hash) -> Written {
        let payload = format!(
            r#"{{"actor":{{"type":"vault","id":"{0}"}},"object":{{"type":"vault","id":"{0}"}},"outcome":"allowed","details":{{"size":{size},"tenants":{1},"root":"{root}"}}}}"#,
            Uuid::nil(),
            self.heads.len(),
        );
        self.append(TenantId::VAULT, "log.heads_committed", &payload)
    }

    /// Signs the log as it is.
    pub(crate) fn checkpoint(&self) -> String {
        self.key.note(&checkpoint_text(&self.origin, self.leaves.len() as u64, &root_of(&self.leaves)))
    }

    /// Proves an entry under a checkpoint of the log as it is.
    pub(crate) fn prove(&self, seq: u64, checkpoint: &str) -> String {
        proof_text(seq, &inclusion_proof(&self.leaves, usize::try_from(seq).unwrap()).unwrap(), checkpoint)
    }

    /// Makes the receipt of an entry.
    pub(crate) fn receipt(&self, written: &Written) -> String {
        let entry = written.receipt_entry(self.prove(written.seq, &self.checkpoint()));
        serde_json::json!({ "origin": self.origin, "entries": [entry], "introductions": [] }).to_string()
    }

    /// Commits an honest map, and closes a tenant's export with it.
    pub(crate) fn close(&mut self, tenant: TenantId, older: Option<u64>) -> Closing {
        let (map, size) = (self.map(), self.leaves.len() as u64);
        let committed = self.commit_map(size, &map.root());
        let checkpoint = self.checkpoint();
        let (_, path) = map.find(tenant).unwrap();
        Closing {
            newest: self.prove(self.heads[&tenant].0, &checkpoint),
            map: committed.receipt_entry(self.prove(committed.seq, &checkpoint)),
            path,
            introductions: Vec::new(),
            consistency: older.map(|older| consistency_proof(&self.leaves, usize::try_from(older).unwrap()).unwrap()),
        }
    }

    /// Writes an export's first line.
    pub(crate) fn opening(&self, tenant: TenantId, entries: u64) -> String {
        opening_line(&self.origin, tenant, entries, Timestamp::from_micros(1_900_000_000_000_000))
    }

    /// Writes an export's last line.
    pub(crate) fn closing(&mut self, tenant: TenantId) -> String {
        closing_line(&self.close(tenant, None))
    }
}

/// A payload as the gateway records one.
pub(crate) fn payload_of_use(number: u64) -> String {
    format!(
        r#"{{"actor":{{"type":"worker","id":"0190a1b2-c3d4-7e5f-8a6b-{number:012x}"}},"object":{{"type":"connection","id":"0190a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"}},"outcome":"allowed","details":{{"lease":"0190a1b2-c3d4-7e5f-8a6b-{number:012x}","method":"GET","path":"/orders/v0/orders/{{orderId}}","scopes":["orders:read"],"address":"192.0.2.17"}}}}"#
    )
}
