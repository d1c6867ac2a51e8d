//! Keeps what a selling partner decided across a restart: one JSON file, replaced whole and atomically.

use super::{
    AmazonError,
    authorization::{Application, Authorization},
    marketplace::Seller,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// All that outlives the process. Refresh tokens and client secrets are fingerprints; the token key is not, so the
/// file's mode is 0600.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) version: u32,
    pub(super) application: Application,
    /// Base64 of the key under which tokens are sealed. It guards simulated data only.
    pub(super) token_key: String,
    pub(super) sellers: Vec<Seller>,
    /// By selling partner: the simulator knows one application.
    pub(super) authorizations: BTreeMap<String, Authorization>,
}

impl State {
    pub(super) const VERSION: u32 = 1;

    /// Reads the state, or `None` where there is no such file yet.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, AmazonError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AmazonError::Read { path: path.to_owned(), source }),
        };
        let state: Self =
            serde_json::from_slice(&text).map_err(|source| AmazonError::Parse { path: path.to_owned(), source })?;
        if state.version != Self::VERSION {
            return Err(AmazonError::Version { path: path.to_owned(), found: state.version });
        }
        Ok(Some(state))
    }

    /// Replaces the file: a temporary file beside it, fsync, rename, fsync of the folder. A process killed at any point
    /// leaves either the old state or the new.
    pub(super) fn save(&self, path: &Path) -> Result<(), AmazonError> {
        self.replace(path).map_err(|source| AmazonError::Write { path: path.to_owned(), source })
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        let temporary = beside(path);
        // Left over from a kill between write and rename; `create_new` below then insists on our own mode.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::File::open(folder)?.sync_all()
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualClock, Timestamp},
        dev::amazon::{Amazon, AmazonOptions},
        entropy::SystemEntropy,
    };
    use std::{os::unix::fs::PermissionsExt, sync::Arc};

    fn open(file: &Path) -> Result<Amazon, AmazonError> {
        let mut options = AmazonOptions::make(&SystemEntropy);
        options.state_file = Some(file.to_owned());
        Amazon::open(options, Arc::new(ManualClock::new(Timestamp::from_micros(0))), Arc::new(SystemEntropy))
    }

    #[test]
    fn the_file_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("amazon.json");
        open(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_leftover_of_a_killed_write_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("amazon.json");
        fs::write(beside(&file), "half a st").unwrap();
        open(&file).unwrap();
        assert!(!beside(&file).exists());
    }

    #[test]
    fn a_file_that_is_not_a_state_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("amazon.json");
        fs::write(&file, "{}").unwrap();
        assert!(matches!(open(&file), Err(AmazonError::Parse { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"{}");
    }
}
