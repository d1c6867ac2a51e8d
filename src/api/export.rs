//! `GET /v1/audit/export`: a whole chain of the log as a file, with the proofs that it is complete, unaltered and in order.
#![allow(unused_qualifications, reason = "`utoipa::path` qualifies a query type of the same file")]

use super::{
    ApiState, QueryOf,
    caller::Caller,
    problem::{Problem, ProblemBody},
};
use crate::{
    audit::recompute,
    evidence::{Closing, closing_line, opening_line, record_line},
    id::TenantId,
    policy::{decide::AuditExport, object::Share},
    store::{
        Db, StoreError,
        log::{self, EntryRow, Stretch},
        tenants,
    },
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::header;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// How many entries are read, and sent, at once.
const PAGE: i64 = 500;

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(audit_export))
}

/// Which chain, and how it is written.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// Whose chain; a tenant's people take their own, staff name it. The nil UUID is the vault's own.
    tenant: Option<TenantId>,
    /// How it is written; JSON Lines where nothing is said.
    #[serde(default)]
    format: Format,
    /// The size of an older checkpoint, which the file then proves to be the beginning of this log.
    older: Option<u64>,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// JSON Lines with proofs: what `leasehold audit verify` reads.
    #[default]
    Jsonl,
    /// A table for people. It proves nothing.
    Csv,
}

/// Takes a whole chain of the log away.
#[utoipa::path(get, path = "/v1/audit/export", operation_id = "audit_export", tag = "audit", params(ExportQuery),
    responses((status = 200, description = "JSON Lines: an opening, a record for each entry, a closing with the proofs",
        content_type = "application/jsonl", body = String), (status = "default", body = ProblemBody)))]
async fn audit_export(
    State(state): State<ApiState>,
    caller: Caller,
    QueryOf(query): QueryOf<ExportQuery>,
) -> Result<Response, Problem> {
    let ExportQuery { tenant, format, older } = query;
    let share = tenant.map_or_else(|| caller.share(), Share::One);
    let permit = caller.may::<AuditExport>(&state, share)?;
    let Share::One(tenant) = *permit.object() else {
        return Err(Problem::malformed("tenant", "say whose chain: an export is of one"));
    };
    // A chain can be of nobody: what staff were refused about a tenant that is not there.
    if tenant != TenantId::VAULT {
        let known = tenants::tenant_show(&mut state.vault.db.reader().await?.link(), tenant).await?;
        known.ok_or_else(Problem::not_found)?;
    }
    let checkpointer = &state.vault.checkpointer;
    // A map that was made after the tenant's newest entry shows all there is: where nothing of his was appended since,
    // asking again signs nothing anew.
    let newest = Stretch::ChainBefore(tenant, i64::MAX);
    let newest = log::entry_page(&mut state.vault.db.reader().await?.link(), newest, 1).await?;
    let newest = newest.first().ok_or_else(Problem::not_found)?.head.seq;
    let signed = checkpointer.covering(newest.unsigned_abs()).await?;
    let closing = checkpointer.close_export(&signed, tenant, older).await?.ok_or_else(Problem::not_found)?;
    let entries = signed.map.find(tenant).map_or(0, |(head, _)| head.tenant_seq + 1);
    let opening = opening_line(checkpointer.origin(), tenant, entries, state.vault.clock.now());
    let export = Export {
        db: state.vault.db.clone(),
        tenant,
        next: 0,
        end: i64::try_from(entries).map_err(|_| Problem::not_found())?,
        format,
        opening: Some(opening),
        closing: Some(closing),
    };
    let lines = stream::try_unfold(export, |mut export| async move {
        Ok::<_, StoreError>(export.next().await?.map(|lines| (Bytes::from(lines), export)))
    });
    let (kind, ending) = match format {
        Format::Jsonl => ("application/jsonl", "jsonl"),
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
    };
    let name = format!("attachment; filename=\"audit-{tenant}.{ending}\"");
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// An export on its way. A failure ends the body without its end, so that nobody takes the part for the whole.
struct Export {
    db: Db,
    tenant: TenantId,
    next: i64,
    end: i64,
    format: Format,
    opening: Option<String>,
    closing: Option<Closing>,
}

impl Export {
    async fn next(&mut self) -> Result<Option<String>, StoreError> {
        if let Some(mut opening) = self.opening.take() {
            if self.format == Format::Csv {
                opening = CSV_COLUMNS.join(",");
            }
            opening.push('\n');
            return Ok(Some(opening));
        }
        if self.next < self.end {
            return self.page().await.map(Some);
        }
        let closing = self.closing.take().filter(|_| self.format == Format::Jsonl);
        Ok(closing.map(|closing| closing_line(&closing) + "\n"))
    }

    async fn page(&mut self) -> Result<String, StoreError> {
        let limit = PAGE.min(self.end - self.next);
        let stretch = Stretch::ChainFrom(self.tenant, self.next);
        let rows = log::entry_page(&mut self.db.reader().await?.link(), stretch, limit).await?;
        if rows.is_empty() {
            return Err(StoreError::corrupt("entries", "tenant_seq", self.next));
        }
        for row in &rows {
            // What is damaged is not handed out: the file breaks off before it.
            recompute(row).map_err(|flaw| {
                tracing::error!(seq = row.head.seq, %flaw, "an export broke off");
                StoreError::corrupt("entries", "leaf_hash", row.head.seq)
            })?;
        }
        self.next += i64::try_from(rows.len()).expect("a page is short");
        match self.format {
            Format::Jsonl => Ok(json_lines(&rows)),
            Format::Csv => csv_lines(&rows),
        }
    }
}

fn json_lines(rows: &[EntryRow]) -> String {
    let (mut lines, mut entry) = (String::with_capacity(rows.len() * 1_024), String::new());
    for row in rows {
        row.head.write_bytes(&mut entry);
        record_line(&entry, row.salt.as_ref(), row.payload.as_deref(), &mut lines);
        lines.push('\n');
    }
    lines
}

const CSV_COLUMNS: [&str; 10] =
    ["seq", "at", "tenant_seq", "kind", "actor_type", "actor", "object_type", "object", "outcome", "details"];

fn csv_lines(rows: &[EntryRow]) -> Result<String, StoreError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        let corrupt = |_| StoreError::corrupt("entries", "payload", row.head.seq);
        let payload: serde_json::Value = match &row.payload {
            Some(payload) => serde_json::from_str(payload).map_err(corrupt)?,
            None => serde_json::Value::Null,
        };
        let text = |path: &str| payload.pointer(path).and_then(serde_json::Value::as_str).unwrap_or("").to_owned();
        let record = [
            row.head.seq.to_string(),
            row.head.at.to_string(),
            row.head.tenant_seq.to_string(),
            row.head.kind.to_string(),
            text("/actor/type"),
            text("/actor/id"),
            text("/object/type"),
            text("/object/id"),
            text("/outcome"),
            payload.get("details").map(ToString::to_string).unwrap_or_default(),
        ];
        writer.write_record(record).map_err(|_| StoreError::corrupt("entries", "payload", row.head.seq))?;
    }
    let bytes = writer.into_inner().map_err(|_| StoreError::corrupt("entries", "payload", "csv"))?;
    String::from_utf8(bytes).map_err(|_| StoreError::corrupt("entries", "payload", "csv"))
}
