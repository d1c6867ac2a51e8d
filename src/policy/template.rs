//! Matches a method and a canonical path against templates such as `GET /orders/v0/orders/{orderId}/address`. A set of
//! templates is compiled into a tree by segment; finding a route allocates nothing.

use super::{method::Method, path::CanonicalTarget};

/// A compiled set of routes, each with a value.
#[derive(Clone, Debug)]
pub struct TemplateSet<T> {
    /// The tree; the first node is the root. A child's index is always greater than its parent's.
    nodes: Vec<Node>,
    values: Vec<T>,
}

/// A template could not be compiled into a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is not `METHOD /path`.
    #[error("`{0}` is not a route: a method and a path are expected, such as GET /orders/v0/orders/{{orderId}}")]
    Malformed(String),
    /// Two routes match the same method and paths.
    #[error("`{0}` is already routed")]
    Duplicate(String),
}

/// A method and a path template: anchored, literal segments, and `{name}` for exactly one segment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Template {
    text: Box<str>,
    method: Method,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Sorted by segment.
    literals: Vec<(Box<str>, usize)>,
    parameter: Option<usize>,
    /// The routes whose template ends here, by method.
    routes: Vec<(Method, usize)>,
}

impl Template {
    /// Reads `METHOD /path`.
    ///
    /// # Errors
    /// [`TemplateError::Malformed`] where the method is unknown, a literal holds anything but unreserved characters (RFC
    /// 3986 section 2.3), or a parameter's name is not letters and digits.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let malformed = || TemplateError::Malformed(text.chars().take(200).collect());
        let (method, path) = text.split_once(' ').ok_or_else(malformed)?;
        let method = Method::parse(method).ok_or_else(malformed)?;
        let segments = path.strip_prefix('/').ok_or_else(malformed)?;
        if path.len() > CanonicalTarget::MAX_PATH_BYTES || !segments.split('/').all(is_segment) {
            return Err(malformed());
        }
        Ok(Self { text: text.into(), method })
    }

    /// Returns the method.
    #[must_use]
    pub const fn method(&self) -> Method {
        self.method
    }

    /// Returns the path template, `/orders/v0/orders/{orderId}`: what the audit log says in place of the path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.split_once(' ').map_or("", |(_, path)| path)
    }

    /// Returns what stands in `target`, a path that this template matches, where the template says `{name}`; still encoded.
    #[must_use]
    pub fn parameter<'a>(&self, target: &'a CanonicalTarget, name: &str) -> Option<&'a str> {
        let at = self.segments().position(|segment| parameter_name(segment) == Some(name))?;
        target.segments().nth(at)
    }

    /// Returns what stands in `target` for the template's only parameter, or `None` where it has none or several.
    #[must_use]
    pub fn sole_parameter<'a>(&self, target: &'a CanonicalTarget) -> Option<&'a str> {
        let mut at = self.segments().enumerate().filter(|(_, segment)| parameter_name(segment).is_some());
        match (at.next(), at.next()) {
            (Some((index, _)), None) => target.segments().nth(index),
            _ => None,
        }
    }

    /// Counts the parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.segments().filter(|segment| parameter_name(segment).is_some()).count()
    }

    /// Walks the template's segments.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path()[1..].split('/')
    }
}

impl<T> TemplateSet<T> {
    /// Compiles routes.
    ///
    /// # Errors
    /// [`TemplateError::Duplicate`] where two routes differ in nothing but their parameters' names.
    pub fn compile(routes: impl IntoIterator<Item = (Template, T)>) -> Result<Self, TemplateError> {
        let mut set = Self { nodes: vec![Node::default()], values: Vec::new() };
        for (template, value) in routes {
            set.insert(&template, value)?;
        }
        Ok(set)
    }

    /// Finds the one route for a method and a path. A literal is preferred to a parameter at every segment, and the path
    /// decides before the method does: `PUT /fulfillmentOrders/preview` is not the order named `preview` where `preview`
    /// is an operation of its own, for that is how a provider's router would have it.
    #[must_use]
    pub fn find(&self, method: Method, target: &CanonicalTarget) -> Option<&T> {
        let node = self.descend(0, target.segments())?;
        let (_, value) = self.nodes[node].routes.iter().find(|(routed, _)| *routed == method)?;
        Some(&self.values[*value])
    }

