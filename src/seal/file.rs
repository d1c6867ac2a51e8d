//! The file seal: a random key in a file that only the vault's user can read. It protects a stolen database, a backup
//! and a decommissioned disk of the database; not a host whose root was taken, which no seal without hardware does.

use super::{
    MasterIdentity, Seal, SealError, SealKind, SealedMaster, blob,
    private_file::{self, PrivateFileError, Readers},
};
use crate::{
    entropy::{Entropy, make_key},
    envelope::MasterKey,
    secret::SecretKey,
};
use data_encoding::BASE64;
use futures_util::future::BoxFuture;
use std::{
    fmt,
    path::{Path, PathBuf},
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A seal that a key file opens.
pub struct FileSeal {
    path: PathBuf,
    key: SecretKey,
}

impl FileSeal {
    /// Draws a key and writes it to a new file at `path`, mode 0600, durable when this returns. Blocks on the disk.
    ///
    /// # Errors
    /// [`KeyFileError`] where a file is there already, which may be the only key to another vault, or where writing
    /// fails; then no file is left.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, KeyFileError> {
        let key = make_key(entropy);
        private_file::create(path, write(&key).as_bytes())?;
        Ok(Self { path: path.to_owned(), key })
    }

    /// Reads the key file at `path`. Blocks on the disk.
    ///
    /// # Errors
    /// [`KeyFileError`] where the file is missing, is open to others than its owner, is no regular file, or does not
    /// hold exactly one key.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let text = private_file::read(path, MAX_LEN, Readers::Owner)?;
        let key = parse(&text).map_err(|what| KeyFileError::Malformed { path: path.to_owned(), what })?;
        Ok(Self { path: path.to_owned(), key })
    }
}

impl Seal for FileSeal {
    fn kind(&self) -> SealKind {
        SealKind::File
    }

    fn wrap<'a>(
        &'a self,
        master: &'a MasterKey,
        vault: Uuid,
        entropy: &'a dyn Entropy,
    ) -> BoxFuture<'a, Result<SealedMaster, SealError>> {
        Box::pin(async move {
            let blob = blob::wrap(&self.key, master.secret(), self.kind(), MasterIdentity::of(master, vault), entropy);
            Ok(SealedMaster { kind: self.kind(), parameters: no_parameters(), blob })
        })
    }

    fn unwrap<'a>(
        &'a self,
        sealed: &'a SealedMaster,
        identity: MasterIdentity,
    ) -> BoxFuture<'a, Result<SecretKey, SealError>> {
        Box::pin(async move {
            sealed.is_for(self.kind())?;
            if sealed.parameters != no_parameters() {
                return Err(SealError::Corrupt { what: "a file seal has no parameters" });
            }
            blob::unwrap(&self.key, &sealed.blob, self.kind(), identity).map_err(|fault| match fault {
                blob::Fault::Corrupt(what) => SealError::Corrupt { what },
                blob::Fault::WrongKey => SealError::WrongKey {
                    kind: self.kind(),
                    remedy: format!("{} is not its key file, point the seal at the one that is", self.path.display()),
                },
            })
        })
    }
}

impl fmt::Debug for FileSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSeal({}, [redacted])", self.path.display())
    }
}

/// A key file was not made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file itself is not fit.
    #[error("seal key file {0}")]
    File(#[from] PrivateFileError),
    /// Its text is not that of a key file.
    #[error("seal key file {} {what}: restore it from the copy made at init", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
}

const HEADER: &str = "\
# Leasehold seal key. With this file and the database, every credential in the vault can be read.
# Keep a copy offline, and keep both apart from backups of the database.
";
const PREFIX: &str = "leasehold-seal-v1:";
/// A key file is under 300 bytes; the rest is room for comments.
const MAX_LEN: usize = 4096;

fn no_parameters() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
}

fn write(key: &SecretKey) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN));
    text.push_str(HEADER);
    text.push_str(PREFIX);
    BASE64.encode_append(key.expose(), &mut text);
    text.push('\n');
    text
}

/// Reads the one line that is neither a comment nor blank.
fn parse(text: &[u8]) -> Result<SecretKey, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "is not text")?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().ok_or("holds no key")?;
    if lines.next().is_some() {
        return Err("holds more than one key");
    }
    let encoded = line.strip_prefix(PREFIX).ok_or("does not begin its key with `leasehold-seal-v1:`")?;
    let key = Zeroizing::new(BASE64.decode(encoded.as_bytes()).map_err(|_| "does not hold its key in base64")?);
    SecretKey::from_slice(&key).ok_or("holds a key that is not 32 bytes long")
}
