//! One node beside two, three and four: leases a second, and how long a revocation takes until it is true on every node.
//!
//! `cargo bench --bench fleet` starts its own PostgreSQL, nodes and simulated Amazon, and prints one table. Everything
//! shares this machine, clients included, so that only the ratios within one run say something.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    dead_code,
    unused_imports,
    reason = "a measurement, with the tests' own fleet"
)]

#[path = "../tests/support/postgres.rs"]
mod postgres;
#[path = "../tests/support/tcp_proxy.rs"]
mod tcp_proxy;
#[path = "../tests/support/fleet.rs"]
mod test_fleet;

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use test_fleet::{Fleet, FleetOptions};

const ROUNDS: usize = 3;
const NODES: [usize; 4] = [1, 2, 3, 4];
const CLIENTS: usize = 32;
const CONNECTIONS: usize = 120;
const SPAN: Duration = Duration::from_secs(8);

/// What one fleet did.
struct Measured {
    leases_a_second: f64,
    /// Of revocations that nothing else was going on beside.
    quiet: Vec<Duration>,
    /// Of revocations beside clients that use their leases.
    busy: Vec<Duration>,
}

#[tokio::main]
async fn main() {
    // What `cargo bench` adds, and `cargo test --benches` does not.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("| round | nodes | leases/s | revocation, quiet: p50 | p99 | beside {CLIENTS} clients: p50 | p99 |");
    println!("|---|---|---|---|---|---|---|");
    for round in 1..=ROUNDS {
        for nodes in NODES {
            let Measured { leases_a_second, mut quiet, mut busy } = Box::pin(measure(nodes)).await;
            let [a, b, c, d] = [rank(&mut quiet, 50), rank(&mut quiet, 99), rank(&mut busy, 50), rank(&mut busy, 99)];
            println!("| {round} | {nodes} | {leases_a_second:.0} | {a:.1?} | {b:.1?} | {c:.1?} | {d:.1?} |");
        }
    }
}

async fn measure(nodes: usize) -> Measured {
    let fleet =
        Fleet::with(FleetOptions { nodes, connections: CONNECTIONS, workers: CLIENTS, ..FleetOptions::default() })
            .await;
    let (issued, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let clients = (0..CLIENTS).map(|client| {
        let (fleet, issued, over) = (&fleet, &issued, &over);
        async move {
            while !over.load(Ordering::SeqCst) {
                fleet.issue_to(client, client % nodes, client).await.done();
                issued.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let span = async {
        // The first second warms caches and connections.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (before, began) = (issued.load(Ordering::SeqCst), Instant::now());
        tokio::time::sleep(SPAN).await;
        let rate = (issued.load(Ordering::SeqCst) - before) as f64 / began.elapsed().as_secs_f64();
        over.store(true, Ordering::SeqCst);
        rate
    };
    let (_, leases_a_second) = tokio::join!(futures_util::future::join_all(clients), span);

    let revoke = async |range: std::ops::Range<usize>| {
        let mut took = Vec::new();
        for connection in range {
            let began = Instant::now();
            fleet.revoke(connection % nodes, connection).await.done();
            took.push(began.elapsed());
        }
        took
    };
    let half = CONNECTIONS / 2;
    let quiet = revoke(0..half).await;
    let kept = fleet.issue(0, CONNECTIONS - 1).await.done();
    let using = async {
        let client = async |node: usize| loop {
            let _ = fleet.token(node, &kept).await;
        };
        futures_util::future::join_all((0..CLIENTS).map(|number| client(number % nodes))).await;
    };
    let busy = tokio::select! {
        busy = revoke(half..CONNECTIONS - 1) => busy,
        _ = using => unreachable!("it goes on for ever"),
    };
    Measured { leases_a_second, quiet, busy }
}

fn rank(spans: &mut [Duration], percent: usize) -> Duration {
    spans.sort_unstable();
    spans[(spans.len() * percent / 100).min(spans.len() - 1)]
}
