//! The certificate a listener shows, and the TLS it speaks. A renewed certificate is taken up while serving.

use parking_lot::RwLock;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The versions every socket of the vault speaks, in and out: TLS 1.2 or later, as Amazon's Data Protection Policy §1.5
/// demands.
pub static VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Reads a PEM certificate chain, leaf first, and its PEM private key (PKCS#8, PKCS#1 or SEC1).
///
/// # Errors
/// Names the file that is missing, holds no PEM of its kind, or does not belong to the other.
pub fn load_pem(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, CertificateError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| CertificateError::Unreadable { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(certificate))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty { path: certificate.to_owned() });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let pair = CertifiedKey::from_der(chain, private, &provider()).map_err(|source| CertificateError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })?;
    Ok(Arc::new(pair))
}

/// Builds the TLS of a listener: ALPN `h2` and `http/1.1`, and resumption by tickets, whose keys the provider changes by
/// itself. A resumed handshake spares a worker that opens a connection a call one round trip and us one signature.
///
/// # Errors
/// Where the provider cannot draw a ticket key.
pub fn server_config(certificate: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// Returns the one cryptographic provider; nothing relies on a process-wide default being installed.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A certificate in files that are renewed under a running server.
pub struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl CertificateFiles {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// As [`load_pem`].
    pub fn open(certificate: PathBuf, key: PathBuf) -> Result<Arc<Self>, CertificateError> {
        let current = RwLock::new(load_pem(&certificate, &key)?);
        Ok(Arc::new(Self { certificate, key, current }))
    }

    /// Reads the files again. New handshakes use what they hold now; where they cannot be used, the certificate in use
    /// stays.
    ///
    /// # Errors
    /// As [`load_pem`].
    pub fn reload(&self) -> Result<(), CertificateError> {
        let renewed = load_pem(&self.certificate, &self.key)?;
        *self.current.write() = renewed;
        Ok(())
    }

    /// Reloads at each SIGHUP until `shutdown`, and logs how that went.
    pub async fn reload_on_hangup(self: Arc<Self>, shutdown: CancellationToken) {
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => return tracing::error!(%error, "SIGHUP cannot be watched; restart to renew the certificate"),
        };
        while let Some(Some(())) = shutdown.run_until_cancelled(hangups.recv()).await {
            match self.reload() {
                Ok(()) => tracing::info!(certificate = %self.certificate.display(), "certificate reloaded"),
                Err(error) => tracing::error!(%error, "certificate not reloaded; the one in use stays"),
            }
        }
    }
}

impl ResolvesServerCert for CertificateFiles {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read()))
    }
}

impl fmt::Debug for CertificateFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateFiles").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// A certificate or key that cannot be served.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum CertificateError {
    #[error("cannot read {}: {source}; give a PEM file that this user may read", path.display())]
    Unreadable { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("{} holds no certificate; give the PEM chain, leaf first", path.display())]
    Empty { path: PathBuf },
    #[error("{} and {} cannot be used together: {source}; give a certificate and its own key", certificate.display(), key.display())]
    Unusable { certificate: PathBuf, key: PathBuf, source: rustls::Error },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{ManualClock, Timestamp},
        entropy::SystemEntropy,
        server::authority::DevAuthority,
    };

    fn authority(directory: &Path) -> DevAuthority {
        let clock = ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000));
        DevAuthority::open_or_make(directory, &clock, &SystemEntropy).unwrap()
    }

    #[test]
    fn only_tls_1_2_and_1_3_are_spoken() {
        let versions: Vec<_> = VERSIONS.iter().map(|version| version.version).collect();
        assert_eq!(versions, [rustls::ProtocolVersion::TLSv1_3, rustls::ProtocolVersion::TLSv1_2]);
    }

    #[test]
    fn a_listener_offers_h2_and_tickets() {
        let directory = tempfile::tempdir().unwrap();
        let config = authority(directory.path()).server_config().unwrap();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert!(config.ticketer.enabled());
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ours, theirs) = (authority(ours.path()), authority(theirs.path()));
        let error = load_pem(ours.certificate_path(), theirs.key_path()).unwrap_err();
        assert!(matches!(error, CertificateError::Unusable { .. }), "{error}");
    }

    #[test]
    fn a_file_without_pem_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let authority = authority(directory.path());
        let empty = directory.path().join("empty.pem");
        std::fs::write(&empty, "nothing here").unwrap();
        for error in [
            load_pem(&empty, authority.key_path()).unwrap_err(),
            load_pem(authority.certificate_path(), &empty).unwrap_err(),
            load_pem(&directory.path().join("absent.pem"), authority.key_path()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(".pem"), "{error}");
        }
    }

    #[test]
    fn a_failed_reload_keeps_the_certificate_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let authority = authority(directory.path());
        let files = CertificateFiles::open(authority.certificate_path().into(), authority.key_path().into()).unwrap();
        let before = Arc::clone(&files.current.read());
        std::fs::write(authority.certificate_path(), "").unwrap();
        assert!(files.reload().is_err());
        assert!(Arc::ptr_eq(&before, &files.current.read()));
    }
}
