//! Payloads that are missing from a chain, and the entries that account for their erasure.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Places of one chain whose payloads are missing, and that no entry has accounted for yet. Memory grows with the stretches,
/// not with the places.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// The last place of a stretch, by its first.
    stretches: BTreeMap<u64, u64>,
}

impl Missing {
    /// Notes a place whose payload is missing; places come in order.
    pub fn note(&mut self, place: u64) {
        match self.stretches.last_entry() {
            Some(mut stretch) if *stretch.get() + 1 == place => {
                stretch.insert(place);
            }
            _ => {
                self.stretches.insert(place, place);
            }
        }
    }

    /// Takes out what the entry of an erasure at the place `own` accounts for: only places before its own.
    pub fn account(&mut self, (from, through): (u64, u64), own: u64) {
        let Some(through) = own.checked_sub(1).map(|before| before.min(through)).filter(|through| from <= *through)
        else {
            return;
        };
        // A stretch that began before may reach into it.
        let before = self.stretches.range(..from).next_back().map(|(first, last)| (*first, *last));
        if let Some((first, last)) = before.filter(|(_, last)| *last >= from) {
            self.stretches.insert(first, from - 1);
            if last > through {
                self.stretches.insert(through + 1, last);
            }
        }
        while let Some((first, last)) = self.stretches.range(from..=through).next().map(|(first, last)| (*first, *last))
        {
            self.stretches.remove(&first);
            if last > through {
                self.stretches.insert(through + 1, last);
            }
        }
    }

    /// Returns the first stretch that nothing accounts for.
    #[must_use]
    pub fn first(&self) -> Option<(u64, u64)> {
        self.stretches.first_key_value().map(|(first, last)| (*first, *last))
    }
}

/// Reads which places of its chain the payload of an erasure covers; `None` where it does not say.
#[must_use]
pub fn erased_places(payload: &str) -> Option<(u64, u64)> {
    #[derive(Deserialize)]
    struct Payload {
        details: Details,
    }
    #[derive(Deserialize)]
    struct Details {
        from: u64,
        through: u64,
    }
    let Payload { details } = serde_json::from_str(payload).ok()?;
    (details.from <= details.through).then_some((details.from, details.through))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_left_is_what_no_erasure_before_its_own_place_covers(
            missing in prop::collection::btree_set(0_u64..40, 0..40),
            erasures in prop::collection::vec((0_u64..45, 0_u64..45, 0_u64..60), 0..6),
        ) {
            let mut counted = Missing::default();
            for place in &missing {
                counted.note(*place);
            }
            let mut left: BTreeSet<u64> = missing;
            for (from, through, own) in erasures {
                counted.account((from, through), own);
                left.retain(|place| !(*place >= from && *place <= through && *place < own));
            }
            let listed: Vec<u64> = counted.stretches.iter().flat_map(|(first, last)| *first..=*last).collect();
            prop_assert_eq!(listed, left.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_erasure_that_says_no_stretch_covers_nothing() {
        assert_eq!(erased_places(r#"{"details":{"from":1,"through":4,"cause":"retention"}}"#), Some((1, 4)));
        for none in [r#"{"details":{"from":4,"through":1}}"#, r#"{"details":{"from":-1,"through":1}}"#, "{}", ""] {
            assert_eq!(erased_places(none), None, "{none}");
        }
    }
}
