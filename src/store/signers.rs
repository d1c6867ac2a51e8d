//! The keys that sign checkpoints: their public halves, and their seeds, sealed.

use super::{
    Link, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::{
    clock::Timestamp,
    domain::secrets::SigningSeed,
    envelope::Sealed,
    id::{KeyId, SignerId},
};

/// A signing key.
#[derive(Clone, Debug)]
pub struct SignerRow {
    /// Its id.
    pub id: SignerId,
    /// Which of the log's keys it is, from 1.
    pub number: i64,
    /// The public key, in the form of C2SP `signed-note`.
    pub verifier: String,
    /// The note that introduces it, signed by it and by the key before.
    pub introduction: String,
    /// The seed.
    pub seed: Sealed<SigningSeed>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What everybody may know of a signing key.
#[derive(Clone, Debug)]
pub struct VerifierRow {
    /// Which of the log's keys it is, from 1.
    pub number: i64,
    /// The public key, in the form of C2SP `signed-note`.
    pub verifier: String,
    /// The note that introduces it.
    pub introduction: String,
    /// When it was made.
    pub created_at: Timestamp,
}

type RawSigner = (SignerId, i64, String, String, KeyId, Vec<u8>, Timestamp);

/// Writes a key.
///
/// # Errors
/// `Taken` where another one has its number: another node made one at the same moment.
pub async fn signer_insert(link: &mut Link<'_>, row: &SignerRow) -> Result<(), StoreError> {
    execute!(
        link,
        sql::SIGNER_INSERT,
        row.id,
        row.number,
        row.verifier.as_str(),
        row.introduction.as_str(),
        row.seed.key_id(),
        row.seed.as_bytes(),
        row.created_at
    )
    .map(drop)
}

/// Reads the newest key; `None` before the first.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn signer_newest(link: &mut Link<'_>) -> Result<Option<SignerRow>, StoreError> {
    optional!(link, RawSigner, sql::SIGNER_NEWEST)?.map(parse).transpose()
}

/// Lists all keys, the oldest first.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn signer_list(link: &mut Link<'_>) -> Result<Vec<SignerRow>, StoreError> {
    rows!(link, RawSigner, sql::SIGNERS_ALL)?.into_iter().map(parse).collect()
}

fn parse(row: RawSigner) -> Result<SignerRow, StoreError> {
    let (id, number, verifier, introduction, key, seed, created_at) = row;
    let seed = Sealed::from_stored(key, seed).map_err(|_| StoreError::corrupt("signers", "seed", id))?;
    Ok(SignerRow { id, number, verifier, introduction, seed, created_at })
}

/// Lists the public halves of all keys, the oldest first.
///
/// # Errors
/// Where the database fails.
pub async fn verifier_list(link: &mut Link<'_>) -> Result<Vec<VerifierRow>, StoreError> {
    let found = rows!(link, (i64, String, String, Timestamp), sql::SIGNER_LIST)?;
    let row = |(number, verifier, introduction, created_at)| VerifierRow { number, verifier, introduction, created_at };
    Ok(found.into_iter().map(row).collect())
}
