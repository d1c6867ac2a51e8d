//! Checkpoints, proofs, tiles and the keys that sign: what somebody else's program checks the log with. The forms are
//! C2SP's `tlog-checkpoint`, `tlog-proof` and `tlog-tiles`; the prefix of the last is `/v1/audit`.
#![allow(unused_qualifications, reason = "`utoipa::path` qualifies a query type of the same file")]

use super::{
    ApiState, PathOf, QueryOf,
    caller::Caller,
    json::JsonBody,
    problem::{Problem, ProblemBody},
};
use crate::{
    audit::StoredTree,
    clock::Timestamp,
    evidence::Receipt,
    merkle::Hash,
    policy::{
        decide::{AuditRead, CheckpointRead, KeysRotate},
        object::{Share, VaultWide},
    },
    store::{checkpoints, log, signers, tiles::WIDTH},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Tiles never change.
const FOR_EVER: &str = "private, max-age=31536000, immutable";

pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(checkpoint_show))
        .routes(routes!(proof_show))
        .routes(routes!(consistency_show))
        .routes(routes!(verifiers_show))
        .routes(routes!(signer_rotate))
        .routes(routes!(tile_show))
        .routes(routes!(tile_show_at_root))
}

/// Shows the newest signed checkpoint.
#[utoipa::path(get, path = "/v1/audit/checkpoint", operation_id = "checkpoint_show", tag = "audit",
    responses((status = 200, description = "A C2SP tlog-checkpoint", content_type = "text/plain", body = String),
        (status = "default", body = ProblemBody)))]
async fn checkpoint_show(State(state): State<ApiState>, caller: Caller) -> Result<Response, Problem> {
    caller.may::<CheckpointRead>(&state, VaultWide)?;
    let newest = checkpoints::checkpoint_newest(&mut state.vault.db.reader().await?.link()).await?;
    let note = match newest {
        Some(row) => row.note,
        None => state.vault.checkpointer.covering(0).await?.note.clone(),
    };
    Ok(text(note))
}

/// Proves that an entry is in the log.
#[utoipa::path(get, path = "/v1/audit/proof/{seq}", operation_id = "proof_show", tag = "audit",
    params(("seq" = i64, Path)),
    responses((status = 200, description = "A receipt: the entry and its C2SP tlog-proof", body = Object),
        (status = "default", body = ProblemBody)))]
async fn proof_show(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(seq): PathOf<i64>,
) -> Result<Json<Receipt>, Problem> {
    let row = log::entry_show(&mut state.vault.db.reader().await?.link(), seq).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    caller.may::<AuditRead>(&state, Share::One(row.head.tenant))?;
    Ok(Json(state.vault.checkpointer.receipt(&[row]).await?))
}

/// Which two trees.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ConsistencyQuery {
    /// How many entries the older one has.
    older: u64,
    /// How many the newer one has; the newest checkpoint where nothing is said.
    newer: Option<u64>,
}

/// A consistency proof (RFC 9162 §2.1.4).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Consistency {
    /// How many entries the older tree has.
    older: u64,
    /// How many the newer one has.
    newer: u64,
    /// The hashes, in base64.
    #[schema(value_type = Vec<String>)]
    hashes: Vec<Hash>,
}

/// Proves that the log at one checkpoint is the beginning of the log at a later one.
#[utoipa::path(get, path = "/v1/audit/consistency", operation_id = "consistency_show", tag = "audit",
    params(ConsistencyQuery), responses((status = 200, body = Consistency), (status = "default", body = ProblemBody)))]
async fn consistency_show(
    State(state): State<ApiState>,
    caller: Caller,
    QueryOf(query): QueryOf<ConsistencyQuery>,
) -> Result<Json<Consistency>, Problem> {
    caller.may::<CheckpointRead>(&state, VaultWide)?;
    let newest = checkpointed(&state).await?;
    let newer = query.newer.unwrap_or(newest);
    if newer > newest {
        return Err(Problem::malformed("newer", "no checkpoint has so many entries yet"));
    }
    let hashes = state.vault.checkpointer.consistency(query.older, newer).await?;
    Ok(Json(Consistency { older: query.older, newer, hashes }))
}

