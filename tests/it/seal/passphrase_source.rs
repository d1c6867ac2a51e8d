//! Where a passphrase is taken from, and which ones are refused.

use super::is_cause_and_remedy;
use leasehold::{
    seal::{Asking, PassphraseError, PassphraseSource, PrivateFileError, Surroundings},
    secret::SecretText,
};
use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

type Got = Result<SecretText, PassphraseError>;

/// Reads with nobody at the terminal.
fn read(source: &PassphraseSource, credentials_directory: Option<&Path>) -> Got {
    let prompt = &mut |_: &str| Err(io::Error::other("no terminal"));
    let credentials_directory = credentials_directory.map(PathBuf::from);
    checked(source.read_from(Asking::Existing, Surroundings { credentials_directory, prompt }))
}

/// Reads from somebody who types these lines.
fn typed(asking: Asking, lines: &[&str]) -> Got {
    let mut lines = lines.iter();
    let prompt = &mut |_: &str| Ok((*lines.next().unwrap()).to_owned());
    checked(PassphraseSource::Prompt.read_from(asking, Surroundings { credentials_directory: None, prompt }))
}

fn checked(got: Got) -> Got {
    got.inspect_err(|refused| assert!(is_cause_and_remedy(refused), "{refused}"))
}

/// Makes a directory with a file `seal` in it.
fn file(content: &[u8], mode: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    (directory, path)
}

#[test]
fn one_line_end_is_not_part_of_the_passphrase_and_all_else_is() {
    for (content, passphrase) in [
        ("four words", "four words"),
        ("four words\n", "four words"),
        ("four words\r\n", "four words"),
        ("four words\n\n", "four words\n"),
        (" four words \n", " four words "),
        ("four words\r", "four words\r"),
        ("vier Wörter\n", "vier Wörter"),
    ] {
        let (_directory, path) = file(content.as_bytes(), 0o600);
        let got = read(&PassphraseSource::File(path), None).unwrap();
        assert_eq!(got.expose(), passphrase);
    }
}

#[test]
fn an_empty_passphrase_is_refused() {
    for content in ["", "\n", "\r\n"] {
        let (_directory, path) = file(content.as_bytes(), 0o600);
        assert!(matches!(read(&PassphraseSource::File(path), None), Err(PassphraseError::Empty)), "{content:?}");
    }
    assert!(matches!(typed(Asking::Existing, &[""]), Err(PassphraseError::Empty)));
    assert!(matches!(typed(Asking::New, &["", ""]), Err(PassphraseError::Empty)));
}

#[test]
fn a_passphrase_longer_than_1024_bytes_is_refused() {
    let (_directory, path) = file(&[vec![b'x'; 1024], b"\r\n".to_vec()].concat(), 0o600);
    assert_eq!(read(&PassphraseSource::File(path), None).unwrap().expose().len(), 1024);
    let (_directory, path) = file(&[b'x'; 1025], 0o600);
    assert!(matches!(read(&PassphraseSource::File(path), None), Err(PassphraseError::TooLong)));
    let (_directory, path) = file(&[b'x'; 9999], 0o600);
    let refused = read(&PassphraseSource::File(path), None);
    assert!(matches!(refused, Err(PassphraseError::File(PrivateFileError::TooLong { .. }))));
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let (_directory, path) = file(&[0xff, 0xfe], 0o600);
    assert!(matches!(read(&PassphraseSource::File(path), None), Err(PassphraseError::NotText)));
}

#[test]
fn a_passphrase_file_open_to_others_is_refused() {
    for mode in [0o640, 0o604, 0o666] {
        let (_directory, path) = file(b"four words", mode);
        let refused = read(&PassphraseSource::File(path), None);
        assert!(matches!(refused, Err(PassphraseError::File(PrivateFileError::Exposed { .. }))), "{mode:o}");
    }
}

#[test]
fn a_credential_is_read_from_the_directory_that_systemd_names() {
    // 0440 is what systemd's access list looks like.
    for mode in [0o400, 0o440] {
        let (directory, _path) = file(b"four words\n", mode);
        let got = read(&PassphraseSource::Credential("seal".into()), Some(directory.path())).unwrap();
        assert_eq!(got.expose(), "four words");
    }
}

#[test]
fn a_credential_that_others_may_read_or_the_group_may_write_is_refused() {
    for mode in [0o444, 0o460, 0o402] {
        let (directory, _path) = file(b"four words\n", mode);
        let refused = read(&PassphraseSource::Credential("seal".into()), Some(directory.path()));
        assert!(matches!(refused, Err(PassphraseError::File(PrivateFileError::Exposed { .. }))), "{mode:o}");
    }
}

#[test]
fn a_missing_credential_and_a_service_without_any_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let source = PassphraseSource::Credential("seal".into());
    let refused = read(&source, Some(directory.path()));
    assert!(matches!(refused, Err(PassphraseError::File(PrivateFileError::Missing { .. }))));
    assert!(matches!(read(&source, None), Err(PassphraseError::NoCredentials { .. })));
}

#[test]
fn a_credentials_name_cannot_lead_out_of_its_directory() {
    let (directory, path) = file(b"four words", 0o600);
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).unwrap();
    for name in ["../seal", path.to_str().unwrap(), "..", ".", "", "inner/../../seal", ".hidden"] {
        let refused = read(&PassphraseSource::Credential(name.into()), Some(&inner));
        assert!(matches!(refused, Err(PassphraseError::CredentialName { .. })), "{name}");
    }
}

#[test]
fn a_new_passphrase_is_typed_twice_and_an_existing_one_once() {
    assert_eq!(typed(Asking::Existing, &["four words"]).unwrap().expose(), "four words");
    assert_eq!(typed(Asking::New, &["four words", "four words"]).unwrap().expose(), "four words");
    assert!(matches!(typed(Asking::New, &["four words", "four wrods"]), Err(PassphraseError::Differ)));
}

#[test]
fn without_a_terminal_the_prompt_says_what_to_use_instead() {
    let refused = read(&PassphraseSource::Prompt, None);
    assert!(matches!(refused, Err(PassphraseError::NoTerminal(_))));
}
