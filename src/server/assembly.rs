//! A vault from its configuration: opened, unsealed where the seal's secret is at hand, and served until it is told to
//! stop. `leasehold serve` and `leasehold dev` run through here alike.

use super::{
    BindError, Limits, Listener, Tls,
    certificate::{self, CertificateError, CertificateFiles},
    seals, unsealing, upkeep,
};
use crate::{
    api::{self, ApiOptions, ApiState},
    audit::{Scrub, ScrubOptions, ScrubPace, StartError},
    broker::{
        Addresses,
        dialer::{Dialer, RootsError},
        provider::{AccountKind, Catalogue, ProviderError, Region},
    },
    clock::{Clock, SystemClock},
    config::{Config, ConfigError, DatabaseUrl, ListenerTls, SecretReference, SecretUnreadable, WebUrl},
    entropy::{Entropy, SystemEntropy},
    gateway::{self, GatewayLimits},
    keyring::KeyringError,
    seal::{PassphraseError, SealError},
    store::{Db, Missing, StoreError},
    telemetry::Metrics,
    vault::{Vault, VaultOptions},
};
use std::{borrow::Borrow, io, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Opens the database that a configuration names.
///
/// # Errors
/// Where its password cannot be read, or it cannot be opened.
pub async fn database_open(config: &Config, missing: Missing) -> Result<Db, ServeError> {
    let url = database_url(&config.database.url, config.database_password().as_ref())?;
    Ok(Db::open(&url, missing).await?)
}

/// Opens the database that a configuration names, to copy it: it may have been copied before.
///
/// # Errors
/// As [`database_open`].
pub async fn source_open(config: &Config) -> Result<Db, ServeError> {
    let url = database_url(&config.database.url, config.database_password().as_ref())?;
    Ok(Db::open_source(&url).await?)
}

/// Opens the vault, sealed: the database brought to this version's schema, and the services over it.
///
/// # Errors
/// Where the configuration, the database or the log does not let it start.
pub async fn vault_open(config: &Config) -> Result<Vault, ServeError> {
    let db = database_open(config, Missing::Refuse).await?;
    // Migrations only expand the schema, so that the version before this one can still run beside it; a schema newer
    // than this version is refused here.
    db.migrate().await?;
    vault_start(config, db).await
}

/// Puts the services together over a database that is migrated and holds a vault.
///
/// # Errors
/// Where the configuration or the log does not let it start.
pub async fn vault_start(config: &Config, db: Db) -> Result<Vault, ServeError> {
    let mut catalogue = Catalogue::built_in();
    if let Some(directory) = &config.providers.directory {
        catalogue.load_directory(directory)?;
    }
    let claim = db.claim()?;
    let options = VaultOptions {
        db,
        dialer: Dialer::new(config.dialer_options()?)?,
        catalogue: Arc::new(catalogue),
        addresses: addresses(config),
        clock: Arc::new(SystemClock) as Arc<dyn Clock>,
        entropy: Arc::new(SystemEntropy) as Arc<dyn Entropy>,
        name: config.node_name(),
        anchor: config.audit.anchor.clone(),
        claim,
    };
    // The task ends with the process: its handles are held by the services until then.
    let (vault, _sequencing) = Vault::start(options).await?;
    Ok(vault)
}

/// Builds the TLS of both listeners, and the files that it comes from.
///
/// # Errors
/// Where no certificate is named and TLS is not off, or the files cannot be used.
pub fn tls_open(config: &Config) -> Result<(Tls, Option<Arc<CertificateFiles>>), ServeError> {
    match config.listener_tls()? {
        ListenerTls::Off => Ok((Tls::Off, None)),
        ListenerTls::Files { certificate, key } => {
            let files = CertificateFiles::open(certificate.to_owned(), key.to_owned())?;
            let resolver: Arc<CertificateFiles> = Arc::clone(&files);
            Ok((Tls::On(certificate::server_config(resolver)?), Some(files)))
        }
    }
}

/// What is served.
pub struct Doors {
    /// The vault, sealed or not.
    pub vault: Vault,
    /// The listener of people and workers.
    pub api: Listener,
    /// The listener of the egress proxy.
    pub gateway: Listener,
    /// The process's metrics.
    pub metrics: Metrics,
}

/// Serves both listeners and the upkeep until `shutdown`, and returns once requests under way have ended.
///
/// # Errors
/// `Poisoned` where the log closed by itself: nothing more can be acknowledged, and the process has to end.
pub async fn serve_doors(config: &Config, doors: Doors, shutdown: CancellationToken) -> Result<(), ServeError> {
    let Doors { vault, api, gateway, metrics } = doors;
    let limits = Limits::from(&config.limits);
    let api_router = api::router(ApiState::new(api_options(config, &vault, &api, &metrics)?));
    let gateway_limits = GatewayLimits { at_once: config.limits.connections.as_usize(), ..GatewayLimits::default() };
    let gateway_router = gateway::router(vault.clone(), gateway_limits);

    let background = tokio_util::task::TaskTracker::new();
    background.spawn(upkeep::keep_up(vault.clone(), shutdown.clone()));
    background.spawn(Arc::clone(&vault.checkpointer).run(shutdown.clone()));
    background.spawn(scrub(config, &vault).run(shutdown.clone()));
    background.spawn(metrics.keep_up(shutdown.clone()));
    background.spawn(jobs_resume(vault.clone()));
    background.spawn(unsealing::keep_unsealing(config.clone(), vault.clone(), shutdown.clone()));
    background.close();
    let api = tokio::spawn(super::serve(api, api_router, limits, shutdown.clone()));
    let gateway = tokio::spawn(super::serve(gateway, gateway_router, limits, shutdown.clone()));

    let closed = tokio::select! {
        () = shutdown.cancelled() => None,
        why = upkeep::poisoned(&vault.sequencer) => Some(why),
    };
    shutdown.cancel();
    let (_, _) = tokio::join!(api, gateway);
    if let Some(why) = closed {
        return Err(ServeError::Poisoned(why));
    }
    background.wait().await;
    if let Err(error) = upkeep::sweep(&vault.sequencer).await {
        tracing::warn!(%error, "the last notes may not have been recorded");
    }
    vault.keyring.seal();
    // Nothing goes out any more: the others need not wait for this node's lease.
    if let Err(error) = vault.fleet.leave().await {
        tracing::warn!(%error, "this node could not say that it left; a revocation waits for its lease to end");
    }
    // The database is not closed: the sequencer keeps its connection until the process ends, and closing would wait for
    // that. Everything is committed and synchronised by now.
    Ok(())
}

/// Goes on with what a crash interrupted, such as destroying a revoked tenant's credentials.
async fn jobs_resume(vault: Vault) {
    if let Err(error) = vault.custody.jobs_run().await {
        tracing::error!(%error, "what an earlier revocation has to destroy is not destroyed yet; the next start goes on");
    }
}

fn scrub(config: &Config, vault: &Vault) -> Scrub {
    Scrub::new(ScrubOptions {
        db: vault.db.clone(),
        sequencer: vault.sequencer.clone(),
        checkpointer: Arc::clone(&vault.checkpointer),
        clock: Arc::clone(&vault.clock),
        node: vault.node,
        pace: ScrubPace { entries_per_s: config.audit.scrub_entries_per_s.value(), ..ScrubPace::default() },
    })
}

fn api_options(config: &Config, vault: &Vault, api: &Listener, metrics: &Metrics) -> Result<ApiOptions, ServeError> {
    let public_url = match &config.api.public_url {
        Some(url) => url.as_url().clone(),
        None => Url::parse(&api.base_url()).map_err(|_| ServeError::PublicUrl)?,
    };
    let limits = &config.limits;
    let per_second = u32::try_from(limits.requests_per_second_per_address.value()).unwrap_or(u32::MAX);
    // A burst of two seconds: workers of one host start at the same moment.
    let rate = api::Rate { burst: per_second.saturating_mul(2), per_second };
    let write_metrics = metrics.clone();
    let sealing = config.clone();
    Ok(ApiOptions {
        vault: vault.clone(),
        public_url,
        limits: api::Limits {
            request: limits.request_timeout_s.duration(),
            body_bytes: limits.body_bytes.as_usize(),
            rate,
        },
        open_seal: Arc::new(move |passphrase| seals::seal_by_hand(&sealing, passphrase)),
        metrics: config.metrics.public.then(|| Arc::new(move || write_metrics.render()) as api::WriteMetrics),
        docs: if config.docs.public { api::Docs::Shown } else { api::Docs::Hidden },
    })
}

fn database_url(url: &DatabaseUrl, password: Option<&SecretReference>) -> Result<String, ServeError> {
    let Some(reference) = password else { return Ok(url.as_str().to_owned()) };
    let secret = reference.read()?;
    let mut url = Url::parse(url.as_str()).map_err(|_| ServeError::PasswordOfNoServer)?;
    url.set_password(Some(secret.expose())).map_err(|()| ServeError::PasswordOfNoServer)?;
    Ok(url.into())
}

fn addresses(config: &Config) -> Addresses {
    let own = |url: &Option<WebUrl>| url.as_ref().map(|url| url.as_url().clone());
    let amazon = &config.amazon;
    let endpoints =
        [(Region::Na, &amazon.endpoint.na), (Region::Eu, &amazon.endpoint.eu), (Region::Fe, &amazon.endpoint.fe)];
    let portals =
        [(AccountKind::Seller, &amazon.consent_url.seller), (AccountKind::Vendor, &amazon.consent_url.vendor)];
    let pages = portals.into_iter().flat_map(|(kind, places)| {
        places.iter().map(move |(place, url)| ((kind, Borrow::<str>::borrow(place).to_owned()), url.as_url().clone()))
    });
    Addresses {
        token_url: own(&amazon.token_url),
        endpoints: endpoints.into_iter().filter_map(|(region, url)| Some((region, own(url)?))).collect(),
        consent_default: own(&amazon.consent_url.default),
        consent: pages.collect(),
    }
}

/// Why a vault is not served.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("database.password_file or database.password_credential is set, and database.url names no server; drop it")]
    PasswordOfNoServer,
    #[error(transparent)]
    Secret(#[from] SecretUnreadable),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("cannot make the directory of {}: {source}; name another in seal.file", file.display())]
    KeyDirectory { file: PathBuf, source: io::Error },
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error("the address of the API is no URL; set api.public_url")]
    PublicUrl,
    #[error("signals cannot be watched: {0}")]
    Signal(io::Error),
    #[error("the audit log closed: {0}; nothing more was acknowledged, start again once the database is well")]
    Poisoned(String),
}
