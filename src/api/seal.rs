//! `/v1/seal`: whether the vault is sealed, and opening and closing it by hand.

use super::{
    ApiState,
    caller::Caller,
    json::JsonBody,
    problem::{Problem, ProblemBody},
    shares::SharesGiven,
};
use crate::{
    audit::on_behalf,
    policy::{
        decide::{SealClose, SealOpen, SealShow},
        object::VaultWide,
    },
    seal::SealKind,
    secret::SecretText,
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(seal_show))
        .routes(routes!(seal_open))
        .routes(routes!(seal_open_cancel))
        .routes(routes!(seal_close))
}

/// Whether the vault is sealed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SealStatus {
    /// Whether it is unsealed.
    open: bool,
    /// The kind of seal that protects its master key.
    #[schema(value_type = String)]
    seal: SealKind,
    /// How far its shares have come together, where it is sealed and shares open it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<SharesGiven>,
}

/// What opens the seal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenRequest {
    /// The passphrase, where the seal is one.
    #[schema(value_type = Option<String>)]
    passphrase: Option<SecretText>,
    /// One share, where shares open the seal: each call gives one, to the same node.
    #[schema(value_type = Option<String>)]
    share: Option<SecretText>,
}

/// Shows whether the vault is sealed.
#[utoipa::path(get, path = "/v1/seal", operation_id = "seal_show", tag = "seal",
    responses((status = 200, body = SealStatus), (status = "default", body = ProblemBody)))]
async fn seal_show(State(state): State<ApiState>, caller: Caller) -> Result<Json<SealStatus>, Problem> {
    caller.may::<SealShow>(&state, VaultWide)?;
    status(&state).await
}

/// Unseals the vault.
#[utoipa::path(post, path = "/v1/seal/open", operation_id = "seal_open", tag = "seal", request_body = OpenRequest,
    responses((status = 200, body = SealStatus), (status = "default", body = ProblemBody)))]
async fn seal_open(
    State(state): State<ApiState>,
    caller: Caller,
    body: JsonBody<OpenRequest>,
) -> Result<Json<SealStatus>, Problem> {
    let permit = caller.may::<SealOpen>(&state, VaultWide)?;
    let OpenRequest { passphrase, share } = body.value;
    if passphrase.is_some() && share.is_some() {
        return Err(Problem::malformed("share", "a seal is opened by a passphrase or by shares; give one of the two"));
    }
    let (register, find) = (Arc::clone(&state.vault.register), Arc::clone(&state.open_seal));
    // An unsealing whose caller went away must still be recorded.
    let opened = tokio::spawn(on_behalf(async move {
        if let Some(share) = share {
            return Ok(register.seal_open_share(permit, share).await?);
        }
        // Reading a key file blocks.
        let seal = tokio::task::spawn_blocking(move || find(passphrase)).await;
        let seal = seal.map_err(|error| Problem::broken(&error))??;
        register.seal_open(permit, seal).await.map_err(Problem::from)
    }));
    opened.await.map_err(|error| Problem::broken(&error))??;
    status(&state).await
}

/// Forgets the shares that were given so far.
#[utoipa::path(post, path = "/v1/seal/open/cancel", operation_id = "seal_open_cancel", tag = "seal",
    responses((status = 200, body = SealStatus), (status = "default", body = ProblemBody)))]
async fn seal_open_cancel(State(state): State<ApiState>, caller: Caller) -> Result<Json<SealStatus>, Problem> {
    let permit = caller.may::<SealOpen>(&state, VaultWide)?;
    state.vault.register.seal_open_cancel(permit).await?;
    status(&state).await
}

/// Seals the vault: nothing is released until it is opened again.
#[utoipa::path(post, path = "/v1/seal/close", operation_id = "seal_close", tag = "seal",
    responses((status = 200, body = SealStatus), (status = "default", body = ProblemBody)))]
async fn seal_close(State(state): State<ApiState>, caller: Caller) -> Result<Json<SealStatus>, Problem> {
    let permit = caller.may::<SealClose>(&state, VaultWide)?;
    state.vault.register.seal_close(permit).await?;
    status(&state).await
}

async fn status(state: &ApiState) -> Result<Json<SealStatus>, Problem> {
    let status = state.vault.keyring.seal_status().await?;
    Ok(Json(SealStatus { open: status.open, seal: status.kind, shares: status.progress.map(SharesGiven::from) }))
}
