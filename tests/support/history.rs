//! Judges a history: what clients of several nodes saw, each operation with when it began and when it was answered on
//! one monotonic clock. Pure: no I/O, no clock.
//!
//! # What is asked
//!
//! Is the history *linearizable*: can each operation be given one moment between its beginning and its answer, so that
//! in the order of these moments a single vault would have answered as it did? Connections do not touch each other, so a
//! history is linearizable exactly where each connection's part is (Herlihy and Wing 1990, theorem 1), and each is judged
//! alone. That single vault holds, for a connection: whether it is `live`, which leases are `valid`, which tokens were
//! `released`.
//!
//! | operation | is answered so only where | then |
//! |---|---|---|
//! | issue of a lease | `live` | the lease is in `valid` |
//! | pass through the gateway | its lease is in `valid` | |
//! | release of a token | its lease is in `valid` | the token is in `released` |
//! | revocation | its receipt lists all of `released`, as far as it reaches | not `live`; `valid` is empty |
//! | authorization | | `live` |
//!
//! So no use that begins after an acknowledged revocation succeeds by a lease from before it, whatever was authorized
//! since; none is issued after it and before the next authorization; and no token is out that the receipt keeps quiet
//! about. The last is what orders a use and a revocation that ran at the same time: the client cannot tell which was
//! first, but whoever holds the receipt can.
//!
//! # What is left out, and why that changes no verdict
//!
//! *Refused* operations changed nothing, and a refusal is always allowed: a node may know too little to let something
//! through. They demand nothing and are dropped.
//!
//! *Unknown* operations (no answer, or one of 500 and more) may or may not have happened, then or ever later. If some
//! order that contains an unknown issue, pass, release or revocation explains the history, so does the same order without
//! it: no other operation used the lease, since nobody was told of it; a pass changes nothing; without a release later
//! receipts have less to list; without a revocation `live` and `valid` are larger, and every rule above that holds for a
//! state holds for a larger one. So they are dropped. An unknown *authorization* can be what makes an issue legal: it is
//! kept, may happen at any moment from its beginning on, and need not happen.
//!
//! # Why the search is right
//!
//! It walks over beginnings and answers in order of time (beginnings first where two are equal, which only widens the
//! overlap) and keeps the set of all *configurations*: a state, and which operations that began and are not answered have
//! had their moment already. At an answer it lets, in every configuration, every operation that waits have its moment,
//! one after the other, until the answered one has had it; a configuration where that cannot be dies. Moments are
//! needed nowhere else: one that lies between two answers can be put off to just before the next answer, in the same
//! order, and stays inside its operation. So the configurations before an answer are all that any linearization of what
//! came earlier can lead to, and:
//!
//! - *Sound*: where none survives, no linearization exists. A reported violation is real.
//! - *Complete*: where one survives to the end, the moments that led to it are a linearization. What is accepted is
//!   linearizable.
//!
//! Three shortcuts keep the set small, and lose no linearization:
//!
//! - Passes and releases that wait and are legal have their moment at once. A pass changes no state. A release has to come
//!   before the next revocation in any order that goes on from here, because its lease is never valid again after that,
//!   and until then nothing looks at `released`.
//! - An issue has its moment at once where no use of its lease succeeded: then nothing looks at whether it is in `valid`.
//!   Where one did, the issue has its moment at its own answer: the use began later, so no revocation lies between the two
//!   in a legal order, none between an earlier moment and the answer either, and `live` holds from one to the other.
//! - An authorization has its moment at its own answer, or where the connection is not `live`: elsewhere it changes
//!   nothing, and the same order with it later has a state that is as large or larger.

#[path = "history/operation.rs"]
mod operation;

pub(crate) use operation::{Call, Lease, Listed, Operation, Outcome, Token, Violation};

use std::collections::{BTreeMap, BTreeSet};

/// Judges a history whose connections are all live, and without leases, at its beginning.
pub(crate) fn check(operations: &[Operation]) -> Result<(), Box<Violation>> {
    let mut connections: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        connections.entry(operation.connection).or_default().push(operation.clone());
    }
    for (_, history) in connections {
        if let Some(operation) = first_unexplained(&history) {
            return Err(Box::new(Violation { operation, history }));
        }
    }
    Ok(())
}

/// A state of the single vault, and who has had their moment without being answered yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Configuration {
    live: bool,
    valid: BTreeSet<Lease>,
    released: BTreeSet<Token>,
    done: BTreeSet<usize>,
    /// How many unknown authorizations have had their moment. They are alike: which of them is of no matter.
    spent: usize,
}

