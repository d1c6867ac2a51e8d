//! The log's tree as it is stored: roots and proofs out of full tiles, and of the entries that fill none yet. It does not
//! ask the head, which the sequencer keeps: what is signed here was worked out a second time.

use super::inspection::{InspectError, LogFlaw, recompute};
use crate::{
    merkle::{self, Hash, OutOfTree, Subtree},
    store::{
        Link, StoreError, log,
        tiles::{self, TileRow, WIDTH},
    },
};
use futures_util::future::BoxFuture;
use std::{collections::HashMap, ops::Range, sync::Arc};

/// Hashes in a tile are paired this many times up to its root.
const HEIGHT: u32 = WIDTH.ilog2();

/// A tree of the first `size` entries.
pub struct StoredTree<'l, 'c> {
    link: &'l mut Link<'c>,
    size: u64,
    /// A proof looks twice at the tiles on its way.
    read: HashMap<(u32, u64), Arc<Vec<Hash>>>,
}

/// Why a proof is not made.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// It asks about what is not in the tree.
    #[error(transparent)]
    OutOfTree(#[from] OutOfTree),
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<'l, 'c> StoredTree<'l, 'c> {
    /// Looks at the first `size` entries, all of which have to be durable.
    pub fn new(link: &'l mut Link<'c>, size: u64) -> Self {
        Self { link, size, read: HashMap::new() }
    }

    /// Returns the root. Costs a read of at most 256 hashes for each eight levels.
    ///
    /// # Errors
    /// Where an entry or a tile is missing or corrupt, or the database fails.
    pub async fn root(&mut self) -> Result<Hash, StoreError> {
        if self.size == 0 {
            return Ok(Hash::of_empty_tree());
        }
        self.stretch(0..self.size).await
    }

    /// Proves that the entry `index` is in the tree. Costs two such reads for each eight levels.
    ///
    /// # Errors
    /// Where there is no such entry; as [`Self::root`].
    pub async fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, ProofError> {
        self.roots(merkle::inclusion_path(index, self.size)?).await
    }

    /// Proves that the tree of `older` entries is the beginning of this one. Costs as [`Self::inclusion`].
    ///
    /// # Errors
    /// Where `older` is 0 or more than there are; as [`Self::root`].
    pub async fn consistency(&mut self, older: u64) -> Result<Vec<Hash>, ProofError> {
        self.roots(merkle::consistency_path(older, self.size)?).await
    }

    /// Returns the hashes of a tile as far as this tree fills it; `None` where it fills nothing of it.
    ///
    /// # Errors
    /// As [`Self::root`].
    pub async fn tile(&mut self, level: u32, place: u64) -> Result<Option<Arc<Vec<Hash>>>, StoreError> {
        let filled = self.filled(level, place);
        if filled == 0 { Ok(None) } else { self.hashes(level, place).await.map(Some) }
    }

    async fn roots(&mut self, path: Vec<Range<u64>>) -> Result<Vec<Hash>, ProofError> {
        let mut hashes = Vec::with_capacity(path.len());
        for stretch in path {
            hashes.push(self.stretch(stretch).await?);
        }
        Ok(hashes)
    }

    /// Returns the root over a stretch that begins where trees are divided.
    pub(super) async fn stretch(&mut self, stretch: Range<u64>) -> Result<Hash, StoreError> {
        let mut roots = Vec::new();
        for Subtree { level, index } in merkle::cover(stretch) {
            let (tile_level, above) = (level / HEIGHT, level % HEIGHT);
            let first = index << above;
            let hashes = self.hashes(tile_level, first / WIDTH).await?;
            let start = usize::try_from(first % WIDTH).expect("a tile is narrow");
            let part = hashes.get(start..start + (1 << above));
            let part = part.ok_or_else(|| StoreError::corrupt("tiles", "hashes", first / WIDTH))?;
            roots.push(merkle::root_of(part));
        }
        Ok(merkle::root_over(&roots).expect("no stretch of a path is empty"))
    }

    /// Returns how many hashes of a tile this tree fills.
    fn filled(&self, level: u32, place: u64) -> u64 {
        let full_below = self.size.checked_shr(HEIGHT * level).unwrap_or(0);
        full_below.saturating_sub(place.saturating_mul(WIDTH)).min(WIDTH)
    }

    /// Reads a tile, or makes it out of what lies below where it is not written.
    fn hashes(&mut self, level: u32, place: u64) -> BoxFuture<'_, Result<Arc<Vec<Hash>>, StoreError>> {
        Box::pin(async move {
            if let Some(read) = self.read.get(&(level, place)) {
                return Ok(Arc::clone(read));
            }
            let filled = self.filled(level, place);
            let written = if filled == WIDTH {
                tiles::tile_show(self.link, i64::from(level), stored(place)).await?
            } else {
                None
            };
            let first = place * WIDTH;
            let hashes = match (written, level) {
                (Some(hashes), _) => hashes,
                (None, 0) => log::entry_leaves(self.link, stored(first), stored(first + filled)).await?,
                (None, _) => {
                    let (from, to) = (stored(first), stored(first + filled));
                    let mut roots = tiles::tile_roots(self.link, i64::from(level) - 1, from, to).await?;
                    while (roots.len() as u64) < filled {
                        let below = self.hashes(level - 1, first + roots.len() as u64).await?;
                        roots.push(merkle::root_of(&below));
                    }
                    roots
                }
            };
            let hashes = Arc::new(hashes);
            self.read.insert((level, place), Arc::clone(&hashes));
            Ok(hashes)
        })
    }
}

