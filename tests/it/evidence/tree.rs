//! Roots and proofs out of the stored tree, against the definition over all leaves.

use crate::{
    databases::{TestDatabase, both_databases},
    test_vault::TestVault,
};
use leasehold::{
    audit::StoredTree,
    merkle::{self, Hash},
};

both_databases!(proofs_out_of_tiles_are_those_of_the_whole_tree, tiles_are_served_as_c2sp_names_them);

async fn grow(test: &TestVault, size: usize) -> Vec<Hash> {
    let leases = async |count: usize| {
        let leases = (0..count).map(|_| test.lease());
        futures_util::future::join_all(leases).await;
    };
    let have = test.log().await.len();
    leases(size.saturating_sub(have)).await;
    test.log().await.iter().map(|row| row.leaf_hash).collect()
}

async fn proofs_out_of_tiles_are_those_of_the_whole_tree(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let leaves = grow(&test, 700).await;
    // Once before any tile is written, once out of tiles.
    for round in 0..2 {
        let mut reader = test.vault.db.reader().await.unwrap();
        for size in [1, 2, 255, 256, 257, 511, 512, 513, 700] {
            let tree = &leaves[..size];
            let link = &mut reader.link();
            let mut stored = StoredTree::new(link, size as u64);
            assert_eq!(stored.root().await.unwrap(), merkle::root_of(tree), "round {round}, {size}");
            for index in [0, 1, 100, 254, 255, 256, 257, 511, 512, size - 1].into_iter().filter(|index| *index < size) {
                let proof = stored.inclusion(index as u64).await.unwrap();
                assert_eq!(proof, merkle::inclusion_proof(tree, index).unwrap(), "{index} in {size}");
                let proof = stored.consistency(index as u64 + 1).await.unwrap();
                assert_eq!(proof, merkle::consistency_proof(tree, index + 1).unwrap(), "{} to {size}", index + 1);
            }
            assert!(stored.inclusion(size as u64).await.is_err());
        }
        drop(reader);
        test.vault.checkpointer.covering(leaves.len() as u64 - 1).await.unwrap();
    }
}

async fn tiles_are_served_as_c2sp_names_them(database: TestDatabase) {
    let test = TestVault::on(database).await;
    let leaves = grow(&test, 600).await;
    let signed = test.vault.checkpointer.covering(leaves.len() as u64 - 1).await.unwrap();
    let get = async |path: &str, key: &leasehold::secret::SecretText| {
        let response = test.client.get(format!("{}{path}", test.api)).bearer_auth(key.expose()).send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    };
    let hashes = |leaves: &[Hash]| leaves.iter().flat_map(|hash| *hash.as_bytes()).collect::<Vec<u8>>();
    let owner = &test.owner_key;
    assert_eq!(get("/tile/0/001", owner).await, (200, hashes(&leaves[256..512])));
    assert_eq!(get("/v1/audit/tile/0/001", owner).await, (200, hashes(&leaves[256..512])));
    let partial = signed.size - 512;
    assert_eq!(
        get(&format!("/tile/0/002.p/{}", partial.min(80)), owner).await.1,
        hashes(&leaves[512..512 + partial.min(80) as usize])
    );
    let roots = [merkle::root_of(&leaves[..256]), merkle::root_of(&leaves[256..512])];
    assert_eq!(get("/tile/1/000.p/2", owner).await, (200, hashes(&roots)));
    for missing in ["/tile/0/002", "/tile/0/003.p/1", "/tile/1/000", "/tile/1/000.p/3", "/tile/2/000.p/1", "/tile/0/1"]
    {
        assert_eq!(get(missing, owner).await.0, 404, "{missing}");
    }

    // Entries of all tenants are for staff.
    assert_eq!(get("/tile/entries/000", owner).await.0, 403);
    let (status, bundle) = get("/tile/entries/000", &test.officer_key).await;
    assert_eq!(status, 200);
    let mut rest = &bundle[..];
    for leaf in &leaves[..256] {
        let (length, behind) = rest.split_first_chunk::<2>().unwrap();
        let (entry, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
        assert_eq!(merkle::leaf_hash(entry), *leaf);
        rest = behind;
    }
    assert!(rest.is_empty());
}
