//! Where a development vault lives: a directory that is kept, or one that is removed at the end.

use serde_json::Value;
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The directory of a development vault.
pub struct Directory {
    path: PathBuf,
    temporary: bool,
}

impl Directory {
    /// Takes up `path`, which is made where it is missing and kept at the end.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn kept(path: PathBuf) -> Result<Self, DirectoryError> {
        Self::make(path, false)
    }

    /// Makes `path`, which is removed when this drops.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn temporary(path: PathBuf) -> Result<Self, DirectoryError> {
        Self::make(path, true)
    }

    fn make(path: PathBuf, temporary: bool) -> Result<Self, DirectoryError> {
        let keys = path.join("keys");
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&keys);
        made.map_err(|source| DirectoryError { path: path.clone(), source })?;
        Ok(Self { path, temporary })
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what an earlier start remembered, if there was one.
    pub(super) fn remembered(&self) -> Result<Option<Value>, DirectoryError> {
        let path = self.path.join("dev.json");
        let failed = |source| DirectoryError { path: path.clone(), source };
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| failed(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Remembers the values for the next start.
    pub(super) fn remember(&self, values: &Value) -> Result<(), DirectoryError> {
        replace(&self.path.join("dev.json"), values)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes `values` to a file of mode 0600, whole or not at all.
///
/// # Errors
/// Where the file or its directory cannot be written.
pub fn replace(path: &Path, values: &Value) -> Result<(), DirectoryError> {
    let failed = |source| DirectoryError { path: path.to_owned(), source };
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let _ = fs::remove_file(&draft);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).map_err(failed)?;
    let text = serde_json::to_vec_pretty(values).map_err(|error| failed(error.into()))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&draft, path).map_err(failed)
}

/// A file or directory of a development vault that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {source}", path.display())]
pub struct DirectoryError {
    path: PathBuf,
    source: io::Error,
}
