//! `/v1/grants`

use super::{
    ApiState, PathOf, Reply,
    caller::Caller,
    json::JsonBody,
    page::{Listing, TenantPageQuery},
    problem::{Problem, ProblemBody},
};
use crate::{
    clock::Timestamp,
    domain::standing::Standing,
    id::{ConnectionId, GrantId, TenantId},
    policy::{
        Delivery, Module, Scope, ScopeSet,
        decide::{GrantEnd, GrantList, GrantSet, GrantShow},
        object::OfTenant,
    },
    register::GrantTerms,
    store::grants::GrantRow,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(grant_list, grant_set)).routes(routes!(grant_show, grant_end))
}

/// A tenant's permission that a module may use a connection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Grant {
    /// Its id.
    id: GrantId,
    /// Whose it is.
    tenant: TenantId,
    /// On which connection.
    connection: ConnectionId,
    /// To which module.
    module: Module,
    /// For what.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    /// How it may be used.
    delivery: Delivery,
    /// Whether it is in force.
    state: Standing,
    /// When it was first made.
    created_at: Timestamp,
    /// When it was last changed.
    changed_at: Timestamp,
}

impl From<GrantRow> for Grant {
    fn from(row: GrantRow) -> Self {
        let GrantRow { id, tenant, connection, module, scopes, delivery, state, created_at, changed_at, .. } = row;
        let scopes = scopes.iter().cloned().collect();
        Self { id, tenant, connection, module, scopes, delivery, state, created_at, changed_at }
    }
}

/// A grant to make or change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetGrant {
    /// On which connection.
    connection: ConnectionId,
    /// To which module.
    module: Module,
    /// For what, such as `orders:read`.
    #[schema(value_type = Vec<String>)]
    scopes: Vec<Scope>,
    /// How it may be used; through the gateway where nothing is said.
    delivery: Option<Delivery>,
}

/// Grants a module the use of a connection, or changes what it was granted; the leases under other terms have ended on
/// every node when it answers.
#[utoipa::path(put, path = "/v1/grants", operation_id = "grant_set", tag = "grants", request_body = SetGrant,
    responses((status = 200, body = Grant), (status = "default", body = ProblemBody)))]
async fn grant_set(
    State(state): State<ApiState>,
    caller: Caller,
    body: JsonBody<SetGrant>,
) -> Result<Json<Grant>, Problem> {
    let SetGrant { connection: id, module, scopes, delivery } = body.value;
    let row = state.vault.register.connection_find(id).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<GrantSet>(&state, OfTenant { tenant: row.tenant, id })?;
    let scopes = ScopeSet::new(scopes).map_err(|error| Problem::malformed("scopes", error.to_string()))?;
    let terms = GrantTerms { module, scopes, delivery: delivery.unwrap_or(Delivery::Gateway) };
    let grant = state.vault.register.grant_set(permit, terms).await?;
    state.vault.custody.settle(grant.id.as_uuid()).await?;
    Ok(Json(grant.into()))
}

/// Lists grants: those of one tenant, or for staff all.
#[utoipa::path(get, path = "/v1/grants", operation_id = "grant_list", tag = "grants", params(TenantPageQuery),
    responses((status = 200, body = Listing<Grant>), (status = "default", body = ProblemBody)))]
async fn grant_list(
    State(state): State<ApiState>,
    caller: Caller,
    query: TenantPageQuery,
) -> Result<Json<Listing<Grant>>, Problem> {
    let permit = caller.may::<GrantList>(&state, query.share(&caller))?;
    let page = query.page();
    let rows = state.vault.register.grant_list(permit, page.page()).await?;
    Ok(Json(page.cut(rows, |row| row.id.as_uuid(), Grant::from)))
}

/// Shows one grant.
#[utoipa::path(get, path = "/v1/grants/{id}", operation_id = "grant_show", tag = "grants",
    params(("id" = GrantId, Path)),
    responses((status = 200, body = Grant), (status = "default", body = ProblemBody)))]
async fn grant_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<GrantId>,
) -> Result<Json<Grant>, Problem> {
    let row = state.vault.register.grant_find(id).await?.ok_or_else(Problem::not_found)?;
    caller.may::<GrantShow>(&state, OfTenant { tenant: row.tenant, id })?;
    Ok(Json(row.into()))
}

/// Ends a grant and the leases under it, on every node when it answers.
#[utoipa::path(delete, path = "/v1/grants/{id}", operation_id = "grant_end", tag = "grants",
    params(("id" = GrantId, Path)), responses((status = 204), (status = "default", body = ProblemBody)))]
async fn grant_end(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<GrantId>,
) -> Result<Reply<()>, Problem> {
    let row = state.vault.register.grant_find(id).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<GrantEnd>(&state, OfTenant { tenant: row.tenant, id })?;
    state.vault.register.grant_end(permit).await?;
    state.vault.custody.settle(id.as_uuid()).await?;
    Ok(Reply::Done)
}
