//! `/v1/sub-processors`, and a tenant's objections to them.

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
    domain::fence::derive_objection,
    id::{SubProcessorId, TenantId},
    policy::{
        decide::{SubProcessorAdd, SubProcessorList, SubProcessorObject},
        object::{OfTenant, VaultWide},
    },
    register::AddSubProcessor,
    store::sub_processors::{Objection, SubProcessorRow},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(sub_processor_list, sub_processor_add))
        .routes(routes!(sub_processor_show))
        .routes(routes!(sub_processor_object, sub_processor_accept))
}

/// A company whose hosts workers run on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SubProcessor {
    /// Its id.
    id: SubProcessorId,
    /// The company.
    name: String,
    /// What it does for us.
    service: String,
    /// Where its hosts stand.
    country: String,
    /// The legal basis of the transfer.
    basis: String,
    /// When it was added.
    created_at: Timestamp,
    /// Whether the caller's tenant objects to it; none for staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    objected: Option<bool>,
}

impl SubProcessor {
    fn seen_by(caller: &Caller, (row, objection): (SubProcessorRow, Objection)) -> Self {
        let SubProcessorRow { id, name, service, country, basis, created_at } = row;
        let objected = caller.0.tenant().map(|_| objection == Objection::Standing);
        Self { id, name, service, country, basis, created_at, objected }
    }
}

/// A sub-processor to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSubProcessor {
    /// The company, 1 to 200 characters.
    name: String,
    /// What it does for us.
    service: String,
    /// Where its hosts stand, as an ISO 3166-1 alpha-2 code.
    country: String,
    /// The legal basis of the transfer.
    basis: String,
}

/// Adds a sub-processor.
#[utoipa::path(post, path = "/v1/sub-processors", operation_id = "sub_processor_add", tag = "sub-processors",
    request_body = NewSubProcessor, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = SubProcessor), (status = "default", body = ProblemBody)))]
async fn sub_processor_add(
    State(state): State<ApiState>,
    caller: Caller,
    idempotency: Idempotency,
    body: JsonBody<NewSubProcessor>,
) -> Result<Reply<SubProcessor>, Problem> {
    let permit = caller.may::<SubProcessorAdd>(&state, VaultWide)?;
    let NewSubProcessor { name, service, country, basis } = body.value;
    let once = idempotency.once(&state, &caller, body.hash);
    let new = AddSubProcessor { name, service, country, basis };
    let made = state.vault.register.sub_processor_add(permit, new, once).await?;
    let permit = caller.may::<SubProcessorList>(&state, VaultWide)?;
    let found = state.vault.register.sub_processor_show(&permit, made.id()).await?;
    Ok(Reply::Created(SubProcessor::seen_by(&caller, found.ok_or_else(Problem::not_found)?)))
}

/// Lists the sub-processors.
#[utoipa::path(get, path = "/v1/sub-processors", operation_id = "sub_processor_list", tag = "sub-processors",
    params(PageQuery), responses((status = 200, body = Listing<SubProcessor>), (status = "default", body = ProblemBody)))]
async fn sub_processor_list(
    State(state): State<ApiState>,
    caller: Caller,
    page: PageQuery,
) -> Result<Json<Listing<SubProcessor>>, Problem> {
    let permit = caller.may::<SubProcessorList>(&state, VaultWide)?;
    let rows = state.vault.register.sub_processor_list(&permit, page.page()).await?;
    Ok(Json(page.cut(rows, |(row, _)| row.id.as_uuid(), |row| SubProcessor::seen_by(&caller, row))))
}

/// Shows one sub-processor.
#[utoipa::path(get, path = "/v1/sub-processors/{id}", operation_id = "sub_processor_show", tag = "sub-processors",
    params(("id" = SubProcessorId, Path)),
    responses((status = 200, body = SubProcessor), (status = "default", body = ProblemBody)))]
async fn sub_processor_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<SubProcessorId>,
) -> Result<Json<SubProcessor>, Problem> {
    let permit = caller.may::<SubProcessorList>(&state, VaultWide)?;
    let found = state.vault.register.sub_processor_show(&permit, id).await?;
    Ok(Json(SubProcessor::seen_by(&caller, found.ok_or_else(Problem::not_found)?)))
}

/// Objects to a sub-processor: its workers have lost the tenant's connections, on every
/// node, when it answers.
#[utoipa::path(put, path = "/v1/tenants/{id}/objections/{sub_processor}", operation_id = "sub_processor_object",
    tag = "sub-processors", params(("id" = TenantId, Path), ("sub_processor" = SubProcessorId, Path)),
    responses((status = 204), (status = "default", body = ProblemBody)))]
async fn sub_processor_object(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf((tenant, id)): PathOf<(TenantId, SubProcessorId)>,
) -> Result<Reply<()>, Problem> {
    let permit = caller.may::<SubProcessorObject>(&state, OfTenant { tenant, id })?;
    state.vault.register.sub_processor_object(permit, Objection::Standing).await?;
    state.vault.custody.settle(derive_objection(tenant.as_uuid(), id.as_uuid())).await?;
    Ok(Reply::Done)
}

/// Withdraws the objection.
#[utoipa::path(delete, path = "/v1/tenants/{id}/objections/{sub_processor}", operation_id = "sub_processor_accept",
    tag = "sub-processors", params(("id" = TenantId, Path), ("sub_processor" = SubProcessorId, Path)),
    responses((status = 204), (status = "default", body = ProblemBody)))]
async fn sub_processor_accept(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf((tenant, id)): PathOf<(TenantId, SubProcessorId)>,
) -> Result<Reply<()>, Problem> {
    let permit = caller.may::<SubProcessorObject>(&state, OfTenant { tenant, id })?;
    state.vault.register.sub_processor_object(permit, Objection::None).await?;
    Ok(Reply::Done)
}
