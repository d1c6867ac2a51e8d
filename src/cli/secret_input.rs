//! How a secret comes into a command: from a file of one's own, from standard input, or typed without an echo. Never as
//! an argument, which every user of the host can read.

use super::failure::Failure;
use crate::{
    config::{SecretReference, SecretUnreadable},
    secret::SecretText,
};
use std::{
    io::Read,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The longest secret that is taken from standard input, in bytes.
const LONGEST: usize = 64 * 1024;

/// Reads a secret from a file, from standard input for `-`, or from the terminal where none is named.
pub(super) fn read(file: Option<&PathBuf>, question: &str) -> Result<SecretText, Failure> {
    match file {
        Some(path) if path.as_os_str() == "-" => standard_input(),
        Some(path) => Ok(in_file(path)?),
        None => {
            let asked = rpassword::prompt_password(question).map(SecretText::new);
            let secret = asked.map_err(|error| {
                Failure::usage(format!("no secret could be asked for ({error}): name a file that holds it"))
            })?;
            if secret.expose().is_empty() {
                return Err(Failure::usage("nothing was typed: begin again"));
            }
            Ok(secret)
        }
    }
}

/// Reads a secret from a file that other users may not read.
pub(super) fn in_file(path: &Path) -> Result<SecretText, SecretUnreadable> {
    SecretReference::File(path.to_owned()).read()
}

fn standard_input() -> Result<SecretText, Failure> {
    let failed = |source| Failure::File { path: "standard input".into(), doing: "read", source };
    // Room for all of it: a buffer that grew would leave copies that nobody wipes.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
    std::io::stdin().lock().take(LONGEST as u64).read_to_end(&mut bytes).map_err(failed)?;
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    if end == 0 {
        return Err(Failure::usage("standard input is empty: write the secret to it"));
    }
    SecretText::from_utf8(&bytes[..end]).ok_or_else(|| Failure::usage("standard input is not UTF-8 text"))
}
