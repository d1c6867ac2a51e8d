//! The anchor: what a node remembers outside the database, in a directory of its own, so that an older copy of the
//! database is known for one.
//!
//! | file | holds | is on the disk |
//! |---|---|---|
//! | `position` | the newest entry that was acknowledged here, or seen of another node's | at each checkpoint |
//! | `checkpoint` | the newest signed checkpoint | when it is written |
//! | `lock` | nothing: the process that has the anchor holds a lock on it | |

mod position;

pub use position::Position;

use parking_lot::Mutex;
use position::Slots;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

const POSITION: &str = "position";
const CHECKPOINT: &str = "checkpoint";
const LOCK: &str = "lock";

/// Why an anchor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The file system does not do what it is asked.
    #[error(
        "cannot {doing} {}: {source}; the vault acknowledges nothing without its anchor: give it a writable directory with free space in audit.anchor",
        path.display()
    )]
    File {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// Another process has it.
    #[error("another process has the anchor in {}: stop it, or give each node an audit.anchor of its own", .0.display())]
    Taken(PathBuf),
    /// It belongs to another vault.
    #[error(
        "the anchor in {} is of vault {found}, and the database holds vault {expected}: let audit.anchor or database.url name the right one",
        directory.display()
    )]
    OtherVault {
        /// Where it is.
        directory: PathBuf,
        /// Whose it is.
        found: Uuid,
        /// Whose it should be.
        expected: Uuid,
    },
    /// A new vault would take an older one's.
    #[error("{} holds an anchor already: move it away, or let audit.anchor name a new directory", .0.display())]
    Begun(PathBuf),
    /// Somebody took the file away.
    #[error("{} was removed or replaced while the vault ran: put it back, and start again", .0.display())]
    Removed(PathBuf),
    /// It holds nothing yet.
    #[error("the anchor in {} was not begun: report this as a fault", .0.display())]
    NotBegun(PathBuf),
}

/// What an anchor held when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: the vault is new, or the node is, or somebody deleted it.
    Nothing,
    /// Something that no version of us wrote.
    Damaged(&'static str),
    /// Where the log was.
    Position(Position),
}

/// A node's anchor.
pub struct Anchor {
    directory: PathBuf,
    vault: Uuid,
    slots: Mutex<Option<Slots>>,
    _lock: File,
}

impl Anchor {
    /// Takes hold of the anchor in `directory`, which is made where it is missing, and reads it. Nothing of it is changed.
    ///
    /// # Errors
    /// Where the directory cannot be written, another process has it, or it is another vault's.
    pub fn open(directory: &Path, vault: Uuid) -> Result<(Self, Found), AnchorError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        made.map_err(failed("make", directory))?;
        let lock = lock(&directory.join(LOCK))?;
        let path = directory.join(POSITION);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let (slots, found) = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, Found::Nothing),
            Err(error) => return Err(failed("open", &path)(error)),
            Ok(file) => match position::read(&file).map_err(failed("read", &path))? {
                None => (None, Found::Damaged("neither slot of its position holds")),
                Some(slot) if slot.vault != vault => {
                    let directory = directory.to_owned();
                    return Err(AnchorError::OtherVault { directory, found: slot.vault, expected: vault });
                }
                Some(slot) => (Some(Slots::resume(file, slot)), Found::Position(slot.position)),
            },
        };
        Ok((Self { directory: directory.to_owned(), vault, slots: Mutex::new(slots), _lock: lock }, found))
    }

    /// Reads what an anchor holds, and whose it is, without taking hold of it: for `doctor`.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn look(directory: &Path) -> Result<(Found, Option<Uuid>), AnchorError> {
        let path = directory.join(POSITION);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((Found::Nothing, None)),
            Err(error) => Err(failed("open", &path)(error)),
            Ok(file) => Ok(match position::read(&file).map_err(failed("read", &path))? {
                Some(slot) => (Found::Position(slot.position), Some(slot.vault)),
                None => (Found::Damaged("neither slot of its position holds"), None),
            }),
        }
    }

    /// Refuses a directory that holds something: the vault that it is of is not the one that is being made.
    ///
    /// # Errors
    /// `Begun` where it does; or it cannot be read.
    pub fn refuse_begun(directory: &Path) -> Result<(), AnchorError> {
        match Self::look(directory)? {
            (Found::Nothing, _) => Ok(()),
            _ => Err(AnchorError::Begun(directory.to_owned())),
        }
    }

    /// Returns where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the newest position that was written.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.slots.lock().as_ref().map(Slots::position)
    }

    /// Begins anew from a position, whatever was there before, and returns once that is on the disk.
    ///
    /// # Errors
    /// Where it cannot be written; what was there before stands then.
    pub fn begin(&self, position: Position) -> Result<(), AnchorError> {
        let path = self.directory.join(POSITION);
        let draft = self.directory.join("position.new");
        let begun = (|| {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            let slots = Slots::begin(file, self.vault, position)?;
            fs::rename(&draft, &path)?;
            File::open(&self.directory)?.sync_all()?;
            Ok(slots)
        })();
        *self.slots.lock() = Some(begun.map_err(failed("write", &path))?);
        Ok(())
    }

    /// Notes how far the log is, unless it was further already. About a microsecond: a write into the kernel's memory, which
    /// a crash of this process does not lose. [`Self::checkpoint`] brings it to the disk.
    ///
    /// # Errors
    /// Where it cannot be written, or nothing was begun.
    pub fn note(&self, position: Position) -> Result<(), AnchorError> {
        let mut slots = self.slots.lock();
        let slots = slots.as_mut().ok_or_else(|| AnchorError::NotBegun(self.directory.clone()))?;
        if position.size <= slots.position().size {
            return Ok(());
        }
        slots.write(position).map_err(failed("write", &self.directory.join(POSITION)))
    }

    /// Keeps a signed checkpoint, and brings the position to the disk with it. Blocks for two synchronisations.
    ///
    /// # Errors
    /// Where that fails, or somebody took the position's file away. Of a synchronisation that failed nobody can tell what it
    /// left: it must not be tried again.
    pub fn checkpoint(&self, note: &str) -> Result<(), AnchorError> {
        let path = self.directory.join(POSITION);
        let Some(file) = self.slots.lock().as_ref().map(Slots::file) else {
            return Err(AnchorError::NotBegun(self.directory.clone()));
        };
        let file = file.map_err(failed("write", &path))?;
        if !position::stands_at(&file, &path).is_ok_and(|stands| stands) {
            return Err(AnchorError::Removed(path));
        }
        file.sync_data().map_err(failed("synchronise", &path))?;
        let (path, draft) = (self.directory.join(CHECKPOINT), self.directory.join("checkpoint.new"));
        let kept = (|| {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all(note.as_bytes())?;
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(&self.directory)?.sync_all()
        })();
        kept.map_err(failed("write", &path))
    }
}

fn lock(path: &Path) -> Result<File, AnchorError> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let file = opened.map_err(failed("write", path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AnchorError::Taken(path.parent().unwrap_or(path).to_owned())),
        Err(TryLockError::Error(error)) => Err(failed("lock", path)(error)),
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AnchorError {
    let path = path.to_owned();
    move |source| AnchorError::File { doing, path, source }
}
