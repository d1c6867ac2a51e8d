//! Histories written by hand: each rule has one that keeps it and one that breaks it.

use super::{Call::*, Outcome::*, *};
use proptest::prelude::*;

/// An operation from `start` to `end` that succeeded.
fn did(call: Call, start: u64, end: u64) -> Operation {
    Operation { connection: 0, node: 0, call, outcome: Succeeded, start_ns: start, end_ns: end }
}

fn with(outcome: Outcome, operation: Operation) -> Operation {
    Operation { outcome, ..operation }
}

fn token(worker: usize, ends_at_us: i64) -> Token {
    Token { worker, ends_at_us }
}

/// A revocation whose receipt lists all that is out.
fn revoke(tokens: &[Token]) -> Call {
    Revoke(Listed { tokens: tokens.iter().copied().collect(), is_whole: true })
}

#[track_caller]
fn accepted(history: &[Operation]) {
    check(history).unwrap();
}

#[track_caller]
fn rejected(history: &[Operation], at: usize) {
    let violation = check(history).expect_err("no order explains this");
    assert_eq!((violation.operation.start_ns, &violation.operation.call), (history[at].start_ns, &history[at].call));
}

#[test]
fn a_use_before_its_revocation_is_in_order_and_one_after_it_is_not() {
    let issued = did(Issue(1), 0, 1);
    accepted(&[issued.clone(), did(Pass(1), 2, 3), did(revoke(&[]), 4, 5)]);
    rejected(&[issued.clone(), did(revoke(&[]), 2, 3), did(Pass(1), 4, 5)], 2);
    let late = did(Release(1, token(0, 9)), 4, 5);
    rejected(&[issued, did(revoke(&[]), 2, 3), late], 2);
}

#[test]
fn a_use_that_overlaps_a_revocation_may_have_been_first() {
    accepted(&[did(Issue(1), 0, 1), did(revoke(&[]), 2, 5), did(Pass(1), 4, 7)]);
    // Even where its answer came long after.
    accepted(&[did(Issue(1), 0, 1), did(revoke(&[]), 2, 5), did(Pass(1), 5, 70)]);
}

#[test]
fn two_uses_around_a_revocation_hold_it_between_them() {
    // The first began before the revocation's answer, the second after it.
    let history = [did(Issue(1), 0, 1), did(revoke(&[]), 2, 6), did(Pass(1), 5, 9), did(Pass(1), 7, 8)];
    rejected(&history, 3);
}

#[test]
fn a_new_authorization_revives_the_connection_and_not_its_leases() {
    let story = [did(Issue(1), 0, 1), did(revoke(&[]), 2, 3), did(Authorize, 4, 5), did(Issue(2), 6, 7)];
    accepted(&[&story[..], &[did(Pass(2), 8, 9)]].concat());
    rejected(&[&story[..], &[did(Pass(1), 8, 9)]].concat(), 4);
}

#[test]
fn nothing_is_issued_between_a_revocation_and_the_next_authorization() {
    let revoked = did(revoke(&[]), 0, 1);
    rejected(&[revoked.clone(), did(Issue(1), 2, 3), did(Authorize, 4, 5)], 1);
    accepted(&[revoked.clone(), did(Issue(1), 2, 5), did(Authorize, 4, 6)]);
    accepted(&[revoked, did(Authorize, 2, 3), did(Issue(1), 4, 5)]);
}

#[test]
fn a_lease_issued_during_a_revocation_is_from_before_or_is_not() {
    let [issued, revoked] = [did(Issue(1), 2, 3), did(revoke(&[]), 1, 4)];
    accepted(&[issued.clone(), revoked.clone()]);
    rejected(&[issued.clone(), revoked.clone(), did(Pass(1), 5, 6)], 2);
    // An authorization in the same time lets it be from after.
    accepted(&[issued, revoked, did(Authorize, 1, 4), did(Pass(1), 5, 6)]);
}

#[test]
fn a_token_that_is_out_is_on_every_receipt() {
    let (issued, out) = (did(Issue(1), 0, 1), token(7, 100));
    accepted(&[issued.clone(), did(Release(1, out), 2, 3), did(revoke(&[out]), 4, 5)]);
    rejected(&[issued.clone(), did(Release(1, out), 2, 3), did(revoke(&[]), 4, 5)], 2);
    let other = token(8, 100);
    rejected(&[issued.clone(), did(Release(1, out), 2, 3), did(revoke(&[other]), 4, 5)], 2);
    // Later ones too: it lives on.
    let first = did(revoke(&[out]), 4, 5);
    rejected(&[issued, did(Release(1, out), 2, 3), first, did(revoke(&[]), 6, 7)], 3);
}

#[test]
fn a_release_during_a_revocation_is_refused_or_on_its_receipt() {
    let (issued, out) = (did(Issue(1), 0, 1), token(7, 100));
    let released = did(Release(1, out), 3, 6);
    accepted(&[issued.clone(), released.clone(), did(revoke(&[out]), 2, 9)]);
    rejected(&[issued.clone(), released.clone(), did(revoke(&[]), 2, 9)], 2);
    accepted(&[issued.clone(), with(Refused, released.clone()), did(revoke(&[]), 2, 9)]);
    accepted(&[issued.clone(), with(Unknown, released.clone()), did(revoke(&[]), 2, 9)]);
    // Listed, though the answer was lost: a receipt may know more than the client.
    accepted(&[issued, with(Unknown, released), did(revoke(&[out]), 2, 9)]);
}

