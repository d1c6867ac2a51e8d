//! What the holder of the database can forge and what gives him away. He has no signing key.

use super::{export, get_text, history, keys, verify};
use crate::{
    databases::{TestDatabase, both_databases},
    test_vault::TestVault,
};
use leasehold::{
    audit::{CheckpointError, LogFlaw, StoredTree},
    evidence::{Checkpoint, Flaw, check_consistency},
};

both_databases!(a_rewritten_log_is_not_signed_and_does_not_continue_what_was_signed);

async fn a_rewritten_log_is_not_signed_and_does_not_continue_what_was_signed(database: TestDatabase) {
    let test = TestVault::on(database).await;
    history(&test, 10).await;
    let keys = keys_once_signed(&test).await;
    let older = Checkpoint::open(&get_text(&test, "/v1/audit/checkpoint").await, &keys).unwrap();
    let lines = export(&test, "").await;
    verify(&lines, &keys, None).unwrap();

    // One entry's hash is replaced, and with it what everything later says.
    let statement = match database {
        TestDatabase::Sqlite => "UPDATE entries SET leaf_hash = zeroblob(32) WHERE seq = 3",
        TestDatabase::Postgres => "UPDATE entries SET leaf_hash = decode(repeat('00', 32), 'hex') WHERE seq = 3",
    };
    test.vault.db.reader().await.unwrap().link().run(statement).await.unwrap();
    history(&test, 1).await;
    let newest = test.log().await.len() as u64 - 1;
    let refused = test.vault.checkpointer.covering(newest).await;
    assert!(matches!(refused, Err(CheckpointError::Flaw(LogFlaw::Altered { seq: 3, .. }))));

    let mut reader = test.vault.db.reader().await.unwrap();
    let link = &mut reader.link();
    let mut forged = StoredTree::new(link, newest + 1);
    let (root, proof) = (forged.root().await.unwrap(), forged.consistency(older.size).await.unwrap());
    let newer = Checkpoint { size: newest + 1, root };
    assert!(matches!(check_consistency(&older, &newer, &proof), Err(Flaw::Inconsistent { .. })));
    let shortened = Checkpoint { size: older.size - 1, root };
    assert!(matches!(check_consistency(&older, &shortened, &[]), Err(Flaw::Inconsistent { .. })));
}

async fn keys_once_signed(test: &TestVault) -> leasehold::evidence::Keys {
    test.vault.checkpointer.covering(0).await.unwrap();
    keys(test).await
}
