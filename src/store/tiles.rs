//! Full tiles of the log's tree (C2SP `tlog-tiles`): 256 hashes of one level, and their root.

use super::{
    Link, StoreError,
    db::{execute, optional, rows},
    sql,
};
use crate::merkle::{Hash, root_of};

/// How many hashes a full tile holds.
pub const WIDTH: u64 = 256;

/// A full tile.
#[derive(Clone, Debug)]
pub struct TileRow {
    /// Its level: 0 holds the entries' own hashes, each level above the roots of the full tiles below it.
    pub level: i64,
    /// Its place in the level, from 0.
    pub place: i64,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
    /// The root over them.
    pub root: Hash,
}

impl TileRow {
    /// Joins 256 hashes to a tile.
    #[must_use]
    pub fn of(level: i64, place: i64, hashes: Vec<Hash>) -> Self {
        let root = root_of(&hashes);
        Self { level, place, hashes, root }
    }
}

/// Writes tiles; one that is there stays as it is.
///
/// # Errors
/// Where the database fails.
pub async fn tiles_insert(link: &mut Link<'_>, tiles: &[TileRow]) -> Result<(), StoreError> {
    for tile in tiles {
        let hashes: Vec<u8> = tile.hashes.iter().flat_map(|hash| hash.as_bytes()).copied().collect();
        execute!(link, sql::TILE_INSERT, tile.level, tile.place, hashes.as_slice(), &tile.root.as_bytes()[..])?;
    }
    Ok(())
}

/// Reads a full tile's hashes; `None` where it is not written.
///
/// # Errors
/// Where the row is corrupt, or the database fails.
pub async fn tile_show(link: &mut Link<'_>, level: i64, place: i64) -> Result<Option<Vec<Hash>>, StoreError> {
    let Some((bytes,)) = optional!(link, (Vec<u8>,), sql::TILE_SHOW, level, place)? else { return Ok(None) };
    let (hashes, rest) = bytes.as_chunks::<{ Hash::LEN }>();
    if hashes.len() as u64 != WIDTH || !rest.is_empty() {
        return Err(StoreError::corrupt("tiles", "hashes", place));
    }
    Ok(Some(hashes.iter().copied().map(Hash::from_bytes).collect()))
}

/// Reads the roots of the full tiles of a level from `from` to before `to`, as far as they are written without a gap.
///
/// # Errors
/// Where a row is corrupt, or the database fails.
pub async fn tile_roots(link: &mut Link<'_>, level: i64, from: i64, to: i64) -> Result<Vec<Hash>, StoreError> {
    let found = rows!(link, (i64, Vec<u8>), sql::TILE_ROOTS, level, from, to)?;
    let unbroken = (from..to).zip(found).take_while(|(due, (place, _))| due == place);
    unbroken
        .map(|(place, (_, root))| root.as_slice().try_into().map_err(|_| StoreError::corrupt("tiles", "root", place)))
        .collect()
}

/// Counts the full tiles of a level that are written: the place of the next.
///
/// # Errors
/// Where the database fails.
pub async fn tile_count(link: &mut Link<'_>, level: i64) -> Result<i64, StoreError> {
    let newest = optional!(link, (Option<i64>,), sql::TILE_NEWEST, level)?;
    Ok(newest.and_then(|(place,)| place).map_or(0, |place| place + 1))
}
