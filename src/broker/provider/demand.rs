//! Says what a lease must hold for a request, where the route alone does not show it: batches, reports, feeds.

use super::{
    BodyRule, Match, Provider, Route,
    json::{Json, MAX_BODY_BYTES},
    query,
    type_table::TypeTable,
};
use crate::policy::{
    Method, Scope, ScopeSet,
    path::{CanonicalTarget, PathRefusal},
};
use std::borrow::Cow;

/// What a lease must hold for one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Every one of these scopes.
    pub scopes: ScopeSet,
    /// At least one of these, unless there are none.
    pub any_of: ScopeSet,
    /// And the scope of the type of each of these, which the request does not show and the provider has to be asked for.
    pub lookups: Vec<Lookup>,
    /// The types of reports or feeds that the request names. The answer's ids belong to them.
    pub types: Vec<String>,
    /// What goes upstream in place of the body that was read, or `None` where none was.
    pub body: Option<Vec<u8>>,
}

impl Demand {
    /// Tells whether `held` is enough, but for [`Self::lookups`].
    #[must_use]
    pub fn is_met_by(&self, held: &ScopeSet) -> bool {
        self.scopes.is_subset(held) && (self.any_of.is_empty() || self.any_of.iter().any(|scope| held.contains(scope)))
    }
}

/// Something whose type decides, known by an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// A report, by its id.
    Report(String),
    /// A schedule of reports, by its id.
    ReportSchedule(String),
    /// A report's document, by the document's id.
    ReportDocument(String),
    /// A further page of a list of reports. Only a page that this vault has seen begin is known.
    ReportPage(String),
    /// A feed, by its id.
    Feed(String),
    /// A feed's document, by the document's id.
    FeedDocument(String),
    /// A further page of a list of feeds. Only a page that this vault has seen begin is known.
    FeedPage(String),
}

