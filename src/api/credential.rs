//! `POST /v1/credential`: token delivery. A worker whose lease allows it is handed the provider's access token, which
//! outlives a revocation: so it is listed, on every receipt, until it dies.

use super::{ApiState, caller::bearer, problem::Problem};
use crate::{
    audit::{Effect, FenceRefusal, Use, UseError},
    clock::Timestamp,
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        lease::Lease,
    },
    id::LeaseId,
    peer::Peer,
    policy::{Delivery, ScopeSet},
    store::leases::ResidualKey,
};
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use std::net::IpAddr;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Returns the routes.
pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(credential_release))
}

/// An access token, handed out.
#[derive(Serialize, ToSchema)]
pub(super) struct Credential<'a> {
    /// `access_token`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The provider's access token.
    access_token: &'a str,
    /// When it dies; a revocation before then cannot recall it.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct ReleaseDetails<'a> {
    lease: LeaseId,
    module: &'static str,
    scopes: &'a ScopeSet,
    delivery: &'static str,
    generation: i64,
    token_expires_at: Timestamp,
    address: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
}

/// Hands out an access token, once that is recorded.
#[utoipa::path(post, path = "/v1/credential", operation_id = "credential_release", tag = "worker",
    responses((status = 200, description = "The access token", body = inline(Credential<'static>)),
        (status = 401, description = "No lease was presented"),
        (status = 403, description = "The lease is dead, or does not allow token delivery"),
        (status = 429, description = "The provider throttles"),
        (status = 502, description = "The provider is not answering"),
        (status = 503, description = "The vault is sealed or cannot record")))]
pub(super) async fn credential_release(
    State(state): State<ApiState>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let vault = &state.vault;
    let lease = vault.identity.lease(bearer(&headers).ok_or_else(Problem::lease_missing)?).await?;
    let address = super::peer_address(peer.as_ref());
    if let Some(refused) = refusal(&lease, peer.as_ref()) {
        let actor = Subject::new("worker", lease.worker.as_uuid());
        let object = Subject::new("connection", lease.connection.as_uuid());
        let details = serde_json::json!({ "lease": lease.id, "attempted": "credential.released", "address": address });
        vault.sequencer.refuse(lease.tenant, Kind::LeaseRefused, actor, object, refused.0, details);
        return Err(refused.1);
    }
    if vault.clock.now() >= lease.expires_at {
        // Before the provider is asked for anything; the commit says the same, and records it.
        vault.sequencer.admit(release(&state, &lease, 0, lease.expires_at, address)).await?;
        return Err(UseError::Refused(FenceRefusal::Expired).into());
    }
    let token = match vault.broker.token(lease.connection).await {
        Ok(token) => token,
        Err(failure) => {
            // A dead lease is told so, whatever the provider says.
            vault.sequencer.admit(look(&state, &lease, address)).await?;
            return Err(failure.into());
        }
    };
    vault.sequencer.admit(release(&state, &lease, token.generation, token.expires_at, address)).await?;
    let body = Credential { kind: "access_token", access_token: token.secret.expose(), expires_at: token.expires_at };
    let mut response = axum::Json(body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Refuses what the lease itself does not allow.
fn refusal(lease: &Lease, peer: Option<&Extension<Peer>>) -> Option<(&'static str, Problem)> {
    if lease.delivery != Delivery::Token {
        return Some(("delivery", Problem::delivery(lease.delivery)));
    }
    // A lease that was bound to a certificate is worthless without it (RFC 8705 section 3).
    let shown = peer.and_then(|Extension(peer)| peer.certificate_thumbprint);
    if lease.certificate.is_some() && lease.certificate != shown {
        return Some(("certificate", Problem::lease_unusable()));
    }
    None
}

fn release(state: &ApiState, lease: &Lease, generation: i64, expires_at: Timestamp, address: IpAddr) -> Use {
    let key = ResidualKey {
        connection: lease.connection,
        generation,
        worker: lease.worker,
        tenant: lease.tenant,
        expires_at,
    };
    let details = ReleaseDetails {
        lease: lease.id,
        module: lease.module.as_str(),
        scopes: &lease.scopes,
        delivery: lease.delivery.as_str(),
        generation,
        token_expires_at: expires_at,
        address,
        job: lease.job.as_deref(),
    };
    let event = event(state, lease, Kind::CredentialReleased, Outcome::Allowed, details);
    Use { lease: lease.into(), effect: Effect::Release(key), event }
}

/// Asks the fences when there was no token to release.
fn look(state: &ApiState, lease: &Lease, address: IpAddr) -> Use {
    let details = serde_json::json!({ "lease": lease.id, "address": address, "reason": "no_access_token" });
    let event = event(state, lease, Kind::TokenRefused, Outcome::Failed, details);
    Use { lease: lease.into(), effect: Effect::Pass, event }
}

fn event<D: Serialize>(state: &ApiState, lease: &Lease, kind: Kind, outcome: Outcome, details: D) -> Event {
    let actor = Subject::new("worker", lease.worker.as_uuid());
    let object = Subject::new("connection", lease.connection.as_uuid());
    Event::make(&*state.vault.entropy, lease.tenant, kind, &Payload { actor, object, outcome, details })
}
