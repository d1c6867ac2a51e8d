//! What the operator decides: `leasehold.toml`, and an environment variable for each of its keys. Read once at start;
//! what is wrong is said in one line that names the key, the cause and the remedy. Secrets are never in it, only where
//! to read them.

mod keys;
mod secret_reference;
mod sections;
mod values;

pub use keys::variable_of;
pub use secret_reference::{SecretReference, SecretUnreadable};
pub use sections::{
    Amazon, Api, Audit, ConsentUrls, Database, Docs, Egress, Endpoints, File, Gateway, Lease, Limits, Log, Metrics,
    Place, Providers, Seal, Shamir, Tls,
};
pub use values::{Count, DatabaseUrl, LogFilter, LogFormat, Seconds, WebUrl};

use crate::{broker::dialer::DialerOptions, envelope::Quorum, seal::SealKind};
use keys::Overlay;
use std::{
    ffi::OsString,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// The configuration, whole and consistent. Relative paths are relative to the working directory.
#[derive(Clone, Debug)]
pub struct Config {
    file: File,
    credentials_directory: Option<PathBuf>,
}

impl Config {
    /// Reads `file`, where one is given, and lays over it the `LEASEHOLD_` variables of `environment`.
    ///
    /// # Errors
    /// Where the file cannot be read, a key or variable is unknown, or a value is out of its bounds or contradicts
    /// another.
    pub fn load<K, V>(file: Option<&Path>, environment: impl IntoIterator<Item = (K, V)>) -> Result<Self, ConfigError>
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        let mut table = file.map(read).transpose()?.unwrap_or_default();
        let overlay = Overlay::read(environment)?;
        overlay.apply(&mut table)?;
        let parsed = serde_path_to_error::deserialize(table).map_err(|error| {
            let key = error.path().to_string();
            let place = overlay.place_of(&key, file);
            ConfigError { place, problem: without_value(error.inner().message()) }
        })?;
        let config = Self { file: parsed, credentials_directory: overlay.credentials_directory.clone() };
        config.agree().map_err(|(key, problem)| ConfigError { place: overlay.place_of(key, file), problem })?;
        Ok(config)
    }

    /// Returns what receipts call this process.
    #[must_use]
    pub fn node_name(&self) -> String {
        let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.node.name.clone().unwrap_or_else(host)
    }

    /// Returns how the listeners speak TLS.
    ///
    /// # Errors
    /// Where neither a certificate is named nor TLS turned off. Only a server needs either, so `load` lets it pass.
    pub fn listener_tls(&self) -> Result<ListenerTls<'_>, ConfigError> {
        let tls = &self.file.tls;
        match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => Ok(ListenerTls::Files { certificate, key }),
            _ if tls.off => Ok(ListenerTls::Off),
            _ => Err(ConfigError {
                place: "tls.certificate".into(),
                problem: "is missing; name a PEM chain here and its key in tls.key, or set tls.off = true on loopback"
                    .into(),
            }),
        }
    }

    /// Returns where the database's password is, if it has one.
    #[must_use]
    pub fn database_password(&self) -> Option<SecretReference> {
        let database = &self.file.database;
        self.reference(database.password_file.as_deref(), database.password_credential.as_deref())
    }

    /// Returns where the seal's passphrase is. `None`, with a passphrase seal, means that the vault starts sealed and
    /// waits for a person.
    #[must_use]
    pub fn seal_passphrase(&self) -> Option<SecretReference> {
        let seal = &self.file.seal;
        self.reference(seal.passphrase_file.as_deref(), seal.passphrase_credential.as_deref())
    }

    /// Reads `egress.ca_file` and returns how the vault calls out.
    ///
    /// # Errors
    /// Where that file cannot be read; whether it holds certificates, the dialer finds out.
    pub fn dialer_options(&self) -> Result<DialerOptions, ConfigError> {
        let egress = &self.file.egress;
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| ConfigError {
                place: "egress.ca_file".into(),
                problem: format!("cannot be read: {error}; name a PEM file of authorities, or drop it"),
            })
        };
        Ok(DialerOptions {
            allowed_cidrs: egress.allowed_cidrs.clone(),
            extra_roots_pem: egress.ca_file.as_ref().map(read).transpose()?,
            connect_timeout: egress.connect_timeout_s.duration(),
            response_timeout: egress.response_timeout_s.duration(),
        })
    }

    fn reference(&self, file: Option<&Path>, credential: Option<&str>) -> Option<SecretReference> {
        match (file, credential) {
            (Some(path), _) => Some(SecretReference::File(path.to_owned())),
            (None, Some(name)) => Some(SecretReference::Credential {
                name: name.to_owned(),
                directory: self.credentials_directory.clone(),
            }),
            (None, None) => None,
        }
    }

    /// Checks what one key alone cannot show. Returns the key to mend and the problem.
    fn agree(&self) -> Result<(), (&'static str, String)> {
        let File { database, seal, api, gateway, tls, amazon, egress, lease, .. } = &self.file;
        let refuse = |key, problem: &str| Err((key, problem.to_owned()));
        if database.password_file.is_some() && database.password_credential.is_some() {
            return refuse("database.password_file", "contradicts database.password_credential; keep one of the two");
        }
        if seal.passphrase_file.is_some() && seal.passphrase_credential.is_some() {
            return refuse("seal.passphrase_file", "contradicts seal.passphrase_credential; keep one of the two");
        }
        let passphrase = seal.passphrase_file.is_some() || seal.passphrase_credential.is_some();
        if seal.kind != SealKind::Passphrase && passphrase {
            let problem =
                format!("is \"{}\", which reads no passphrase; set it to \"passphrase\" or drop that", seal.kind);
            return Err(("seal.kind", problem));
        }
        if Quorum::new(seal.shamir.threshold.value(), seal.shamir.shares.value()).is_err() {
            return refuse("seal.shamir.threshold", "is more than seal.shamir.shares; lower it or raise the other");
        }
        match (&tls.certificate, &tls.key, tls.off) {
            (None, None, _) | (Some(_), Some(_), false) => {}
            (Some(_), None, false) => return refuse("tls.key", "is missing; name the private key of tls.certificate"),
            (None, Some(_), false) => return refuse("tls.certificate", "is missing; name the chain of tls.key"),
            (_, _, true) => return refuse("tls.off", "contradicts tls.certificate and tls.key; keep one of the two"),
        }
        for (key, listen) in [("api.listen", api.listen), ("gateway.listen", gateway.listen)] {
            if tls.off && !listen.ip().is_loopback() {
                let problem = format!("is {listen}, where tls.off would send tokens in the clear; listen on 127.0.0.1");
                return Err((key, problem));
            }
        }
        if api.listen == gateway.listen && api.listen.port() != 0 {
            return refuse("gateway.listen", "is the address of api.listen; give the gateway another port");
        }
        for (key, url) in amazon.dialed() {
            let loopback = url.loopback_address();
            if loopback.is_some_and(|address| !egress.allowed_cidrs.iter().any(|net| net.contains(&address))) {
                return refuse(
                    key,
                    "is on loopback, which egress.allowed_cidrs does not list; add \"127.0.0.0/8\" to it",
                );
            }
        }
        if lease.default_s.duration() > lease.max_s.duration() {
            return refuse("lease.default_s", "is longer than lease.max_s; lower it or raise the other");
        }
        Ok(())
    }
}

