//! The sections of `leasehold.toml`, with their defaults. A bound stands in the type of its key.

use super::{
    loopback,
    values::{Count, DatabaseUrl, LogFilter, LogFormat, Seconds, WebUrl, networks, socket_address},
};
use crate::seal::SealKind;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    )*};
}

sections! {
    /// The whole file.
    File {
        /// Where everything is stored.
        database: Database = Database::default(),
        /// This process, among those that share a database.
        node: Node = Node::default(),
        /// The audit log beside its entries.
        audit: Audit = Audit::default(),
        /// What protects the master key.
        seal: Seal = Seal::default(),
        /// The listener of people and workers.
        api: Api = Api::default(),
        /// The listener of the egress proxy.
        gateway: Gateway = Gateway::default(),
        /// The certificate of both.
        tls: Tls = Tls::default(),
        /// Addresses of Amazon, where they are not Amazon's.
        amazon: Amazon = Amazon::default(),
        /// Where the vault may call, and how long it waits.
        egress: Egress = Egress::default(),
        /// What one caller may take.
        limits: Limits = Limits::default(),
        /// Who may read `/metrics`.
        metrics: Metrics = Metrics::default(),
        /// Who may read `/openapi.json` and `/docs`.
        docs: Docs = Docs::default(),
        /// The diagnostic log.
        log: Log = Log::default(),
        /// Descriptions of providers beside those built in.
        providers: Providers = Providers::default(),
        /// How long leases live.
        lease: Lease = Lease::default(),
    }

    /// Where everything is stored.
    Database {
        /// `sqlite:PATH` or `postgres://USER@HOST/NAME`, never with a password.
        url: DatabaseUrl = DatabaseUrl::default(),
        /// The file that holds PostgreSQL's password.
        password_file: Option<PathBuf> = None,
        /// The systemd credential that holds it.
        password_credential: Option<String> = None,
    }

    /// This process, among those that share a database.
    Node {
        /// What receipts call it; the host's name where none is given.
        name: Option<String> = None,
    }

    /// The audit log beside its entries.
    Audit {
        /// The directory of this node's anchor, by which it knows an older copy of the database for one.
        anchor: PathBuf = "keys/anchor".into(),
        /// How many entries the scrub looks at in a second.
        scrub_entries_per_s: Count<1, 1_000_000> = Count::new(1_000),
    }

    /// What protects the master key.
    Seal {
        /// Which seal.
        kind: SealKind = SealKind::File,
        /// The key of a `file` seal.
        file: PathBuf = "keys/seal.key".into(),
        /// The file that holds the passphrase of a `passphrase` seal.
        passphrase_file: Option<PathBuf> = None,
        /// The systemd credential that holds it.
        passphrase_credential: Option<String> = None,
        /// The shares of a `shamir` seal, when they are made.
        shamir: Shamir = Shamir::default(),
    }

    /// The shares of a `shamir` seal, when they are made.
    Shamir {
        /// How many there are.
        shares: Count<2, 32> = Count::new(5),
        /// How many of them open it.
        threshold: Count<2, 32> = Count::new(3),
    }

    /// The listener of people and workers.
    Api {
        /// Address and port; port 0 takes a free one.
        #[serde(deserialize_with = "socket_address")]
        listen: SocketAddr = loopback(8443),
        /// How callers reach it, where that is not the address it listens on.
        public_url: Option<WebUrl> = None,
    }

    /// The listener of the egress proxy.
    Gateway {
        /// Address and port; port 0 takes a free one.
        #[serde(deserialize_with = "socket_address")]
        listen: SocketAddr = loopback(8444),
        /// How workers reach it, where that is not the address it listens on.
        public_url: Option<WebUrl> = None,
    }

    /// The certificate of both listeners.
    Tls {
        /// PEM chain, leaf first.
        certificate: Option<PathBuf> = None,
        /// PEM private key.
        key: Option<PathBuf> = None,
        /// Plain HTTP, on loopback only.
        off: bool = false,
    }

    /// Addresses of Amazon, where they are not Amazon's: a sandbox, a simulator.
    Amazon {
        /// The token endpoint of Login with Amazon.
        token_url: Option<WebUrl> = None,
        /// The Selling Partner API, by region.
        endpoint: Endpoints = Endpoints::default(),
        /// The consent pages.
        consent_url: ConsentUrls = ConsentUrls::default(),
    }

    /// The Selling Partner API's base URLs.
    Endpoints {
        /// North America.
        na: Option<WebUrl> = None,
        /// Europe, the Middle East, Africa and India.
        eu: Option<WebUrl> = None,
        /// The Far East.
        fe: Option<WebUrl> = None,
    }

    /// The consent pages: by country, else by region, else one for all.
    ConsentUrls {
        /// For every portal and place that has none of its own.
        default: Option<WebUrl> = None,
        /// Seller Central, by region or country.
        seller: BTreeMap<Place, WebUrl> = BTreeMap::new(),
        /// Vendor Central, by region or country.
        vendor: BTreeMap<Place, WebUrl> = BTreeMap::new(),
    }

    /// Where the vault may call, and how long it waits.
    Egress {
        /// Networks that are not public but may be called; loopback, for a simulator.
        #[serde(deserialize_with = "networks")]
        allowed_cidrs: Vec<IpNet> = Vec::new(),
        /// PEM of authorities trusted beside the Web's.
        ca_file: Option<PathBuf> = None,
        /// From the lookup of a name to the end of the handshake.
        connect_timeout_s: Seconds<1, 60> = Seconds::new(5),
        /// From the start of a call to the head of its response.
        response_timeout_s: Seconds<1, 300> = Seconds::new(30),
    }

    /// What one caller may take.
    Limits {
        /// The longest body that is read whole.
        body_bytes: Count<1_024, 67_108_864> = Count::new(1 << 20),
        /// How deep JSON may nest.
        json_depth: Count<4, 128> = Count::new(32),
        /// Connections open at once, for each listener.
        connections: Count<1, 1_000_000> = Count::new(4_096),
        /// From accept to the end of the TLS handshake.
        handshake_timeout_s: Seconds<1, 60> = Seconds::new(10),
        /// To the end of a request's head; it also ends idle HTTP/1.1 connections.
        header_read_timeout_s: Seconds<1, 60> = Seconds::new(10),
        /// From a request's head to its response's, on the API.
        request_timeout_s: Seconds<1, 600> = Seconds::new(30),
        /// How long requests under way may take to end at shutdown.
        drain_timeout_s: Seconds<1, 600> = Seconds::new(25),
        /// Requests that one address may make of the API in a second.
        requests_per_second_per_address: Count<1, 1_000_000> = Count::new(100_000),
    }

    /// Who may read `/metrics`.
    Metrics {
        /// Anyone who reaches the API, not only staff.
        public: bool = false,
    }

    /// Who may read `/openapi.json` and `/docs`.
    Docs {
        /// Anyone who reaches the API, not only those signed in.
        public: bool = true,
    }

    /// The diagnostic log, on standard error.
    Log {
        /// For machines or for people.
        format: LogFormat = LogFormat::Json,
        /// Levels by module, as `tracing-subscriber` reads them: `info,leasehold::broker=debug`.
        filter: LogFilter = LogFilter::default(),
    }

    /// Descriptions of providers beside those built in.
    Providers {
        /// A directory of `*.toml`.
        directory: Option<PathBuf> = None,
    }

    /// How long leases live.
    Lease {
        /// Where a worker does not ask.
        default_s: Seconds<60, 3_600> = Seconds::new(900),
        /// At most, whatever it asks.
        max_s: Seconds<60, 3_600> = Seconds::new(3_600),
    }
}

