//! What the server says beside its answer. PostgreSQL acknowledges a commit whose wait for a standby was cancelled, and
//! says so in a warning only; the driver hands warnings to the log and to nobody else. So they are taken from there: the
//! driver speaks while the statement's future is polled, on the same thread.

use std::{
    cell::RefCell,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tracing::{Event, Level, Subscriber, field::Visit};
use tracing_subscriber::{Layer, filter::filter_fn, layer, registry::LookupSpan};

/// Where the driver says what the server said.
const TARGET: &str = "sqlx::postgres::notice";

thread_local! {
    static HEARD: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Makes the part of the process's subscriber that hears the server's warnings, whatever the log's filter lets through.
pub fn notice_layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let warnings = filter_fn(|metadata| metadata.target() == TARGET && *metadata.level() <= Level::WARN);
    NoticeLayer.with_filter(warnings)
}

struct NoticeLayer;

impl<S: Subscriber> Layer<S> for NoticeLayer {
    fn on_event(&self, event: &Event<'_>, _: layer::Context<'_, S>) {
        HEARD.with_borrow_mut(|heard| {
            if let Some(heard) = heard {
                let mut message = Message::default();
                event.record(&mut message);
                heard.push(message.0);
            }
        });
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// Runs a statement and returns what the server warned of meanwhile. Hears nothing where no [`notice_layer`] is
/// installed.
pub(super) async fn listen<T>(statement: impl Future<Output = T>) -> (T, Vec<String>) {
    let listening = Listening { statement: pin!(statement), heard: Vec::new() };
    listening.await
}

struct Listening<'a, F> {
    statement: Pin<&'a mut F>,
    heard: Vec<String>,
}

impl<F: Future> Future for Listening<'_, F> {
    type Output = (F::Output, Vec<String>);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        HEARD.set(Some(std::mem::take(&mut this.heard)));
        let polled = this.statement.as_mut().poll(context);
        this.heard = HEARD.take().unwrap_or_default();
        polled.map(|done| (done, std::mem::take(&mut this.heard)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[tokio::test]
    async fn a_warning_is_heard_by_the_statement_that_it_belongs_to() {
        let subscriber = tracing_subscriber::registry().with(notice_layer());
        let _guard = tracing::subscriber::set_default(subscriber);
        let speak = async {
            tracing::warn!(target: "sqlx::postgres::notice", "canceling wait for synchronous replication");
            tokio::task::yield_now().await;
            tracing::warn!("something else");
        };
        let ((), heard) = listen(speak).await;
        assert_eq!(heard, ["canceling wait for synchronous replication"]);
        tracing::warn!(target: "sqlx::postgres::notice", "nobody listens");
        assert_eq!(listen(async {}).await.1, Vec::<String>::new());
    }
}
