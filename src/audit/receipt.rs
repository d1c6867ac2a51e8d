//! Receipts and exports: entries out of the log, with what others need to check them.

use super::{
    checkpoint::{CheckpointError, Checkpointer, Signed},
    inspection::recompute,
    signer::SignError,
    tree::{ProofError, StoredTree},
};
use crate::{
    evidence::{Closing, Receipt, ReceiptEntry, proof_text},
    id::TenantId,
    merkle::{Hash, OutOfTree},
    store::{
        Link, StoreError,
        log::{self, EntryRow},
        signers,
    },
};
use data_encoding::BASE64;

impl Checkpointer {
    /// Makes the receipt of entries, which have to be durable. While the vault is sealed it has no proofs: they can be asked
    /// for later, and the entries are recorded all the same. Costs a checkpoint, where none covers them yet.
    ///
    /// # Errors
    /// As [`Checkpointer::including`], except for a sealed vault; or one of the entries is damaged.
    pub async fn receipt(&self, entries: &[EntryRow]) -> Result<Receipt, CheckpointError> {
        for entry in entries {
            // What is damaged is not handed out as evidence.
            recompute(entry)?;
        }
        let newest = entries.iter().map(|entry| counted(entry.head.seq)).max().unwrap_or(0);
        let signed = match self.including(newest).await {
            Ok(signed) => Some(signed),
            Err(CheckpointError::Sign(SignError::Sealed)) => None,
            Err(error) => return Err(error),
        };
        let mut reader = self.db().reader().await?;
        let mut proven = Vec::with_capacity(entries.len());
        for entry in entries {
            let proof = match &signed {
                Some(signed) => {
                    let (link, seq) = (&mut reader.link(), counted(entry.head.seq));
                    Some(prove(link, signed.size, &signed.note, seq).await?)
                }
                None => None,
            };
            proven.push(receipt_entry(entry, proof));
        }
        let introductions = introductions(&mut reader.link()).await?;
        Ok(Receipt { origin: self.origin().to_owned(), entries: proven, introductions })
    }

    /// Makes the end of a tenant's export: the proofs for its newest entry under a fresh checkpoint, and that the log at
    /// `older` entries is the beginning of it. `None` where the tenant has no entry.
    ///
    /// # Errors
    /// As [`Checkpointer::covering`]; or `older` is 0 or more entries than there are.
    pub async fn close_export(
        &self,
        signed: &Signed,
        tenant: TenantId,
        older: Option<u64>,
    ) -> Result<Option<Closing>, ExportError> {
        let Some((head, path)) = signed.map.find(tenant) else { return Ok(None) };
        let mut reader = self.db().reader().await?;
        let link = &mut reader.link();
        let newest = log::entry_page(link, log::Stretch::ChainFrom(tenant, stored(head.tenant_seq)), 1).await?;
        let newest = newest.first().filter(|entry| entry.leaf_hash == head.leaf_hash);
        let newest = newest.ok_or_else(|| StoreError::corrupt("tenant_heads", "leaf_hash", tenant))?;
        let map = log::entry_show(link, stored(signed.map_seq)).await?;
        let map = map.ok_or_else(|| StoreError::corrupt("entries", "seq", signed.map_seq))?;
        let map_proof = prove(link, signed.size, &signed.note, signed.map_seq).await?;
        let consistency = match older {
            Some(older) => Some(StoredTree::new(link, signed.size).consistency(older).await?),
            None => None,
        };
        Ok(Some(Closing {
            newest: prove(link, signed.size, &signed.note, counted(newest.head.seq)).await?,
            map: receipt_entry(&map, Some(map_proof)),
            path,
            introductions: introductions(link).await?,
            consistency,
        }))
    }

    /// Proves that the log at `older` entries is the beginning of the one at `newer`, both of them durable.
    ///
    /// # Errors
    /// Where `older` is 0 or more than `newer`; or the database fails.
    pub async fn consistency(&self, older: u64, newer: u64) -> Result<Vec<Hash>, ProofError> {
        let mut reader = self.db().reader().await?;
        StoredTree::new(&mut reader.link(), newer).consistency(older).await
    }
}

/// Why an export is not made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The older checkpoint is of no tree that this log had.
    #[error(transparent)]
    Older(#[from] OutOfTree),
    /// There is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ProofError> for ExportError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::OutOfTree(error) => Self::Older(error),
            ProofError::Store(error) => Self::Store(error),
        }
    }
}

async fn prove(link: &mut Link<'_>, size: u64, note: &str, seq: u64) -> Result<String, CheckpointError> {
    let hashes = StoredTree::new(link, size).inclusion(seq).await?;
    Ok(proof_text(seq, &hashes, note))
}

fn receipt_entry(row: &EntryRow, proof: Option<String>) -> ReceiptEntry {
    let mut bytes = String::new();
    row.head.write_bytes(&mut bytes);
    ReceiptEntry {
        entry: bytes,
        salt: row.salt.as_ref().map(|salt| BASE64.encode(salt)),
        payload: row.payload.clone(),
        proof,
    }
}

async fn introductions(link: &mut Link<'_>) -> Result<Vec<String>, StoreError> {
    Ok(signers::verifier_list(link).await?.into_iter().map(|row| row.introduction).collect())
}

fn counted(number: i64) -> u64 {
    u64::try_from(number).expect("a log counts from 0 upwards")
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).expect("it came from a BIGINT")
}
