use super::{cut_tail, export, fork, get_text, history, keys, verify};
use crate::{
    databases::{TestDatabase, both_databases},
    test_vault::TestVault,
};
use leasehold::evidence::Flaw;
use serde_json::Value;

both_databases!(
    an_export_proves_the_whole_chain,
    an_export_continues_a_checkpoint_that_was_kept,
    a_cut_tail_and_a_cut_file_are_refused,
    a_forked_chain_is_refused,
    an_altered_removed_or_swapped_entry_is_named,
    another_tenants_proofs_do_not_serve,
);

async fn an_export_proves_the_whole_chain(database: TestDatabase) {
    let test = TestVault::on(database).await;
    test.neighbour("orders:read", leasehold::policy::Delivery::Gateway).await;
    history(&test, 20).await;
    let lines = export(&test, "").await;
    let verified = verify(&lines, &keys(&test).await, None).unwrap();
    let own = test.log().await.into_iter().filter(|row| row.head.tenant == test.tenant).count();
    assert_eq!((verified.entries, verified.tenant), (own as u64, test.tenant));
    assert_eq!(lines.len(), own + 2);
    assert!(verified.complete_through >= verified.newest_seq.unwrap());
}

async fn an_export_continues_a_checkpoint_that_was_kept(database: TestDatabase) {
    let test = TestVault::on(database).await;
    history(&test, 3).await;
    let older = get_text(&test, "/v1/audit/checkpoint").await;
    let size: u64 = older.lines().nth(1).unwrap().parse().unwrap();
    history(&test, 300).await;
    let keys = keys(&test).await;
    let lines = export(&test, &format!("?older={size}")).await;
    assert_eq!(verify(&lines, &keys, Some(&older)).unwrap().consistent_since, Some(size));
    // One that was not asked for is not proven, and another tree is not the beginning of this one.
    let unasked = export(&test, "").await;
    assert!(matches!(verify(&unasked, &keys, Some(&older)), Err(Flaw::Inconsistent { .. })));
    let newer = get_text(&test, "/v1/audit/checkpoint").await;
    assert!(matches!(verify(&lines, &keys, Some(&newer)), Err(Flaw::Inconsistent { .. })));
}

async fn a_cut_tail_and_a_cut_file_are_refused(database: TestDatabase) {
    let test = TestVault::on(database).await;
    history(&test, 10).await;
    let keys = keys(&test).await;
    let lines = export(&test, "").await;
    for length in 0..lines.len() {
        assert!(matches!(verify(&lines[..length], &keys, None), Err(Flaw::Incomplete(_))), "{length} lines");
    }
    let mut longer = lines.clone();
    longer.push(lines[1].clone());
    assert!(matches!(verify(&longer, &keys, None), Err(Flaw::Form { .. })));

    let (cut, seq) = cut_tail(&test, &lines).await;
    assert_eq!(verify(&cut, &keys, None), Err(Flaw::NotNewest { seq }));
}

async fn a_forked_chain_is_refused(database: TestDatabase) {
    let test = TestVault::on(database).await;
    history(&test, 10).await;
    let keys = keys(&test).await;
    let lines = export(&test, "").await;
    let (forked, seq) = fork(&test, &lines).await;
    assert_eq!(verify(&forked, &keys, None), Err(Flaw::NotNewest { seq }));
}

async fn an_altered_removed_or_swapped_entry_is_named(database: TestDatabase) {
    let test = TestVault::on(database).await;
    history(&test, 10).await;
    let keys = keys(&test).await;
    let lines = export(&test, "").await;
    let seq = |line: &String| serde_json::from_str::<Value>(line).unwrap()["entry"]["seq"].as_u64().unwrap();
    let at = lines.len() / 2;
    let altered = |from: &str, to: &str| {
        let mut altered = lines.clone();
        assert!(altered[at].contains(from), "{}", altered[at]);
        altered[at] = altered[at].replacen(from, to, 1);
        verify(&altered, &keys, None).unwrap_err()
    };
    assert!(
        matches!(altered("orders:read", "orders:rear"), Flaw::Altered { seq: named, .. } if named == seq(&lines[at]))
    );
    assert!(
        matches!(altered("\"kind\":\"lease.", "\"kind\":\"leasf."), Flaw::Altered { seq: named, .. } if named == seq(&lines[at + 1]))
    );
    assert!(
        matches!(altered("\"salt\":\"", "\"salt\":\"A"), Flaw::Altered { seq: named, .. } if named == seq(&lines[at]))
    );

    let mut removed = lines.clone();
    removed.remove(at);
    assert!(matches!(verify(&removed, &keys, None), Err(Flaw::Gap { seq: named, .. }) if named == seq(&lines[at + 1])));
    let mut swapped = lines.clone();
    swapped.swap(at, at + 1);
    assert!(matches!(verify(&swapped, &keys, None), Err(Flaw::Gap { seq: named, .. }) if named == seq(&lines[at + 1])));
    // A payload that is taken out is not passed off as erased.
    let mut erased = lines.clone();
    let mut record: Value = serde_json::from_str(&lines[at]).unwrap();
    let place = record["entry"]["tenant_seq"].as_u64().unwrap();
    let entry = lines[at].split_once(",\"salt\"").unwrap().0.to_owned();
    record.as_object_mut().unwrap().clear();
    erased[at] = format!("{entry},\"salt\":null,\"payload\":null}}");
    assert_eq!(verify(&erased, &keys, None), Err(Flaw::Unaccounted { from: place, through: place }));
}

async fn another_tenants_proofs_do_not_serve(database: TestDatabase) {
    let test = TestVault::on(database).await;
    history(&test, 5).await;
    let keys = keys(&test).await;
    let lines = export(&test, "").await;
    let signed = test.vault.checkpointer.covering(0).await.unwrap();
    let vaults = test.vault.checkpointer.close_export(&signed, leasehold::id::TenantId::VAULT, None).await;
    let mut foreign = lines.clone();
    *foreign.last_mut().unwrap() = leasehold::evidence::closing_line(&vaults.unwrap().unwrap());
    assert!(matches!(verify(&foreign, &keys, None), Err(Flaw::NotIncluded { .. })));
}

#[tokio::test]
async fn an_export_as_a_table_has_a_row_for_each_entry() {
    let test = TestVault::start().await;
    history(&test, 3).await;
    let lines = export(&test, "?format=csv").await;
    let own = test.log().await.into_iter().filter(|row| row.head.tenant == test.tenant).count();
    assert_eq!(lines.len(), own + 1);
    assert_eq!(lines[0], "seq,at,tenant_seq,kind,actor_type,actor,object_type,object,outcome,details");
}
