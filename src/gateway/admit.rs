//! Judging a request and recording that it goes through: no record, no access.

use super::{Gateway, Upload, answer::Refusal};
use crate::{
    audit::{Effect, Use},
    broker::provider::{BodyRefusal, Demand, MAX_BODY_BYTES, Match, Provider, Region, Route},
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        lease::Lease,
    },
    id::LeaseId,
    peer::Peer,
    policy::{CanonicalTarget, Method, ScopeSet},
    store::connections,
};
use axum::body::Body;
use bytes::Bytes;
use http::{header, request::Parts};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use std::{net::IpAddr, sync::Arc};
use uuid::Uuid;

/// What is asked, by whom.
pub(super) struct Asked<'a> {
    pub(super) request_id: Uuid,
    pub(super) peer: Peer,
    pub(super) lease: &'a Lease,
    pub(super) place: &'a Place,
    pub(super) method: Method,
    pub(super) target: &'a CanonicalTarget,
}

/// Where a connection's requests go.
pub(super) struct Place {
    pub(super) provider: Arc<Provider>,
    /// The base address, without a slash at its end.
    pub(super) base: String,
}

#[derive(Serialize)]
struct AdmittedDetails<'a> {
    request_id: Uuid,
    lease: LeaseId,
    module: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    method: &'a str,
    template: &'a str,
    scopes: &'a ScopeSet,
    address: IpAddr,
}

impl Gateway {
    /// Returns where the lease's connection is. Costs one read the first time.
    pub(super) async fn place(&self, lease: &Lease) -> Result<Arc<Place>, Refusal> {
        if let Some(place) = self.places.get(&lease.connection) {
            return Ok(place);
        }
        let row = connections::connection_show(&mut self.vault.db.reader().await?.link(), lease.connection).await?;
        // A lease speaks for one tenant's connection; a row of another tenant's would be somebody else's account.
        let row = row.filter(|row| row.tenant == lease.tenant).ok_or(Refusal::DeadLease)?;
        let broker = &self.vault.broker;
        let nowhere = || Refusal::Provider("The connection's provider or region is not described here.".to_owned());
        let provider = broker.catalogue().provider(&row.provider).ok_or_else(nowhere)?;
        let region = Region::parse(&row.region).ok_or_else(nowhere)?;
        let base = broker.addresses().endpoint(provider, region).ok_or_else(nowhere)?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        let place = Arc::new(Place { provider: Arc::clone(provider), base });
        self.places.insert(lease.connection, Arc::clone(&place));
        Ok(place)
    }

    /// Finds the operation that is asked for; every other is refused, and those that give out tokens always.
    pub(super) fn route<'a>(&self, asked: &Asked<'a>) -> Result<&'a Route, Refusal> {
        match asked.place.provider.match_target(asked.method, asked.target) {
            Match::Route(route) => Ok(route),
            Match::Unknown => Err(self.refuse(asked, None, "off_policy", Refusal::OffPolicy)),
            Match::TokenMinting => Err(self.refuse(asked, None, "token_minting", Refusal::OffPolicy)),
        }
    }

    /// Reads the body where it decides, within bounds of size and time.
    pub(super) async fn read_body(
        &self,
        route: &Route,
        head: &Parts,
        body: Body,
    ) -> Result<(Option<Bytes>, Upload), Refusal> {
        if !route.rule().reads_body() {
            if body.size_hint().lower() > self.limits.request_bytes {
                return Err(Refusal::TooLarge);
            }
            return Ok((None, Upload::Streaming(body)));
        }
        if !is_json(head) {
            return Err(Refusal::Malformed("The body must be application/json, not encoded."));
        }
        let read = Limited::new(body, MAX_BODY_BYTES).collect();
        match tokio::time::timeout(self.limits.whole_body, read).await {
            Ok(Ok(collected)) => Ok((Some(collected.to_bytes()), Upload::Read)),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
            Ok(Err(_)) => Err(Refusal::Malformed("The body broke off.")),
            Err(_) => Err(Refusal::Malformed("The body came too slowly.")),
        }
    }

    /// Says what the request needs, and refuses it where the lease does not hold that.
    pub(super) fn demand(&self, asked: &Asked<'_>, route: &Route, body: &[u8]) -> Result<Demand, Refusal> {
        let demand = asked.place.provider.demand(route, asked.target, body).map_err(|refusal| match refusal {
            BodyRefusal::UnknownType(_) => self.refuse(asked, Some(route), "unknown_type", Refusal::Body(refusal)),
            other => self.refuse(asked, Some(route), "ambiguous_request", Refusal::Body(other)),
        })?;
        let held = &asked.lease.scopes;
        if demand.is_met_by(held) {
            return Ok(demand);
        }
        let missing = demand.scopes.iter().find(|scope| !held.contains(scope));
        let missing = missing.or_else(|| demand.any_of.iter().next()).map(ToString::to_string).unwrap_or_default();
        Err(self.refuse(asked, Some(route), "scope_missing", Refusal::Scope(missing)))
    }

    /// Commits the use: once this returns, the entry is durable and every fence of the lease stood.
    pub(super) async fn record(&self, asked: &Asked<'_>, route: &Route, demand: &Demand) -> Result<(), Refusal> {
        let lease = asked.lease;
        let details = AdmittedDetails {
            request_id: asked.request_id,
            lease: lease.id,
            module: lease.module.as_str(),
            job: lease.job.as_deref(),
            method: asked.method.as_str(),
            template: route.template().path(),
            scopes: &demand.scopes,
            address: asked.peer.address.ip(),
        };
        let (actor, object) = asked.subjects();
        let payload = Payload { actor, object, outcome: Outcome::Allowed, details };
        let event = Event::make(&*self.vault.entropy, lease.tenant, Kind::GatewayAdmitted, &payload);
        self.vault.sequencer.admit(Use { lease: lease.into(), effect: Effect::Pass, event }).await?;
        Ok(())
    }

    /// Records that an authenticated lease was refused, and gives the refusal back. Never the path: a template at most.
    pub(super) fn refuse(
        &self,
        asked: &Asked<'_>,
        route: Option<&Route>,
        reason: &'static str,
        refusal: Refusal,
    ) -> Refusal {
        let template = route.map_or("off_policy", |route| route.template().path());
        let details = serde_json::json!({
            "lease": asked.lease.id, "method": asked.method, "template": template, "request_id": asked.request_id,
        });
        let (actor, object) = asked.subjects();
        self.vault.sequencer.refuse(asked.lease.tenant, Kind::GatewayRefused, actor, object, reason, details);
        refusal
    }
}

impl Asked<'_> {
    fn subjects(&self) -> (Subject, Subject) {
        let worker = Subject::new("worker", self.lease.worker.as_uuid());
        (worker, Subject::new("connection", self.lease.connection.as_uuid()))
    }
}

/// Several SDKs do not say what a body is; one that says something else is meant for another reader than ours.
fn is_json(head: &Parts) -> bool {
    if head.headers.contains_key(header::CONTENT_ENCODING) {
        return false;
    }
    head.headers.get_all(header::CONTENT_TYPE).iter().all(|value| {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case("application/json")
    })
}
