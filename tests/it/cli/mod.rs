//! The program, run as people run it.

use crate::postgres::Cluster;
use std::process::{Command, Output};

fn leasehold(directory: &std::path::Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_leasehold");
    let mut command = Command::new(program);
    command.current_dir(directory).args(arguments).env_clear();
    command.output().unwrap()
}

#[test]
fn a_vault_is_made_once_and_its_log_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let made = leasehold(directory.path(), &["init", "--json"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert_eq!(leasehold(directory.path(), &["init"]).status.code(), Some(1));
    let verify = ["audit", "verify", "--full", "--database", "sqlite:leasehold.db"];
    assert!(leasehold(directory.path(), &verify).status.success());
}

/// A commit whose wait for a standby was given up is acknowledged with a warning only, so that a program that does not
/// hear warnings is refused: each command that opens the database has to hear them.
#[tokio::test]
async fn commands_open_a_database_with_a_synchronous_standby() {
    let primary = Cluster::start().await;
    let url = primary.database_make().await;
    let _standby = Cluster::standby_of(&primary, "second").await;
    primary.set("synchronous_standby_names", "second").await;
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("leasehold.toml");
    std::fs::write(&config, format!("[database]\nurl = \"{url}\"\n")).unwrap();
    for arguments in [&["init"][..], &["audit", "verify", "--full"], &["doctor"]] {
        let arguments = [arguments, &["--config", "leasehold.toml"]].concat();
        let output = leasehold(directory.path(), &arguments);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        // The doctor looks for a certificate too, which nobody made.
        assert!(output.status.success() || said.contains("ok    database: opens"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_command_without_a_server_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["tenant", "list"][..], &["no-such-command"], &["audit", "verify"]] {
        assert_eq!(leasehold(directory.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
