//! `/v1/users/{id}/access-keys`

use super::{
    ApiState, PathOf, Reply,
    caller::Caller,
    idempotency::Idempotency,
    json::JsonBody,
    page::Listing,
    problem::{Problem, ProblemBody},
    shown_once::{SecretShown, ShownOnce, reveal},
};
use crate::{
    clock::Timestamp,
    id::{AccessKeyId, UserId},
    policy::{
        decide::{AccessKeyAdd, AccessKeyRevoke, UserShow},
        object::OneUser,
    },
    register::NewKey,
    store::users::AccessKeyRow,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The longest life of an access key that ends by itself: ten years.
const LIFE_MAX_S: u64 = 10 * 366 * 24 * 60 * 60;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(access_key_list, access_key_add)).routes(routes!(access_key_end))
}

/// An access key, without the key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccessKey {
    /// Its id.
    id: AccessKeyId,
    /// What it is for.
    label: String,
    /// When it was made.
    created_at: Timestamp,
    /// When it expires.
    expires_at: Option<Timestamp>,
    /// When it was ended early.
    ended_at: Option<Timestamp>,
}

impl From<AccessKeyRow> for AccessKey {
    fn from(row: AccessKeyRow) -> Self {
        let AccessKeyRow { id, label, created_at, expires_at, ended_at, .. } = row;
        Self { id, label, created_at, expires_at, ended_at }
    }
}

/// An access key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAccessKey {
    /// What it is for, 1 to 200 characters.
    label: String,
    /// How long it lives, in seconds; until it is ended where nothing is said.
    #[schema(minimum = 60)]
    life_s: Option<u64>,
}

/// An access key that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccessKeyAdded {
    /// Its id.
    id: AccessKeyId,
    /// The key, shown this once.
    #[schema(value_type = Option<String>)]
    key: Option<ShownOnce>,
    /// Whether the key is in this answer.
    secret_shown: SecretShown,
}

/// Makes an access key, and shows it once.
#[utoipa::path(post, path = "/v1/users/{id}/access-keys", operation_id = "access_key_add", tag = "users",
    request_body = NewAccessKey, params(("id" = UserId, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = AccessKeyAdded), (status = "default", body = ProblemBody)))]
async fn access_key_add(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(user): PathOf<UserId>,
    idempotency: Idempotency,
    body: JsonBody<NewAccessKey>,
) -> Result<Reply<AccessKeyAdded>, Problem> {
    let row = state.vault.register.user_find(user).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<AccessKeyAdd>(&state, OneUser { of: row.tenant, id: user })?;
    let NewAccessKey { label, life_s } = body.value;
    if life_s.is_some_and(|life_s| !(60..=LIFE_MAX_S).contains(&life_s)) {
        return Err(Problem::malformed("life_s", "expected a minute to ten years"));
    }
    let new = NewKey { label, life: life_s.map(Duration::from_secs) };
    let once = idempotency.once(&state, &caller, body.hash);
    let made = state.vault.register.access_key_add(permit, new, once).await?;
    let id = made.id();
    let (key, secret_shown) = reveal(made);
    Ok(Reply::Created(AccessKeyAdded { id, key, secret_shown }))
}

/// Lists a person's access keys, ended ones included.
#[utoipa::path(get, path = "/v1/users/{id}/access-keys", operation_id = "access_key_list", tag = "users",
    params(("id" = UserId, Path)),
    responses((status = 200, body = Listing<AccessKey>), (status = "default", body = ProblemBody)))]
async fn access_key_list(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(user): PathOf<UserId>,
) -> Result<Json<Listing<AccessKey>>, Problem> {
    let row = state.vault.register.user_find(user).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<UserShow>(&state, OneUser { of: row.tenant, id: user })?;
    let rows = state.vault.register.access_key_list(&permit).await?;
    Ok(Json(Listing { items: rows.into_iter().map(AccessKey::from).collect(), next_cursor: None }))
}

/// Ends an access key.
#[utoipa::path(delete, path = "/v1/users/{id}/access-keys/{key}", operation_id = "access_key_end", tag = "users",
    params(("id" = UserId, Path), ("key" = AccessKeyId, Path)),
    responses((status = 204), (status = "default", body = ProblemBody)))]
async fn access_key_end(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf((user, key)): PathOf<(UserId, AccessKeyId)>,
) -> Result<Reply<()>, Problem> {
    let row = state.vault.register.user_find(user).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<AccessKeyRevoke>(&state, OneUser { of: row.tenant, id: user })?;
    state.vault.register.access_key_end(permit, key).await?;
    Ok(Reply::Done)
}
