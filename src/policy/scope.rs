//! Scopes: what a grant permits and a lease carries. A scope is a data category and a verb, `orders.pii:read`; its
//! meaning in methods and paths is the provider file's, not this module's.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, sync::Arc};

/// A data category and a verb, such as `orders:read`. A clone shares the text.
///
/// The verbs are independent: `shipments:write` does not imply `shipments:read`, nor does `orders.pii:read` imply
/// `orders:read`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

impl Scope {
    /// The longest scope, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Reads `[a-z][a-z0-9.-]*:(read|write)`, at most [`Self::MAX_BYTES`]. Nothing is folded or trimmed: a scope has one
    /// spelling, so that no two parts of the vault can disagree about whether two scopes are the same.
    ///
    /// # Errors
    /// [`ScopeError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let malformed = || ScopeError::Malformed(text.chars().take(Self::MAX_BYTES).collect());
        if text.len() > Self::MAX_BYTES {
            return Err(malformed());
        }
        let (category, verb) = text.split_once(':').ok_or_else(malformed)?;
        let named = category.starts_with(|c: char| c.is_ascii_lowercase())
            && category.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'));
        if !named || !matches!(verb, "read" | "write") {
            return Err(malformed());
        }
        Ok(Self(text.into()))
    }

    /// Returns the scope as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the data category: `orders.pii` of `orders.pii:read`.
    #[must_use]
    pub fn category(&self) -> &str {
        self.0.split_once(':').map_or("", |(category, _)| category)
    }

    /// Tells whether the verb is `write`.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.0.ends_with(":write")
    }
}

/// A scope, or a list of scopes, could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The text is not a category and a verb.
    #[error("`{0}` is not a scope: a category and a verb are expected, such as orders:read")]
    Malformed(String),
    /// There are more scopes than a set holds.
    #[error("more than {} scopes", ScopeSet::MAX_SCOPES)]
    TooMany,
}

/// A sorted set of scopes without duplicates, at most [`Self::MAX_SCOPES`]. A clone shares the scopes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet(Arc<[Scope]>);

impl ScopeSet {
    /// The most scopes in a set: it is copied into every lease token, which has to stay under 1,500 bytes.
    pub const MAX_SCOPES: usize = 64;

    /// Gathers scopes into a set.
    ///
    /// # Errors
    /// [`ScopeError::TooMany`] where more than [`Self::MAX_SCOPES`] are distinct.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, ScopeError> {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.len() > Self::MAX_SCOPES {
            return Err(ScopeError::TooMany);
        }
        Ok(Self(scopes.into()))
    }

    /// Reads the value of an OAuth `scope` parameter: scopes separated by single spaces (RFC 6749 section 3.3). The empty
    /// text is the empty set; whether that may be asked for is the caller's matter.
    ///
    /// # Errors
    /// [`ScopeError`], before more than [`Self::MAX_SCOPES`] scopes have been read.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let mut scopes = Vec::new();
        for word in text.split(' ') {
            if scopes.len() == Self::MAX_SCOPES {
                return Err(ScopeError::TooMany);
            }
            scopes.push(Scope::parse(word)?);
        }
        Self::new(scopes)
    }

    /// Tells whether `scope` is in the set.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.binary_search(scope).is_ok()
    }

    /// Tells whether every scope of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|scope| other.contains(scope))
    }

    /// Returns the scopes that are in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.iter().filter(|scope| other.contains(scope)).cloned().collect())
    }

    /// Walks the scopes in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Scope> {
        self.0.iter()
    }

    /// Counts the scopes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is no scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a ScopeSet {
    type Item = &'a Scope;
    type IntoIter = std::slice::Iter<'a, Scope>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Scope> for ScopeSet {
    fn from(scope: Scope) -> Self {
        Self([scope].into())
    }
}

/// Writes the scopes as an OAuth `scope` value, sorted and separated by single spaces.
impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl FromStr for ScopeSet {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for ScopeSet {
    type Error = ScopeError;
    fn try_from(text: String) -> Result<Self, ScopeError> {
        Self::parse(&text)
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    )*};
}
as_text!(Scope, ScopeSet);

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ScopeSet {
        ScopeSet::parse(text).unwrap()
    }

    #[test]
    fn a_scope_has_one_spelling() {
        for good in ["orders:read", "orders.pii:read", "a:write", "b2b-x.y:read"] {
            assert_eq!(Scope::parse(good).unwrap().to_string(), good);
        }
        let long = format!("{}:read", "a".repeat(60));
        for bad in [
            "",
            ":read",
            "orders",
            "orders:",
            "orders:delete",
            "Orders:read",
            "orders:READ",
            "orders:read ",
            " orders:read",
            "1orders:read",
            ".orders:read",
            "orders:read:write",
            "orders::read",
            "orders_pii:read",
            "órders:read",
            "orders*:read",
            "orders\0:read",
            &long,
        ] {
            assert!(Scope::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn writing_does_not_imply_reading() {
        assert!(!set("shipments:write").contains(&Scope::parse("shipments:read").unwrap()));
        assert!(!set("orders.pii:read").contains(&Scope::parse("orders:read").unwrap()));
    }

    #[test]
    fn a_set_is_sorted_without_duplicates_and_prints_as_it_parses() {
        let scopes = set("orders:read inventory:read orders:read");
        assert_eq!(scopes.to_string(), "inventory:read orders:read");
        assert_eq!(set(&scopes.to_string()), scopes);
        assert_eq!(set("").to_string(), "");
        for bad in ["orders:read  inventory:read", " orders:read", "orders:read ", "orders:read\tinventory:read"] {
            assert!(ScopeSet::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_set_holds_64_scopes_and_no_more() {
        let many = |n: usize| (0..n).map(|i| format!("c{i}:read")).collect::<Vec<_>>().join(" ");
        assert_eq!(set(&many(64)).len(), 64);
        assert_eq!(ScopeSet::parse(&many(65)), Err(ScopeError::TooMany));
    }

    #[test]
    fn sets_compare_and_intersect() {
        let (wide, narrow) = (set("finance:read orders:read"), set("orders:read"));
        assert!(narrow.is_subset(&wide) && !wide.is_subset(&narrow) && ScopeSet::default().is_subset(&narrow));
        assert_eq!(wide.intersection(&set("orders:read pricing:read")), narrow);
    }

    #[test]
    fn scopes_travel_as_strings() {
        assert_eq!(serde_json::to_string(&set("orders:read")).unwrap(), r#""orders:read""#);
        assert!(serde_json::from_str::<ScopeSet>(r#""orders:grab""#).is_err());
    }
}
