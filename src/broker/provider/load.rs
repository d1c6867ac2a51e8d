//! Turns a provider file into a [`Provider`], or says which key is wrong. Nothing is repaired and nothing is skipped: a
//! policy is loaded whole or not at all.

use super::{
    BodyRule, Consent, Endpoint, Marketplace, Provider, ProviderError, Reason, Restricted, Route, TokenEndpoint,
    TypeTable, file,
    parse::{address, header, is_name, origin, path, paths},
    route::{QueryRule, RefusedPath},
};
use crate::policy::{
    Module, Scope, ScopeSet,
    template::{Template, TemplateError, TemplateSet},
};
use std::{collections::BTreeMap, time::Duration};

/// What is wrong, and with which key.
type Refused = (String, Reason);

impl Provider {
    /// Reads a provider file. `file` is its name, for the error.
    ///
    /// # Errors
    /// [`ProviderError`] naming the file, the key and the reason.
    pub fn parse(file: &str, text: &str) -> Result<Self, ProviderError> {
        let refused = |(key, reason): Refused| ProviderError { file: file.to_owned(), key, reason };
        let raw = raw(text).map_err(refused)?;
        Self::build(raw).map_err(refused)
    }

    fn build(raw: file::File) -> Result<Self, Refused> {
        if !is_name(&raw.name) {
            return Err(("name".into(), Reason::BadName(raw.name)));
        }
        let refused_paths = paths(&raw.refused).map_err(at("refused"))?;
        let modules = modules(&raw.scope)?;
        let mut routes = Routes { refused: &refused_paths, modules: &modules, list: Vec::new() };
        routes.add_scoped(&raw.scope)?;
        routes.add_reports(&raw.reports)?;
        routes.add_feeds(&raw.feeds)?;
        routes.mark_batches(&raw.batch)?;
        routes.mark_queries(&raw.query)?;
        let restricted = raw.restricted.as_ref().map(|restricted| routes.mark_restricted(restricted)).transpose()?;
        let compiled = routes.list.into_iter().map(|(key, route)| (key, route.template.clone(), route));
        let routes = compile(compiled)?;
        Ok(Self {
            token: token(&raw.token)?,
            consent: raw.consent.map(consent).transpose()?,
            endpoints: raw.endpoints.into_iter().map(endpoint).collect::<Result<_, _>>()?,
            marketplaces: marketplaces(raw.marketplace)?,
            inject_header: header(&raw.inject.header).map_err(at("inject.header"))?,
            lease_headers: (raw.lease_from.headers.iter().map(|name| header(name)))
                .collect::<Result<_, _>>()
                .map_err(at("lease_from.headers"))?,
            errors: raw.errors,
            report_types: types(&raw.reports.types, &modules).map_err(at("reports.types"))?,
            feed_types: types(&raw.feeds.types, &modules).map_err(at("feeds.types"))?,
            name: raw.name,
            title: raw.title,
            refused: refused_paths,
            restricted,
            modules,
            routes,
        })
    }
}

/// Routes as they are gathered, each with the key it came from.
struct Routes<'a> {
    refused: &'a [RefusedPath],
    modules: &'a BTreeMap<Scope, Vec<Module>>,
    list: Vec<(String, Route)>,
}

