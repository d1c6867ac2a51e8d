//! Three nodes, sixteen clients, two hundred connections: whatever is issued, used, revoked and authorized at random, by
//! whom and where, no order of events is needed that one vault alone could not have had.

use super::clients::{Plan, Scribe};
use crate::{
    history,
    test_fleet::{Fleet, FleetOptions},
};
use leasehold::entropy::{SystemEntropy, make_array};
use std::{sync::Arc, time::Instant};

const CLIENTS: usize = 16;
const CONNECTIONS: usize = 200;
/// How many operations a run has where nobody says otherwise.
const OPERATIONS: usize = 4_000;
/// Where a run is told how many.
const OPERATIONS_VARIABLE: &str = "LEASEHOLD_HISTORY_OPERATIONS";
/// Where a run is told its seed, which an earlier one printed. Who acts when is still the scheduler's to decide.
const SEED_VARIABLE: &str = "LEASEHOLD_HISTORY_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_of_three_nodes_see_one_vault_could_have_shown() {
    let read = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let operations = read(OPERATIONS_VARIABLE).map_or(OPERATIONS, |count| usize::try_from(count).unwrap());
    let seed = read(SEED_VARIABLE).unwrap_or_else(|| u64::from_le_bytes(make_array(&SystemEntropy)));
    println!("{SEED_VARIABLE}={seed} {OPERATIONS_VARIABLE}={operations}");

    let options = FleetOptions { tenants: 4, connections: CONNECTIONS, workers: CLIENTS, ..FleetOptions::default() };
    let fleet = Arc::new(Fleet::with(options).await);
    let scribe = Scribe::new(Arc::clone(&fleet));
    let begun = Instant::now();
    scribe.run(Plan { operations, clients: CLIENTS, seed }).await;
    let ran = begun.elapsed();
    let counts = scribe.counts();
    println!("ran {ran:.1?}; succeeded, refused, unknown: {counts:?}");

    let begun = Instant::now();
    history::check(&scribe.history()).unwrap();
    println!("judged in {:.1?}", begun.elapsed());
    for call in ["issues", "passes", "releases", "revocations", "authorizations"] {
        let [succeeded, ..] = counts[call];
        assert!(succeeded * 100 > operations, "too little happened to judge: {counts:?}");
    }
    assert!(counts["passes"][1] + counts["releases"][1] > 0, "nothing was used after its revocation: {counts:?}");
    assert!(fleet.most_refreshes_at_once().await <= 1);
}
