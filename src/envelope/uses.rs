//! Counting a key's uses, against a reservation that was written down first.
//!
//! With random 96-bit nonces, one key may seal 2^32 times before two nonces meet with a chance above 2^-32 (NIST
//! SP 800-38D §8.3). A counter in memory alone would start at nothing after a crash, and one written at each use would
//! cost a transaction. So uses are *reserved* in blocks: a node writes down that a block is gone, then uses it up in
//! memory. A crash loses at most what was left of its block; a use that was not counted cannot happen, on any node.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

/// Uses after which a key's successor is due: half of what is permitted, so that rotating can take its time.
pub const LIMIT: u64 = 1 << 31;

/// Uses after which a key seals no more (NIST SP 800-38D §8.3).
pub const HARD_LIMIT: u64 = 1 << 32;

/// What one node may still use of one key.
///
/// It says ranges, not a ceiling, because nodes share a key: with blocks 0..1000 at one node and 1000..2000 at another,
/// a ceiling of 3000 at the first would let it use the second's block as well.
#[derive(Debug, Default)]
pub struct UseBudget {
    /// Uses left in the blocks that were reserved here.
    left: AtomicU64,
    /// The end of the newest block known here.
    reserved: AtomicU64,
}

impl UseBudget {
    /// Begins with nothing left, for a key of which `reserved` uses are written down: 0 for a new key.
    #[must_use]
    pub fn resumed(reserved: u64) -> Self {
        Self { left: AtomicU64::new(0), reserved: AtomicU64::new(reserved) }
    }

    /// Takes one use.
    ///
    /// # Errors
    /// [`UseError::ReservationSpent`] where a block has to be reserved first, [`UseError::Exhausted`] where none can be.
    pub fn take(&self) -> Result<(), UseError> {
        let took = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        match took {
            Ok(_) => Ok(()),
            Err(_) if self.reserved() >= HARD_LIMIT => Err(UseError::Exhausted),
            Err(_) => Err(UseError::ReservationSpent),
        }
    }

    /// Adds a block that is durably written down as gone. A block for a new key may count as written when the key's
    /// own row is inserted with it in the same transaction: without the row there is no key.
    ///
    /// # Errors
    /// [`NotReserved`] where the block lies before one added earlier, which would count its uses twice, or passes
    /// [`HARD_LIMIT`]. The block is then lost, which costs nothing but its uses.
    pub fn reserve(&self, block: Range<u64>) -> Result<(), NotReserved> {
        let refused = NotReserved { from: block.start, to: block.end };
        if block.end > HARD_LIMIT || block.is_empty() {
            return Err(refused);
        }
        self.reserved
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |known| (block.start >= known).then_some(block.end))
            .map_err(|_| refused)?;
        self.left.fetch_add(block.end - block.start, Ordering::AcqRel);
        Ok(())
    }

    /// Returns how many uses are left before a block has to be reserved: a node asks for its next block early.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }

    /// Returns how many uses are known here to be written down as gone.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        self.reserved.load(Ordering::Acquire)
    }

    /// Tells whether the key has reached [`LIMIT`] and needs its successor.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.reserved() >= LIMIT
    }
}

/// A key may not be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UseError {
    /// The block is used up: reserve the next, and try again.
    #[error("the uses reserved for this key are spent: reserve the next block")]
    ReservationSpent,
    /// The key has sealed as often as it may, for good.
    #[error("this key has been used 2^32 times and seals no more: rotate it")]
    Exhausted,
}

/// A block of uses was not one to add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("uses {from}..{to} cannot be added: empty, past the limit of a key, or before a block that was added already")]
pub struct NotReserved {
    /// Where the block begins.
    pub from: u64,
    /// Where it ends, exclusive.
    pub to: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_needs_a_reservation_first() {
        let uses = UseBudget::resumed(0);
        assert_eq!(uses.take(), Err(UseError::ReservationSpent));
        uses.reserve(0..2).unwrap();
        assert_eq!([uses.take(), uses.take(), uses.take()], [Ok(()), Ok(()), Err(UseError::ReservationSpent)]);
    }

    #[test]
    fn after_a_crash_what_was_reserved_counts_as_used() {
        let uses = UseBudget::resumed(1000);
        assert_eq!(uses.take(), Err(UseError::ReservationSpent));
        assert!(uses.reserve(0..1000).is_err());
        uses.reserve(uses.reserved()..uses.reserved() + 10).unwrap();
        assert_eq!((uses.left(), uses.reserved()), (10, 1010));
    }

    #[test]
    fn a_block_added_twice_is_refused() {
        let uses = UseBudget::resumed(0);
        uses.reserve(0..10).unwrap();
        assert_eq!(uses.reserve(0..10), Err(NotReserved { from: 0, to: 10 }));
        assert_eq!(uses.reserve(9..20), Err(NotReserved { from: 9, to: 20 }));
        assert_eq!(uses.left(), 10);
    }

    #[test]
    fn blocks_of_other_nodes_in_between_are_not_ours() {
        let uses = UseBudget::resumed(0);
        uses.reserve(0..10).unwrap();
        uses.reserve(1000..1010).unwrap();
        assert_eq!(uses.left(), 20);
    }

    #[test]
    fn an_empty_block_and_one_past_the_limit_are_refused() {
        let uses = UseBudget::resumed(0);
        assert!(uses.reserve(5..5).is_err());
        assert!(uses.reserve(HARD_LIMIT - 1..HARD_LIMIT + 1).is_err());
    }

    #[test]
    fn a_successor_is_due_at_half_and_sealing_ends_at_the_limit() {
        let uses = UseBudget::resumed(LIMIT - 1);
        assert!(!uses.is_due());
        uses.reserve(LIMIT - 1..LIMIT).unwrap();
        assert!(uses.is_due());
        uses.take().unwrap();
        uses.reserve(HARD_LIMIT - 1..HARD_LIMIT).unwrap();
        assert_eq!([uses.take(), uses.take()], [Ok(()), Err(UseError::Exhausted)]);
    }

    #[test]
    fn many_threads_take_no_more_than_was_reserved() {
        let uses = UseBudget::resumed(0);
        uses.reserve(0..1000).unwrap();
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..400).filter(|_| uses.take().is_ok()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 1000);
    }
}