#[test]
fn a_list_that_was_cut_off_owes_only_what_outlives_its_end() {
    let (issued, old, new) = (did(Issue(1), 0, 1), token(1, 50), token(1, 90));
    let cut_off = |tokens: &[Token]| Revoke(Listed { tokens: tokens.iter().copied().collect(), is_whole: false });
    let story = [issued, did(Release(1, old), 2, 3), did(Release(1, new), 4, 5)];
    accepted(&[&story[..], &[did(cut_off(&[new]), 6, 7)]].concat());
    rejected(&[&story[..], &[did(cut_off(&[token(2, 60)]), 6, 7)]].concat(), 3);
}

#[test]
fn an_unknown_revocation_obliges_nobody() {
    let lost = with(Unknown, did(revoke(&[]), 2, 3));
    accepted(&[did(Issue(1), 0, 1), lost.clone(), did(Pass(1), 4, 5), did(Issue(2), 6, 7)]);
    rejected(&[did(Issue(1), 0, 1), lost, did(revoke(&[]), 4, 5), did(Pass(1), 6, 7)], 3);
}

#[test]
fn an_unknown_authorization_may_happen_late_once_or_never() {
    let revoked = |at| did(revoke(&[]), at, at + 1);
    let lost = with(Unknown, did(Authorize, 2, 3));
    accepted(&[revoked(0), lost.clone(), revoked(4)]);
    accepted(&[revoked(0), lost.clone(), did(Issue(1), 40, 41)]);
    // It happened once; it cannot explain two.
    let twice = [revoked(0), lost.clone(), did(Issue(1), 10, 11), revoked(12), did(Issue(2), 14, 15)];
    rejected(&twice, 4);
    accepted(&[&twice[..], &[lost]].concat());
}

#[test]
fn refusals_are_always_in_order() {
    let refused = |call, at| with(Refused, did(call, at, at + 1));
    accepted(&[did(Issue(1), 0, 1), refused(Pass(1), 2), refused(Issue(9), 4), did(Pass(1), 6, 7)]);
}

#[test]
fn connections_are_judged_alone() {
    let elsewhere = Operation { connection: 1, ..did(revoke(&[]), 2, 3) };
    accepted(&[did(Issue(1), 0, 1), elsewhere, did(Pass(1), 4, 5)]);
}

#[test]
fn much_at_once_is_judged_in_time() {
    // Sixteen issues, half of them used, while six revocations and authorizations run at the same time.
    let mut history = Vec::new();
    for lease in 0..16 {
        history.push(did(Issue(lease), 0, 100));
        if lease % 2 == 0 {
            history.push(did(Pass(lease), 101, 200));
        }
    }
    for at in 0..6 {
        history.extend([did(revoke(&[]), at, 90), did(Authorize, at, 95)]);
    }
    accepted(&history);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn the_verdict_is_that_of_trying_every_order(history in small_histories()) {
        let start = Configuration {
            live: true,
            valid: BTreeSet::new(),
            released: BTreeSet::new(),
            done: BTreeSet::new(),
            spent: 0,
        };
        prop_assert_eq!(check(&history).is_ok(), some_order_explains(&history, &start));
    }
}

/// Tries every order. Unknown operations of every kind may be in it, at any time from their beginning on.
fn some_order_explains(history: &[Operation], state: &Configuration) -> bool {
    let open = |index: &usize| !state.done.contains(index) && history[*index].outcome != Refused;
    let left: Vec<usize> = (0..history.len()).filter(open).collect();
    let must = |index: &&usize| history[**index].outcome == Succeeded;
    let soonest_end = left.iter().filter(must).map(|index| history[*index].end_ns).min();
    let Some(soonest_end) = soonest_end else { return true };
    left.iter().any(|index| {
        // Whatever was answered before this began has to come first.
        let may_be_next = history[*index].start_ns <= soonest_end;
        let mut next = state.clone();
        next.done.insert(*index);
        may_be_next && next.take(&history[*index].call) && some_order_explains(history, &next)
    })
}

/// Up to seven operations in a short time, whose uses begin after their lease's issue was answered.
fn small_histories() -> impl Strategy<Value = Vec<Operation>> {
    let outcome = prop_oneof![6 => Just(Succeeded), 1 => Just(Refused), 1 => Just(Unknown)];
    let operation = (0..10_u32, 0..4_u32, any::<bool>(), 0..12_u64, 1..8_u64, outcome);
    prop::collection::vec(operation, 1..8).prop_map(|drawn| {
        let mut history: Vec<Operation> = Vec::new();
        for (kind, lease, flag, start, length, outcome) in drawn {
            let tokens: &[Token] = if flag { &[token(0, 1)] } else { &[] };
            let call = match kind {
                0..3 => Issue(lease),
                3..5 => Pass(lease),
                5..7 => Release(lease, token(0, 1)),
                7..9 => revoke(tokens),
                _ => Authorize,
            };
            history.push(with(outcome, did(call, start, start + length)));
        }
        let mut issued = BTreeMap::new();
        history.retain(|operation| match operation.call {
            Issue(lease) if issued.contains_key(&lease) => false,
            Issue(lease) => {
                issued.insert(lease, (operation.outcome, operation.end_ns));
                true
            }
            _ => true,
        });
        history.retain(|operation| match operation.call {
            Pass(lease) | Release(lease, _) => {
                issued.get(&lease).is_some_and(|(outcome, end)| *outcome == Succeeded && *end < operation.start_ns)
            }
            _ => true,
        });
        history
    })
}
