//! Proof verification against the vectors of transparency-dev/merkle, and roots against those of Certificate
//! Transparency's own tests.

use data_encoding::{BASE64, HEXLOWER};
use leasehold::merkle::{Frontier, Hash, leaf_hash, root_of, verify_consistency, verify_inclusion};
use serde::Deserialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_inclusion_vector_is_accepted_or_refused_as_it_says() {
    let mut accepted = 0;
    let files = files_below("inclusion");
    assert_eq!(files.len(), 98);
    for file in &files {
        let case: Inclusion = read(file);
        let verdict = case.verify();
        assert_eq!(verdict.is_err(), case.want_err, "{}: {verdict:?}", file.display());
        accepted += u32::from(verdict.is_ok());
    }
    assert_eq!(accepted, 6);
}

#[test]
fn every_consistency_vector_is_accepted_or_refused_as_it_says() {
    let mut accepted = 0;
    let files = files_below("consistency");
    assert_eq!(files.len(), 98);
    for file in &files {
        let case: Consistency = read(file);
        let verdict = case.verify();
        assert_eq!(verdict.is_err(), case.want_err, "{}: {verdict:?}", file.display());
        accepted += u32::from(verdict.is_ok());
    }
    assert_eq!(accepted, 6);
}

/// From the Merkle tree tests of google/certificate-transparency (Apache License 2.0).
#[test]
fn the_roots_of_certificate_transparencys_eight_leaves_are_the_known_ones() {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    let mut hashes = Vec::new();
    for (leaf, root) in leaves.iter().zip(roots) {
        let leaf = leaf_hash(&HEXLOWER.decode(leaf.as_bytes()).unwrap());
        hashes.push(leaf);
        frontier.append(leaf);
        assert_eq!(HEXLOWER.encode(frontier.root().as_bytes()), root);
        assert_eq!(HEXLOWER.encode(root_of(&hashes).as_bytes()), root);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: String,
    leaf_hash: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

impl Inclusion {
    fn verify(&self) -> Result<(), String> {
        let (leaf, root) = (hash(&self.leaf_hash)?, hash(&self.root)?);
        let proof = hashes(self.proof.as_deref())?;
        verify_inclusion(&leaf, self.leaf_idx, self.tree_size, &proof, &root).map_err(|error| error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    want_err: bool,
}

impl Consistency {
    fn verify(&self) -> Result<(), String> {
        let (root1, root2) = (hash(&self.root1)?, hash(&self.root2)?);
        let proof = hashes(self.proof.as_deref())?;
        verify_consistency(self.size1, &root1, self.size2, &root2, &proof).map_err(|error| error.to_string())
    }
}

fn hashes(proof: Option<&[String]>) -> Result<Vec<Hash>, String> {
    proof.unwrap_or_default().iter().map(|text| hash(text)).collect()
}

/// Reads a hash. One that is not 32 bytes is a refusal already, except the stand-ins "don't care 1" and "don't care 2",
/// which are made 32 bytes long so that what the case is about gets tested: whether they are equal.
fn hash(text: &str) -> Result<Hash, String> {
    let mut bytes = BASE64.decode(text.as_bytes()).map_err(|error| error.to_string())?;
    if bytes.starts_with(b"don't care ") {
        bytes.resize(Hash::LEN, 0);
    }
    Hash::try_from(bytes.as_slice()).map_err(|error| error.to_string())
}

fn read<T: for<'a> Deserialize<'a>>(file: &Path) -> T {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn files_below(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/merkle").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}
