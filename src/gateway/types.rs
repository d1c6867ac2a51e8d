//! Which type a report, feed or document is of. Its id does not show that, and the type decides the scope: so ids are
//! bound to their types as answers pass, and an id that nobody has seen is asked for at the provider, with the real token
//! and after the fence commit.

use super::{Gateway, admit::Asked, answer::Refusal, forward};
use crate::{
    audit::{Batch, Change, ChangeError},
    broker::{
        dialer::full,
        provider::{BodyRule, Demand, Lookup, MAX_BODY_BYTES, Provider, Route},
    },
    domain::secrets::AccessToken,
    id::ConnectionId,
    policy::{Method, Scope},
    store::typed_documents::{self, DocumentKind},
};
use data_encoding::HEXLOWER;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{convert::Infallible, sync::Arc};

/// The longest id that is remembered, in bytes.
const ID_MAX: usize = 256;
/// Separates the types that one page of a list is of.
const BETWEEN: char = ',';

/// Whose type table decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Report,
    Feed,
}

/// The types that were found for what a request names.
#[derive(Default)]
pub(super) struct Found(Vec<(Family, Arc<str>)>);

impl Found {
    /// Walks the scopes that the types need; a type that the file does not list needs none that exists.
    pub(super) fn scopes<'a>(&'a self, provider: &'a Provider) -> impl Iterator<Item = &'a Scope> {
        self.named().filter_map(move |(family, name)| scope_of(provider, family, name))
    }

    fn named(&self) -> impl Iterator<Item = (Family, &str)> {
        self.0.iter().flat_map(|(family, types)| types.split(BETWEEN).map(|name| (*family, name)))
    }
}

/// What is known before the commit, and what has to be asked after it.
pub(super) struct Looked {
    known: Found,
    unknown: Vec<Lookup>,
}

/// Says whether an answer on this route tells the types of ids, and is read for them.
pub(super) fn tells(route: &Route) -> bool {
    use BodyRule::{CreateFeed, CreateReport, FeedById, ListFeeds, ListReports, ReportById, ReportScheduleById};
    let rule = route.rule();
    let by_id = matches!(rule, ReportById | ReportScheduleById | FeedById) && route.template().method() == Method::Get;
    by_id || matches!(rule, CreateFeed | CreateReport | ListFeeds | ListReports)
}

impl Gateway {
    /// Looks up the types of what a request names, in memory and in the store, and refuses what can be refused by them.
    /// Costs nothing for a request that names no such thing.
    pub(super) async fn known_types(
        &self,
        asked: &Asked<'_>,
        route: &Route,
        demand: &Demand,
    ) -> Result<Looked, Refusal> {
        let mut looked = Looked { known: Found::default(), unknown: Vec::new() };
        for lookup in &demand.lookups {
            let (family, kind, id) = place_of(lookup);
            match self.type_show(asked.lease.connection, kind, id).await? {
                Some(types) => looked.known.0.push((family, types)),
                None if askable(lookup).is_some() => looked.unknown.push(lookup.clone()),
                None => return Err(self.refuse(asked, Some(route), "unknown_document", Refusal::UnknownDocument)),
            }
        }
        self.judge_types(asked, route, &looked.known)?;
        Ok(looked)
    }

    /// Asks the provider for the types that nobody knows here, and binds them.
    pub(super) async fn ask_types(
        &self,
        asked: &Asked<'_>,
        looked: &Looked,
        token: &AccessToken,
    ) -> Result<Found, Refusal> {
        let mut found = Found(looked.known.0.clone());
        for lookup in &looked.unknown {
            let (family, _, id) = place_of(lookup);
            let Some(rule) = askable(lookup) else { return Err(Refusal::UnknownDocument) };
            let answer = self.ask(asked, rule, id, token).await?;
            let bindings = bindings_of(&answer, &[]);
            let kind = place_of(lookup).1;
            let own = bindings.iter().find(|binding| binding.kind == kind && binding.id == id);
            let Some(own) = own else { return Err(Refusal::UnknownDocument) };
            found.0.push((family, Arc::from(own.types.as_str())));
            self.bind(asked.lease.connection, bindings).await;
        }
        Ok(found)
    }

    /// Refuses where the lease lacks the scope of a type, or the type is none that the provider's file lists.
    pub(super) fn judge_types(&self, asked: &Asked<'_>, route: &Route, found: &Found) -> Result<(), Refusal> {
        for (family, name) in found.named() {
            let Some(scope) = scope_of(&asked.place.provider, family, name) else {
                return Err(self.refuse(asked, Some(route), "unknown_type", Refusal::UnknownDocument));
            };
            if !asked.lease.scopes.contains(scope) {
                return Err(self.refuse(asked, Some(route), "scope_missing", Refusal::Scope(scope.to_string())));
            }
        }
        Ok(())
    }

