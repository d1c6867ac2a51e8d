//! What a history consists of.

use std::{collections::BTreeSet, fmt};

/// A lease, by a number of the test's own.
pub(crate) type Lease = u32;

/// An access token in one worker's hands. A connection has one token at a time, and each ends at another microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Token {
    pub(crate) ends_at_us: i64,
    pub(crate) worker: usize,
}

/// The residual tokens that a receipt lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) tokens: BTreeSet<Token>,
    /// Whether there are no more than these. Where there are, these are the longest-lived.
    pub(crate) is_whole: bool,
}

/// What was asked; with what was answered, which counts only where it succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Issue(Lease),
    Pass(Lease),
    Release(Lease, Token),
    Revoke(Listed),
    Authorize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Refused,
    Unknown,
}

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) connection: usize,
    #[expect(dead_code, reason = "shown where a history is quoted")]
    pub(crate) node: usize,
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
    /// Before the request was sent, in nanoseconds of one monotonic clock.
    pub(crate) start_ns: u64,
    /// After the answer was read.
    pub(crate) end_ns: u64,
}

/// What no order explains: the answer at which the last explanation died, and what happened on its connection.
pub(crate) struct Violation {
    pub(crate) operation: Operation,
    pub(crate) history: Vec<Operation>,
}

impl Listed {
    /// Says whether a receipt with this list keeps nothing quiet about a token that is out.
    pub(super) fn covers(&self, token: &Token) -> bool {
        // Behind the end of a list that was cut off, nobody knows.
        let out_of_reach = || self.tokens.first().is_some_and(|last| token.ends_at_us <= last.ends_at_us);
        self.tokens.contains(token) || (!self.is_whole && out_of_reach())
    }
}

impl fmt::Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation { connection, .. } = self.operation;
        writeln!(f, "no order of what happened on connection {connection} explains")?;
        writeln!(f, "  {:?}", self.operation)?;
        writeln!(f, "what happened there, in order of its beginnings:")?;
        let mut history: Vec<_> = self.history.iter().collect();
        history.sort_by_key(|operation| operation.start_ns);
        history.iter().try_for_each(|operation| writeln!(f, "  {operation:?}"))
    }
}
