//! A certificate authority for `leasehold dev`, so that a laptop speaks TLS with nothing to prepare. It vouches for
//! loopback only, and its own key is forgotten once it has signed: a program that trusts `ca.pem` trusts one server
//! certificate and nothing that could be made later.

use super::certificate::{self, CertificateError, CertificateFiles};
use crate::{
    clock::{Clock, Timestamp},
    entropy::{Entropy, make_array},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SerialNumber, date_time_ymd,
};
use rustls::{RootCertStore, client::WebPkiServerVerifier, client::danger::ServerCertVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use std::{
    fs, io,
    io::Write,
    net::{Ipv4Addr, Ipv6Addr},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What the server certificate is for. The simulator tells its three regions apart by name.
const NAMES: &[&str] = &["localhost", "na.localhost", "eu.localhost", "fe.localhost", "127.0.0.1", "::1"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Apple's and the CA/Browser Forum's longest life of a server certificate is 398 days (Baseline Requirements §6.3.2);
/// `not_before` lies one day back, for clocks that disagree.
const LIFE: Duration = DAY.saturating_mul(396);

/// A certificate that would end sooner than this is replaced at start.
const RENEW_BEFORE: Duration = DAY.saturating_mul(7);

/// The authority's files in one directory: `ca.pem`, `server.pem` and `server.key` (mode 0600).
pub struct DevAuthority {
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl DevAuthority {
    /// Takes up the certificate in `directory`, or makes authority and certificate anew where there is none, or it is
    /// incomplete, for other names, or within 7 days of its end. The keys themselves are drawn by the TLS library;
    /// `entropy` gives the serial numbers.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub fn open_or_make(directory: &Path, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<Self, AuthorityError> {
        let authority = Self {
            ca: directory.join("ca.pem"),
            certificate: directory.join("server.pem"),
            key: directory.join("server.key"),
        };
        if !authority.holds_until(clock.now().plus(RENEW_BEFORE)) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(|source| AuthorityError::Write { path: directory.to_owned(), source })?;
            authority.make(clock.now(), entropy)?;
        }
        Ok(authority)
    }

    /// Returns the path of the authority's certificate, PEM, which clients are told to trust.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.ca
    }

    /// Returns the path of the server certificate, PEM.
    #[must_use]
    pub fn certificate_path(&self) -> &Path {
        &self.certificate
    }

    /// Returns the path of the server certificate's private key, PEM, mode 0600.
    #[must_use]
    pub fn key_path(&self) -> &Path {
        &self.key
    }

    /// Builds the TLS of a listener that shows this certificate.
    ///
    /// # Errors
    /// Where the files have been changed since, or no ticket key could be drawn.
    pub fn server_config(&self) -> Result<Arc<rustls::ServerConfig>, AuthorityError> {
        let files = CertificateFiles::open(self.certificate.clone(), self.key.clone())?;
        certificate::server_config(files).map_err(AuthorityError::Tls)
    }

    /// Tells whether a client that trusts `ca.pem` would accept the certificate, under each name, at `at`.
    fn holds_until(&self, at: Timestamp) -> bool {
        let Ok(served) = certificate::load_pem(&self.certificate, &self.key) else {
            return false;
        };
        let Some(verifier) = CertificateDer::from_pem_file(&self.ca).ok().and_then(verifier_for) else {
            return false;
        };
        let at = UnixTime::since_unix_epoch(seconds(at));
        served.cert.first().is_some_and(|leaf| {
            NAMES.iter().all(|name| {
                let name = ServerName::try_from(*name).expect("NAMES are host names and addresses");
                verifier.verify_server_cert(leaf, &[], &name, &[], at).is_ok()
            })
        })
    }

    /// Makes authority and server certificate, of the same life, so that neither outlives the other.
    fn make(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<(), AuthorityError> {
        let issuer = CertifiedIssuer::self_signed(authority_parameters(now, entropy), KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = server_parameters(now, entropy)?.signed_by(&key, &issuer)?;
        let private = zeroize::Zeroizing::new(key.serialize_pem());
        replace(&self.key, private.as_bytes(), 0o600)?;
        replace(&self.certificate, leaf.pem().as_bytes(), 0o644)?;
        replace(&self.ca, issuer.pem().as_bytes(), 0o644)
    }
}

fn authority_parameters(now: Timestamp, entropy: &dyn Entropy) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "Leasehold development authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".into()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(Ipv4Addr::LOCALHOST.octets(), 32)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    date_and_number(&mut parameters, now, entropy);
    parameters
}

fn server_parameters(now: Timestamp, entropy: &dyn Entropy) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name.push(DnType::CommonName, "localhost");
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    date_and_number(&mut parameters, now, entropy);
    Ok(parameters)
}

fn date_and_number(parameters: &mut CertificateParams, now: Timestamp, entropy: &dyn Entropy) {
    let epoch = date_time_ymd(1970, 1, 1);
    parameters.not_before = epoch + seconds(now.minus(DAY));
    parameters.not_after = epoch + seconds(now.plus(LIFE));
    // Positive, not zero, and at most 20 octets (RFC 5280 §4.1.2.2).
    let mut serial: [u8; 16] = make_array(entropy);
    serial[0] = serial[0] & 0x7f | 0x40;
    parameters.serial_number = Some(SerialNumber::from_slice(&serial));
}

fn seconds(at: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(at.as_seconds()).unwrap_or(0))
}

