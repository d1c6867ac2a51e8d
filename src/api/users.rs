//! `/v1/users`

use super::{
    ApiState, PathOf, Reply,
    caller::Caller,
    idempotency::Idempotency,
    json::JsonBody,
    page::{Listing, TenantPageQuery},
    problem::{Problem, ProblemBody},
    shown_once::{SecretShown, ShownOnce, reveal},
};
use crate::{
    clock::Timestamp,
    domain::standing::Standing,
    id::{TenantId, UserId},
    policy::{
        Role,
        decide::{UserAdd, UserDisable, UserList, UserShow},
        object::{OneUser, Users},
    },
    register::AddUser,
    secret::SecretText,
    store::users::UserRow,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(user_list, user_add)).routes(routes!(user_show)).routes(routes!(user_disable))
}

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct User {
    /// Their id.
    id: UserId,
    /// Their tenant; none for staff.
    tenant: Option<TenantId>,
    /// Their address, normalised.
    email: String,
    /// Their role.
    role: Role,
    /// Whether they may act.
    state: Standing,
    /// When they were added.
    created_at: Timestamp,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        let UserRow { id, tenant, email, role, state, created_at } = row;
        Self { id, tenant, email, role, state, created_at }
    }
}

/// A person to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    /// Their tenant. The caller's own where nothing is said; staff who say nothing add staff.
    tenant: Option<TenantId>,
    /// Their address.
    email: String,
    /// Their role.
    role: Role,
    /// Their password, of at least 12 characters, with small and capital letters, digits and others.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<SecretText>,
}

/// A person who was added.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserAdded {
    /// The person.
    #[serde(flatten)]
    user: User,
    /// Their first access key, shown this once.
    #[schema(value_type = Option<String>)]
    access_key: Option<ShownOnce>,
    /// Whether the key is in this answer.
    secret_shown: SecretShown,
}

/// Adds a person, and shows their first access key once.
#[utoipa::path(post, path = "/v1/users", operation_id = "user_add", tag = "users", request_body = NewUser,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = UserAdded), (status = "default", body = ProblemBody)))]
async fn user_add(
    State(state): State<ApiState>,
    caller: Caller,
    idempotency: Idempotency,
    body: JsonBody<NewUser>,
) -> Result<Reply<UserAdded>, Problem> {
    let NewUser { tenant, email, role, password } = body.value;
    let of = tenant.or(caller.0.tenant());
    let permit = caller.may::<UserAdd>(&state, Users { of })?;
    let once = idempotency.once(&state, &caller, body.hash);
    let made = state.vault.register.user_add(permit, AddUser { email, role, password }, once).await?;
    let user = state.vault.register.user_find(made.id()).await?.ok_or_else(Problem::not_found)?;
    let (access_key, secret_shown) = reveal(made);
    Ok(Reply::Created(UserAdded { user: user.into(), access_key, secret_shown }))
}

/// Lists people: those of one tenant, or for staff everybody.
#[utoipa::path(get, path = "/v1/users", operation_id = "user_list", tag = "users", params(TenantPageQuery),
    responses((status = 200, body = Listing<User>), (status = "default", body = ProblemBody)))]
async fn user_list(
    State(state): State<ApiState>,
    caller: Caller,
    query: TenantPageQuery,
) -> Result<Json<Listing<User>>, Problem> {
    let of = query.tenant.or(caller.0.tenant());
    let permit = caller.may::<UserList>(&state, Users { of })?;
    let page = query.page();
    let rows = state.vault.register.user_list(permit, page.page()).await?;
    Ok(Json(page.cut(rows, |row| row.id.as_uuid(), User::from)))
}

/// Shows one person.
#[utoipa::path(get, path = "/v1/users/{id}", operation_id = "user_show", tag = "users",
    params(("id" = UserId, Path)),
    responses((status = 200, body = User), (status = "default", body = ProblemBody)))]
async fn user_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<UserId>,
) -> Result<Json<User>, Problem> {
    let user = state.vault.register.user_find(id).await?.ok_or_else(Problem::not_found)?;
    caller.may::<UserShow>(&state, OneUser { of: user.tenant, id })?;
    Ok(Json(user.into()))
}

/// Disables a person for good: every session and access key ends.
#[utoipa::path(post, path = "/v1/users/{id}/disable", operation_id = "user_disable", tag = "users",
    params(("id" = UserId, Path)),
    responses((status = 204), (status = "default", body = ProblemBody)))]
async fn user_disable(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<UserId>,
) -> Result<Reply<()>, Problem> {
    let user = state.vault.register.user_find(id).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<UserDisable>(&state, OneUser { of: user.tenant, id })?;
    state.vault.register.user_disable(permit).await?;
    state.vault.custody.settle(id.as_uuid()).await?;
    Ok(Reply::Done)
}
