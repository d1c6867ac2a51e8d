//! Refusals in the log: the first of a lease, reason and minute is an entry; the rest of that minute are counted and
//! follow as one entry. So a worker that hammers a dead lease fills a counter, not the log.

use super::operation::{FenceRefusal, FencedLease};
use crate::{
    clock::Timestamp,
    domain::event::{Event, Kind, Outcome, Payload, Subject},
    entropy::Entropy,
    id::TenantId,
};
use std::collections::HashMap;
use uuid::Uuid;

/// How many refusals are told apart at once. Past it they are a metric only: memory stays bounded under attack.
const MOST: usize = 10_000;

/// What makes two refusals the same within a minute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sameness {
    /// Who was refused.
    pub(super) actor: Uuid,
    /// The lease, or what it was asked for.
    pub(super) object: Uuid,
    /// Why.
    pub(super) reason: &'static str,
}

struct Seen {
    minute: i64,
    tenant: TenantId,
    kind: Kind,
    actor: Subject,
    object: Subject,
    repeated: u64,
}

impl Seen {
    /// Writes the entry that says how often a refusal was repeated, where it was.
    fn counted(&self, reason: &'static str, entropy: &dyn Entropy) -> Option<Event> {
        let details = serde_json::json!({ "reason": reason, "repeated": self.repeated });
        let payload = Payload { actor: self.actor, object: self.object, outcome: Outcome::Refused, details };
        (self.repeated > 0).then(|| Event::make(entropy, self.tenant, self.kind, &payload))
    }
}

/// The refusals of the minute that runs.
#[derive(Default)]
pub(super) struct Refusals(HashMap<Sameness, Seen>);

/// One refusal.
pub(super) struct Refused<'a> {
    pub(super) sameness: Sameness,
    pub(super) tenant: TenantId,
    pub(super) kind: Kind,
    pub(super) actor: Subject,
    pub(super) object: Subject,
    pub(super) details: &'a serde_json::Value,
}

impl Refusals {
    /// Takes note of a refusal; yields the entry to append where it is the first of its kind in this minute, behind the count
    /// of an earlier minute that no sweep has come by yet: whoever hammers on must not overwrite it.
    pub(super) fn note(&mut self, refused: Refused<'_>, at: Timestamp, entropy: &dyn Entropy) -> Vec<Event> {
        metrics::counter!("leasehold_refusals_total", "reason" => refused.sameness.reason).increment(1);
        let minute = at.as_minutes();
        if let Some(seen) = self.0.get_mut(&refused.sameness) {
            if seen.minute == minute {
                seen.repeated += 1;
                return Vec::new();
            }
        } else if self.0.len() >= MOST {
            return Vec::new();
        }
        let Refused { sameness, tenant, kind, actor, object, details } = refused;
        let reason = sameness.reason;
        let before = self.0.insert(sameness, Seen { minute, tenant, kind, actor, object, repeated: 0 });
        let mut events: Vec<Event> = before.and_then(|seen| seen.counted(reason, entropy)).into_iter().collect();
        events.push(Event::make(entropy, tenant, kind, &Payload { actor, object, outcome: Outcome::Refused, details }));
        events
    }

    /// Forgets refusals whose entries did not become durable.
    pub(super) fn forget(&mut self, noted: &[Sameness]) {
        for sameness in noted {
            self.0.remove(sameness);
        }
    }

    /// Yields, for every minute that is over, an entry with how often its refusals were repeated.
    pub(super) fn sweep(&mut self, at: Timestamp, entropy: &dyn Entropy) -> Vec<Event> {
        let minute = at.as_minutes();
        let mut events = Vec::new();
        self.0.retain(|sameness, seen| {
            if seen.minute >= minute {
                return true;
            }
            events.extend(seen.counted(sameness.reason, entropy));
            false
        });
        events
    }
}

/// Says of a lease that was refused at the commit what an entry needs.
pub(super) fn of_lease<'a>(
    lease: &FencedLease,
    refusal: FenceRefusal,
    attempted: Kind,
    details: &'a mut serde_json::Value,
) -> Refused<'a> {
    *details = serde_json::json!({ "lease": lease.id, "reason": refusal.as_str(), "attempted": attempted.as_str() });
    Refused {
        sameness: Sameness { actor: lease.worker.as_uuid(), object: lease.id.as_uuid(), reason: refusal.as_str() },
        tenant: lease.tenant,
        kind: Kind::LeaseRefused,
        actor: Subject::new("worker", lease.worker.as_uuid()),
        object: Subject::new("connection", lease.connection.as_uuid()),
        details,
    }
}