/// Operations that began and are not answered.
#[derive(Default)]
struct Waiting {
    known: BTreeSet<usize>,
    unknown_authorizations: usize,
    /// Leases of which a use succeeded, in the whole history.
    used: BTreeSet<Lease>,
}

fn first_unexplained(history: &[Operation]) -> Option<Operation> {
    let start = Configuration {
        live: true,
        valid: BTreeSet::new(),
        released: BTreeSet::new(),
        done: BTreeSet::new(),
        spent: 0,
    };
    let mut configurations = BTreeSet::from([start]);
    let uses = history.iter().filter(|operation| operation.outcome == Outcome::Succeeded);
    let used = uses.filter_map(|operation| match operation.call {
        Call::Pass(lease) | Call::Release(lease, _) => Some(lease),
        _ => None,
    });
    let mut waiting = Waiting { used: used.collect(), ..Waiting::default() };
    for (_, is_answer, index) in events(history) {
        let operation = &history[index];
        if is_answer {
            configurations = explain(history, configurations, &waiting, index);
            waiting.known.remove(&index);
            if configurations.is_empty() {
                return Some(operation.clone());
            }
        } else if operation.outcome == Outcome::Unknown {
            waiting.unknown_authorizations += 1;
        } else {
            waiting.known.insert(index);
        }
    }
    None
}

/// Lists beginnings and answers in order; an unknown authorization is never answered.
fn events(history: &[Operation]) -> Vec<(u64, bool, usize)> {
    let mut events = Vec::new();
    for (index, operation) in history.iter().enumerate() {
        match (operation.outcome, &operation.call) {
            (Outcome::Succeeded, _) => {
                events.extend([(operation.start_ns, false, index), (operation.end_ns, true, index)]);
            }
            (Outcome::Unknown, Call::Authorize) => events.push((operation.start_ns, false, index)),
            _ => {}
        }
    }
    events.sort_unstable();
    events
}

/// Returns every configuration in which `answered` has had its moment, with it forgotten.
fn explain(
    history: &[Operation],
    from: BTreeSet<Configuration>,
    waiting: &Waiting,
    answered: usize,
) -> BTreeSet<Configuration> {
    let mut explained = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<Configuration> = from.into_iter().collect();
    while let Some(mut configuration) = open.pop() {
        configuration.take_harmless(history, waiting);
        if configuration.done.remove(&answered) {
            explained.insert(configuration);
            continue;
        }
        if !seen.insert(configuration.clone()) {
            continue;
        }
        if !configuration.live && configuration.spent < waiting.unknown_authorizations {
            let spent = configuration.spent + 1;
            open.push(Configuration { live: true, spent, ..configuration.clone() });
        }
        for index in waiting.known.difference(&configuration.done) {
            let call = &history[*index].call;
            let is_due = match call {
                Call::Revoke(_) => true,
                Call::Authorize => !configuration.live || *index == answered,
                _ => *index == answered,
            };
            let mut next = configuration.clone();
            if is_due && next.take(call) {
                next.done.insert(*index);
                open.push(next);
            }
        }
    }
    explained
}

impl Configuration {
    /// Lets every use, and every issue of what is never used, have its moment where it waits and is legal.
    fn take_harmless(&mut self, history: &[Operation], waiting: &Waiting) {
        for index in &waiting.known {
            let call = &history[*index].call;
            let is_harmless = match call {
                Call::Pass(_) | Call::Release(..) => true,
                Call::Issue(lease) => !waiting.used.contains(lease),
                Call::Revoke(_) | Call::Authorize => false,
            };
            if is_harmless && !self.done.contains(index) && self.take(call) {
                self.done.insert(*index);
            }
        }
    }

    /// Lets one operation have its moment, where that is legal.
    fn take(&mut self, call: &Call) -> bool {
        let legal = match call {
            Call::Issue(_) => self.live,
            Call::Pass(lease) | Call::Release(lease, _) => self.valid.contains(lease),
            Call::Revoke(listed) => self.released.iter().all(|token| listed.covers(token)),
            Call::Authorize => true,
        };
        match call {
            _ if !legal => {}
            Call::Pass(_) => {}
            Call::Issue(lease) => {
                self.valid.insert(*lease);
            }
            Call::Release(_, token) => {
                self.released.insert(*token);
            }
            Call::Revoke(_) => {
                self.live = false;
                self.valid.clear();
            }
            Call::Authorize => self.live = true,
        }
        legal
    }
}

#[cfg(test)]
#[path = "history/tests.rs"]
mod tests;
