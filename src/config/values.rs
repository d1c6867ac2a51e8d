//! Types of single values: each is within its bounds once it exists.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use url::{Host, Url};

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Count<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Count<MIN, MAX> {
    /// Wraps a number of the program's own.
    ///
    /// # Panics
    /// Where `value` is out of bounds.
    #[must_use]
    pub const fn new(value: u64) -> Self {
        assert!(MIN <= value && value <= MAX);
        Self(value)
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Returns the number as a size in memory.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = i64::deserialize(deserializer)?;
        let within = u64::try_from(value).ok().filter(|value| (MIN..=MAX).contains(value));
        let out_of_bounds = || D::Error::custom(format!("{value} is out of bounds; set it from {MIN} to {MAX}"));
        within.map(Self).ok_or_else(out_of_bounds)
    }
}

/// A time span of `MIN` to `MAX` whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds<const MIN: u64, const MAX: u64>(Count<MIN, MAX>);

impl<const MIN: u64, const MAX: u64> Seconds<MIN, MAX> {
    /// Wraps a span of the program's own.
    ///
    /// # Panics
    /// Where `seconds` is out of bounds.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(Count::new(seconds))
    }

    /// Returns the span.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0.value())
    }
}

/// The address of a page or service: `https`, or `http` where its host is this one; without user information, query or
/// fragment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WebUrl(Url);

impl WebUrl {
    /// Parses `text`.
    ///
    /// # Errors
    /// Says what is wrong, without repeating the text: someone may have put a password into it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "is not a URL; write it as https://host/path")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("carries user information; drop what stands before the @");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query or fragment; drop what follows the path");
        }
        let url = Self(url);
        match url.0.scheme() {
            "https" => Ok(url),
            "http" if url.loopback_address().is_some() => Ok(url),
            _ => Err("is not https; plain http is for loopback only"),
        }
    }

    /// Returns the URL.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Returns the address of a host that is this one by number or by name (RFC 6761 §6.3).
    pub(super) fn loopback_address(&self) -> Option<IpAddr> {
        let address = match self.0.host()? {
            Host::Ipv4(address) => address.into(),
            Host::Ipv6(address) => IpAddr::from(address).to_canonical(),
            Host::Domain(name) if name == "localhost" || name.ends_with(".localhost") => Ipv4Addr::LOCALHOST.into(),
            Host::Domain(_) => return None,
        };
        address.is_loopback().then_some(address)
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for WebUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Where the database is: `sqlite:PATH` or `postgres://…`, without a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Parses `text`.
    ///
    /// # Errors
    /// Says what is wrong, without repeating the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.strip_prefix("sqlite:").is_some_and(|path| !path.is_empty()) {
            return Ok(Self(text.to_owned()));
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err("is neither sqlite:PATH nor postgres://USER@HOST/NAME; write one of the two");
        }
        let url = Url::parse(text).map_err(|_| "is not a URL; write it as postgres://USER@HOST/NAME")?;
        if url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password") {
            return Err("holds a password; move it to a file and name that in database.password_file");
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self("sqlite:leasehold.db".into())
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Reads an address and port.
pub(super) fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("is not an address and port; write it as 127.0.0.1:8443 or [::1]:8443"))
}

/// Reads networks in CIDR notation.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let entries = Vec::<String>::deserialize(deserializer)?;
    let network = |(index, entry): (usize, String)| {
        let refuse = |_| D::Error::custom(format!("entry {} is not a network; write it as 10.0.0.0/8", index + 1));
        entry.parse().map_err(refuse)
    };
    entries.into_iter().enumerate().map(network).collect()
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Which log lines there are: a `tracing-subscriber` filter that parses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LogFilter(String);

impl LogFilter {
    /// Returns the directives.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".into())
    }
}

impl<'de> Deserialize<'de> for LogFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match tracing_subscriber::EnvFilter::try_new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(D::Error::custom("is not a log filter; write it as info or info,leasehold::broker=debug")),
        }
    }
}
