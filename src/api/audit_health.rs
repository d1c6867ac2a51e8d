//! `GET /v1/audit/health`: whether the stored log is sound, as far as the servers' own inspections know.

use super::{
    ApiState,
    caller::Caller,
    problem::{Problem, ProblemBody},
};
use crate::{
    audit::Inspector,
    clock::Timestamp,
    policy::{decide::AuditHealthShow, object::VaultWide},
    store::{checkpoints, log, scrub},
};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(audit_health_show))
}

/// What is known of the stored log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditHealth {
    /// How many entries there are.
    entries: i64,
    /// The newest signed checkpoint; none before the first.
    checkpoint: Option<Signed>,
    /// How far the scrub has come; none before it began.
    scrub: Option<Scrub>,
    /// What is wrong; nothing where all is well.
    flaws: Vec<Flaw>,
}

/// A signed checkpoint.
#[derive(Debug, Serialize, ToSchema)]
struct Signed {
    /// How many entries it covers.
    size: i64,
    /// When it was signed.
    at: Timestamp,
}

/// How far the scrub has come.
#[derive(Debug, Serialize, ToSchema)]
struct Scrub {
    /// The next entry that it looks at.
    next: i64,
    /// How often it looked at the whole log.
    rounds: i64,
    /// When that was written down.
    at: Timestamp,
}

/// Something that is wrong.
#[derive(Debug, Serialize, ToSchema)]
struct Flaw {
    /// Who found it.
    #[schema(value_type = String)]
    inspector: Inspector,
    /// The first entry that it concerns, where it concerns one.
    seq: Option<i64>,
    /// What it is, in words.
    what: String,
    /// When it was found.
    found_at: Timestamp,
}

/// Shows whether the stored log is sound, and what the inspections found where it is not.
#[utoipa::path(get, path = "/v1/audit/health", operation_id = "audit_health_show", tag = "audit",
    responses((status = 200, body = AuditHealth), (status = "default", body = ProblemBody)))]
async fn audit_health_show(State(state): State<ApiState>, caller: Caller) -> Result<Json<AuditHealth>, Problem> {
    caller.may::<AuditHealthShow>(&state, VaultWide)?;
    let mut reader = state.vault.db.reader().await?;
    let link = &mut reader.link();
    let entries = log::head_show(link).await?.size;
    let checkpoint = checkpoints::checkpoint_newest(link).await?;
    let scrub = scrub::scrub_show(link).await?;
    let signing = state.vault.checkpointer.findings().of(Inspector::Signing).map(|finding| Flaw {
        inspector: Inspector::Signing,
        seq: finding.seq,
        what: finding.what,
        found_at: finding.found_at,
    });
    // Written down by whichever node does the scrub.
    let scrubbed = scrub.as_ref().and_then(|row| row.flaw.clone()).map(|flaw| Flaw {
        inspector: Inspector::Scrub,
        seq: flaw.seq,
        what: flaw.what,
        found_at: flaw.found_at,
    });
    Ok(Json(AuditHealth {
        entries,
        checkpoint: checkpoint.map(|row| Signed { size: row.size, at: row.created_at }),
        scrub: scrub.map(|row| Scrub { next: row.next, rounds: row.rounds, at: row.moved_at }),
        flaws: signing.into_iter().chain(scrubbed).collect(),
    }))
}
