//! The seals that a configuration names.

use super::assembly::ServeError;
use crate::{
    clock::SystemClock,
    config::Config,
    entropy::SystemEntropy,
    envelope::{Cost, Quorum, Share},
    seal::{Asking, FileSeal, PassphraseSeal, PassphraseSource, Seal, SealError, SealKind, ShamirSeal},
    secret::SecretText,
};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Makes the configured seal from what is at hand; `None` where it waits for people.
///
/// # Errors
/// Where the key file or the passphrase cannot be read.
pub fn seal_open(config: &Config) -> Result<Option<Arc<dyn Seal>>, ServeError> {
    match config.seal.kind {
        SealKind::File => Ok(Some(Arc::new(FileSeal::open(&config.seal.file).map_err(SealError::from)?))),
        SealKind::Passphrase => {
            let Some(reference) = config.seal_passphrase() else { return Ok(None) };
            Ok(Some(Arc::new(PassphraseSeal::new(reference.read()?, Cost::SEAL))))
        }
        SealKind::Shamir => Ok(None),
    }
}

/// Makes the configured seal with what a security officer gave.
///
/// # Errors
/// Where what was given, or is at hand, does not make it.
pub fn seal_by_hand(config: &Config, passphrase: Option<SecretText>) -> Result<Arc<dyn Seal>, SealError> {
    let kind = config.seal.kind;
    let wanted = |remedy: String| SealError::WrongKey { kind, remedy };
    match (kind, passphrase) {
        (SealKind::File, _) => Ok(Arc::new(FileSeal::open(&config.seal.file)?)),
        (SealKind::Passphrase, Some(passphrase)) => Ok(Arc::new(PassphraseSeal::new(passphrase, Cost::SEAL))),
        (SealKind::Passphrase, None) => {
            let reference =
                config.seal_passphrase().ok_or_else(|| wanted("give the passphrase with the call".into()))?;
            let passphrase = reference.read().map_err(|error| wanted(error.to_string()))?;
            Ok(Arc::new(PassphraseSeal::new(passphrase, Cost::SEAL)))
        }
        (SealKind::Shamir, _) => Err(wanted("give its shares, one with each call".into())),
    }
}

/// A seal that was made anew.
pub struct NewSeal {
    /// The seal.
    pub seal: Arc<dyn Seal>,
    /// The shares to hand out, where it is one of shares: nobody else has them.
    pub shares: Vec<Share>,
    /// The key file, where one was written.
    pub key_file: Option<PathBuf>,
}

impl NewSeal {
    fn of(seal: impl Seal + 'static) -> Self {
        Self { seal: Arc::new(seal), shares: Vec::new(), key_file: None }
    }
}

/// Makes the configured seal anew, for a new vault. May ask for a passphrase on the terminal.
///
/// # Errors
/// Where a key file is there already or cannot be written, or a passphrase cannot be had.
pub fn seal_make(config: &Config) -> Result<NewSeal, ServeError> {
    match config.seal.kind {
        SealKind::File => {
            let path = config.seal.file.as_path();
            directory_make(path).map_err(|source| ServeError::KeyDirectory { file: path.to_owned(), source })?;
            let seal = FileSeal::create(path, &SystemEntropy).map_err(SealError::from)?;
            Ok(NewSeal { key_file: Some(path.to_owned()), ..NewSeal::of(seal) })
        }
        SealKind::Passphrase => {
            let passphrase = match config.seal_passphrase() {
                Some(reference) => reference.read()?,
                None => PassphraseSource::Prompt.read(Asking::New)?,
            };
            let seal = PassphraseSeal::calibrated(passphrase, &SystemClock).map_err(SealError::from)?;
            Ok(NewSeal::of(seal))
        }
        SealKind::Shamir => {
            let (seal, shares) = ShamirSeal::make(quorum(config), &SystemEntropy);
            Ok(NewSeal { shares, ..NewSeal::of(seal) })
        }
    }
}

fn quorum(config: &Config) -> Quorum {
    let shamir = &config.seal.shamir;
    Quorum::new(shamir.threshold.value(), shamir.shares.value()).expect("the configuration was checked")
}

fn directory_make(file: &Path) -> io::Result<()> {
    let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)
}