/// The keys that sign checkpoints.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verifiers {
    /// The name of the log.
    origin: String,
    /// The keys, the oldest first; the last one signs.
    keys: Vec<Verifier>,
}

/// A key that signs checkpoints.
#[derive(Debug, Serialize, ToSchema)]
struct Verifier {
    /// Which of the log's keys it is, from 1.
    number: i64,
    /// The public key, in the form of C2SP signed-note.
    verifier: String,
    /// A note on it, signed by it and by the key before.
    introduction: String,
    /// When it was made.
    created_at: Timestamp,
}

/// Lists the public keys that sign checkpoints. Who trusts one of them can check the others by their introductions.
#[utoipa::path(get, path = "/v1/audit/keys", operation_id = "verifiers_show", tag = "audit",
    responses((status = 200, body = Verifiers), (status = "default", body = ProblemBody)))]
async fn verifiers_show(State(state): State<ApiState>, caller: Caller) -> Result<Json<Verifiers>, Problem> {
    caller.may::<CheckpointRead>(&state, VaultWide)?;
    let mut rows = signers::verifier_list(&mut state.vault.db.reader().await?.link()).await?;
    if rows.is_empty() {
        // The first key is made when the first checkpoint is.
        state.vault.checkpointer.covering(0).await?;
        rows = signers::verifier_list(&mut state.vault.db.reader().await?.link()).await?;
    }
    let key = |row: signers::VerifierRow| Verifier {
        number: row.number,
        verifier: row.verifier,
        introduction: row.introduction,
        created_at: row.created_at,
    };
    Ok(Json(Verifiers {
        origin: state.vault.checkpointer.origin().to_owned(),
        keys: rows.into_iter().map(key).collect(),
    }))
}

/// Which key to rotate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotate {
    /// What it does.
    key: RotatableKey,
}

/// The keys that can be rotated.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RotatableKey {
    /// The one that signs checkpoints.
    Signer,
}

/// The key that signs from now on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Rotated {
    /// The public key, in the form of C2SP signed-note.
    verifier: String,
}

/// Rotates a key. A new key that signs checkpoints is introduced by the one before it.
#[utoipa::path(post, path = "/v1/keys/rotate", operation_id = "keys_rotate", tag = "keys", request_body = Rotate,
    responses((status = 200, body = Rotated), (status = "default", body = ProblemBody)))]
async fn signer_rotate(
    State(state): State<ApiState>,
    caller: Caller,
    body: JsonBody<Rotate>,
) -> Result<Json<Rotated>, Problem> {
    let permit = caller.may::<KeysRotate>(&state, VaultWide)?;
    let verifier = match body.value.key {
        RotatableKey::Signer => state.vault.keyring.signer_rotate(permit).await?,
    };
    Ok(Json(Rotated { verifier }))
}

/// Shows a tile of the tree, or a bundle of entries (`entries/…`, staff only). The path is C2SP tlog-tiles'.
#[utoipa::path(get, path = "/v1/audit/tile/{*tile}", operation_id = "tile_show", tag = "audit",
    params(("tile" = String, Path, description = "Such as 0/x001/067 or 1/000.p/17")),
    responses((status = 200, description = "Hashes of 32 bytes", content_type = "application/octet-stream", body = Vec<u8>),
        (status = "default", body = ProblemBody)))]
async fn tile_show(state: State<ApiState>, caller: Caller, tile: PathOf<String>) -> Result<Response, Problem> {
    tile_answer(state, caller, tile).await
}

/// Shows the same, at the root.
#[utoipa::path(get, path = "/tile/{*tile}", operation_id = "tile_show_at_root", tag = "audit",
    params(("tile" = String, Path, description = "Such as 0/x001/067 or 1/000.p/17")),
    responses((status = 200, description = "Hashes of 32 bytes", content_type = "application/octet-stream", body = Vec<u8>),
        (status = "default", body = ProblemBody)))]
async fn tile_show_at_root(state: State<ApiState>, caller: Caller, tile: PathOf<String>) -> Result<Response, Problem> {
    tile_answer(state, caller, tile).await
}

