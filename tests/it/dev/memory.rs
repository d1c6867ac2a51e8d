//! What leaves a process's memory behind its back: core dumps, other processes of its user, swap.

use super::Dev;
use std::fs;

#[tokio::test]
async fn memory_is_neither_dumped_nor_readable_nor_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", dev.pid())).unwrap();

    let limits = read("limits");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "soft and hard");

    // The kernel gives the files of an undumpable process to root: its own user may not open its memory any more.
    let owner = fs::metadata(format!("/proc/{}/mem", dev.pid())).map(|mem| std::os::unix::fs::MetadataExt::uid(&mem));
    assert!(owner.as_ref().is_ok_and(|uid| *uid == 0) || owner.is_err(), "{owner:?}");

    // Whether memory may be locked is the host's to say. Where it may not, the operator is told.
    let status = read("status");
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap();
    let locked: u64 = locked.split_whitespace().next().unwrap().parse().unwrap();
    let log = fs::read_to_string(folder.path().join("log.txt")).unwrap();
    assert_eq!(locked == 0, log.contains("memory is not locked"), "{locked} KiB locked\n{log}");
}
