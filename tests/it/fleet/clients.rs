//! Clients that issue, use, revoke and authorize at random, over all nodes, and write down what they saw.

use crate::{
    history::{Call, Lease, Listed, Operation, Outcome, Token},
    test_fleet::{Answer, Fleet},
};
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How many of a connection's newest leases are used most.
const NEWEST: usize = 3;
/// How far back a use reaches: leases from before earlier revocations stay in play.
const REACH: usize = 48;

/// What is to be done.
pub(super) struct Plan {
    pub(super) operations: usize,
    pub(super) clients: usize,
    pub(super) seed: u64,
}

/// A history as it grows.
pub(super) struct Scribe {
    fleet: Arc<Fleet>,
    begun: Instant,
    operations: Mutex<Vec<Operation>>,
    /// What became of calls of which nobody knows whether they happened.
    unknown: Mutex<BTreeMap<String, usize>>,
    leases: AtomicUsize,
    boards: Vec<Board>,
}

/// What the clients know of a connection.
#[derive(Default)]
struct Board {
    leases: Mutex<Vec<Held>>,
    revoked: AtomicBool,
}

/// A lease in a client's hands.
#[derive(Clone)]
pub(super) struct Held {
    number: Lease,
    worker: usize,
    token: String,
}

impl Scribe {
    pub(super) fn new(fleet: Arc<Fleet>) -> Arc<Self> {
        let boards = fleet.connections.iter().map(|_| Board::default()).collect();
        let (begun, operations, leases) = (Instant::now(), Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { fleet, begun, operations, unknown: Mutex::default(), leases, boards })
    }

