//! The operations of a provider, and how a request's category is found where method and path do not show it.

use crate::domain::words;
use crate::policy::{
    Scope,
    path::CanonicalTarget,
    template::{Template, TemplateSet},
};

/// What a canonical target is to a provider.
#[derive(Debug)]
pub enum Match<'a> {
    /// An operation that some scope opens, or a type of report or feed does.
    Route(&'a Route),
    /// Nothing that the file lists: refused, whatever the lease holds.
    Unknown,
    /// An operation that gives out tokens or secrets: refused, whatever the lease holds. A worker that could call one
    /// would walk away with what the gateway exists to keep.
    TokenMinting,
}

/// An operation of a provider.
#[derive(Debug)]
pub struct Route {
    pub(super) template: Template,
    pub(super) scope: Option<Scope>,
    pub(super) rule: BodyRule,
    /// The requests that a batch may hold; empty for every other rule.
    pub(super) batched: TemplateSet<()>,
    pub(super) query: Option<QueryRule>,
    pub(super) restricted: bool,
}

words! {
    /// Where the category of a request is not shown by its method and path alone, how it is found.
    BodyRule, "body rule" {
        /// The route's scope is all there is to it.
        None = "none",
        /// The body holds further requests, `requests[].uri` and `method`.
        PricingBatch = "pricing-batch",
        /// The body's `reportType` decides, of a report or of a schedule of reports.
        CreateReport = "create-report",
        /// The query's `reportTypes` decide.
        ListReports = "list-reports",
        /// The type of the report named in the path decides.
        ReportById = "report-by-id",
        /// The type of the schedule named in the path decides.
        ReportScheduleById = "report-schedule-by-id",
        /// The type of the report that the document named in the path belongs to decides.
        ReportDocument = "report-document",
        /// The body's `feedType` decides.
        CreateFeed = "create-feed",
        /// The query's `feedTypes` decide.
        ListFeeds = "list-feeds",
        /// The type of the feed named in the path decides.
        FeedById = "feed-by-id",
        /// The type of the feed that the document named in the path belongs to decides.
        FeedDocument = "feed-document",
        /// A place to upload a feed to, of no type yet: any scope that some feed needs.
        FeedUpload = "feed-upload",
    }
}

impl BodyRule {
    /// Tells whether the body has to be read whole, at most [`super::MAX_BODY_BYTES`], before the request may go up. What goes
    /// up then is [`super::Demand::body`], not what came.
    #[must_use]
    pub const fn reads_body(self) -> bool {
        matches!(self, Self::PricingBatch | Self::CreateReport | Self::CreateFeed)
    }
}

/// A query parameter that widens what a route shows.
#[derive(Debug)]
pub(super) struct QueryRule {
    pub(super) parameter: String,
    /// Values that need nothing more than the route's scope, in upper case.
    pub(super) free: Vec<String>,
    /// What every other value needs besides.
    pub(super) scope: Scope,
}

/// A path under which nothing is ever forwarded.
#[derive(Debug)]
pub(super) struct RefusedPath(pub(super) Vec<String>);

/// Operations that the provider answers only to a restricted data token.
#[derive(Debug)]
pub struct Restricted {
    /// Where such a token is made.
    pub token_path: String,
    /// What a lease must hold for personal data.
    pub scope: Scope,
}

impl Route {
    /// Returns the method and the path template: what the audit log says of a request.
    #[must_use]
    pub const fn template(&self) -> &Template {
        &self.template
    }

    /// Returns the scope that the route needs, or `None` where the rule alone decides.
    #[must_use]
    pub const fn scope(&self) -> Option<&Scope> {
        self.scope.as_ref()
    }

    /// Returns how the category is found, where method and path do not show it.
    #[must_use]
    pub const fn rule(&self) -> BodyRule {
        self.rule
    }

    /// Tells whether the provider answers only to a restricted data token.
    #[must_use]
    pub const fn is_restricted(&self) -> bool {
        self.restricted
    }
}

impl RefusedPath {
    /// Tells whether `target` is this path or lies under it. Case is ignored: refusing too much here costs nothing.
    pub(super) fn covers(&self, target: &CanonicalTarget) -> bool {
        let mut segments = target.segments();
        self.0.iter().all(|refused| segments.next().is_some_and(|segment| segment.eq_ignore_ascii_case(refused)))
    }
}
