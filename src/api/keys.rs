//! `GET /v1/keys`: which keys there are.

use super::{
    ApiState,
    caller::Caller,
    problem::{Problem, ProblemBody},
};
use crate::{
    clock::Timestamp,
    id::KeyId,
    policy::{decide::KeysShow, object::VaultWide},
};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(keys_show))
}

/// The vault's keys, without the keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Keys {
    /// Which vault it is.
    vault: Uuid,
    /// Whether it is unsealed.
    open: bool,
    /// The master key.
    master: MasterKey,
    /// How many tenant keys there are, the vault's own included.
    tenant_keys: i64,
    /// How many data keys there are.
    data_keys: i64,
    /// The newest lease key; none before the first unsealing.
    lease_key: Option<LeaseKey>,
}

/// The master key.
#[derive(Debug, Serialize, ToSchema)]
struct MasterKey {
    /// Its id.
    id: KeyId,
    /// Its version, from 1.
    version: i64,
    /// The kind of seal that protects it.
    seal: String,
    /// How many of its uses are reserved.
    uses: u64,
    /// When it was made.
    created_at: Timestamp,
}

/// A lease key.
#[derive(Debug, Serialize, ToSchema)]
struct LeaseKey {
    /// Its id.
    id: KeyId,
    /// How many of its uses are reserved.
    uses: u64,
}

/// Shows which keys there are. Works while the vault is sealed.
#[utoipa::path(get, path = "/v1/keys", operation_id = "keys_show", tag = "keys",
    responses((status = 200, body = Keys), (status = "default", body = ProblemBody)))]
async fn keys_show(State(state): State<ApiState>, caller: Caller) -> Result<Json<Keys>, Problem> {
    caller.may::<KeysShow>(&state, VaultWide)?;
    let status = state.vault.keyring.status().await?;
    let row = status.master;
    let seal = row.sealed.kind.as_str().to_owned();
    let master = MasterKey { id: row.id, version: row.version, seal, uses: row.uses, created_at: row.created_at };
    Ok(Json(Keys {
        vault: status.vault,
        open: status.open,
        master,
        tenant_keys: status.counts.tenant_keys,
        data_keys: status.counts.data_keys,
        lease_key: status.lease_key.map(|(id, uses)| LeaseKey { id, uses }),
    }))
}