/// Makes up to `limit` of the full tiles that a log of `size` entries has and that are not written yet, the lowest first.
/// Reads 256 hashes for each.
///
/// # Errors
/// Where an entry is missing or corrupt, or the database fails.
pub(super) async fn tiles_due(link: &mut Link<'_>, size: u64, limit: usize) -> Result<Vec<TileRow>, StoreError> {
    let mut made: Vec<TileRow> = Vec::new();
    for level in 0.. {
        let full = stored(size.checked_shr(HEIGHT * (level + 1)).unwrap_or(0));
        if full == 0 {
            break;
        }
        let level = i64::from(level);
        let mut place = tiles::tile_count(link, level).await?;
        while place < full && made.len() < limit {
            let (from, to) = (place * stored(WIDTH), (place + 1) * stored(WIDTH));
            let hashes = if level == 0 {
                log::entry_leaves(link, from, to).await?
            } else {
                let written = tiles::tile_roots(link, level - 1, from, to).await?;
                let fresh = from + i64::try_from(written.len()).expect("a tile is narrow")..to;
                let fresh = made.iter().filter(|tile| tile.level == level - 1 && fresh.contains(&tile.place));
                written.into_iter().chain(fresh.map(|tile| tile.root)).collect()
            };
            if hashes.len() as u64 != WIDTH {
                // What it rests on is for the next round.
                break;
            }
            made.push(TileRow::of(level, place, hashes));
            place += 1;
        }
    }
    Ok(made)
}

/// Checks that a full tile, where it is written, holds the hashes of what lies below it.
///
/// # Errors
/// With the tile, or the entry, that does not fit; or the database fails.
pub(super) async fn tile_check(link: &mut Link<'_>, level: u32, place: u64) -> Result<(), InspectError> {
    let stored_level = i64::from(level);
    let Some(hashes) = tiles::tile_show(link, stored_level, stored(place)).await? else { return Ok(()) };
    let (from, to) = (stored(place * WIDTH), stored((place + 1) * WIDTH));
    let below = if level == 0 {
        log::entry_leaves(link, from, to).await?
    } else {
        tiles::tile_roots(link, stored_level - 1, from, to).await?
    };
    let root = tiles::tile_roots(link, stored_level, stored(place), stored(place) + 1).await?;
    if hashes == below && root == [merkle::root_of(&hashes)] {
        return Ok(());
    }
    let differs = hashes.iter().zip(&below).take_while(|(hash, below)| hash == below).count() as u64;
    let at = if differs < WIDTH { differs } else { 0 };
    let seq = stored((place * WIDTH + at) << (HEIGHT * level));
    Err(LogFlaw::Tile { level: stored_level, place: stored(place), seq }.into())
}

/// Finds what makes the stored tree of the first `size` entries another than it was: looks at all that its root is worked out
/// of, which is at most 256 entries or tiles for each eight levels.
///
/// # Errors
/// With the first thing that does not fit, or that nothing does and something was rewritten as a whole; or the database fails.
pub(super) async fn tree_explain(link: &mut Link<'_>, size: u64) -> Result<(), InspectError> {
    let tiled = size - size % WIDTH;
    for row in log::entry_page(link, log::Stretch::From(stored(tiled)), stored(size - tiled)).await? {
        recompute(&row)?;
    }
    for level in 0..u64::BITS / HEIGHT - 1 {
        let full = size >> (HEIGHT * (level + 1));
        for place in full - full % WIDTH..full {
            tile_check(link, level, place).await?;
        }
    }
    Err(LogFlaw::Signed { size: stored(size) }.into())
}

/// Returns a number as the database keeps it.
fn stored(number: u64) -> i64 {
    i64::try_from(number).expect("no log has more entries than a BIGINT counts")
}
