//! `GET /v1/audit`: entries of the log, read.
#![allow(unused_qualifications, reason = "`utoipa::path` qualifies a query type of the same file")]

use super::{
    ApiState, QueryOf,
    caller::Caller,
    problem::{Problem, ProblemBody},
};
use crate::{
    clock::Timestamp,
    id::TenantId,
    policy::{decide::AuditRead, object::Share},
    store::{
        StoreError,
        log::{self, EntryRow, Stretch},
    },
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The most entries in one answer.
const LIMIT_MAX: i64 = 1_000;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(audit_list))
}

/// Which entries are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Whose chain; the nil UUID is the vault's own. A tenant's people read their own, and staff who say nothing the whole
    /// log.
    tenant: Option<TenantId>,
    /// The entries after this number, oldest first: `tenant_seq` in a chain, `seq` in the whole log.
    after: Option<i64>,
    /// The entries before this number, newest first. The newest of all where neither is said.
    before: Option<i64>,
    /// How many, 1 to 1000; 100 where nothing is said.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// An entry of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entry {
    /// Its place in the log.
    seq: i64,
    /// When it was committed.
    at: Timestamp,
    /// Whose chain it is in.
    tenant: TenantId,
    /// Its place in that chain.
    tenant_seq: i64,
    /// What happened.
    kind: String,
    /// Who did it, to what, and how it ended; none where it was erased.
    #[schema(value_type = Option<Object>)]
    payload: Option<Box<RawValue>>,
    /// The hash of the payload and its salt, in base64.
    #[schema(value_type = String)]
    payload_hash: crate::merkle::Hash,
    /// The hash of the entry, in base64.
    #[schema(value_type = String)]
    leaf_hash: crate::merkle::Hash,
}

/// Entries of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Entries {
    /// The entries.
    items: Vec<Entry>,
}

impl TryFrom<EntryRow> for Entry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let EntryRow { head, leaf_hash, payload, .. } = row;
        let corrupt = |_| StoreError::corrupt("entries", "payload", head.seq);
        Ok(Self {
            seq: head.seq,
            at: head.at,
            tenant: head.tenant,
            tenant_seq: head.tenant_seq,
            payload: payload.map(RawValue::from_string).transpose().map_err(corrupt)?,
            payload_hash: head.payload_hash,
            leaf_hash,
            kind: head.kind.into(),
        })
    }
}

/// Reads entries of the log.
#[utoipa::path(get, path = "/v1/audit", operation_id = "audit_list", tag = "audit", params(AuditQuery),
    responses((status = 200, body = Entries), (status = "default", body = ProblemBody)))]
async fn audit_list(
    State(state): State<ApiState>,
    caller: Caller,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<Entries>, Problem> {
    let AuditQuery { tenant, after, before, limit } = query;
    let limit = limit.unwrap_or(100);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::malformed("limit", "expected 1 to 1000"));
    }
    let share = tenant.map_or_else(|| caller.share(), Share::One);
    let permit = caller.may::<AuditRead>(&state, share)?;
    let stretch = match (*permit.object(), after, before) {
        (_, Some(_), Some(_)) => return Err(Problem::malformed("before", "expected either `after` or `before`")),
        (Share::One(tenant), Some(after), None) => Stretch::ChainFrom(tenant, after.saturating_add(1)),
        (Share::One(tenant), None, before) => Stretch::ChainBefore(tenant, before.unwrap_or(i64::MAX)),
        (Share::All, Some(after), None) => Stretch::From(after.saturating_add(1)),
        (Share::All, None, before) => Stretch::Before(before.unwrap_or(i64::MAX)),
    };
    let rows = log::entry_page(&mut state.vault.db.reader().await?.link(), stretch, limit).await?;
    let items = rows.into_iter().map(Entry::try_from).collect::<Result<_, _>>()?;
    Ok(Json(Entries { items }))
}
