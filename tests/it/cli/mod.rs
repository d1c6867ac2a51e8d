//! The program, run as people run it.

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

#[test]
fn a_command_without_a_server_is_a_usage_error() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["tenant", "list"][..], &["no-such-command"], &["audit", "verify"]] {
        assert_eq!(leasehold(directory.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
