//! Where a secret is, instead of the secret: a file of one's own, or a systemd credential.

use crate::secret::SecretText;
use std::{
    fs, io,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The longest secret that is read, in bytes.
const LONGEST: usize = 64 * 1024;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// In a file that other users may not read.
    File(PathBuf),
    /// In a credential that systemd passed (`LoadCredential=`, `LoadCredentialEncrypted=`).
    Credential {
        /// Its name in the unit.
        name: String,
        /// `$CREDENTIALS_DIRECTORY`, where the service was started with one.
        directory: Option<PathBuf>,
    },
}

impl SecretReference {
    /// Reads the secret: UTF-8, without the line end that an editor leaves behind it.
    ///
    /// # Errors
    /// Where it is absent, empty, over 64 KiB, not text, or readable by everyone on the host.
    pub fn read(&self) -> Result<SecretText, SecretUnreadable> {
        let path = self.path()?;
        let bytes = self.bytes(&path).map_err(|source| SecretUnreadable::Read { path: path.clone(), source })?;
        let text = std::str::from_utf8(&bytes).map_err(|_| SecretUnreadable::NotText { path: path.clone() })?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SecretUnreadable::Empty { path });
        }
        Ok(SecretText::new(text.to_owned()))
    }

    fn path(&self) -> Result<PathBuf, SecretUnreadable> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Credential { name, directory: Some(directory) } if !name.contains('/') => Ok(directory.join(name)),
            Self::Credential { name, .. } => Err(SecretUnreadable::NoCredential { name: name.clone() }),
        }
    }

    fn bytes(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut file = fs::File::open(path)?;
        let open_to_all = file.metadata()?.permissions().mode() & 0o007 != 0;
        // systemd sees to a credential's permissions itself.
        if open_to_all && matches!(self, Self::File(_)) {
            return Err(io::Error::other("every user of this host may read or change it"));
        }
        // Given its size before it is filled: a buffer that grew would leave copies that nobody wipes.
        let mut bytes = Zeroizing::new(vec![0; LONGEST + 1]);
        let mut length = 0;
        while length < bytes.len() {
            match file.read(&mut bytes[length..])? {
                0 => break,
                read => length += read,
            }
        }
        if length > LONGEST {
            return Err(io::Error::other("it is longer than 64 KiB"));
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// A secret that could not be read.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum SecretUnreadable {
    #[error("cannot read the secret in {}: {source}; give a file of mode 0600 that this user owns", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the secret in {} is not UTF-8; write it as text", path.display())]
    NotText { path: PathBuf },
    #[error("the secret in {} is empty; write it there", path.display())]
    Empty { path: PathBuf },
    #[error("systemd passed no credential {name}; add LoadCredential={name}:PATH to the unit")]
    NoCredential { name: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_secret_is_read_without_its_line_end() {
        for content in [&b"correct horse"[..], b"correct horse\n", b"correct horse\r\n"] {
            let (_directory, path) = file(content, 0o600);
            assert_eq!(SecretReference::File(path).read().unwrap().expose(), "correct horse");
        }
    }

    #[test]
    fn a_file_that_everyone_may_read_is_refused() {
        for mode in [0o644, 0o602, 0o601] {
            let (_directory, path) = file(b"correct horse", mode);
            let error = SecretReference::File(path).read().unwrap_err().to_string();
            assert!(error.contains("every user") && !error.contains("horse"), "{error}");
        }
    }

    #[test]
    fn what_is_empty_too_long_or_no_text_is_refused() {
        for content in [&b"\n"[..], b"", &[b'a'; LONGEST + 1], b"\xff\xfe"] {
            let (_directory, path) = file(content, 0o600);
            assert!(SecretReference::File(path).read().is_err());
        }
    }

    #[test]
    fn a_credential_is_read_from_the_directory_that_systemd_names() {
        let (directory, _) = file(b"correct horse", 0o600);
        let credential = |name: &str, directory: Option<&Path>| SecretReference::Credential {
            name: name.into(),
            directory: directory.map(Path::to_owned),
        };
        assert_eq!(credential("passphrase", Some(directory.path())).read().unwrap().expose(), "correct horse");
        for absent in [credential("passphrase", None), credential("../passphrase", Some(directory.path()))] {
            assert!(matches!(absent.read(), Err(SecretUnreadable::NoCredential { .. })));
        }
    }
}
