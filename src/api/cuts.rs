//! Ending access, and the receipts that say so.

use super::{
    ApiState, PathOf, QueryOf, Reply,
    caller::Caller,
    json::JsonOrNothing,
    problem::{Problem, ProblemBody},
};
use crate::{
    custody::{Receipt, ResidualToken},
    id::{ConnectionId, ReceiptId, TenantId, WorkerId},
    policy::{
        decide::{
            ConnectionResume, ConnectionRevoke, ConnectionSuspend, ReceiptShow, RevokeAll, TenantRevoke, WorkerDisable,
        },
        object::{OfTenant, OfVault, VaultWide, WholeTenant},
    },
    store::{connections, tenants, workers},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Returns the routes.
pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(connection_revoke))
        .routes(routes!(connection_suspend))
        .routes(routes!(connection_resume))
        .routes(routes!(tenant_revoke))
        .routes(routes!(worker_disable))
        .routes(routes!(revoke_all))
        .routes(routes!(receipt_show))
        .routes(routes!(receipt_residual))
}

/// Why access is being ended.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CutRequest {
    /// In words, for the audit log; at most 500 characters.
    #[serde(default)]
    reason: Option<String>,
}

/// Revokes a connection, for good, and answers when that is true on every node.
#[utoipa::path(post, path = "/v1/connections/{id}/revoke", operation_id = "connection_revoke", tag = "connections",
    params(("id" = ConnectionId, Path)), request_body(content = Option<CutRequest>),
    responses((status = 200, description = "The receipt", body = Receipt),
        (status = 202, description = "Access has ended; the receipt lacks its confirmation, which a repeat brings", body = Receipt), (status = "default", body = ProblemBody)))]
pub(super) async fn connection_revoke(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ConnectionId>,
    JsonOrNothing(request): JsonOrNothing<CutRequest>,
) -> Result<Reply<Receipt>, Problem> {
    let object = connection_object(&state, id).await?;
    let permit = caller.may::<ConnectionRevoke>(&state, object)?;
    Ok(of_receipt(state.vault.custody.connection_revoke(permit, request.reason).await?))
}

/// Suspends a connection, reversibly: its leases end, its credential is kept.
#[utoipa::path(post, path = "/v1/connections/{id}/suspend", operation_id = "connection_suspend", tag = "connections",
    params(("id" = ConnectionId, Path)), request_body(content = Option<CutRequest>),
    responses((status = 200, description = "The receipt", body = Receipt),
        (status = 202, description = "Access has ended; the receipt lacks its confirmation, which a repeat brings", body = Receipt), (status = "default", body = ProblemBody)))]
pub(super) async fn connection_suspend(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ConnectionId>,
    JsonOrNothing(request): JsonOrNothing<CutRequest>,
) -> Result<Reply<Receipt>, Problem> {
    let object = connection_object(&state, id).await?;
    let permit = caller.may::<ConnectionSuspend>(&state, object)?;
    Ok(of_receipt(state.vault.custody.connection_suspend(permit, request.reason).await?))
}

/// A connection that goes on.
#[derive(Serialize, ToSchema)]
pub(super) struct Resumed {
    /// Its id.
    id: ConnectionId,
    /// Its state.
    state: crate::domain::connection::ConnectionState,
}

/// Lets a suspended connection go on. Leases from before stay ended.
#[utoipa::path(post, path = "/v1/connections/{id}/resume", operation_id = "connection_resume", tag = "connections",
    params(("id" = ConnectionId, Path)),
    responses((status = 200, description = "The connection", body = Resumed), (status = "default", body = ProblemBody)))]
pub(super) async fn connection_resume(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ConnectionId>,
) -> Result<Json<Resumed>, Problem> {
    let object = connection_object(&state, id).await?;
    let permit = caller.may::<ConnectionResume>(&state, object)?;
    let row = state.vault.custody.connection_resume(permit).await?;
    Ok(Json(Resumed { id: row.id, state: row.state }))
}

/// Revokes all of a tenant's connections; the destruction of their credentials follows.
#[utoipa::path(post, path = "/v1/tenants/{id}/revoke", operation_id = "tenant_revoke", tag = "tenants",
    params(("id" = TenantId, Path)), request_body(content = Option<CutRequest>),
    responses((status = 200, description = "The receipt", body = Receipt),
        (status = 202, description = "Access has ended; the receipt lacks its confirmation, which a repeat brings", body = Receipt), (status = "default", body = ProblemBody)))]
pub(super) async fn tenant_revoke(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<TenantId>,
    JsonOrNothing(request): JsonOrNothing<CutRequest>,
) -> Result<Reply<Receipt>, Problem> {
    let tenant = tenants::tenant_show(&mut state.vault.db.reader().await?.link(), id).await?;
    let tenant = tenant.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<TenantRevoke>(&state, WholeTenant(tenant.id))?;
    Ok(of_receipt(state.vault.custody.tenant_revoke(permit, request.reason).await?))
}

