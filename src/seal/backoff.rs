//! How long to wait between tries: longer each time, and never in step with others.

use crate::entropy::{Entropy, make_array};
use std::time::Duration;

/// Pauses that double from one to the next, each shortened by up to a half at random: nodes that lost a provider at the
/// same moment do not come back to it at the same moment.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// Begins with `first`, and never waits longer than `most`.
    #[must_use]
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { next: first, most }
    }

    /// Returns how long to wait now.
    pub fn pause(&mut self, entropy: &dyn Entropy) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.most);
        let chance = u32::from(u16::from_be_bytes(make_array(entropy)));
        pause - pause / 2 * chance / u32::from(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);
    impl Entropy for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_to_the_most_and_are_shortened_by_at_most_a_half() {
        for (chance, expected) in [(0, [1_000, 2_000, 4_000, 5_000, 5_000]), (255, [500, 1_000, 2_000, 2_500, 2_500])] {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
            let pauses = expected.map(|_| backoff.pause(&Always(chance)).as_millis());
            assert_eq!(pauses, expected);
        }
    }
}
