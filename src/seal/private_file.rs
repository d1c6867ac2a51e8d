//! Small files with secrets in them. What is checked is the open file, not its path, so that nothing can be swapped in
//! between.

use crate::secret::SecretBuffer;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Who may read a private file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner and nobody else.
    Owner,
    /// Its owner, and its group for reading. systemd gives a service its credentials by an access list, whose mask
    /// shows in the group's bits: such a file says 0440 and is readable by that service alone.
    OwnerAndGroup,
}

impl Readers {
    fn forbidden_bits(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            Self::OwnerAndGroup => 0o037,
        }
    }
}

/// Reads a file of at most `max` bytes.
pub(super) fn read(path: &Path, max: usize, readers: Readers) -> Result<SecretBuffer, PrivateFileError> {
    // A link could have been put there by whoever may write to the directory. Without O_NONBLOCK, a named pipe in the
    // file's place would hold up the start for ever.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let file = opened.map_err(|source| not_opened(path, source))?;
    let metadata = file.metadata().map_err(|source| io_error(path, "examine", source))?;
    if !metadata.is_file() {
        return Err(PrivateFileError::NotRegular { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & readers.forbidden_bits() != 0 {
        return Err(PrivateFileError::Exposed { path: path.to_owned(), mode });
    }
    // Room for all that is read, and for the probe at its end: a buffer that grows leaves its content behind.
    let mut content = Zeroizing::new(Vec::with_capacity(max + 64));
    file.take(max as u64 + 1).read_to_end(&mut content).map_err(|source| io_error(path, "read", source))?;
    if content.len() > max {
        return Err(PrivateFileError::TooLong { path: path.to_owned(), max });
    }
    Ok(content)
}

/// Writes a new file, mode 0600, and returns when it and its name are on the disk.
pub(super) fn create(path: &Path, content: &[u8]) -> Result<(), PrivateFileError> {
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(PrivateFileError::Exists { path: path.to_owned() });
        }
        Err(source) => return Err(io_error(path, "create", source)),
    };
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| directory(path)?.sync_all());
    written.map_err(|source| {
        // Half a key file would be refused as malformed at the next start, and as existing at the next init. Where it
        // cannot be removed either, the error below is the one to know.
        let _ = fs::remove_file(path);
        io_error(path, "write", source)
    })
}

fn directory(path: &Path) -> io::Result<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))
}

fn not_opened(path: &Path, source: io::Error) -> PrivateFileError {
    let path = path.to_owned();
    match source.raw_os_error() {
        Some(libc::ENOENT) => PrivateFileError::Missing { path },
        Some(libc::ELOOP) => PrivateFileError::Link { path },
        // A socket.
        Some(libc::ENXIO) => PrivateFileError::NotRegular { path },
        _ => PrivateFileError::Io { path, doing: "open", source },
    }
}

fn io_error(path: &Path, doing: &'static str, source: io::Error) -> PrivateFileError {
    PrivateFileError::Io { path: path.to_owned(), doing, source }
}

/// A private file was not read or made. Messages begin with the path; what kind of file it is stands before them.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// There is none.
    #[error("{} does not exist: restore it, or correct its path", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{} exists already, and may be the only key to a vault: name another path, or move it away", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The path is a symbolic link.
    #[error("{} is a symbolic link: name the file itself", path.display())]
    Link {
        /// The path.
        path: PathBuf,
    },
    /// The path is a directory, a pipe, a device or a socket.
    #[error("{} is not a regular file: name the file itself", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// Others than its owner may read or write it.
    #[error("{path} is open to others than its owner (mode {mode:04o}): run `chmod 600 {path}`, and replace what it \
             holds if others may have read it", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is too long to be what it should be.
    #[error("{} is longer than {max} bytes: it is not the file that was meant", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most it may have.
        max: usize,
    },
    /// The system refused.
    #[error("{path}: could not {doing} it, {source}: check the path, its owner and the disk", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}
