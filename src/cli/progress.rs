//! The progress of long work on standard error: a bar on a terminal, a line now and then elsewhere.

use super::output;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// How far a piece of work has come.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: &'static str,
    total: u64,
    done: u64,
    /// The done work that was last said in a line.
    said: u64,
}

impl Progress {
    /// Begins `total` pieces of `what`.
    pub(super) fn begin(what: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta}");
            let bar = ProgressBar::new(total).with_message(what);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { bar, what, total, done: 0, said: 0 }
    }

    /// Says that `done` pieces are done in all.
    pub(super) fn reach(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            return bar.set_position(done);
        }
        // A line at each tenth.
        if done == self.total || done.saturating_sub(self.said) * 10 >= self.total.max(1) {
            self.said = done;
            output::complain(&format!("{}: {done} of {}", self.what, self.total));
        }
    }

    /// Says that one more piece is done.
    pub(super) fn advance(&mut self) {
        self.reach(self.done + 1);
    }

    /// Clears the bar.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
