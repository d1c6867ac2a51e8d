//! What this node found wrong with the stored log, for people and alarms. It is told until whoever found it finds it gone.

use super::inspection::LogFlaw;
use crate::clock::Timestamp;
use parking_lot::Mutex;

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Inspector {
    /// The checkpointer, before it signs: what came since the checkpoint before.
    Signing,
    /// The scrub: the whole log, over and over.
    Scrub,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The first entry that it concerns, where it concerns one.
    pub seq: Option<i64>,
    /// What it is, in words.
    pub what: String,
    /// When it was found first.
    pub found_at: Timestamp,
}

impl Finding {
    /// Describes a flaw.
    #[must_use]
    pub fn of(flaw: &LogFlaw, found_at: Timestamp) -> Self {
        Self { seq: flaw.seq(), what: flaw.to_string(), found_at }
    }
}

/// What each inspector found last.
#[derive(Debug, Default)]
pub struct Findings(Mutex<[Option<Finding>; 2]>);

impl Findings {
    /// Notes a flaw; one that was noted already keeps its time.
    pub(super) fn found(&self, by: Inspector, finding: Finding) {
        {
            let known = &mut self.0.lock()[by as usize];
            if known.as_ref().is_some_and(|known| (known.seq, &known.what) == (finding.seq, &finding.what)) {
                return;
            }
            tracing::error!(
                inspector = ?by, seq = finding.seq, flaw = %finding.what,
                "the stored audit log is damaged: compare it with a backup or a replica; `leasehold audit verify --full` names the first flaw"
            );
            *known = Some(finding);
        }
        self.measure();
    }

    /// Notes that an inspector finds nothing wrong any more.
    pub(super) fn cleared(&self, by: Inspector) {
        if let Some(finding) = self.0.lock()[by as usize].take() {
            tracing::warn!(inspector = ?by, seq = finding.seq, "what was found wrong with the audit log is not there any more");
        }
        self.measure();
    }

    /// Returns what an inspector found.
    #[must_use]
    pub fn of(&self, by: Inspector) -> Option<Finding> {
        self.0.lock()[by as usize].clone()
    }

    fn measure(&self) {
        let findings = self.0.lock().clone();
        let found = findings.iter().flatten().count();
        let first = findings.iter().flatten().filter_map(|finding| finding.seq).min();
        metrics::gauge!("leasehold_log_flaws").set(found as f64);
        metrics::gauge!("leasehold_log_flawed_entry").set(first.map_or(-1.0, |seq| seq as f64));
    }
}
