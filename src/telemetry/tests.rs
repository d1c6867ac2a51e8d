use super::*;
use std::{
    io,
    sync::{Arc, Mutex},
};

/// What was logged, as text.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: &str, what: impl FnOnce()) -> String {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = subscriber(format, EnvFilter::new(filter), move || writer.clone());
    tracing::subscriber::with_default(subscriber, what);
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_json_line_carries_the_requests_id() {
    let line = logged(LogFormat::Json, "info", || {
        let _span = tracing::info_span!("request", request_id = "req_1").entered();
        tracing::info!(status = 204, "answered");
        tracing::debug!("not this");
    });
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["message"], "answered");
    assert_eq!(line["status"], 204);
    assert_eq!(line["span"]["request_id"], "req_1");
}

#[test]
fn a_panic_is_logged_by_its_place_and_request_and_not_by_its_message() {
    let line = logged(LogFormat::Text, "info", || {
        let _span = tracing::info_span!("request", request_id = "req_1").entered();
        let before = std::panic::take_hook();
        quiet_panics();
        let outcome = std::panic::catch_unwind(|| panic!("refresh_token=Atzr|hunter2"));
        std::panic::set_hook(before);
        assert!(outcome.is_err());
    });
    assert!(line.contains("telemetry/tests.rs") && line.contains("req_1"), "{line}");
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn a_second_vault_in_the_process_shares_its_metrics() {
    let (first, second) = (Metrics::install(), Metrics::install());
    metrics::counter!("leasehold_dial_failures_total", "reason" => "test").increment(1);
    metrics::histogram!("leasehold_commit_duration_seconds").record(0.000_07);
    metrics::histogram!("leasehold_commit_batch_size").record(3.0);
    for text in [first.render(), second.render()] {
        assert!(text.contains("# HELP leasehold_dial_failures_total Outbound requests"), "{text}");
        assert!(text.contains("reason=\"test\""), "{text}");
        assert!(text.contains("process_resident_memory_bytes "), "{text}");
        let bucket = |name: &str, bound: &str| {
            let mut lines = text.lines().filter(|line| line.starts_with(&format!("{name}_bucket")));
            lines.find(|line| line.contains(&format!("le=\"{bound}\""))).map(ToOwned::to_owned)
        };
        assert!(bucket("leasehold_commit_duration_seconds", "0.0001").is_some(), "{text}");
        assert!(bucket("leasehold_commit_batch_size", "4").is_some(), "{text}");
    }
}

#[test]
fn metric_names_follow_the_conventions_of_prometheus() {
    for (kind, name, help) in METRICS {
        assert!(name.starts_with("leasehold_") && help.ends_with('.'), "{name}");
        assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
        let unit = name.ends_with("_seconds") || name.ends_with("_size");
        assert_eq!(*kind == Kind::Histogram, unit, "{name}");
    }
}

#[test]
fn a_log_can_be_started_twice_and_a_filter_that_does_not_parse_is_refused() {
    assert!(start_log(LogFormat::Text, "=,=").is_err());
    start_log(LogFormat::Text, "off").unwrap();
    start_log(LogFormat::Json, "off").unwrap();
}