    /// Binds the ids in an answer to their types, before the worker sees them. Where that cannot be recorded the answer
    /// passes all the same: what was created is created, and its id can be asked for later.
    pub(super) async fn bind_answer(&self, asked: &Asked<'_>, route: &Route, demand: &Demand, answer: &[u8]) {
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return };
        let mut bindings = bindings_of(&answer, &demand.types);
        let page = match route.rule() {
            BodyRule::ListReports => Some(DocumentKind::ReportPage),
            BodyRule::ListFeeds => Some(DocumentKind::FeedPage),
            _ => None,
        };
        if let (Some(kind), Some(next)) = (page, answer.get("nextToken").and_then(Value::as_str)) {
            let types = match demand.lookups.first() {
                // A page of a page is of the same types.
                Some(lookup) => self.type_show(asked.lease.connection, kind, place_of(lookup).2).await.ok().flatten(),
                None => Some(demand.types.join(&BETWEEN.to_string()).into()),
            };
            bindings.extend(types.map(|types| Binding { kind, id: page_id(next), types: types.to_string() }));
        }
        self.bind(asked.lease.connection, bindings).await;
    }

    async fn bind(&self, connection: ConnectionId, mut bindings: Vec<Binding>) {
        bindings.retain(|binding| self.types.get(&binding.key(connection)).is_none());
        if bindings.is_empty() {
            return;
        }
        match self.vault.sequencer.commit(Bind { connection, bindings }).await {
            Ok(bound) => {
                for binding in bound.output {
                    self.types.insert(binding.key(connection), binding.types.as_str().into());
                }
            }
            Err(error) => tracing::warn!(%error, "ids could not be bound to their types"),
        }
    }

    async fn type_show(
        &self,
        connection: ConnectionId,
        kind: DocumentKind,
        id: &str,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let id = match kind {
            DocumentKind::ReportPage | DocumentKind::FeedPage => page_id(id),
            _ => id.to_owned(),
        };
        let key = (connection, kind, id);
        if let Some(types) = self.types.get(&key) {
            return Ok(Some(types));
        }
        let mut reader = self.vault.db.reader().await?;
        let types = typed_documents::typed_document_show(&mut reader.link(), connection, kind, &key.2).await?;
        let types: Option<Arc<str>> = types.map(Into::into);
        if let Some(types) = &types {
            self.types.insert(key, Arc::clone(types));
        }
        Ok(types)
    }

    /// Reads one report, schedule or feed at the provider.
    async fn ask(&self, asked: &Asked<'_>, rule: BodyRule, id: &str, token: &AccessToken) -> Result<Value, Refusal> {
        let provider = &asked.place.provider;
        let by_id = provider.routes().find(|route| route.rule() == rule && route.template().method() == Method::Get);
        let template = by_id.ok_or(Refusal::UnknownDocument)?.template();
        let path: String = template
            .segments()
            .map(|segment| format!("/{}", if segment.starts_with('{') { id } else { segment }))
            .collect();
        let uri = Uri::try_from(format!("{}{path}", asked.place.base)).map_err(|_| Refusal::UnknownDocument)?;
        let mut request = Request::new(full(""));
        *request.uri_mut() = uri;
        forward::inject(request.headers_mut(), provider, token)?;
        let (head, body) = self.vault.broker.dialer().send(request).await?.into_parts();
        match head.status {
            StatusCode::OK => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(Refusal::Throttled(std::time::Duration::from_secs(1))),
            status if status.is_server_error() => {
                return Err(Refusal::Provider("The provider does not say what this is.".to_owned()));
            }
            _ => return Err(Refusal::UnknownDocument),
        }
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|_| Refusal::Provider("The provider broke off its answer.".to_owned()))?.to_bytes();
        serde_json::from_slice(&body).map_err(|_| Refusal::UnknownDocument)
    }
}

fn scope_of<'a>(provider: &'a Provider, family: Family, name: &str) -> Option<&'a Scope> {
    match family {
        Family::Report => provider.report_scope(name),
        Family::Feed => provider.feed_scope(name),
    }
}

fn place_of(lookup: &Lookup) -> (Family, DocumentKind, &str) {
    match lookup {
        Lookup::Report(id) => (Family::Report, DocumentKind::Report, id),
        Lookup::ReportSchedule(id) => (Family::Report, DocumentKind::ReportSchedule, id),
        Lookup::ReportDocument(id) => (Family::Report, DocumentKind::ReportDocument, id),
        Lookup::ReportPage(token) => (Family::Report, DocumentKind::ReportPage, token),
        Lookup::Feed(id) => (Family::Feed, DocumentKind::Feed, id),
        Lookup::FeedDocument(id) => (Family::Feed, DocumentKind::FeedDocument, id),
        Lookup::FeedPage(token) => (Family::Feed, DocumentKind::FeedPage, token),
    }
}