/// Everything without a rule of its own is read straight from its section: `config.api.listen`.
impl std::ops::Deref for Config {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

/// Sections may be changed in place, as `leasehold dev` does with its ports.
impl std::ops::DerefMut for Config {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.file
    }
}

/// Writes the configuration in force as TOML, for `doctor`. It holds no secret.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(&self.file).map_err(|_| fmt::Error)?)
    }
}

/// How the listeners speak TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerTls<'a> {
    /// With a certificate in PEM files.
    Files {
        /// The chain, leaf first.
        certificate: &'a Path,
        /// Its private key.
        key: &'a Path,
    },
    /// Not at all; both listeners are on loopback.
    Off,
}

/// A configuration that cannot be used: one line, with the key or variable, the cause and the remedy.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    place: String,
    problem: String,
}

fn read(path: &Path) -> Result<toml::Table, ConfigError> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        place: place.clone(),
        problem: format!("cannot be read: {error}; name an existing file with --config or LEASEHOLD_CONFIG"),
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError { place: format!("{place}, line {line}"), problem: format!("{}; mend the TOML", error.message()) }
    })
}

/// Cuts the value out of a message such as `invalid type: string "…", expected a map`: an operator who wrote
/// `database = "postgres://vault:hunter2@…"` would find the password in the journal.
fn without_value(message: &str) -> String {
    match (message.find(" \""), message.rfind("\", expected")) {
        (Some(opening), Some(closing)) if opening < closing => {
            format!("{}{}", &message[..opening], &message[closing + 1..])
        }
        _ => message.to_owned(),
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests;
