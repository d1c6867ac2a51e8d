//! `/v1/connections`. Consent is in `consent`, cuts in `cuts`.

use super::{
    ApiState, PathOf, Reply,
    caller::Caller,
    idempotency::Idempotency,
    json::JsonBody,
    page::{Listing, TenantPageQuery},
    problem::{Problem, ProblemBody},
};
use crate::{
    audit::on_behalf,
    broker::{
        Import,
        provider::{AccountKind, Region},
    },
    clock::Timestamp,
    domain::{connection::ConnectionState, secrets::RefreshToken},
    id::{ConnectionId, TenantId},
    policy::{
        decide::{ConnectionAdd, ConnectionImport, ConnectionList, ConnectionShow},
        object::{OfTenant, WholeTenant},
    },
    register::AddConnection,
    secret::SecretText,
    store::connections::ConnectionRow,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The longest refresh token, in bytes.
const TOKEN_MAX: usize = 4_096;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(connection_list, connection_add))
        .routes(routes!(connection_show))
        .routes(routes!(connection_import))
}

/// One tenant's account at one provider, without its credential.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Connection {
    /// Its id.
    id: ConnectionId,
    /// Whose it is.
    tenant: TenantId,
    /// The provider's name.
    provider: String,
    /// Its name.
    name: String,
    /// The kind of account.
    kind: String,
    /// The provider's region.
    region: String,
    /// The country whose site the owner consents at.
    country: String,
    /// The provider's id of the account, once it is known.
    account: Option<String>,
    /// Its state.
    state: ConnectionState,
    /// The version of its newest credential; 0 before the first.
    credential_version: i64,
    /// When it was added.
    created_at: Timestamp,
    /// When its owner last consented.
    authorized_at: Option<Timestamp>,
    /// When the provider ends the authorization unless it is renewed.
    renew_by: Option<Timestamp>,
}

impl From<ConnectionRow> for Connection {
    fn from(row: ConnectionRow) -> Self {
        let ConnectionRow { id, tenant, provider, name, kind, region, country, account, state, .. } = row;
        let ConnectionRow { credential_version, created_at, authorized_at, renew_by, .. } = row;
        Self {
            id,
            tenant,
            provider,
            name,
            kind,
            region,
            country,
            account,
            state,
            credential_version,
            created_at,
            authorized_at,
            renew_by,
        }
    }
}

/// A connection to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConnection {
    /// Whose it is. The caller's own tenant where nothing is said.
    tenant: Option<TenantId>,
    /// The provider's name.
    provider: String,
    /// Its name, 1 to 200 characters.
    name: String,
    /// The kind of account.
    kind: AccountKind,
    /// The provider's region.
    region: Region,
    /// The country whose site the owner consents at, as the provider abbreviates it.
    country: String,
    /// The provider's id of the account, where it is known: no other is taken then.
    account: Option<String>,
}

/// A credential that was obtained elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewImport {
    /// The refresh token.
    #[schema(value_type = String)]
    refresh_token: SecretText,
    /// The provider's id of the account, where it is known.
    account: Option<String>,
}

/// Adds a connection, pending its owner's consent.
#[utoipa::path(post, path = "/v1/connections", operation_id = "connection_add", tag = "connections",
    request_body = NewConnection, params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Connection), (status = "default", body = ProblemBody)))]
async fn connection_add(
    State(state): State<ApiState>,
    caller: Caller,
    idempotency: Idempotency,
    body: JsonBody<NewConnection>,
) -> Result<Reply<Connection>, Problem> {
    let NewConnection { tenant, provider, name, kind, region, country, account } = body.value;
    let tenant = tenant.or(caller.0.tenant());
    let tenant = tenant.ok_or_else(|| Problem::malformed("tenant", "staff have to say whose connection it is"))?;
    let permit = caller.may::<ConnectionAdd>(&state, WholeTenant(tenant))?;
    let once = idempotency.once(&state, &caller, body.hash);
    let new = AddConnection { provider, name, kind, region, country, account };
    let made = state.vault.register.connection_add(permit, new, once).await?;
    let row = state.vault.register.connection_find(made.id()).await?.ok_or_else(Problem::not_found)?;
    Ok(Reply::Created(row.into()))
}

/// Lists connections: those of one tenant, or for staff all.
#[utoipa::path(get, path = "/v1/connections", operation_id = "connection_list", tag = "connections",
    params(TenantPageQuery),
    responses((status = 200, body = Listing<Connection>), (status = "default", body = ProblemBody)))]
async fn connection_list(
    State(state): State<ApiState>,
    caller: Caller,
    query: TenantPageQuery,
) -> Result<Json<Listing<Connection>>, Problem> {
    let permit = caller.may::<ConnectionList>(&state, query.share(&caller))?;
    let page = query.page();
    let rows = state.vault.register.connection_list(permit, page.page()).await?;
    Ok(Json(page.cut(rows, |row| row.id.as_uuid(), Connection::from)))
}

/// Shows one connection.
#[utoipa::path(get, path = "/v1/connections/{id}", operation_id = "connection_show", tag = "connections",
    params(("id" = ConnectionId, Path)),
    responses((status = 200, body = Connection), (status = "default", body = ProblemBody)))]
async fn connection_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ConnectionId>,
) -> Result<Json<Connection>, Problem> {
    let row = state.vault.register.connection_find(id).await?.ok_or_else(Problem::not_found)?;
    caller.may::<ConnectionShow>(&state, OfTenant { tenant: row.tenant, id })?;
    Ok(Json(row.into()))
}

/// Takes in a refresh token that the company held already, once the provider has accepted it.
#[utoipa::path(post, path = "/v1/connections/{id}/import", operation_id = "connection_import", tag = "connections",
    request_body = NewImport, params(("id" = ConnectionId, Path)),
    responses((status = 200, body = Connection), (status = "default", body = ProblemBody)))]
async fn connection_import(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ConnectionId>,
    body: JsonBody<NewImport>,
) -> Result<Json<Connection>, Problem> {
    let row = state.vault.register.connection_find(id).await?.ok_or_else(Problem::not_found)?;
    let permit = caller.may::<ConnectionImport>(&state, OfTenant { tenant: row.tenant, id })?;
    let NewImport { refresh_token, account } = body.value;
    let text = refresh_token.expose();
    if text.is_empty() || text.len() > TOKEN_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::malformed("refresh_token", "expected 1 to 4096 visible characters"));
    }
    let import = Import { account, refresh_token: RefreshToken(refresh_token) };
    // Detached: once the provider has answered, a caller that went away must not lose what it answered.
    let broker = std::sync::Arc::clone(&state.vault.broker);
    let imported = tokio::spawn(on_behalf(async move { broker.import(permit, import).await }));
    let row = imported.await.map_err(|error| Problem::broken(&error))??;
    Ok(Json(row.into()))
}
