//! `/v1/workers`. Disabling one is a cut, in `cuts`.

use super::{
    ApiState, PathOf, Reply,
    caller::Caller,
    idempotency::Idempotency,
    json::JsonBody,
    page::{Listing, PageQuery},
    problem::{Problem, ProblemBody},
    shown_once::{SecretShown, ShownOnce, reveal},
};
use crate::{
    clock::Timestamp,
    domain::standing::Standing,
    id::{SubProcessorId, WorkerId},
    policy::{
        Module,
        decide::{WorkerAdd, WorkerList, WorkerSecretAdd, WorkerShow},
        object::{OfVault, VaultWide},
    },
    register::AddWorker,
    store::workers::WorkerRow,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(worker_list, worker_add))
        .routes(routes!(worker_show))
        .routes(routes!(worker_secret_add))
}

/// A workload identity.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Worker {
    /// Its id, which is its OAuth client id too.
    id: WorkerId,
    /// Its name.
    name: String,
    /// The module that it works for.
    module: Module,
    /// Whose host it runs on.
    sub_processor: SubProcessorId,
    /// Whether it may act.
    state: Standing,
    /// Until when the secret before works.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_secret_ends: Option<Timestamp>,
    /// When it was added.
    created_at: Timestamp,
}

impl From<WorkerRow> for Worker {
    fn from(row: WorkerRow) -> Self {
        let WorkerRow { id, name, module, sub_processor, state, previous_secret_ends, created_at, .. } = row;
        Self { id, name, module, sub_processor, state, previous_secret_ends, created_at }
    }
}

/// A worker to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWorker {
    /// Its name, 1 to 200 characters.
    name: String,
    /// The module that it works for.
    module: Module,
    /// Whose host it runs on.
    sub_processor: SubProcessorId,
}

/// A worker that was added.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkerAdded {
    /// The worker.
    #[serde(flatten)]
    worker: Worker,
    /// Its OAuth client id.
    client_id: WorkerId,
    /// Its secret, shown this once.
    #[schema(value_type = Option<String>)]
    client_secret: Option<ShownOnce>,
    /// Whether the secret is in this answer.
    secret_shown: SecretShown,
}

/// A further secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WorkerSecret {
    /// The worker's OAuth client id.
    client_id: WorkerId,
    /// The secret, shown this once.
    #[schema(value_type = String)]
    client_secret: ShownOnce,
    /// Until when the secret before works.
    previous_secret_ends: Timestamp,
}

/// Adds a worker, and shows its secret once.
#[utoipa::path(post, path = "/v1/workers", operation_id = "worker_add", tag = "workers", request_body = NewWorker,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = WorkerAdded), (status = "default", body = ProblemBody)))]
async fn worker_add(
    State(state): State<ApiState>,
    caller: Caller,
    idempotency: Idempotency,
    body: JsonBody<NewWorker>,
) -> Result<Reply<WorkerAdded>, Problem> {
    let permit = caller.may::<WorkerAdd>(&state, VaultWide)?;
    let NewWorker { name, module, sub_processor } = body.value;
    let once = idempotency.once(&state, &caller, body.hash);
    let made = state.vault.register.worker_add(permit, AddWorker { name, module, sub_processor }, once).await?;
    let client_id = made.id();
    let permit = caller.may::<WorkerShow>(&state, OfVault(client_id))?;
    let worker = state.vault.register.worker_show(&permit).await?.ok_or_else(Problem::not_found)?.into();
    let (client_secret, secret_shown) = reveal(made);
    Ok(Reply::Created(WorkerAdded { worker, client_id, client_secret, secret_shown }))
}

/// Gives a worker a further secret, to rotate; the one before works for 24 hours.
#[utoipa::path(post, path = "/v1/workers/{id}/secrets", operation_id = "worker_secret_add", tag = "workers",
    params(("id" = WorkerId, Path)),
    responses((status = 201, body = WorkerSecret), (status = "default", body = ProblemBody)))]
async fn worker_secret_add(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<WorkerId>,
) -> Result<Reply<WorkerSecret>, Problem> {
    let permit = caller.may::<WorkerSecretAdd>(&state, OfVault(id))?;
    let (secret, previous_secret_ends) = state.vault.register.worker_secret_add(permit).await?;
    Ok(Reply::Created(WorkerSecret { client_id: id, client_secret: secret.into(), previous_secret_ends }))
}

/// Lists the workers.
#[utoipa::path(get, path = "/v1/workers", operation_id = "worker_list", tag = "workers", params(PageQuery),
    responses((status = 200, body = Listing<Worker>), (status = "default", body = ProblemBody)))]
async fn worker_list(
    State(state): State<ApiState>,
    caller: Caller,
    page: PageQuery,
) -> Result<Json<Listing<Worker>>, Problem> {
    let permit = caller.may::<WorkerList>(&state, VaultWide)?;
    let rows = state.vault.register.worker_list(permit, page.page()).await?;
    Ok(Json(page.cut(rows, |row| row.id.as_uuid(), Worker::from)))
}

/// Shows one worker.
#[utoipa::path(get, path = "/v1/workers/{id}", operation_id = "worker_show", tag = "workers",
    params(("id" = WorkerId, Path)),
    responses((status = 200, body = Worker), (status = "default", body = ProblemBody)))]
async fn worker_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<WorkerId>,
) -> Result<Json<Worker>, Problem> {
    let permit = caller.may::<WorkerShow>(&state, OfVault(id))?;
    let worker = state.vault.register.worker_show(&permit).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(worker.into()))
}
