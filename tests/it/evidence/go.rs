//! Go's own `golang.org/x/mod/sumdb` checks what we hand out (`tests/go/verify`): the signature, inclusion, consistency, and
//! the whole export. It shares no line with the vault, so that a mistake made twice here is not made there.

use super::{cut_tail, export, fork, get, get_text, history, keys};
use crate::test_vault::TestVault;
use leasehold::{
    audit::Signer as _,
    evidence::{Keys, checkpoint_text},
    merkle::leaf_hash,
};
use serde_json::Value;
use std::{path::PathBuf, process::Command};

/// A folder with the keys, and the verifier beside it.
pub(super) struct Auditor {
    folder: tempfile::TempDir,
    program: PathBuf,
    demands_witnesses: bool,
}

impl Auditor {
    pub(super) async fn of(test: &TestVault) -> Self {
        Self::trusting(&keys(test).await)
    }

    pub(super) fn trusting(keys: &Keys) -> Self {
        let here = env!("CARGO_MANIFEST_DIR");
        let program =
            std::env::var("LEASEHOLD_TEST_GO_VERIFIER").unwrap_or_else(|_| format!("{here}/target/go/verify"));
        let program = PathBuf::from(program);
        assert!(program.exists(), "{} is missing: `tests/run` builds it", program.display());
        let auditor = Self { folder: tempfile::tempdir().unwrap(), program, demands_witnesses: false };
        auditor.write("keys", &keys.iter().collect::<Vec<_>>().join("\n"));
        auditor
    }

