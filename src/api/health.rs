//! `/health/live`, `/health/ready` and `/metrics`: for probes and scrapers, without a key.

use super::{
    ApiState,
    problem::{Problem, ProblemKind},
};
use crate::{audit::Health, keyring::KeyringError, store::vault};
use axum::{Json, Router, extract::State, routing::get};
use http::header;

pub(super) fn router(metrics: bool) -> Router<ApiState> {
    let router = Router::new().route("/health/live", get(live)).route("/health/ready", get(ready));
    if metrics { router.route("/metrics", get(scrape)) } else { router }
}

/// Says that the process answers.
async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "live" }))
}

/// Says whether the vault can serve, or why not.
async fn ready(State(state): State<ApiState>) -> Result<Json<serde_json::Value>, Problem> {
    let not = |reason| Problem::new(ProblemKind::Unavailable).with_reason(reason);
    match &*state.vault.sequencer.health().borrow() {
        Health::Open => {}
        Health::Lost(_) => return Err(not("database")),
        Health::Quarantined(why) => return Err(Problem::quarantined(why).with_reason("quarantined")),
        Health::Unanchored(_) => return Err(not("anchor")),
        Health::Poisoned(_) => return Err(not("log_closed")),
    }
    let row = async { vault::vault_show(&mut state.vault.db.reader().await?.link()).await }.await;
    if !matches!(row, Ok(Some(_))) {
        return Err(not("database"));
    }
    if state.vault.fleet.lease().stint().is_none() {
        return Err(not("node_lease"));
    }
    if !state.vault.keyring.is_open() {
        return Err(Problem::from(KeyringError::Sealed).with_reason("sealed"));
    }
    Ok(Json(serde_json::json!({ "status": "ready" })))
}

async fn scrape(State(state): State<ApiState>) -> Result<([(header::HeaderName, &'static str); 1], String), Problem> {
    let write = state.metrics.as_ref().ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], write()))
}
