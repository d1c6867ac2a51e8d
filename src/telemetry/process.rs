//! The process as the kernel sees it, under the names that Prometheus's own clients use.

use std::fs;

/// One number, read just now.
pub(super) struct Gauge {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) value: u64,
}

/// Reads what `/proc/self` tells; a number that it does not tell is left out.
pub(super) fn gauges() -> impl Iterator<Item = Gauge> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let resident = field(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024);
    // The directory handle that counts them is one of them.
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| (entries.count() as u64).saturating_sub(1));
    [
        ("process_resident_memory_bytes", "Resident memory.", resident),
        ("process_threads", "Threads.", field(&status, "Threads:")),
        ("process_open_fds", "Open file descriptors.", open),
        ("process_max_fds", "Most file descriptors that may be open.", field(&limits, "Max open files")),
    ]
    .into_iter()
    .filter_map(|(name, help, value)| Some(Gauge { name, help, value: value? }))
}

/// Returns the first number after `name`, as in `VmRSS:     12345 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_memory_threads_and_descriptors() {
        let gauges: Vec<_> = gauges().collect();
        assert_eq!(gauges.len(), 4);
        assert!(gauges.iter().all(|gauge| gauge.value > 0));
    }

    #[test]
    fn a_field_that_is_absent_or_no_number_is_left_out() {
        assert_eq!(field("VmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
        assert_eq!(field("Max open files  unlimited  files", "Max open files"), None);
        assert_eq!(field("", "VmRSS:"), None);
    }
}
