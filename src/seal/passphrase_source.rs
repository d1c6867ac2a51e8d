//! Where a seal's passphrase comes from: a person at a terminal, a file, or a systemd credential. Never a command line
//! argument or an environment variable, which other processes of the host can read.

use super::private_file::{self, PrivateFileError, Readers};
use crate::secret::SecretText;
use std::{io, path::PathBuf};

/// Names where to get the passphrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// Ask on the terminal.
    Prompt,
    /// Read this file, which only its owner may read.
    File(PathBuf),
    /// Read the systemd credential of this name (`LoadCredential=` or `LoadCredentialEncrypted=` in the unit).
    Credential(String),
}

/// Whether the passphrase exists, or is being set: then a person is asked twice, since a typing error at init would
/// only be noticed at the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Ask for the passphrase that was set.
    Existing,
    /// Ask for a new one.
    New,
}

/// What a passphrase is taken from, handed in so that a test has no need of a terminal or of the process's environment.
pub struct Surroundings<'a> {
    /// Where systemd has put the credentials of this service, if it has.
    pub credentials_directory: Option<PathBuf>,
    /// Asks a question and returns what was typed, without showing it.
    pub prompt: &'a mut dyn FnMut(&str) -> io::Result<String>,
}

impl PassphraseSource {
    /// Gets the passphrase, from this process's terminal and environment. Blocks, on a person even.
    ///
    /// # Errors
    /// See [`read_from`](Self::read_from).
    pub fn read(&self, asking: Asking) -> Result<SecretText, PassphraseError> {
        self.read_from(
            asking,
            Surroundings {
                credentials_directory: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
                prompt: &mut |question| rpassword::prompt_password(question),
            },
        )
    }

    /// Gets the passphrase. One line end after it is not part of it; every other character is.
    ///
    /// # Errors
    /// [`PassphraseError`] where there is none, where it is empty, longer than 1,024 bytes or not UTF-8, or where its
    /// file is open to others.
    pub fn read_from(&self, asking: Asking, surroundings: Surroundings<'_>) -> Result<SecretText, PassphraseError> {
        match self {
            Self::Prompt => ask(asking, surroundings.prompt),
            Self::File(path) => passphrase_in(&private_file::read(path, MAX_LEN + 2, Readers::Owner)?),
            Self::Credential(name) => {
                // The name comes from configuration; with a slash in it, it would be any file of the host.
                if name.is_empty() || name.starts_with('.') || name.contains('/') {
                    return Err(PassphraseError::CredentialName { name: name.clone() });
                }
                let directory = surroundings
                    .credentials_directory
                    .ok_or_else(|| PassphraseError::NoCredentials { name: name.clone() })?;
                passphrase_in(&private_file::read(&directory.join(name), MAX_LEN + 2, Readers::OwnerAndGroup)?)
            }
        }
    }
}

/// A passphrase was not got. Each message is one line: the cause, then the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Nothing, or a line end alone.
    #[error("the passphrase is empty: give one of several words")]
    Empty,
    /// More than Argon2id should be made to read.
    #[error("the passphrase is longer than {MAX_LEN} bytes: use a shorter one")]
    TooLong,
    /// Bytes that no keyboard can repeat.
    #[error("the passphrase is not UTF-8 text: use text, such as the base64 of random bytes")]
    NotText,
    /// Typed twice, differently.
    #[error("the two passphrases differ: begin again")]
    Differ,
    /// Nobody to ask.
    #[error("no passphrase could be asked for, {0}: run on a terminal, or give a passphrase file or credential")]
    NoTerminal(io::Error),
    /// Its file is not fit.
    #[error("passphrase file {0}")]
    File(#[from] PrivateFileError),
    /// Not started by systemd with credentials.
    #[error("$CREDENTIALS_DIRECTORY is not set: add `LoadCredential={name}:PATH` to the service's systemd unit")]
    NoCredentials {
        /// The credential's name.
        name: String,
    },
    /// The name is not that of a credential.
    #[error("{name:?} is not a credential's name: use a file name, without a slash or a dot before it")]
    CredentialName {
        /// What was given.
        name: String,
    },
}

/// The most bytes of a passphrase.
const MAX_LEN: usize = 1024;

fn ask(asking: Asking, prompt: &mut dyn FnMut(&str) -> io::Result<String>) -> Result<SecretText, PassphraseError> {
    let mut typed = |question| prompt(question).map(SecretText::new).map_err(PassphraseError::NoTerminal);
    let first = typed("Seal passphrase: ")?;
    if asking == Asking::New && typed("The same again: ")? != first {
        return Err(PassphraseError::Differ);
    }
    passphrase_in(first.expose().as_bytes())
}

fn passphrase_in(content: &[u8]) -> Result<SecretText, PassphraseError> {
    let content = content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(content);
    if content.is_empty() {
        return Err(PassphraseError::Empty);
    }
    if content.len() > MAX_LEN {
        return Err(PassphraseError::TooLong);
    }
    SecretText::from_utf8(content).ok_or(PassphraseError::NotText)
}