    /// Walks the values in the order of insertion.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.values.iter()
    }

    /// Finds the preferred node where `segments` end. Goes back where a literal led nowhere; the tree bounds the work.
    fn descend<'a>(&self, node: usize, mut segments: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
        let here = &self.nodes[node];
        let Some(segment) = segments.next() else {
            return (!here.routes.is_empty()).then_some(node);
        };
        let literal = here.literals.binary_search_by(|(text, _)| (**text).cmp(segment)).ok();
        literal
            .and_then(|at| self.descend(here.literals[at].1, segments.clone()))
            .or_else(|| self.descend(here.parameter?, segments))
    }

    fn insert(&mut self, template: &Template, value: T) -> Result<(), TemplateError> {
        let mut node = 0;
        for segment in template.segments() {
            node = if parameter_name(segment).is_some() {
                self.parameter_of(node)
            } else {
                self.literal_of(node, segment)
            };
        }
        let routes = &mut self.nodes[node].routes;
        if routes.iter().any(|(method, _)| *method == template.method) {
            return Err(TemplateError::Duplicate(template.text.to_string()));
        }
        routes.push((template.method, self.values.len()));
        self.values.push(value);
        Ok(())
    }

    fn parameter_of(&mut self, node: usize) -> usize {
        let fresh = self.nodes.len();
        let child = *self.nodes[node].parameter.get_or_insert(fresh);
        if child == fresh {
            self.nodes.push(Node::default());
        }
        child
    }

    fn literal_of(&mut self, node: usize, segment: &str) -> usize {
        let fresh = self.nodes.len();
        let literals = &mut self.nodes[node].literals;
        match literals.binary_search_by(|(text, _)| (**text).cmp(segment)) {
            Ok(at) => literals[at].1,
            Err(at) => {
                literals.insert(at, (segment.into(), fresh));
                self.nodes.push(Node::default());
                fresh
            }
        }
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

fn parameter_name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn is_segment(segment: &str) -> bool {
    match parameter_name(segment) {
        Some(name) => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        None => {
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
            !segment.bytes().all(|byte| byte == b'.') && segment.bytes().all(unreserved)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(routes: &[&str]) -> Result<TemplateSet<String>, TemplateError> {
        let parsed: Result<Vec<_>, _> =
            routes.iter().map(|&route| Template::parse(route).map(|t| (t, route.to_owned()))).collect();
        TemplateSet::compile(parsed?)
    }

    fn found<'a>(set: &'a TemplateSet<String>, method: Method, path: &str) -> Option<&'a str> {
        set.find(method, &CanonicalTarget::parse(path).unwrap()).map(String::as_str)
    }

    #[test]
    fn a_template_is_anchored_and_a_parameter_is_one_segment() {
        let set = set(&["GET /orders/v0/orders", "GET /orders/v0/orders/{orderId}"]).unwrap();
        assert_eq!(found(&set, Method::Get, "/orders/v0/orders?a=b"), Some("GET /orders/v0/orders"));
        assert_eq!(found(&set, Method::Get, "/orders/v0/orders/1"), Some("GET /orders/v0/orders/{orderId}"));
        for other in [
            "/orders/v0",
            "/orders/v0/orders/1/address",
            "/x/orders/v0/orders",
            "/Orders/v0/orders",
            "/ORDERS/V0/ORDERS",
        ] {
            assert_eq!(found(&set, Method::Get, other), None, "{other}");
        }
    }

    #[test]
    fn head_is_not_get() {
        let set = set(&["GET /a"]).unwrap();
        assert_eq!(found(&set, Method::Head, "/a"), None);
    }

    #[test]
    fn a_literal_wins_over_a_parameter_and_the_path_decides_before_the_method() {
        let set = set(&["GET /a/{x}", "PUT /a/{x}", "POST /a/preview", "GET /a/{x}/c", "GET /a/preview/d"]).unwrap();
        assert_eq!(found(&set, Method::Post, "/a/preview"), Some("POST /a/preview"));
        assert_eq!(found(&set, Method::Get, "/a/other"), Some("GET /a/{x}"));
        assert_eq!(found(&set, Method::Put, "/a/preview"), None);
        assert_eq!(found(&set, Method::Get, "/a/preview/c"), Some("GET /a/{x}/c"), "a literal that led nowhere");
    }

    #[test]
    fn a_parameter_is_read_by_name() {
        let template = Template::parse("GET /a/{x}/b/{y}").unwrap();
        let target = CanonicalTarget::parse("/a/1/b/%C3%A9?x=3").unwrap();
        assert_eq!(template.parameter(&target, "x"), Some("1"));
        assert_eq!(template.parameter(&target, "y"), Some("%C3%A9"));
        assert_eq!(template.parameter(&target, "z"), None);
        assert_eq!(template.sole_parameter(&target), None, "there are two");
        assert_eq!(Template::parse("GET /a/1/b/{y}").unwrap().sole_parameter(&target), Some("%C3%A9"));
    }

    #[test]
    fn templates_that_could_be_read_in_two_ways_are_refused() {
        for bad in [
            "/a",
            "GET a",
            "get /a",
            "GET  /a",
            "GET /",
            "GET /a/",
            "GET //a",
            "GET /a b",
            "GET /..",
            "GET /a/{}",
            "GET /a/{x",
            "GET /a/x}",
            "GET /a/{x}y",
            "GET /a/{x*}",
            "GET /a/*",
            "GET /a?b",
            "GET /a%2Fb",
            "GET /é",
            "TRACE /a",
            "GET /a;b",
        ] {
            assert!(matches!(Template::parse(bad), Err(TemplateError::Malformed(_))), "{bad}");
        }
    }

    #[test]
    fn one_route_is_not_routed_twice() {
        let twice = set(&["GET /a/{x}", "GET /a/{y}"]);
        assert_eq!(twice.unwrap_err(), TemplateError::Duplicate("GET /a/{y}".into()));
    }
}
