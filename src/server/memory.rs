//! Keeps what is in the process's memory there: keys and tokens stand in it in the clear while the vault is unsealed.
//! A core dump, a debugger of the same user and the swap file are three ways out; none needs to break any encryption.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
    thread::{CapabilitySet, capabilities},
};

/// Turns core dumps off, shuts other processes of the same user out, and locks memory against swapping. What the host
/// does not allow is a warning with its remedy: a vault that runs on a host without swap loses nothing by it. Once is
/// enough; a second call changes nothing.
pub fn keep_private() {
    // Soft and hard: nothing that this process starts or becomes can raise it again.
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps could not be limited; set LimitCORE=0 or ulimits.core: 0");
    }
    // A crash handler that is a pipe (systemd-coredump, apport) does not ask for the limit, but for this. It also keeps
    // other processes of this user from attaching and from reading /proc/PID/mem.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process could not be made undumpable; its user's other processes may read its memory");
    }
    if let Err(why) = memory_lock() {
        tracing::warn!(
            why,
            "memory is not locked, so that secrets may be written to swap; \
             set LimitMEMLOCK=infinity or ulimits.memlock: -1, or turn swap off"
        );
    }
}

/// Locks all pages, those to come too, each when it is first touched: otherwise the stacks of all threads and the
/// allocator's reserve would be filled at once.
fn memory_lock() -> Result<(), String> {
    let limit = getrlimit(Resource::Memlock);
    // As far up as it goes without a privilege. Where that fails, the test below speaks.
    let _ = setrlimit(Resource::Memlock, Rlimit { current: limit.maximum, maximum: limit.maximum });
    // Under a finite limit the call would succeed today, and an allocation fail on the day that the vault grew past it.
    if limit.maximum.is_some() && !may_exceed_limits() {
        return Err(format!("the limit on locked memory is {} bytes", limit.maximum.unwrap_or_default()));
    }
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT).map_err(|error| error.to_string())
}

fn may_exceed_limits() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK))
}
