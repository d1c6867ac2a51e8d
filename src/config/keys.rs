//! Every key there is, and the environment variable of each. A key that is not in this table does not exist, whatever
//! the sections say; a test holds the two together.

use super::ConfigError;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};
use toml::{Table, Value};

const PREFIX: &str = "LEASEHOLD_";

/// Variables of the command line, which are no keys.
const OF_COMMANDS: [&str; 4] = ["LEASEHOLD_URL", "LEASEHOLD_TOKEN", "LEASEHOLD_CA", "LEASEHOLD_CONFIG"];

/// How a variable's text becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Switch,
    /// Texts with commas between them.
    List,
}

use Kind::{List, Number, Switch, Text};

pub(super) const KEYS: &[(&str, Kind)] = &[
    ("database.url", Text),
    ("database.password_file", Text),
    ("database.password_credential", Text),
    ("node.name", Text),
    ("audit.anchor", Text),
    ("seal.kind", Text),
    ("seal.file", Text),
    ("seal.passphrase_file", Text),
    ("seal.passphrase_credential", Text),
    ("seal.shamir.shares", Number),
    ("seal.shamir.threshold", Number),
    ("api.listen", Text),
    ("api.public_url", Text),
    ("gateway.listen", Text),
    ("gateway.public_url", Text),
    ("tls.certificate", Text),
    ("tls.key", Text),
    ("tls.off", Switch),
    ("amazon.token_url", Text),
    ("amazon.endpoint.na", Text),
    ("amazon.endpoint.eu", Text),
    ("amazon.endpoint.fe", Text),
    ("amazon.consent_url.default", Text),
    ("egress.allowed_cidrs", List),
    ("egress.ca_file", Text),
    ("egress.connect_timeout_s", Number),
    ("egress.response_timeout_s", Number),
    ("limits.body_bytes", Number),
    ("limits.json_depth", Number),
    ("limits.connections", Number),
    ("limits.handshake_timeout_s", Number),
    ("limits.header_read_timeout_s", Number),
    ("limits.request_timeout_s", Number),
    ("limits.drain_timeout_s", Number),
    ("limits.requests_per_second_per_address", Number),
    ("metrics.public", Switch),
    ("docs.public", Switch),
    ("log.format", Text),
    ("log.filter", Text),
    ("providers.directory", Text),
    ("lease.default_s", Number),
    ("lease.max_s", Number),
    ("audit.scrub_entries_per_s", Number),
];

/// The portals whose consent pages can be moved.
pub(super) const PORTALS: [&str; 2] = ["seller", "vendor"];

/// Where a portal's consent page can be moved: a region, or a country of FACTS §2 within it, which wins.
pub(super) const PLACES: [&str; 26] = [
    "na", "eu", "fe", "us", "ca", "mx", "br", "uk", "de", "fr", "it", "es", "nl", "be", "ie", "se", "pl", "tr", "ae",
    "sa", "eg", "za", "in", "jp", "au", "sg",
];

/// Returns every key with its kind.
pub(super) fn known() -> impl Iterator<Item = (String, Kind)> {
    let consent = PORTALS
        .iter()
        .flat_map(|portal| PLACES.iter().map(move |place| (format!("amazon.consent_url.{portal}.{place}"), Text)));
    KEYS.iter().map(|(key, kind)| ((*key).to_owned(), *kind)).chain(consent)
}

/// Returns the variable that overrides `key`: `amazon.endpoint.eu` is `LEASEHOLD_AMAZON_ENDPOINT_EU`.
#[must_use]
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace(['.', '-'], "_"))
}

/// What the environment says: values by key.
pub(super) struct Overlay {
    values: BTreeMap<String, Value>,
    pub(super) credentials_directory: Option<PathBuf>,
}

impl Overlay {
    pub(super) fn read<K, V>(environment: impl IntoIterator<Item = (K, V)>) -> Result<Self, ConfigError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let keys: BTreeMap<String, (String, Kind)> =
            known().map(|(key, kind)| (variable_of(&key), (key, kind))).collect();
        let mut overlay = Self { values: BTreeMap::new(), credentials_directory: None };
        for (name, value) in environment {
            let (name, value): (OsString, OsString) = (name.into(), value.into());
            if name == "CREDENTIALS_DIRECTORY" {
                overlay.credentials_directory = Some(value.into());
                continue;
            }
            let name = name.to_string_lossy().into_owned();
            if !name.starts_with(PREFIX) || OF_COMMANDS.contains(&name.as_str()) {
                continue;
            }
            let refuse = |problem: &str| ConfigError { place: name.clone(), problem: problem.to_owned() };
            let Some((key, kind)) = keys.get(&name) else {
                // The name only: whoever invents a variable may well have put a secret into it.
                return Err(refuse("is no variable of Leasehold; mend its spelling or unset it"));
            };
            overlay.values.insert(key.clone(), value_of(&value, *kind).map_err(refuse)?);
        }
        Ok(overlay)
    }

    /// Lays the values over `table`.
    pub(super) fn apply(&self, table: &mut Table) -> Result<(), ConfigError> {
        for (key, value) in &self.values {
            let mut inner = &mut *table;
            let mut names = key.split('.').peekable();
            while let Some(name) = names.next() {
                if names.peek().is_none() {
                    inner.insert(name.to_owned(), value.clone());
                    break;
                }
                let entry = inner.entry(name).or_insert_with(|| Value::Table(Table::new()));
                let Value::Table(next) = entry else {
                    let problem = format!("is a value where the section of {key} belongs; write it as a table");
                    return Err(ConfigError { place: name.to_owned(), problem });
                };
                inner = next;
            }
        }
        Ok(())
    }

    /// Names where `key` was set: by its variable, or in the file.
    pub(super) fn place_of(&self, key: &str, file: Option<&Path>) -> String {
        let plain = key.split('[').next().unwrap_or(key);
        if self.values.contains_key(plain) {
            return format!("{} ({key})", variable_of(plain));
        }
        match file {
            Some(path) => format!("{}: {key}", path.display()),
            None => key.to_owned(),
        }
    }
}

fn value_of(text: &OsStr, kind: Kind) -> Result<Value, &'static str> {
    let text = text.to_str().ok_or("is not UTF-8; set it to plain text")?;
    match kind {
        Text => Ok(Value::String(text.to_owned())),
        Number => text.parse().map(Value::Integer).map_err(|_| "is not a whole number; set it to digits only"),
        Switch => text.parse().map(Value::Boolean).map_err(|_| "is neither true nor false; set it to one of the two"),
        List => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
    }
}