impl Routes<'_> {
    fn add_scoped(&mut self, scopes: &[file::Scope]) -> Result<(), Refused> {
        for raw in scopes {
            let key = format!("scope.\"{}\".routes", raw.name);
            let scope = Scope::parse(&raw.name).map_err(|error| (key.clone(), error.into()))?;
            self.add(&key, &raw.routes, Some(&scope), BodyRule::None)?;
        }
        Ok(())
    }

    fn add_reports(&mut self, raw: &file::Reports) -> Result<(), Refused> {
        self.add("reports.create", &raw.create, None, BodyRule::CreateReport)?;
        self.add("reports.list", &raw.list, None, BodyRule::ListReports)?;
        self.add("reports.report", &raw.report, None, BodyRule::ReportById)?;
        self.add("reports.schedule", &raw.schedule, None, BodyRule::ReportScheduleById)?;
        self.add("reports.document", &raw.document, None, BodyRule::ReportDocument)
    }

    fn add_feeds(&mut self, raw: &file::Feeds) -> Result<(), Refused> {
        self.add("feeds.create", &raw.create, None, BodyRule::CreateFeed)?;
        self.add("feeds.list", &raw.list, None, BodyRule::ListFeeds)?;
        self.add("feeds.feed", &raw.feed, None, BodyRule::FeedById)?;
        self.add("feeds.document", &raw.document, None, BodyRule::FeedDocument)?;
        self.add("feeds.upload", &raw.upload, None, BodyRule::FeedUpload)
    }

    fn add(&mut self, key: &str, routes: &[String], scope: Option<&Scope>, rule: BodyRule) -> Result<(), Refused> {
        for text in routes {
            let refused = |reason: Reason| (key.to_owned(), reason);
            let template = Template::parse(text).map_err(|error| refused(error.into()))?;
            if self.refused.iter().any(|path| path.meets(&template)) {
                return Err(refused(Reason::MintsTokens(text.clone())));
            }
            let by_id = matches!(
                rule,
                BodyRule::ReportById
                    | BodyRule::ReportScheduleById
                    | BodyRule::ReportDocument
                    | BodyRule::FeedById
                    | BodyRule::FeedDocument
            );
            if by_id && template.parameter_count() != 1 {
                return Err(refused(Reason::NotById(text.clone())));
            }
            let batched = TemplateSet::compile([]).map_err(|error| refused(error.into()))?;
            let route = Route { template, scope: scope.cloned(), rule, batched, query: None, restricted: false };
            self.list.push((key.to_owned(), route));
        }
        Ok(())
    }

    fn mark_batches(&mut self, batches: &[file::Batch]) -> Result<(), Refused> {
        for raw in batches {
            let requests =
                raw.requests.iter().map(|text| Ok((Template::parse(text)?, ()))).collect::<Result<Vec<_>, _>>();
            let batched =
                requests.and_then(TemplateSet::compile).map_err(|error| ("batch.requests".into(), error.into()))?;
            let route = self.route("batch.route", &raw.route)?;
            if route.rule != BodyRule::None {
                return Err(("batch.route".into(), Reason::ListedTwice(raw.route.clone())));
            }
            (route.rule, route.batched) = (BodyRule::PricingBatch, batched);
        }
        Ok(())
    }

    fn mark_queries(&mut self, queries: &[file::Query]) -> Result<(), Refused> {
        for raw in queries {
            let scope = declared(&raw.scope, self.modules).map_err(at("query.scope"))?;
            for text in &raw.routes {
                let route = self.route("query.routes", text)?;
                if route.query.is_some() {
                    return Err(("query.routes".into(), Reason::ListedTwice(text.clone())));
                }
                let free = raw.free.iter().map(|value| value.to_ascii_uppercase()).collect();
                route.query = Some(QueryRule { parameter: raw.parameter.clone(), free, scope: scope.clone() });
            }
        }
        Ok(())
    }

    fn mark_restricted(&mut self, raw: &file::Restricted) -> Result<Restricted, Refused> {
        let scope = declared(&raw.scope, self.modules).map_err(at("restricted.scope"))?;
        for text in &raw.routes {
            self.route("restricted.routes", text)?.restricted = true;
        }
        let token_path = path(&raw.token_path).map_err(at("restricted.token_path"))?;
        Ok(Restricted { token_path, scope })
    }

    fn route(&mut self, key: &str, text: &str) -> Result<&mut Route, Refused> {
        let found = self.list.iter_mut().find(|(_, route)| route.template.to_string() == text);
        found.map(|(_, route)| route).ok_or_else(|| (key.to_owned(), Reason::NotARoute(text.to_owned())))
    }
}

impl RefusedPath {
    /// Tells whether some path that `template` matches lies under this one.
    fn meets(&self, template: &Template) -> bool {
        let mut segments = template.segments();
        self.0.iter().all(|refused| {
            segments.next().is_some_and(|segment| segment.starts_with('{') || segment.eq_ignore_ascii_case(refused))
        })
    }
}

fn raw(text: &str) -> Result<file::File, Refused> {
    let form = |error: &toml::de::Error| Reason::Form(error.message().to_owned());
    let deserializer = toml::Deserializer::parse(text).map_err(|error| ("file".to_owned(), form(&error)))?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let key = error.path().to_string();
        (if key == "." { "file".to_owned() } else { key }, form(error.inner()))
    })
}