async fn tile_answer(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(path): PathOf<String>,
) -> Result<Response, Problem> {
    caller.may::<CheckpointRead>(&state, VaultWide)?;
    let tile = TilePath::parse(&path).ok_or_else(Problem::not_found)?;
    let size = checkpointed(&state).await?;
    let mut reader = state.vault.db.reader().await?;
    let link = &mut reader.link();
    let level = match tile.of {
        Of::Hashes(level) => level,
        Of::Entries => {
            caller.may::<AuditRead>(&state, Share::All)?;
            0
        }
    };
    let hashes = StoredTree::new(link, size).tile(level, tile.place).await?.ok_or_else(Problem::not_found)?;
    let width = usize::try_from(tile.width).map_err(|_| Problem::not_found())?;
    // A partial tile is asked for by the width that some checkpoint gave it.
    let hashes = hashes.get(..width).ok_or_else(Problem::not_found)?;
    let bytes = match tile.of {
        Of::Hashes(_) => hashes.iter().flat_map(|hash| hash.as_bytes()).copied().collect(),
        Of::Entries => {
            let first = i64::try_from(tile.place * WIDTH).map_err(|_| Problem::not_found())?;
            let rows = log::entry_page(link, log::Stretch::From(first), i64::from(tile.width)).await?;
            bundle(&rows)
        }
    };
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, FOR_EVER)];
    Ok((headers, bytes).into_response())
}

/// Returns how many entries the newest checkpoint covers: what lies behind it may not be durable yet.
async fn checkpointed(state: &ApiState) -> Result<u64, Problem> {
    let newest = checkpoints::checkpoint_newest(&mut state.vault.db.reader().await?.link()).await?;
    Ok(newest.map_or(0, |row| u64::try_from(row.size).unwrap_or(0)))
}

/// Writes entries as a bundle: each behind its length in two bytes, big-endian.
fn bundle(rows: &[log::EntryRow]) -> Vec<u8> {
    let (mut bytes, mut entry) = (Vec::new(), String::new());
    for row in rows {
        row.head.write_bytes(&mut entry);
        let length = u16::try_from(entry.len()).expect("an entry without its payload has a few hundred bytes");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry.as_bytes());
    }
    bytes
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Hashes(u32),
    Entries,
}

/// Names a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TilePath {
    of: Of,
    place: u64,
    width: u32,
}

impl TilePath {
    /// Reads `<level>/<place>[.p/<width>]`; each has one spelling.
    fn parse(path: &str) -> Option<Self> {
        let (of, rest) = path.split_once('/')?;
        let of = match of {
            "entries" => Of::Entries,
            level => Of::Hashes(decimal(level).filter(|level| *level < 64)?),
        };
        let (place, width) = match rest.split_once(".p/") {
            Some((place, width)) => (place, decimal(width).filter(|width| (1..256).contains(width))?),
            None => (rest, 256),
        };
        let groups: Vec<&str> = place.split('/').collect();
        let (last, before) = groups.split_last()?;
        let mut number: u64 = 0;
        for group in before.iter().map(|group| group.strip_prefix('x')).chain([Some(*last)]) {
            let group = group.filter(|group| group.len() == 3 && group.bytes().all(|digit| digit.is_ascii_digit()))?;
            number = number.checked_mul(1_000)?.checked_add(group.parse().ok()?)?;
        }
        // `x000/001` would be another spelling of `001`.
        let leads_with_nothing = before.first().is_some_and(|first| *first == "x000");
        (!leads_with_nothing && number < 1 << 55).then_some(Self { of, place: number, width })
    }
}

fn decimal(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

fn text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_one_path() {
        let tile = |of, place, width| Some(TilePath { of, place, width });
        assert_eq!(TilePath::parse("0/000"), tile(Of::Hashes(0), 0, 256));
        assert_eq!(TilePath::parse("2/x001/x234/067"), tile(Of::Hashes(2), 1_234_067, 256));
        assert_eq!(TilePath::parse("1/017.p/3"), tile(Of::Hashes(1), 17, 3));
        assert_eq!(TilePath::parse("entries/x001/000.p/255"), tile(Of::Entries, 1_000, 255));
        for none in [
            "",
            "0",
            "0/",
            "0/0",
            "0/0000",
            "00/000",
            "64/000",
            "0/x000/001",
            "0/001/002",
            "0/x001",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p",
            "0/+01",
            "data/000",
            "0/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(TilePath::parse(none), None, "{none}");
        }
    }
}
