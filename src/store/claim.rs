//! The hold of one process on an embedded database. SQLite keeps two writers from mixing their writes, and does not keep
//! a second node from serving: that one would not hear what the first one revokes.

use super::{Db, StoreError};
use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::PathBuf,
};

/// The hold. It ends with the process, however that ends.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "its drop lets go")] File);

impl Db {
    /// Takes hold of an embedded database; `None` over PostgreSQL, which any number of nodes share. Whoever only reads
    /// does not ask.
    ///
    /// # Errors
    /// `Claimed` where another process has it; `Unclaimed` where the file beside the database cannot be made.
    pub fn claim(&self) -> Result<Option<Claim>, StoreError> {
        let Self::Sqlite(pool) = self else { return Ok(None) };
        // Not the database's own file: closing it once would end the locks that SQLite holds on it for this process.
        let mut path = pool.connect_options().get_filename().as_os_str().to_owned();
        path.push("-claim");
        take(path.into()).map(Some)
    }
}

fn take(path: PathBuf) -> Result<Claim, StoreError> {
    let unclaimed = |source: io::Error| StoreError::Unclaimed { path: path.clone(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(unclaimed)?;
    match file.try_lock() {
        Ok(()) => Ok(Claim(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Claimed),
        Err(TryLockError::Error(source)) => Err(unclaimed(source)),
    }
}
