//! What a passphrase costs: as much as the host that the vault is made on does in about a second, since a guess costs an
//! attacker the same (RFC 9106 §4: memory first, then time).

use super::PassphraseSeal;
use crate::{
    clock::Clock,
    envelope::{Cost, OutOfMemory, derive_key},
    secret::SecretText,
};
use std::time::Duration;

/// What is aimed at.
const TARGET: Duration = Duration::from_secs(1);
/// The most memory, whatever the host has: every node has to give as much at each start, and another may be smaller.
const MEMORY_MOST_KIB: u32 = 256 * 1024;

impl PassphraseSeal {
    /// Takes a passphrase, to wrap at what this host can bear: at least [`Cost::SEAL`]. Blocks for some seconds.
    ///
    /// # Errors
    /// [`OutOfMemory`] where the host cannot give even 64 MiB.
    pub fn calibrated(passphrase: SecretText, clock: &dyn Clock) -> Result<Self, OutOfMemory> {
        let nobodys = SecretText::new("calibration".into());
        let cost = calibrate(memory_spare_kib() / 4, &mut |cost| {
            let began_at = clock.uptime();
            derive_key(&nobodys, &[0; 16], cost)?;
            Ok(clock.uptime().since(began_at))
        })?;
        Ok(Self::new(passphrase, cost))
    }
}

/// Doubles the memory while that stays bearable, then raises the passes to the target.
fn calibrate(
    memory_kib: u32,
    measure: &mut dyn FnMut(Cost) -> Result<Duration, OutOfMemory>,
) -> Result<Cost, OutOfMemory> {
    let mut cost = Cost::SEAL;
    let mut took = measure(cost)?;
    while took * 2 <= TARGET && cost.memory_kib() <= memory_kib.min(MEMORY_MOST_KIB) / 2 {
        let dearer = cost.with_memory_doubled();
        match measure(dearer) {
            Ok(measured) => (cost, took) = (dearer, measured),
            // As much as there is.
            Err(OutOfMemory(_)) => break,
        }
    }
    let times = TARGET.as_micros().checked_div(took.as_micros()).unwrap_or(u128::MAX);
    Ok(cost.with_passes_times(u32::try_from(times).unwrap_or(u32::MAX)))
}

/// What the host, or the container, has free.
fn memory_spare_kib() -> u32 {
    let host = rustix::system::sysinfo();
    let free = host.freeram as u64 * u64::from(host.mem_unit) / 1024;
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse::<u64>().ok()).map_or(u64::MAX, |bytes| bytes / 1024);
    u32::try_from(free.min(limit)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host that takes so long for a MiB and a pass.
    fn host(per_mib: Duration, memory_kib: u32) -> Cost {
        let mut measure = |cost: Cost| {
            let [memory_kib, passes] = [cost.memory_kib(), cost.passes()];
            Ok(per_mib * (memory_kib / 1024) * passes)
        };
        calibrate(memory_kib, &mut measure).unwrap()
    }

    const MIB: u32 = 1024;
    const PLENTY: u32 = u32::MAX;

    #[test]
    fn a_fast_host_takes_the_most_memory_and_then_passes_for_a_second() {
        let cost = host(Duration::from_micros(500), PLENTY);
        assert_eq!((cost.memory_kib(), cost.passes()), (256 * MIB, 6));
    }

    #[test]
    fn a_small_host_takes_passes_in_place_of_memory() {
        let cost = host(Duration::from_micros(500), 100 * MIB);
        assert_eq!((cost.memory_kib(), cost.passes()), (64 * MIB, 30));
    }

    #[test]
    fn no_host_is_too_slow_or_too_small_for_64_mib_and_three_passes() {
        let cost = host(Duration::from_secs(1), 0);
        assert_eq!((cost.memory_kib(), cost.passes()), (64 * MIB, 3));
    }

    #[test]
    fn a_host_too_fast_to_measure_gets_the_most_passes() {
        let cost = host(Duration::ZERO, 64 * MIB);
        assert_eq!((cost.memory_kib(), cost.passes()), (64 * MIB, 64));
    }

    #[test]
    fn memory_that_is_refused_is_not_asked_for_again() {
        let mut measure = |cost: Cost| match cost.memory_kib() > 64 * MIB {
            true => Err(OutOfMemory(cost)),
            false => Ok(Duration::from_millis(100)),
        };
        let cost = calibrate(PLENTY, &mut measure).unwrap();
        assert_eq!((cost.memory_kib(), cost.passes()), (64 * MIB, 30));
    }
}