fn compile(routes: impl Iterator<Item = (String, Template, Route)>) -> Result<TemplateSet<Route>, Refused> {
    let (mut keys, mut pairs) = (Vec::new(), Vec::new());
    for (key, template, route) in routes {
        keys.push((template.to_string(), key));
        pairs.push((template, route));
    }
    TemplateSet::compile(pairs).map_err(|error| {
        // The set stops at the second of two equal routes; where both are spelled alike, that is the last.
        let TemplateError::Duplicate(late) = &error else { return ("file".to_owned(), error.into()) };
        let key = keys.iter().rev().find(|(text, _)| text == late).map_or("file", |(_, key)| key);
        (key.to_owned(), error.into())
    })
}

fn modules(scopes: &[file::Scope]) -> Result<BTreeMap<Scope, Vec<Module>>, Refused> {
    let mut modules = BTreeMap::new();
    for raw in scopes {
        let key = format!("scope.\"{}\"", raw.name);
        let scope = Scope::parse(&raw.name).map_err(|error| (key.clone(), error.into()))?;
        if modules.insert(scope.clone(), raw.modules.clone()).is_some() {
            return Err((key, Reason::ScopeTwice(scope)));
        }
    }
    ScopeSet::new(modules.keys().cloned()).map_err(|error| ("scope".to_owned(), error.into()))?;
    Ok(modules)
}

fn types(raw: &BTreeMap<String, Vec<String>>, modules: &BTreeMap<Scope, Vec<Module>>) -> Result<TypeTable, Reason> {
    let mut patterns = Vec::new();
    for (name, listed) in raw {
        let scope = declared(name, modules)?;
        patterns.extend(listed.iter().map(|pattern| (scope.clone(), pattern.as_str())));
    }
    TypeTable::compile(patterns)
}

fn declared(name: &str, modules: &BTreeMap<Scope, Vec<Module>>) -> Result<Scope, Reason> {
    let scope = Scope::parse(name)?;
    if modules.contains_key(&scope) { Ok(scope) } else { Err(Reason::ScopeUndeclared(scope)) }
}

fn token(raw: &file::Token) -> Result<TokenEndpoint, Refused> {
    let (lifetime_s, margin_s) = (raw.lifetime_s, raw.refresh_margin_s);
    if margin_s > lifetime_s / 5 {
        return Err(("token.refresh_margin_s".into(), Reason::MarginTooLarge { margin_s, lifetime_s }));
    }
    let days = |days: u64| Duration::from_secs(days.saturating_mul(86_400));
    Ok(TokenEndpoint {
        url: address(&raw.url).map_err(at("token.url"))?,
        lifetime: Duration::from_secs(lifetime_s),
        refresh_margin: Duration::from_secs(margin_s),
        authorization_life: raw.authorization_life_days.map(days),
    })
}

fn consent(raw: file::Consent) -> Result<Consent, Refused> {
    let path = path(&raw.path).map_err(at("consent.path"))?;
    Ok(Consent { path, code_life: Duration::from_secs(raw.code_life_s) })
}

fn endpoint((region, raw): (super::Region, file::Endpoint)) -> Result<(super::Region, Endpoint), Refused> {
    let key = format!("endpoints.{region}");
    let live = origin(&raw.live).map_err(at(&key))?;
    let sandbox = raw.sandbox.as_deref().map(origin).transpose().map_err(at(&key))?;
    Ok((region, Endpoint { live, sandbox }))
}

fn marketplaces(raw: Vec<file::Marketplace>) -> Result<Vec<Marketplace>, Refused> {
    let mut marketplaces: Vec<Marketplace> = Vec::new();
    for raw in raw {
        let key = format!("marketplace.{}", raw.country);
        if marketplaces.iter().any(|known| known.country == raw.country || known.id == raw.id) {
            return Err((key, Reason::ListedTwice(raw.id)));
        }
        marketplaces.push(Marketplace {
            seller_central: raw.seller_central.as_deref().map(origin).transpose().map_err(at(&key))?,
            vendor_central: raw.vendor_central.as_deref().map(origin).transpose().map_err(at(&key))?,
            country: raw.country,
            id: raw.id,
            region: raw.region,
        });
    }
    Ok(marketplaces)
}

fn at(key: &str) -> impl Fn(Reason) -> Refused {
    move |reason| (key.to_owned(), reason)
}
