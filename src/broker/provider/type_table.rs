//! Report and feed types: which scope each needs. Listed exactly, or as a family with a `*` at the end.

use super::error::Reason;
use crate::policy::Scope;
use std::collections::BTreeMap;

/// Scopes by the type of a report or a feed.
#[derive(Clone, Debug, Default)]
pub struct TypeTable {
    exact: BTreeMap<String, Scope>,
    /// Longest first, so that the most precise family is found first.
    families: Vec<(String, Scope)>,
}

impl TypeTable {
    /// The shortest family: `GET_*` would open every report that Amazon has yet to invent.
    const MIN_FAMILY_BYTES: usize = 8;

    /// Compiles a table from the patterns of each scope.
    pub(super) fn compile<'a>(patterns: impl IntoIterator<Item = (Scope, &'a str)>) -> Result<Self, Reason> {
        let mut table = Self::default();
        for (scope, pattern) in patterns {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            if !is_type_name(name) || (name.len() < pattern.len() && name.len() < Self::MIN_FAMILY_BYTES) {
                return Err(Reason::BadType(pattern.to_owned()));
            }
            let twice = if name.len() == pattern.len() {
                table.exact.insert(name.to_owned(), scope).is_some()
            } else {
                let known = table.families.iter().any(|(family, _)| family == name);
                table.families.push((name.to_owned(), scope));
                known
            };
            if twice {
                return Err(Reason::TypeTwice(pattern.to_owned()));
            }
        }
        table.families.sort_by_key(|(family, _)| std::cmp::Reverse(family.len()));
        Ok(table)
    }

    /// Returns the scope that a type needs: an exact entry before a family, a longer family before a shorter. `None` for a
    /// type that is not listed or not written as types are.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Scope> {
        if !is_type_name(name) {
            return None;
        }
        self.exact.get(name).or_else(|| {
            let family = self.families.iter().find(|(family, _)| name.starts_with(family.as_str()));
            family.map(|(_, scope)| scope)
        })
    }

    /// Walks the scopes that some type needs, repeated ones each time.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.exact.values().chain(self.families.iter().map(|(_, scope)| scope))
    }
}

fn is_type_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    fn table(patterns: &[(&str, &'static str)]) -> Result<TypeTable, Reason> {
        TypeTable::compile(patterns.iter().map(|(s, pattern)| (scope(s), *pattern)))
    }

    #[test]
    fn the_most_precise_pattern_decides_and_an_unknown_type_finds_nothing() {
        let table =
            table(&[("a:read", "GET_ORDERS_*"), ("b:read", "GET_ORDERS_TAX_*"), ("c:read", "GET_ORDERS_TAX_2")])
                .unwrap();
        assert_eq!(table.find("GET_ORDERS_GENERAL"), Some(&scope("a:read")));
        assert_eq!(table.find("GET_ORDERS_TAX_1"), Some(&scope("b:read")));
        assert_eq!(table.find("GET_ORDERS_TAX_2"), Some(&scope("c:read")));
        for unknown in ["GET_ORDER", "get_orders_general", "GET_ORDERS_GENERAL ", "GET_ORDERS_É", "", "GET_ORDERS_,X"]
        {
            assert_eq!(table.find(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_pattern_is_exact_or_a_family_and_stands_once() {
        for bad in ["GET_*", "*", "", "GET_*_DATA", "Get_Orders"] {
            assert!(matches!(table(&[("a:read", bad)]), Err(Reason::BadType(_))), "{bad}");
        }
        for twice in ["GET_ORDERS", "GET_ORDERS_*"] {
            assert!(matches!(table(&[("a:read", twice), ("b:read", twice)]), Err(Reason::TypeTwice(_))), "{twice}");
        }
    }
}
