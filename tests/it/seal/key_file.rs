//! Which key files a file seal makes, and which it refuses.

use super::is_cause_and_remedy;
use leasehold::{
    entropy::SystemEntropy,
    envelope::{Master, MasterKey},
    id::KeyId,
    seal::{FileSeal, KeyFileError, MasterIdentity, PrivateFileError, Seal},
};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;
use uuid::Uuid;

/// Makes a directory with a good key file in it.
fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal.key");
    FileSeal::create(&path, &SystemEntropy).unwrap();
    (directory, path)
}

fn refused(path: &Path) -> KeyFileError {
    let refused = FileSeal::open(path).unwrap_err();
    assert!(is_cause_and_remedy(&refused), "{refused}");
    assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
    refused
}

#[tokio::test]
async fn a_key_file_read_again_opens_what_its_maker_sealed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal.key");
    let seal = FileSeal::create(&path, &SystemEntropy).unwrap();
    let master = MasterKey::make(KeyId::from_uuid(Uuid::nil()), Master { version: 1 }, &SystemEntropy);
    let vault = Uuid::from_u128(1);
    let sealed = seal.wrap(&master, vault, &SystemEntropy).await.unwrap();
    let key = FileSeal::open(&path).unwrap().unwrap(&sealed, MasterIdentity::of(&master, vault)).await.unwrap();
    assert_eq!(key.expose(), master.secret().expose());
}

#[test]
fn a_new_key_file_is_for_its_owner_alone_and_says_what_it_is() {
    let (_directory, path) = directory();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(fs::read_to_string(&path).unwrap().starts_with("# Leasehold seal key."));
}

#[test]
fn a_key_file_that_exists_is_never_written_over() {
    let (_directory, path) = directory();
    let before = fs::read(&path).unwrap();
    let refused = FileSeal::create(&path, &SystemEntropy).unwrap_err();
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::Exists { .. })), "{refused}");
    assert!(is_cause_and_remedy(&refused), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_dangling_link_is_not_followed_when_a_key_file_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let (link, target) = (directory.path().join("seal.key"), directory.path().join("elsewhere"));
    symlink(&target, &link).unwrap();
    let refused = FileSeal::create(&link, &SystemEntropy).unwrap_err();
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::Exists { .. })), "{refused}");
    assert!(!target.exists());
}

#[test]
fn a_key_file_in_a_directory_that_is_not_there_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = FileSeal::create(&directory.path().join("missing/seal.key"), &SystemEntropy).unwrap_err();
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::Io { doing: "create", .. })), "{refused}");
    assert!(is_cause_and_remedy(&refused), "{refused}");
}

#[test]
fn a_missing_key_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = refused(&directory.path().join("seal.key"));
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::Missing { .. })), "{refused}");
}

#[test]
fn a_key_file_open_to_group_or_others_is_refused_in_any_way() {
    let (_directory, path) = directory();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let refused = refused(&path);
        assert!(
            matches!(refused, KeyFileError::File(PrivateFileError::Exposed { mode: said, .. }) if said == mode),
            "{mode:o}: {refused}"
        );
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(FileSeal::open(&path).is_ok(), "{mode:o}");
    }
}

#[test]
fn a_link_to_a_good_key_file_is_refused() {
    let (directory, path) = directory();
    let link = directory.path().join("link.key");
    symlink(&path, &link).unwrap();
    let refused = refused(&link);
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::Link { .. })), "{refused}");
}

#[test]
fn a_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = refused(directory.path());
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::NotRegular { .. })), "{refused}");
}

#[test]
fn a_named_pipe_is_refused_and_does_not_hold_up_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg("-m600").arg(&path).status().unwrap().success());
    let refused = refused(&path);
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::NotRegular { .. })), "{refused}");
}

#[test]
fn a_socket_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let refused = refused(&path);
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::NotRegular { .. })), "{refused}");
}

#[test]
fn a_file_too_long_to_be_a_key_file_is_refused() {
    let (_directory, path) = directory();
    fs::write(&path, vec![b'#'; 5000]).unwrap();
    let refused = refused(&path);
    assert!(matches!(refused, KeyFileError::File(PrivateFileError::TooLong { max: 4096, .. })), "{refused}");
}

#[test]
fn a_file_that_does_not_hold_exactly_one_key_is_refused() {
    let (_directory, path) = directory();
    let good = fs::read_to_string(&path).unwrap();
    let key = good.lines().last().unwrap();
    let (prefix, encoded) = key.split_once(':').unwrap();
    let short = data_encoding::BASE64.encode(&[7; 31]);
    for (text, cause) in [
        (String::new(), "holds no key"),
        ("# nothing but a comment\n\n".into(), "holds no key"),
        (format!("{good}{key}\n"), "holds more than one key"),
        (encoded.to_owned(), "does not begin its key with"),
        (format!("leasehold-seal-v2:{encoded}"), "does not begin its key with"),
        (format!("{prefix}:{}", encoded.replace('=', "")), "base64"),
        (format!("{prefix}:{short}"), "not 32 bytes"),
        (format!("{prefix}:{encoded} # mine"), "base64"),
    ] {
        fs::write(&path, &text).unwrap();
        let refused = refused(&path);
        assert!(matches!(&refused, KeyFileError::Malformed { what, .. } if what.contains(cause)), "{cause}: {refused}");
    }
    fs::write(&path, [0xff; 40]).unwrap();
    assert!(matches!(refused(&path), KeyFileError::Malformed { what: "is not text", .. }));
}

#[test]
fn comments_blank_lines_and_a_missing_last_line_end_are_read_over() {
    let (_directory, path) = directory();
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# moved on a Tuesday\n\n{}\r\n\n", good.trim_end())).unwrap();
    assert!(FileSeal::open(&path).is_ok());
    fs::write(&path, good.trim_end()).unwrap();
    assert!(FileSeal::open(&path).is_ok());
}
