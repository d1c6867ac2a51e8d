//! `/v1/tenants`

use super::{
    ApiState, PathOf, Reply,
    caller::Caller,
    idempotency::Idempotency,
    json::JsonBody,
    page::{Listing, PageQuery},
    problem::{Problem, ProblemBody},
};
use crate::{
    clock::Timestamp,
    domain::standing::Standing,
    id::TenantId,
    policy::{
        decide::{TenantAdd, TenantList, TenantShow},
        object::{VaultWide, WholeTenant},
    },
    store::tenants::TenantRow,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(tenant_list, tenant_add)).routes(routes!(tenant_show))
}

/// A customer organization.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tenant {
    /// Its id.
    id: TenantId,
    /// Its name.
    name: String,
    /// Whether its access is in force.
    state: Standing,
    /// When it was added.
    created_at: Timestamp,
}

impl From<TenantRow> for Tenant {
    fn from(row: TenantRow) -> Self {
        let TenantRow { id, name, state, created_at } = row;
        Self { id, name, state, created_at }
    }
}

/// A tenant to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    /// Its name, 1 to 200 characters.
    name: String,
}

/// Adds a tenant, with a key of its own.
#[utoipa::path(post, path = "/v1/tenants", operation_id = "tenant_add", tag = "tenants", request_body = NewTenant,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Tenant), (status = "default", body = ProblemBody)))]
async fn tenant_add(
    State(state): State<ApiState>,
    caller: Caller,
    idempotency: Idempotency,
    body: JsonBody<NewTenant>,
) -> Result<Reply<Tenant>, Problem> {
    let permit = caller.may::<TenantAdd>(&state, VaultWide)?;
    let once = idempotency.once(&state, &caller, body.hash);
    let made = state.vault.register.tenant_add(permit, &body.value.name, once).await?;
    let permit = caller.may::<TenantShow>(&state, WholeTenant(made.id()))?;
    let tenant = state.vault.register.tenant_show(permit).await?.ok_or_else(Problem::not_found)?;
    Ok(Reply::Created(tenant.into()))
}

/// Lists the tenants.
#[utoipa::path(get, path = "/v1/tenants", operation_id = "tenant_list", tag = "tenants", params(PageQuery),
    responses((status = 200, body = Listing<Tenant>), (status = "default", body = ProblemBody)))]
async fn tenant_list(
    State(state): State<ApiState>,
    caller: Caller,
    page: PageQuery,
) -> Result<Json<Listing<Tenant>>, Problem> {
    let permit = caller.may::<TenantList>(&state, VaultWide)?;
    let rows = state.vault.register.tenant_list(permit, page.page()).await?;
    Ok(Json(page.cut(rows, |row| row.id.as_uuid(), Tenant::from)))
}

/// Shows one tenant.
#[utoipa::path(get, path = "/v1/tenants/{id}", operation_id = "tenant_show", tag = "tenants",
    params(("id" = TenantId, Path)),
    responses((status = 200, body = Tenant), (status = "default", body = ProblemBody)))]
async fn tenant_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<TenantId>,
) -> Result<Json<Tenant>, Problem> {
    let permit = caller.may::<TenantShow>(&state, WholeTenant(id))?;
    let tenant = state.vault.register.tenant_show(permit).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(tenant.into()))
}