/// Says on which kind of route the provider tells the type of this, if on any.
fn askable(lookup: &Lookup) -> Option<BodyRule> {
    match lookup {
        Lookup::Report(_) => Some(BodyRule::ReportById),
        Lookup::ReportSchedule(_) => Some(BodyRule::ReportScheduleById),
        Lookup::Feed(_) => Some(BodyRule::FeedById),
        Lookup::ReportDocument(_) | Lookup::FeedDocument(_) | Lookup::ReportPage(_) | Lookup::FeedPage(_) => None,
    }
}

/// A page token is remembered by its hash: it may be thousands of bytes long.
fn page_id(token: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(token.as_bytes()))
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    kind: DocumentKind,
    id: String,
    types: String,
}

impl Binding {
    fn key(&self, connection: ConnectionId) -> (ConnectionId, DocumentKind, String) {
        (connection, self.kind, self.id.clone())
    }
}

/// Gathers the ids in an answer. An item says its own type; the answer to a creation does not, and is of the one that was
/// asked for.
fn bindings_of(answer: &Value, asked: &[String]) -> Vec<Binding> {
    let lists = ["reports", "reportSchedules", "feeds"].iter().filter_map(|list| answer.get(list)?.as_array());
    let items = lists.flatten().chain(std::iter::once(answer));
    let created = match asked {
        [one] => Some(one.as_str()),
        _ => None,
    };
    let mut bindings = Vec::new();
    for item in items {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        for (keys, own) in [(REPORT_IDS, text("reportType")), (FEED_IDS, text("feedType"))] {
            let Some(types) = own.or(created) else { continue };
            for (key, kind) in keys {
                let id = text(key).filter(|id| !id.is_empty() && id.len() <= ID_MAX);
                bindings.extend(id.map(|id| Binding { kind: *kind, id: id.to_owned(), types: types.to_owned() }));
            }
        }
    }
    bindings
}

const REPORT_IDS: &[(&str, DocumentKind)] = &[
    ("reportId", DocumentKind::Report),
    ("reportScheduleId", DocumentKind::ReportSchedule),
    ("reportDocumentId", DocumentKind::ReportDocument),
];
const FEED_IDS: &[(&str, DocumentKind)] =
    &[("feedId", DocumentKind::Feed), ("resultFeedDocumentId", DocumentKind::FeedDocument)];

/// Binds ids to types and yields what they are bound to, since the first binding stands. It records no event: what was let
/// through is recorded, and a type is no secret.
struct Bind {
    connection: ConnectionId,
    bindings: Vec<Binding>,
}

impl Change for Bind {
    type Output = Vec<Binding>;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Vec<Binding>, ChangeError<Infallible>> {
        let at = batch.at();
        let mut bound = Vec::with_capacity(self.bindings.len());
        for Binding { kind, id, types } in &self.bindings {
            let link = &mut batch.link();
            typed_documents::typed_document_set(link, self.connection, *kind, id, types, at).await?;
            let types = typed_documents::typed_document_show(link, self.connection, *kind, id).await?;
            bound.extend(types.map(|types| Binding { kind: *kind, id: id.clone(), types }));
        }
        Ok(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn binding(kind: DocumentKind, id: &str, types: &str) -> Binding {
        Binding { kind, id: id.into(), types: types.into() }
    }

    #[test]
    fn a_created_report_is_of_the_type_that_was_asked_for() {
        let one = ["GET_A".to_owned()];
        let bound = bindings_of(&json!({ "reportId": "1" }), &one);
        assert_eq!(bound, [binding(DocumentKind::Report, "1", "GET_A")]);
        let two = ["GET_A".to_owned(), "GET_B".to_owned()];
        assert!(bindings_of(&json!({ "reportId": "1" }), &two).is_empty(), "nobody can tell of which");
    }

    #[test]
    fn a_listed_item_says_its_own_type() {
        let answer = json!({ "reports": [
            { "reportId": "1", "reportType": "GET_B", "reportDocumentId": "d" },
            { "reportId": "2" },
        ] });
        let bound = bindings_of(&answer, &[]);
        assert_eq!(
            bound,
            [binding(DocumentKind::Report, "1", "GET_B"), binding(DocumentKind::ReportDocument, "d", "GET_B")]
        );
    }
}
