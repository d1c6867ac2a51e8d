//! What each metric means. A metric that is not here has no help text; labels are never tenants, workers or anything
//! else whose number a stranger can raise.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

pub(super) const METRICS: &[(Kind, &str, &str)] = &[
    (Gauge, "leasehold_build_info", "1, with the version that runs."),
    (Counter, "leasehold_connections_total", "Connections accepted."),
    (Gauge, "leasehold_connections_open", "Connections open now."),
    (Counter, "leasehold_connections_shed_total", "Connections closed at once because the listener was full."),
    (Counter, "leasehold_tls_handshake_failures_total", "TLS handshakes that failed or were too slow, by reason."),
    (Counter, "leasehold_gateway_requests_total", "Gateway requests, by outcome."),
    (Counter, "leasehold_gateway_bytes_total", "Bytes of bodies through the gateway, by direction."),
    (Histogram, "leasehold_gateway_request_duration_seconds", "Gateway requests to the response's head, by outcome."),
    (Gauge, "leasehold_gateway_requests_in_flight", "Gateway requests under way now."),
    (Counter, "leasehold_gateway_cuts_total", "Gateway requests cut by a revocation."),
    (Histogram, "leasehold_commit_duration_seconds", "Batches of the sequencer, from BEGIN to COMMIT."),
    (Histogram, "leasehold_commit_batch_size", "Operations in one batch."),
    (Counter, "leasehold_notes_lost_total", "Entries that nobody waited for, and that were not recorded."),
    (Gauge, "leasehold_checkpoint_entries", "Entries under the newest checkpoint that this node signed."),
    (Counter, "leasehold_checkpoint_failures_total", "Checkpoints that could not be signed; tried again shortly."),
    (Gauge, "leasehold_log_flaws", "Inspections of the stored audit log that found it damaged: signing, scrub."),
    (Gauge, "leasehold_log_flawed_entry", "The first entry that they name; -1 where they name none."),
    (Gauge, "leasehold_scrub_next_entry", "The entry that the scrub has come to, where this node does it."),
    (Counter, "leasehold_scrub_failures_total", "Looks of the scrub that failed; tried again shortly."),
    (Counter, "leasehold_cuts_total", "Cuts that were answered, by kind."),
    (Counter, "leasehold_refusals_total", "Refusals that the audit log counts, by reason."),
    (Counter, "leasehold_refresh_calls_total", "Calls to token endpoints."),
    (Counter, "leasehold_refresh_failures_total", "Calls to token endpoints that failed, by failure."),
    (Counter, "leasehold_application_broken_total", "Answers that said that an application itself is broken."),
    (Counter, "leasehold_dial_failures_total", "Outbound requests that got no response, by reason."),
    (Counter, "leasehold_writes_withheld_total", "Writes upstream that a node's ended lease held back."),
    (Gauge, "leasehold_nodes", "Nodes that this one sees in the database, itself included."),
    (Gauge, "leasehold_quarantined", "1 while the node is quarantined."),
    (Counter, "leasehold_anchor_failures_total", "Writes to the anchor that failed: nothing is acknowledged then."),
    (Counter, "leasehold_panics_total", "Panics; each is a defect."),
];
