//! The diagnostic log and the metrics: what an operator looks at. Neither is evidence, which is the audit log's, and
//! neither holds a secret: log fields are identifiers, and a panic is logged by its place, not its message.

mod metrics_table;
mod process;

use crate::{config::LogFormat, store::notice_layer};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_table::{Kind, METRICS};
use std::{
    fmt::Write as _,
    panic::Location,
    sync::{Once, OnceLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// Upper bounds of the histograms of durations, in seconds: from a refusal out of a cache to a provider on its knees.
const LATENCIES_S: [f64; 17] = [
    50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1.0, 2.5, 5.0, 10.0,
];

/// Upper bounds of the histograms of sizes, such as the operations of one commit.
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// How often histograms take in their samples while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Sends the log to standard error. A second call in one process changes nothing.
///
/// # Errors
/// Where `filter` does not parse; `Config` has seen to it that its own does.
pub fn start_log(format: LogFormat, filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    // Already set: by an earlier call, or by a test that reads the log itself.
    let _ = subscriber(format, filter, std::io::stderr).try_init();
    Ok(())
}

/// Hears the database's warnings and writes no log: for a command that opens the database and speaks for itself.
pub fn hear_database() {
    let _ = tracing_subscriber::registry().with(notice_layer()).try_init();
}

fn subscriber<W>(format: LogFormat, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    // The filter is the log's alone: the store hears the database's warnings whatever is logged.
    let registry = tracing_subscriber::registry().with(notice_layer());
    match format {
        // The innermost span is written too: it is the request's, and holds its id.
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            Box::new(registry.with(lines.with_filter(filter)))
        }
        LogFormat::Text => {
            let lines = lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            Box::new(registry.with(lines.with_filter(filter)))
        }
    }
}

/// Logs panics from now on by their place only. The standard hook prints the message, and a message may hold what the
/// code was handling: `called unwrap on Err("… refresh_token=Atzr|…")`. The request's id comes from the span that the
/// panic happened in.
pub fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| log_panic(panic.location()))));
}

fn log_panic(location: Option<&Location<'_>>) {
    let location = location.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    tracing::error!(location, thread = thread.name().unwrap_or("unnamed"), "panicked; the message is withheld");
    metrics::counter!("leasehold_panics_total").increment(1);
}

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder, or returns the one that is installed: metrics belong to the process, which in tests has
    /// several vaults.
    #[must_use]
    pub fn install() -> Self {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        let install = || {
            let recorder = builder().build_recorder();
            let handle = recorder.handle();
            // Whoever embeds the vault may have a recorder of its own; `render` then shows the process alone.
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another metrics recorder is installed; /metrics will lack the vault's own");
            }
            describe();
            metrics::gauge!("leasehold_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            Self(handle)
        };
        INSTALLED.get_or_init(install).clone()
    }

    /// Writes all metrics in the Prometheus text format, those of the process read just now.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = self.0.render();
        for gauge in process::gauges() {
            let (name, help, value) = (gauge.name, gauge.help, gauge.value);
            write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n").expect("a String takes all");
        }
        text
    }

    /// Keeps histograms from growing while nobody scrapes, until `shutdown`: they hold every sample until then.
    pub async fn keep_up(self, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
            self.0.run_upkeep();
        }
    }
}

fn builder() -> PrometheusBuilder {
    PrometheusBuilder::new()
        .set_buckets(&LATENCIES_S)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".into()), &SIZES))
        .expect("there are buckets")
}

fn describe() {
    for (kind, name, help) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *help),
            Kind::Gauge => metrics::describe_gauge!(*name, *help),
            Kind::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
}

#[cfg(test)]
mod tests;