/// Disables a worker: its leases end, on every connection. Destroys nothing.
#[utoipa::path(post, path = "/v1/workers/{id}/disable", operation_id = "worker_disable", tag = "workers",
    params(("id" = WorkerId, Path)), request_body(content = Option<CutRequest>),
    responses((status = 200, description = "The receipt", body = Receipt),
        (status = 202, description = "Access has ended; the receipt lacks its confirmation, which a repeat brings", body = Receipt), (status = "default", body = ProblemBody)))]
pub(super) async fn worker_disable(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<WorkerId>,
    JsonOrNothing(request): JsonOrNothing<CutRequest>,
) -> Result<Reply<Receipt>, Problem> {
    let permit = caller.may::<WorkerDisable>(&state, OfVault(id))?;
    let worker = workers::worker_show(&mut state.vault.db.reader().await?.link(), id).await?;
    worker.ok_or_else(Problem::not_found)?;
    Ok(of_receipt(state.vault.custody.worker_disable(permit, request.reason).await?))
}

/// Ends every lease of every tenant. Destroys nothing.
#[utoipa::path(post, path = "/v1/revoke-all", operation_id = "revoke_all", tag = "vault",
    request_body(content = Option<CutRequest>),
    responses((status = 200, description = "The receipt", body = Receipt),
        (status = 202, description = "Access has ended; the receipt lacks its confirmation, which a repeat brings", body = Receipt), (status = "default", body = ProblemBody)))]
pub(super) async fn revoke_all(
    State(state): State<ApiState>,
    caller: Caller,
    JsonOrNothing(request): JsonOrNothing<CutRequest>,
) -> Result<Reply<Receipt>, Problem> {
    let permit = caller.may::<RevokeAll>(&state, VaultWide)?;
    Ok(of_receipt(state.vault.custody.revoke_all(permit, request.reason).await?))
}

/// Shows a receipt.
#[utoipa::path(get, path = "/v1/receipts/{id}", operation_id = "receipt_show", tag = "receipts",
    params(("id" = ReceiptId, Path)),
    responses((status = 200, description = "The receipt", body = Receipt), (status = "default", body = ProblemBody)))]
pub(super) async fn receipt_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ReceiptId>,
) -> Result<Json<Receipt>, Problem> {
    let row = state.vault.custody.receipt_row(id).await?.ok_or_else(Problem::not_found)?;
    caller.may::<ReceiptShow>(&state, OfTenant { tenant: row.tenant, id })?;
    let corrupt = |_| crate::store::StoreError::corrupt("receipts", "body", id);
    Ok(Json(serde_json::from_str(&row.body).map_err(corrupt)?))
}

/// Where to begin in a receipt's residual tokens.
#[derive(Deserialize)]
pub(super) struct ResidualQuery {
    /// How many to pass over.
    #[serde(default)]
    offset: u32,
}

/// A page of residual tokens that still live.
#[derive(Serialize, ToSchema)]
pub(super) struct ResidualPage {
    /// The longest-lived first.
    items: Vec<ResidualToken>,
}

/// Lists what a receipt calls residual and what still lives of it, 50 a page.
#[utoipa::path(get, path = "/v1/receipts/{id}/residual", operation_id = "receipt_residual", tag = "receipts",
    params(("id" = ReceiptId, Path), ("offset" = Option<u32>, Query)),
    responses((status = 200, description = "A page of tokens", body = ResidualPage), (status = "default", body = ProblemBody)))]
pub(super) async fn receipt_residual(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ReceiptId>,
    QueryOf(query): QueryOf<ResidualQuery>,
) -> Result<Json<ResidualPage>, Problem> {
    let row = state.vault.custody.receipt_row(id).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<ReceiptShow>(&state, OfTenant { tenant: row.tenant, id })?;
    let items = state.vault.custody.residual_page(&permit, &row, i64::from(query.offset)).await?;
    Ok(Json(ResidualPage { items }))
}

fn of_receipt(receipt: Receipt) -> Reply<Receipt> {
    if receipt.confirmation.is_some() { Reply::Ok(receipt) } else { Reply::Accepted(receipt) }
}

/// Finds whose a connection is; one that is not there looks like a foreign one.
pub(super) async fn connection_object(state: &ApiState, id: ConnectionId) -> Result<OfTenant<ConnectionId>, Problem> {
    let row = connections::connection_show(&mut state.vault.db.reader().await?.link(), id).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    Ok(OfTenant { tenant: row.tenant, id })
}