    /// Demands the co-signatures of witnesses, a key a line.
    pub(super) fn demand(&mut self, witnesses: &str) {
        self.demands_witnesses = true;
        self.write("witnesses", witnesses);
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Says what the verifier says: nothing where the evidence holds.
    pub(super) fn verdict(&self, what: &str, files: &[&str]) -> Option<String> {
        let mut command = Command::new(&self.program);
        if self.demands_witnesses {
            command.args(["-witness", "witnesses"]);
        }
        command.arg(what).arg("keys").args(files).current_dir(&self.folder).env_clear();
        let output = command.output().unwrap();
        (!output.status.success()).then(|| String::from_utf8(output.stderr).unwrap())
    }

    #[track_caller]
    pub(super) fn accepts(&self, what: &str, files: &[&str]) {
        assert_eq!(self.verdict(what, files), None, "{files:?}");
    }

    #[track_caller]
    pub(super) fn rejects(&self, what: &str, files: &[&str], why: &str) {
        let verdict = self.verdict(what, files).unwrap_or_else(|| panic!("{files:?} was accepted"));
        assert!(verdict.contains(why), "{files:?}: {verdict}");
    }
}

#[tokio::test]
async fn go_accepts_a_receipt_and_none_near_it() {
    let test = TestVault::start().await;
    history(&test, 5).await;
    let auditor = Auditor::of(&test).await;
    let answer = test.post(&format!("/v1/connections/{}/revoke", test.connection), &test.owner_key).await;
    auditor.write("receipt.json", &answer.to_string());
    auditor.accepts("receipt", &["receipt.json"]);
    // Written anew by a program that orders and spaces JSON its own way.
    auditor.write("spaced.json", &serde_json::to_string_pretty(&answer["receipt"]).unwrap());
    auditor.accepts("receipt", &["spaced.json"]);

    let altered = |name: &str, alter: &dyn Fn(&mut Value)| {
        let mut receipt = answer["receipt"].clone();
        alter(&mut receipt["entries"][0]);
        auditor.write(name, &receipt.to_string());
    };
    let replace = |value: &mut Value, from: &str, to: &str| {
        let text = value.as_str().unwrap();
        assert!(text.contains(from), "{text}");
        *value = text.replacen(from, to, 1).into();
    };
    altered("payload.json", &|entry| replace(&mut entry["payload"], "allowed", "refused"));
    auditor.rejects("receipt", &["payload.json"], "payload does not match");
    altered("entry.json", &|entry| replace(&mut entry["entry"], "connection.revoked", "connection.resumed"));
    auditor.rejects("receipt", &["entry.json"], "invalid");
    altered("root.json", &|entry| {
        let proof = entry["proof"].as_str().unwrap().to_owned();
        let root = proof.split_once("\n\n").unwrap().1.lines().nth(2).unwrap();
        replace(&mut entry["proof"], root, &leaf_hash(b"another tree").to_string());
    });
    auditor.rejects("receipt", &["root.json"], "invalid signature");
    altered("index.json", &|entry| replace(&mut entry["proof"], "index ", "index 1"));
    auditor.rejects("receipt", &["index.json"], "has the proof of entry");
}

#[tokio::test]
async fn go_accepts_an_export_and_none_near_it() {
    let test = TestVault::start().await;
    history(&test, 3).await;
    let auditor = Auditor::of(&test).await;
    let older = get_text(&test, "/v1/audit/checkpoint").await;
    auditor.write("older", &older);
    history(&test, 300).await;
    let size = older.lines().nth(1).unwrap();
    let lines = export(&test, &format!("?older={size}")).await;
    let write = |name: &str, lines: &[String]| auditor.write(name, &(lines.join("\n") + "\n"));
    write("export.jsonl", &lines);
    auditor.accepts("export", &["export.jsonl"]);
    auditor.accepts("export", &["export.jsonl", "older"]);

    let at = lines.len() / 2;
    let mut altered = lines.clone();
    altered[at] = altered[at].replacen("orders:read", "orders:rear", 1);
    write("altered", &altered);
    auditor.rejects("export", &["altered"], "payload does not match");
    let mut removed = lines.clone();
    removed.remove(at);
    write("removed", &removed);
    auditor.rejects("export", &["removed"], "the chain breaks");
    let mut swapped = lines.clone();
    swapped.swap(at, at + 1);
    write("swapped", &swapped);
    auditor.rejects("export", &["swapped"], "the chain breaks");
    write("shortened", &lines[..at]);
    auditor.rejects("export", &["shortened"], "the file ends");
    write("cut", &cut_tail(&test, &lines).await.0);
    auditor.rejects("export", &["cut"], "not the tenant's newest");
    write("forked", &fork(&test, &lines).await.0);
    auditor.rejects("export", &["forked"], "not the tenant's newest");
}

#[tokio::test]
async fn go_accepts_a_log_that_grew_and_none_that_was_forked_or_shortened() {
    let test = TestVault::start().await;
    history(&test, 20).await;
    let auditor = Auditor::of(&test).await;
    let size = |note: &str| note.lines().nth(1).unwrap().parse::<u64>().unwrap();
    let older = get_text(&test, "/v1/audit/checkpoint").await;
    history(&test, 600).await;
    test.vault.checkpointer.covering(size(&older) + 1).await.unwrap();
    let newer = get_text(&test, "/v1/audit/checkpoint").await;
    let proof = get(&test, &format!("/v1/audit/consistency?older={}", size(&older))).await;
    let hashes: Vec<&str> = proof["hashes"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap()).collect();
    auditor.write("older", &older);
    auditor.write("newer", &newer);
    auditor.write("proof", &hashes.join("\n"));
    auditor.accepts("consistency", &["older", "newer", "proof"]);

    // The true key signs another root of the same size: an operator who shows two logs.
    let text = checkpoint_text(test.vault.checkpointer.origin(), size(&newer), &leaf_hash(b"another log"));
    auditor.write("forked", &test.vault.keyring.sign(&text).await.unwrap());
    auditor.rejects("consistency", &["older", "forked", "proof"], "invalid");
    auditor.rejects("consistency", &["newer", "older", "proof"], "shortened");
    let unsigned = newer.replace("\n\n— ", "\n\n— other");
    auditor.write("unsigned", &unsigned);
    auditor.rejects("consistency", &["older", "unsigned", "proof"], "no verifiable signatures");
}