impl Amazon {
    /// Returns the overrides that the vault itself calls, with their keys. Consent pages are for browsers.
    pub(super) fn dialed(&self) -> impl Iterator<Item = (&'static str, &WebUrl)> {
        let Endpoints { na, eu, fe } = &self.endpoint;
        [
            ("amazon.token_url", &self.token_url),
            ("amazon.endpoint.na", na),
            ("amazon.endpoint.eu", eu),
            ("amazon.endpoint.fe", fe),
        ]
        .into_iter()
        .filter_map(|(key, url)| Some((key, url.as_ref()?)))
    }
}

impl ConsentUrls {
    /// Returns the override for Seller Central in `country`, which lies in `region` (both lower case).
    #[must_use]
    pub fn for_seller(&self, country: &str, region: &str) -> Option<&WebUrl> {
        self.find(&self.seller, country, region)
    }

    /// Returns the override for Vendor Central in `country`, which lies in `region` (both lower case).
    #[must_use]
    pub fn for_vendor(&self, country: &str, region: &str) -> Option<&WebUrl> {
        self.find(&self.vendor, country, region)
    }

    fn find<'a>(&'a self, portal: &'a BTreeMap<Place, WebUrl>, country: &str, region: &str) -> Option<&'a WebUrl> {
        portal.get(country).or_else(|| portal.get(region)).or(self.default.as_ref())
    }
}

/// A region or country that Amazon has a portal for, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Place(&'static str);

impl std::borrow::Borrow<str> for Place {
    fn borrow(&self) -> &str {
        self.0
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = super::keys::PLACES.into_iter().find(|place| *place == name);
        known.map(Self).ok_or_else(|| {
            let places = super::keys::PLACES.join(", ");
            serde::de::Error::custom(format!("unknown place `{name}`; expected one of {places}"))
        })
    }
}
