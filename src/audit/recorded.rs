//! Which entries the changes of one request appended. A door that answers it can so hand out the receipt, whichever
//! service made the change: none can forget to.

use parking_lot::Mutex;
use std::{ops::Range, sync::Arc};

type Recorded = Arc<Mutex<Vec<i64>>>;

tokio::task_local! {
    static RECORDED: Recorded;
}

/// Runs a request, and returns with its answer the sequence numbers of the entries that its changes appended, in order.
pub async fn recording<T>(request: impl Future<Output = T>) -> (T, Vec<i64>) {
    let recorded = Recorded::default();
    let answer = RECORDED.scope(Arc::clone(&recorded), request).await;
    let entries = std::mem::take(&mut *recorded.lock());
    (answer, entries)
}

/// Lets a task that is spawned for a request record into it: what goes on when the caller stops waiting.
pub fn on_behalf<T>(task: impl Future<Output = T>) -> impl Future<Output = T> {
    let recorded = RECORDED.try_with(Arc::clone).ok();
    async move {
        match recorded {
            Some(recorded) => RECORDED.scope(recorded, task).await,
            None => task.await,
        }
    }
}

pub(super) fn note(entries: Range<i64>) {
    // No request: upkeep, a job, a test.
    let _ = RECORDED.try_with(|recorded| recorded.lock().extend(entries));
}