    /// Runs a plan to its end. The history goes on from where it was.
    pub(super) async fn run(self: &Arc<Self>, plan: Plan) {
        let left = Arc::new(AtomicUsize::new(plan.operations));
        let clients = (0..plan.clients).map(|client| {
            let (scribe, left) = (Arc::clone(self), Arc::clone(&left));
            let random = Random(plan.seed ^ (client as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95));
            tokio::spawn(async move { scribe.act(client, random, &left).await })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    }

    async fn act(&self, client: usize, mut random: Random, left: &AtomicUsize) {
        let take = |left: usize| left.checked_sub(1);
        while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            let connection = random.below(self.boards.len());
            let node = random.below(self.fleet.nodes().len());
            let lease = self.pick(connection, &mut random);
            let revoked = self.boards[connection].revoked.load(Ordering::SeqCst);
            match (random.below(100), lease) {
                (0..5, _) => drop(self.revoke(node, connection).await),
                // A connection that stays revoked refuses everything, and finds nothing.
                (5..10, _) => self.authorize(node, connection).await,
                (10..25, _) if revoked => self.authorize(node, connection).await,
                (10..35, _) | (_, None) => drop(self.issue(client, node, connection).await),
                (35..70, Some(lease)) => self.pass(node, connection, &lease).await,
                (_, Some(lease)) => self.release(node, connection, &lease).await,
            }
        }
    }

    fn pick(&self, connection: usize, random: &mut Random) -> Option<Held> {
        let leases = self.boards[connection].leases.lock();
        let reach = if random.below(2) == 0 { NEWEST } else { REACH };
        let reach = reach.min(leases.len());
        (reach > 0).then(|| leases[leases.len() - 1 - random.below(reach)].clone())
    }

    pub(super) async fn issue(&self, worker: usize, node: usize, connection: usize) -> Option<Held> {
        let start_ns = self.now();
        let answer = self.fleet.issue_to(worker, node, connection).await;
        let number = Lease::try_from(self.leases.fetch_add(1, Ordering::SeqCst)).unwrap();
        self.note(start_ns, node, connection, Call::Issue(number), &answer);
        let Answer::Done(token) = answer else { return None };
        let held = Held { number, worker, token };
        self.boards[connection].leases.lock().push(held.clone());
        Some(held)
    }

    pub(super) async fn pass(&self, node: usize, connection: usize, lease: &Held) {
        let start_ns = self.now();
        let answer = self.fleet.orders(node, &lease.token).await;
        self.note(start_ns, node, connection, Call::Pass(lease.number), &answer);
    }

    pub(super) async fn release(&self, node: usize, connection: usize, lease: &Held) {
        let start_ns = self.now();
        let answer = self.fleet.token(node, &lease.token).await;
        let ends_at_us = if let Answer::Done(release) = &answer { release.expires_at.as_micros() } else { 0 };
        let token = Token { ends_at_us, worker: lease.worker };
        self.note(start_ns, node, connection, Call::Release(lease.number, token), &answer);
    }

    pub(super) async fn revoke(&self, node: usize, connection: usize) -> Option<Value> {
        let start_ns = self.now();
        let answer = self.fleet.revoke(node, connection).await;
        let listed = if let Answer::Done(receipt) = &answer { self.listed(receipt) } else { Listed::default() };
        self.note(start_ns, node, connection, Call::Revoke(listed), &answer);
        let Answer::Done(receipt) = answer else { return None };
        self.boards[connection].revoked.store(true, Ordering::SeqCst);
        Some(receipt)
    }

    pub(super) async fn authorize(&self, node: usize, connection: usize) {
        let start_ns = self.now();
        let answer = self.fleet.authorize(node, connection).await;
        self.note(start_ns, node, connection, Call::Authorize, &answer);
        if matches!(answer, Answer::Done(())) {
            self.boards[connection].revoked.store(false, Ordering::SeqCst);
        }
    }

    /// Reads what a receipt lists.
    fn listed(&self, receipt: &Value) -> Listed {
        let residual = &receipt["residual"];
        let token = |row: &Value| {
            let worker = self.fleet.workers.iter().position(|worker| row["worker"] == worker.id.as_str()).unwrap();
            let ends_at: leasehold::clock::Timestamp = serde_json::from_value(row["ends_at"].clone()).unwrap();
            Token { ends_at_us: ends_at.as_micros(), worker }
        };
        let rows = residual["tokens"].as_array().unwrap();
        let is_whole = residual["count"].as_u64().unwrap() <= rows.len() as u64;
        Listed { tokens: rows.iter().map(token).collect(), is_whole }
    }

    fn note<T>(&self, start_ns: u64, node: usize, connection: usize, call: Call, answer: &Answer<T>) {
        let end_ns = self.now();
        let outcome = match answer {
            Answer::Done(_) => Outcome::Succeeded,
            Answer::Refused(_) => Outcome::Refused,
            Answer::Unknown(_) => Outcome::Unknown,
        };
        if let Answer::Unknown(why) = answer {
            // Without the ids, of which each has its own.
            let why = why.split("\"request_id").next().unwrap_or_default();
            *self.unknown.lock().entry(format!("{} at node {node}: {why}", word(&call))).or_default() += 1;
        }
        self.operations.lock().push(Operation { connection, node, call, outcome, start_ns, end_ns });
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap()
    }

    pub(super) fn history(&self) -> Vec<Operation> {
        self.operations.lock().clone()
    }

    /// Counts by what was asked and what became of it: succeeded, refused, unknown.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, [usize; 3]> {
        let mut counts = BTreeMap::new();
        for operation in &*self.operations.lock() {
            let of: &mut [usize; 3] = counts.entry(word(&operation.call)).or_default();
            of[operation.outcome as usize] += 1;
        }
        counts
    }

    /// Counts what calls were answered of which nobody knows whether they happened.
    pub(super) fn unknown(&self) -> BTreeMap<String, usize> {
        self.unknown.lock().clone()
    }

    /// Tells how long what was asked took: half of it at most this, and all of it at most that.
    pub(super) fn durations(&self) -> BTreeMap<&'static str, [Duration; 2]> {
        let mut all: BTreeMap<_, Vec<u64>> = BTreeMap::new();
        for operation in &*self.operations.lock() {
            all.entry(word(&operation.call)).or_default().push(operation.end_ns - operation.start_ns);
        }
        let of = |mut took: Vec<u64>| {
            took.sort_unstable();
            [took.len() / 2, took.len() - 1].map(|index| Duration::from_nanos(took[index]))
        };
        all.into_iter().map(|(word, took)| (word, of(took))).collect()
    }
}

fn word(call: &Call) -> &'static str {
    match call {
        Call::Issue(_) => "issues",
        Call::Pass(_) => "passes",
        Call::Release(..) => "releases",
        Call::Revoke(_) => "revocations",
        Call::Authorize => "authorizations",
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere for the same seed.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}
