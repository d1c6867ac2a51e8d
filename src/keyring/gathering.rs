//! Shares on their way together: officers give them one at a time, each to the same node. What was given is kept in
//! memory only, and forgotten after a while, so that two shares of last week do not wait for a third.

use super::Keyring;
use crate::{
    clock::Timestamp,
    envelope::{NotAShare, NotOurs, Share, ShareSet},
    secret::SecretKey,
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// How long after the first share the last one may come.
pub const GATHERING_LIFE: Duration = Duration::from_secs(15 * 60);

/// What shares are given for. Each has its own progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To open the seal.
    Open,
}

impl Purpose {
    /// Returns the word for it in entries.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
        }
    }
}

/// How far a gathering is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The places of the shares that were given.
    pub given: Vec<u8>,
    /// How many are needed.
    pub threshold: u8,
    /// How many there are.
    pub shares: u8,
    /// When what was given is forgotten; none before the first.
    pub expires_at: Option<Timestamp>,
}

/// What a share that was taken leads to.
pub enum Taken {
    /// More are needed.
    More(Progress),
    /// There are enough, and this is the key.
    Enough(SecretKey),
}

/// Why a share is not taken; what was given before it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareRefused {
    /// It cannot be read.
    #[error(transparent)]
    NotAShare(#[from] NotAShare),
    /// It is of another set, or was forged.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// It was given already.
    #[error("share {place} was given already: give another one")]
    Repeated {
        /// Its place.
        place: u8,
    },
}

impl ShareRefused {
    /// Returns the word for it in entries and problems.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAShare(NotAShare::Kind { .. }) => "share_of_other_kind",
            Self::NotAShare(_) => "share_malformed",
            Self::NotOurs(NotOurs::Foreign) => "share_foreign",
            Self::NotOurs(NotOurs::Forged) => "share_forged",
            Self::Repeated { .. } => "share_repeated",
        }
    }
}

/// All that is being gathered.
#[derive(Default)]
pub(super) struct Gatherings(HashMap<Purpose, Gathering>);

struct Gathering {
    set: ShareSet,
    given: BTreeMap<u8, Share>,
    expires_at: Timestamp,
}

impl Gatherings {
    pub(super) fn forget_all(&mut self) {
        self.0.clear();
    }

    fn expire(&mut self, now: Timestamp) {
        self.0.retain(|_, gathering| now < gathering.expires_at);
    }

    fn give(&mut self, purpose: Purpose, set: &ShareSet, share: Share, now: Timestamp) -> Result<Taken, ShareRefused> {
        set.recognise(&share)?;
        // New shares may have been made since the first was given; the old ones open nothing any more.
        self.0.retain(|other, gathering| *other != purpose || gathering.set == *set);
        let gathering = self.0.entry(purpose).or_insert_with(|| Gathering {
            set: set.clone(),
            given: BTreeMap::new(),
            expires_at: now.plus(GATHERING_LIFE),
        });
        let place = share.place();
        if gathering.given.contains_key(&place) {
            return Err(ShareRefused::Repeated { place });
        }
        gathering.given.insert(place, share);
        match gathering.set.combine(gathering.given.values()) {
            Some(key) => {
                self.0.remove(&purpose);
                Ok(Taken::Enough(key))
            }
            None => Ok(Taken::More(gathering.progress())),
        }
    }
}

impl Gathering {
    fn progress(&self) -> Progress {
        let given = self.given.keys().copied().collect();
        Progress { given, expires_at: Some(self.expires_at), ..Progress::none(&self.set) }
    }
}

impl Progress {
    fn none(set: &ShareSet) -> Self {
        let (threshold, shares) = set.quorum().map_or((0, 0), |quorum| (quorum.threshold(), quorum.shares()));
        Self { given: Vec::new(), threshold, shares, expires_at: None }
    }
}

impl Keyring {
    /// Takes a share of `set`. Gives the key, and forgets the shares, as soon as there are enough. Costs no I/O.
    ///
    /// # Errors
    /// [`ShareRefused`]; what was given before stays.
    pub fn share_give(&self, purpose: Purpose, set: &ShareSet, share: Share) -> Result<Taken, ShareRefused> {
        let now = self.clock.now();
        let mut gatherings = self.gatherings.lock();
        gatherings.expire(now);
        gatherings.give(purpose, set, share, now)
    }

    /// Says how far the gathering of shares of `set` is.
    #[must_use]
    pub fn shares_progress(&self, purpose: Purpose, set: &ShareSet) -> Progress {
        self.shares_expire();
        let gatherings = self.gatherings.lock();
        let same = gatherings.0.get(&purpose).filter(|gathering| gathering.set == *set);
        same.map_or_else(|| Progress::none(set), Gathering::progress)
    }

    /// Forgets the shares that were given. Returns whether there were any.
    pub fn shares_forget(&self, purpose: Purpose) -> bool {
        self.shares_expire();
        self.gatherings.lock().0.remove(&purpose).is_some()
    }

    /// Forgets the shares whose time is over. Whoever looks at them does this first; it is called besides so that they
    /// leave memory where nobody looks.
    pub fn shares_expire(&self) {
        self.gatherings.lock().expire(self.clock.now());
    }
}
