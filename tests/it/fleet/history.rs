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
const CONTENDED_CONNECTIONS: usize = 8;
const CONTENDED_OPERATIONS: usize = 1_500;
/// Where a run is told how many.
const OPERATIONS_VARIABLE: &str = "LEASEHOLD_HISTORY_OPERATIONS";
/// Where a run is told its seed, which an earlier one printed. Who acts when is still the scheduler's to decide.
const SEED_VARIABLE: &str = "LEASEHOLD_HISTORY_SEED";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_of_three_nodes_see_one_vault_could_have_shown() {
    let operations = read(OPERATIONS_VARIABLE).map_or(OPERATIONS, |count| usize::try_from(count).unwrap());
    Box::pin(run(CONNECTIONS, operations)).await;
}

/// Everybody wants the same few, so that each is revoked and authorized again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_where_all_of_them_want_the_same_connections() {
    Box::pin(run(CONTENDED_CONNECTIONS, CONTENDED_OPERATIONS)).await;
}

#[expect(clippy::print_stdout, reason = "a run that fails has to be run again, and a long one has figures to show")]
async fn run(connections: usize, operations: usize) {
    let seed = read(SEED_VARIABLE).unwrap_or_else(|| u64::from_le_bytes(make_array(&SystemEntropy)));
    println!("{SEED_VARIABLE}={seed}; {operations} operations on {connections} connections");
    let options = FleetOptions { tenants: 4, connections, workers: CLIENTS, ..FleetOptions::default() };
    let fleet = Arc::new(Fleet::with(options).await);
    let scribe = Scribe::new(Arc::clone(&fleet));
    let begun = Instant::now();
    scribe.run(Plan { operations, clients: CLIENTS, seed }).await;
    let ran = begun.elapsed();
    let counts = scribe.counts();
    println!("ran {ran:.1?}; succeeded, refused, unknown: {counts:?}");
    println!("median and longest: {:.3?}", scribe.durations());
    println!("unknown: {:#?}", scribe.unknown());

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

fn read(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}