fn verifier_for(ca: CertificateDer<'static>) -> Option<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add(ca).ok()?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), certificate::provider()).build().ok()
}

/// Puts `bytes` at `path` whole or not at all, never readable more widely than `mode`, not even for a moment.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let failed = |source| AuthorityError::Write { path: path.to_owned(), source };
    let next = path.with_extension("new");
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&next).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&next, path).map_err(failed)
}

/// The development authority could not be set up.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum AuthorityError {
    #[error("cannot write {}: {source}; give a data directory that this user may write", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::ManualClock, entropy::SystemEntropy};
    use std::os::unix::fs::PermissionsExt;

    fn clock() -> ManualClock {
        ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000))
    }

    fn open(directory: &Path, clock: &ManualClock) -> (DevAuthority, Vec<u8>) {
        let authority = DevAuthority::open_or_make(directory, clock, &SystemEntropy).unwrap();
        let leaf = fs::read(authority.certificate_path()).unwrap();
        (authority, leaf)
    }

    #[test]
    fn a_fresh_certificate_holds_under_every_name_and_is_reused() {
        let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
        let (authority, first) = open(directory.path(), &clock);
        assert!(authority.holds_until(clock.now()));
        assert!(!authority.holds_until(clock.now().plus(DAY * 398)));
        clock.advance(DAY * 380);
        assert_eq!(open(directory.path(), &clock).1, first);
    }

    #[test]
    fn a_certificate_in_its_last_week_is_renewed() {
        let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
        let (_, first) = open(directory.path(), &clock);
        clock.advance(DAY * 390);
        let (authority, second) = open(directory.path(), &clock);
        assert_ne!(first, second);
        assert!(authority.holds_until(clock.now()));
    }

    #[test]
    fn an_authority_half_written_is_made_anew() {
        let (directory, clock) = (tempfile::tempdir().unwrap(), clock());
        for lost in ["ca.pem", "server.pem", "server.key"] {
            open(directory.path(), &clock);
            fs::remove_file(directory.path().join(lost)).unwrap();
            assert!(open(directory.path(), &clock).0.holds_until(clock.now()), "{lost}");
        }
    }

    #[test]
    fn the_private_key_is_readable_by_its_owner_only_and_the_authority_keeps_none() {
        let directory = tempfile::tempdir().unwrap();
        let (authority, _) = open(directory.path(), &clock());
        let mode = fs::metadata(authority.key_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
