//! `/v1/applications`

use super::{
    ApiState, PathOf,
    caller::Caller,
    json::JsonBody,
    page::{Listing, PageQuery},
    problem::{Problem, ProblemBody},
};
use crate::{
    audit::on_behalf,
    broker::NewApplication,
    clock::Timestamp,
    domain::secrets::ClientSecret,
    id::ApplicationId,
    policy::{
        decide::{ApplicationList, ApplicationSet},
        object::VaultWide,
    },
    secret::SecretText,
    store::applications::{self, ApplicationRow},
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The longest client id, public id or client secret, in bytes.
const TEXT_MAX: usize = 1_024;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(application_list)).routes(routes!(application_set))
}

/// Our own OAuth client at a provider, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Application {
    /// Its id.
    id: ApplicationId,
    /// At which provider.
    provider: String,
    /// Its OAuth client id.
    client_id: String,
    /// The id that the provider's consent page asks for.
    public_id: String,
    /// Whether the provider lists it as a draft.
    draft: bool,
    /// How often its secret was set.
    secret_version: i64,
    /// When it was first set.
    created_at: Timestamp,
    /// When it was last set.
    changed_at: Timestamp,
}

impl From<ApplicationRow> for Application {
    fn from(row: ApplicationRow) -> Self {
        let ApplicationRow { id, provider, client_id, public_id, draft, version, created_at, changed_at, .. } = row;
        Self { id, provider, client_id, public_id, draft, secret_version: version, created_at, changed_at }
    }
}

/// An application to set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetApplication {
    /// Its OAuth client id.
    client_id: String,
    /// Its client secret.
    #[schema(value_type = String)]
    client_secret: SecretText,
    /// The id that the provider's consent page asks for.
    public_id: String,
    /// Whether the provider lists it as a draft.
    #[serde(default)]
    draft: bool,
}

/// Sets our application at a provider, or replaces its secret.
#[utoipa::path(put, path = "/v1/applications/{provider}", operation_id = "application_set", tag = "applications",
    request_body = SetApplication, params(("provider" = String, Path)),
    responses((status = 200, body = Application), (status = "default", body = ProblemBody)))]
async fn application_set(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(provider): PathOf<String>,
    body: JsonBody<SetApplication>,
) -> Result<Json<Application>, Problem> {
    let permit = caller.may::<ApplicationSet>(&state, VaultWide)?;
    let SetApplication { client_id, client_secret, public_id, draft } = body.value;
    for (field, text) in
        [("client_id", &*client_id), ("client_secret", client_secret.expose()), ("public_id", &*public_id)]
    {
        if text.is_empty() || text.len() > TEXT_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Problem::malformed(field, "expected 1 to 1024 visible characters"));
        }
    }
    let new = NewApplication { provider, client_id, client_secret: ClientSecret(client_secret), public_id, draft };
    // Two steps follow each other: the commit, and closing the breaker that the old secret tripped.
    let broker = std::sync::Arc::clone(&state.vault.broker);
    let set = tokio::spawn(on_behalf(async move { broker.application_set(permit, new).await }));
    let row = set.await.map_err(|error| Problem::broken(&error))??;
    Ok(Json(row.into()))
}

/// Lists our applications.
#[utoipa::path(get, path = "/v1/applications", operation_id = "application_list", tag = "applications",
    params(PageQuery), responses((status = 200, body = Listing<Application>), (status = "default", body = ProblemBody)))]
async fn application_list(
    State(state): State<ApiState>,
    caller: Caller,
    page: PageQuery,
) -> Result<Json<Listing<Application>>, Problem> {
    caller.may::<ApplicationList>(&state, VaultWide)?;
    let rows = applications::application_page(&mut state.vault.db.reader().await?.link(), page.page()).await?;
    Ok(Json(page.cut(rows, |row| row.id.as_uuid(), Application::from)))
}
