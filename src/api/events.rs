//! `GET /v1/events`: revocations and changes that concern the caller, as server-sent events. A person follows a tenant's
//! chain, or all of them; a worker follows the connection that its lease is for.

use super::{
    ApiState,
    caller::{Caller, bearer},
    problem::Problem,
};
use crate::{
    audit::Announcement,
    domain::event::Kind,
    id::{ConnectionId, TenantId, WorkerId},
    policy::decide::EventsRead,
};
use axum::{
    extract::{FromRequestParts, Request, State},
    response::{
        IntoResponse, Response,
        sse::{Event as SseEvent, KeepAlive, Sse},
    },
};
use futures_util::stream;
use std::{collections::VecDeque, convert::Infallible};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Returns the routes.
pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(events_follow))
}

/// Who listens, and so what concerns them.
#[derive(Clone, Copy)]
enum Listener {
    Everything,
    Tenant(TenantId),
    Worker(WorkerId, ConnectionId),
}

/// Follows revocations and changes as they happen. A listener that lags is told to look at the log.
#[utoipa::path(get, path = "/v1/events", operation_id = "events_follow", tag = "events",
    responses((status = 200, description = "Server-sent events: `event` is the kind of entry, `data` its payload",
        content_type = "text/event-stream", body = String)))]
pub(super) async fn events_follow(State(state): State<ApiState>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let listener = match bearer(&parts.headers) {
        Some(token) if token.starts_with("lh_") => {
            let lease = state.vault.identity.lease(token).await?;
            if state.vault.clock.now() >= lease.expires_at {
                return Err(Problem::lease_unusable());
            }
            Listener::Worker(lease.worker, lease.connection)
        }
        _ => {
            let caller = Caller::from_request_parts(&mut parts, &state).await?;
            caller.may::<EventsRead>(&state, caller.share())?;
            caller.0.tenant().map_or(Listener::Everything, Listener::Tenant)
        }
    };
    let following =
        Following { listener, announcements: state.vault.sequencer.announcements(), waiting: VecDeque::new() };
    let events = stream::unfold(following, |mut following| async move { Some((following.next().await?, following)) });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

struct Following {
    listener: Listener,
    announcements: Receiver<Announcement>,
    waiting: VecDeque<SseEvent>,
}

impl Following {
    async fn next(&mut self) -> Option<Result<SseEvent, Infallible>> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(Ok(event));
            }
            match self.announcements.recv().await {
                Ok(announcement) if announcement.is_after_gap => {
                    return Some(Ok(SseEvent::default().event("lagged").data("unknown")));
                }
                Ok(announcement) => {
                    let listener = self.listener;
                    let concerning = announcement
                        .entries
                        .iter()
                        .filter(|(tenant, kind, payload)| listener.concerns(*tenant, *kind, payload));
                    let events = concerning.map(|(_, kind, payload)| listener.event(*kind, payload));
                    self.waiting.extend(events);
                }
                Err(RecvError::Lagged(missed)) => {
                    return Some(Ok(SseEvent::default().event("lagged").data(missed.to_string())));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

impl Listener {
    fn concerns(self, tenant: TenantId, kind: Kind, payload: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Tenant(own) => tenant == own,
            Self::Worker(worker, connection) => {
                kind == Kind::EverythingRevoked
                    || (ends_access(kind)
                        && (payload.contains(&worker.to_string()) || payload.contains(&connection.to_string())))
            }
        }
    }
}

impl Listener {
    /// A worker is told that its access ended, not by whom or why.
    fn event(self, kind: Kind, payload: &str) -> SseEvent {
        let event = SseEvent::default().event(kind.as_str());
        match self {
            Self::Worker(_, connection) => event.data(format!(r#"{{"connection":"{connection}"}}"#)),
            Self::Everything | Self::Tenant(_) => event.data(payload),
        }
    }
}

fn ends_access(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::ConnectionRevoked | Kind::ConnectionSuspended | Kind::WorkerDisabled | Kind::GrantSet | Kind::GrantEnded
    )
}