/// Why a request is refused before any scope is compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefusal {
    /// The body is longer than [`MAX_BODY_BYTES`].
    #[error("the body is longer than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The body nests too deep.
    #[error("the body nests too deep")]
    TooDeep,
    /// The body is not exactly one JSON value.
    #[error("the body is not JSON")]
    NotJson,
    /// An object of the body has a key twice.
    #[error("the body has the key `{0}` twice")]
    DuplicateKey(String),
    /// A key differs in case only from one that decides.
    #[error("the body has another spelling of `{0}`")]
    AmbiguousKey(&'static str),
    /// A parameter could pass for one that decides.
    #[error("the query has another spelling of `{0}`")]
    AmbiguousParameter(String),
    /// What decides is absent or not of its type.
    #[error("`{0}` is missing or not of its type")]
    Missing(&'static str),
    /// A type of report or feed that the provider's file does not list.
    #[error("`{0}` is not a known type")]
    UnknownType(String),
    /// A request within a batch that the batch may not hold.
    #[error("request {0} of the batch is not one that it may hold")]
    NotBatchable(usize),
    /// A path within the body is refused.
    #[error("item {index} of the body: {reason}")]
    Path {
        /// Which item, from 0.
        index: usize,
        /// Why.
        reason: PathRefusal,
    },
    /// A restricted resource that is no route of the provider's, or there are none or too many.
    #[error("restricted resource {0} is not a known operation")]
    UnknownResource(usize),
}

impl Provider {
    /// Says what a lease must hold for `route`, which [`Provider::match_target`] found for `target`. `body` is the whole
    /// body where [`BodyRule::reads_body`], and is not looked at otherwise. One pass over the body; no I/O.
    ///
    /// # Errors
    /// [`BodyRefusal`] where what decides is missing, unknown or could be read in two ways.
    pub fn demand(&self, route: &Route, target: &CanonicalTarget, body: &[u8]) -> Result<Demand, BodyRefusal> {
        let mut demand = match route.rule {
            BodyRule::None => Demand::default(),
            BodyRule::PricingBatch => self.batch_demand(route, body)?,
            BodyRule::CreateReport => creation_demand(&self.report_types, "reportType", body)?,
            BodyRule::CreateFeed => creation_demand(&self.feed_types, "feedType", body)?,
            BodyRule::ListReports => list_demand(&self.report_types, "reportTypes", target, Lookup::ReportPage)?,
            BodyRule::ListFeeds => list_demand(&self.feed_types, "feedTypes", target, Lookup::FeedPage)?,
            BodyRule::ReportById => by_id(route, target, Lookup::Report)?,
            BodyRule::ReportScheduleById => by_id(route, target, Lookup::ReportSchedule)?,
            BodyRule::ReportDocument => by_id(route, target, Lookup::ReportDocument)?,
            BodyRule::FeedById => by_id(route, target, Lookup::Feed)?,
            BodyRule::FeedDocument => by_id(route, target, Lookup::FeedDocument)?,
            BodyRule::FeedUpload => Demand { any_of: gathered(self.feed_types.scopes().cloned()), ..Demand::default() },
        };
        let widened = route.widened_by(target)?;
        demand.scopes = gathered(demand.scopes.iter().cloned().chain(route.scope.clone()).chain(widened));
        Ok(demand)
    }

    /// Says what a lease must hold for the operations that a request for a restricted data token names
    /// (`restrictedResources`, at most 50). Such a request is never forwarded as it came; this is for answering it here.
    ///
    /// # Errors
    /// [`BodyRefusal`].
    pub fn restricted_demand(&self, body: &[u8]) -> Result<Demand, BodyRefusal> {
        const MAX_RESOURCES: usize = 50;
        let mut json = Json::parse(body)?;
        let resources = json.array("restrictedResources")?;
        if resources.is_empty() || resources.len() > MAX_RESOURCES {
            return Err(BodyRefusal::UnknownResource(resources.len()));
        }
        let (mut scopes, mut lookups) = (Vec::new(), Vec::new());
        for (index, resource) in resources.iter_mut().enumerate() {
            let unknown = BodyRefusal::UnknownResource(index);
            let method = Method::parse(resource.text("method")?).ok_or(unknown.clone())?;
            let path = specific(resource.text("path")?);
            let target = CanonicalTarget::parse(&path).map_err(|reason| BodyRefusal::Path { index, reason })?;
            let Match::Route(route) = self.match_target(method, &target) else {
                return Err(unknown);
            };
            if target.query().is_some() || route.rule.reads_body() {
                return Err(unknown);
            }
            let needed = self.demand(route, &target, b"")?;
            scopes.extend(needed.scopes.iter().cloned());
            lookups.extend(needed.lookups);
            if resource.member("dataElements")?.is_some() {
                scopes.extend(self.restricted.as_ref().map(|restricted| restricted.scope.clone()));
            }
        }
        Ok(Demand { scopes: gathered(scopes), lookups, body: Some(json.to_bytes()), ..Demand::default() })
    }

    /// Checks each request within a batch as if it came alone, and gathers what they need.
    fn batch_demand(&self, route: &Route, body: &[u8]) -> Result<Demand, BodyRefusal> {
        let mut json = Json::parse(body)?;
        let mut scopes = Vec::new();
        for (index, request) in json.array("requests")?.iter_mut().enumerate() {
            let refused = BodyRefusal::NotBatchable(index);
            let method = Method::parse(request.text("method")?).ok_or(refused.clone())?;
            let uri = request.text("uri")?;
            let target = CanonicalTarget::parse(uri).map_err(|reason| BodyRefusal::Path { index, reason })?;
            if target.query().is_some() || route.batched.find(method, &target).is_none() {
                return Err(refused);
            }
            match self.match_target(method, &target) {
                Match::TokenMinting => return Err(refused),
                // Some batched operations cannot be called alone; the batch's own scope covers them.
                Match::Unknown => {}
                Match::Route(alone) if alone.rule != BodyRule::None => return Err(refused),
                Match::Route(alone) => scopes.extend(alone.scope.clone()),
            }
            uri.clear();
            uri.push_str(target.as_str());
            // Headers of a request within could carry another token, or another method.
            match request.member("headers")? {
                None => {}
                Some(Json::Object(headers)) if headers.is_empty() => {}
                Some(_) => return Err(refused),
            }
        }
        Ok(Demand { scopes: gathered(scopes), body: Some(json.to_bytes()), ..Demand::default() })
    }
}

impl Route {
    /// Returns the scope that the query's widening parameter needs besides, if it asks for more than the route shows.
    fn widened_by(&self, target: &CanonicalTarget) -> Result<Option<Scope>, BodyRefusal> {
        let Some(rule) = &self.query else {
            return Ok(None);
        };
        let asked = query::values(target, &rule.parameter)?;
        let free = asked.iter().all(|value| rule.free.contains(&value.trim().to_ascii_uppercase()));
        Ok((!free).then(|| rule.scope.clone()))
    }
}

fn creation_demand(types: &TypeTable, key: &'static str, body: &[u8]) -> Result<Demand, BodyRefusal> {
    let mut json = Json::parse(body)?;
    let name = json.text(key)?.clone();
    let scope = types.find(&name).cloned().ok_or_else(|| unknown_type(&name))?;
    Ok(Demand { scopes: scope.into(), types: vec![name], body: Some(json.to_bytes()), ..Demand::default() })
}

fn list_demand(
    types: &TypeTable,
    parameter: &'static str,
    target: &CanonicalTarget,
    page: fn(String) -> Lookup,
) -> Result<Demand, BodyRefusal> {
    let names = query::values(target, parameter)?;
    // A page token stands alone: Amazon refuses it in company, and company could contradict it.
    query::values(target, "nextToken")?;
    if let Some((_, token)) = target.parameters().find(|(name, _)| name == "nextToken") {
        if target.parameters().count() > 1 || token.is_empty() {
            return Err(BodyRefusal::AmbiguousParameter("nextToken".into()));
        }
        return Ok(Demand { lookups: vec![page(token.into_owned())], ..Demand::default() });
    }
    if names.is_empty() {
        return Err(BodyRefusal::Missing(parameter));
    }
    let mut scopes = Vec::new();
    for name in &names {
        scopes.push(types.find(name).cloned().ok_or_else(|| unknown_type(name))?);
    }
    Ok(Demand { scopes: gathered(scopes), types: names, ..Demand::default() })
}

fn by_id(route: &Route, target: &CanonicalTarget, lookup: fn(String) -> Lookup) -> Result<Demand, BodyRefusal> {
    let id = route.template.sole_parameter(target).ok_or(BodyRefusal::Missing("id"))?;
    Ok(Demand { lookups: vec![lookup(id.to_owned())], ..Demand::default() })
}

/// Puts something in place of each generic segment: a token may be asked for `/orders/v0/orders/{orderId}/address`.
fn specific(path: &str) -> Cow<'_, str> {
    if !path.contains('{') {
        return Cow::Borrowed(path);
    }
    let generic = |segment: &str| segment.starts_with('{') && segment.ends_with('}') && !segment[1..].contains('{');
    let segments: Vec<_> = path.split('/').map(|segment| if generic(segment) { "generic" } else { segment }).collect();
    Cow::Owned(segments.join("/"))
}

fn gathered(scopes: impl IntoIterator<Item = Scope>) -> ScopeSet {
    ScopeSet::new(scopes).expect("a file declares no more scopes than a set holds")
}

fn unknown_type(name: &str) -> BodyRefusal {
    BodyRefusal::UnknownType(name.chars().take(128).collect())
}
