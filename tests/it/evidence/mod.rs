//! What leaves the vault as evidence: receipts, exports, checkpoints and tiles, checked by our own verifier and by other
//! people's.

mod export;
mod forged;
mod go;
mod hostile;
mod receipts;
mod tree;

use crate::test_vault::TestVault;
use leasehold::{
    audit::Signer as _,
    domain::entry::{EntryHead, payload_hash},
    evidence::{Closing, ExportVerifier, Flaw, Keys, Verified, checkpoint_text, closing_line, proof_text, record_line},
    merkle::{Hash, inclusion_proof, leaf_hash, root_of},
};
use serde_json::Value;

/// Returns the public keys as an auditor has them.
async fn keys(test: &TestVault) -> Keys {
    let answer = get(test, "/v1/audit/keys").await;
    let listed = answer["keys"].as_array().unwrap().iter().map(|key| key["verifier"].as_str().unwrap());
    Keys::parse(&listed.collect::<Vec<_>>().join("\n")).unwrap()
}

async fn get(test: &TestVault, path: &str) -> Value {
    serde_json::from_str(&get_text(test, path).await).unwrap()
}

/// Reads as the tenant's owner does.
async fn get_text(test: &TestVault, path: &str) -> String {
    let request = test.client.get(format!("{}{path}", test.api)).bearer_auth(test.owner_key.expose());
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {text}");
    text
}

/// Takes the tenant's chain away, a line each.
async fn export(test: &TestVault, query: &str) -> Vec<String> {
    get_text(test, &format!("/v1/audit/export{query}")).await.lines().map(str::to_owned).collect()
}

fn verify(lines: &[String], keys: &Keys, older: Option<&str>) -> Result<Verified, Flaw> {
    let mut verifier = ExportVerifier::new(keys.clone(), older)?;
    lines.iter().try_for_each(|line| verifier.read(line))?;
    verifier.finish()
}

/// Makes the chain grow by a few uses and changes.
async fn history(test: &TestVault, uses: usize) {
    for _ in 0..uses {
        test.lease().await;
    }
}

/// Leaves the newest entry out of an export and makes everything fit: the proof of the one before it, under the same
/// checkpoint, is genuine. Only the map tells. Returns the file and the entry that it passes off as the newest.
async fn cut_tail(test: &TestVault, lines: &[String]) -> (Vec<String>, u64) {
    let kept = lines.len() - 3;
    let mut cut = vec![lines[0].replace(&format!("\"entries\":{}", kept + 1), &format!("\"entries\":{kept}"))];
    cut.extend_from_slice(&lines[1..=kept]);
    let newest: Value = serde_json::from_str(&lines[kept]).unwrap();
    let seq = newest["entry"]["seq"].as_u64().unwrap();
    let row = test.log().await.into_iter().find(|row| row.head.seq == seq as i64).unwrap();
    let receipt = test.vault.checkpointer.receipt(&[row]).await.unwrap();
    let mut closing: Closing = serde_json::from_str(lines.last().unwrap()).unwrap();
    closing.newest = receipt.entries[0].proof.clone().unwrap();
    cut.push(closing_line(&closing));
    (cut, seq)
}

/// Puts another entry in the place of the newest, appends it to the log too, and signs that with the true key, as a
/// dishonest operator could: two chains of one tenant in one log. Only the map tells.
async fn fork(test: &TestVault, lines: &[String]) -> (Vec<String>, u64) {
    let rows = test.log().await;
    let mut closing: Closing = serde_json::from_str(lines.last().unwrap()).unwrap();
    let signed = test.vault.checkpointer.covering(0).await.unwrap();
    let mut leaves: Vec<Hash> = rows[..signed.size as usize].iter().map(|row| row.leaf_hash).collect();
    let newest = rows.iter().rfind(|row| row.head.tenant == test.tenant).unwrap();
    let (salt, payload) = ([7; 32], r#"{"details":{}}"#);
    let head = EntryHead { seq: signed.size as i64, payload_hash: payload_hash(&salt, payload), ..newest.head.clone() };
    let (mut entry, mut line) = (String::new(), String::new());
    head.write_bytes(&mut entry);
    record_line(&entry, Some(&salt), Some(payload), &mut line);
    leaves.push(leaf_hash(entry.as_bytes()));

    let text = checkpoint_text(test.vault.checkpointer.origin(), leaves.len() as u64, &root_of(&leaves));
    let note = test.vault.keyring.sign(&text).await.unwrap();
    let prove = |seq: u64| proof_text(seq, &inclusion_proof(&leaves, seq as usize).unwrap(), &note);
    closing.newest = prove(signed.size);
    closing.map.proof = Some(prove(signed.map_seq));
    let mut forked = lines[..lines.len() - 2].to_vec();
    forked.extend([line, closing_line(&closing)]);
    (forked, signed.size)
}
