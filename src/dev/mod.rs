//! What `leasehold dev` is made of, so that everything runs on one machine with nothing to prepare: real sockets, real TLS,
//! a real vault, and a simulated Amazon.

pub mod amazon;
mod directory;
mod story;

pub use directory::{Directory, DirectoryError, replace};

use crate::{
    cli::client::{Client, ClientError},
    clock::{Clock, SystemClock},
    config::{Config, ConfigError, DatabaseUrl, WebUrl},
    entropy::{Entropy, SystemEntropy},
    keyring::init::{InitError, vault_make},
    register::{FirstStaff, RegisterError, init::first_staff},
    seal::{FileSeal, KeyFileError, Seal},
    server::{
        BindError, Limits, Listener, Tls,
        assembly::{self, Doors, ServeError},
        authority::{AuthorityError, DevAuthority},
        unsealing,
    },
    store::{Missing, StoreError},
    telemetry::Metrics,
    vault::Vault,
};
use amazon::{Amazon, AmazonError, AmazonOptions};
use serde_json::{Value, json};
use std::{net::SocketAddr, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Where everything listens, and whether it speaks TLS.
pub struct DevOptions {
    /// The API.
    pub api: SocketAddr,
    /// The gateway.
    pub gateway: SocketAddr,
    /// The simulated Amazon.
    pub amazon: SocketAddr,
    /// Plain HTTP.
    pub tls_off: bool,
}

/// Runs everything until `shutdown`. `ready` is called once, with the values of the ready file, when all is set up.
///
/// # Errors
/// Where a port is taken, or the directory cannot be used or holds half of a vault.
pub async fn run(
    directory: &Directory,
    options: DevOptions,
    shutdown: CancellationToken,
    ready: impl FnOnce(&Value) -> Result<(), DevError>,
) -> Result<(), DevError> {
    let (clock, entropy) = (Arc::new(SystemClock) as Arc<dyn Clock>, Arc::new(SystemEntropy) as Arc<dyn Entropy>);
    let authority = DevAuthority::open_or_make(&directory.path().join("tls"), &*clock, &*entropy)?;
    let tls = if options.tls_off { Tls::Off } else { Tls::On(authority.server_config()?) };
    let bind = |flag, address| {
        let tls = tls.clone();
        async move { Listener::bind(address, tls).await.map_err(|source| DevError::Bind { flag, source }) }
    };
    let api = bind("--listen", options.api).await?;
    let gateway = bind("--gateway", options.gateway).await?;
    let amazon_listener = bind("--amazon", options.amazon).await?;
    let addresses = (api.base_url(), gateway.base_url(), amazon_listener.base_url());

    let mut application = AmazonOptions::make(&*entropy);
    application.state_file = Some(directory.path().join("amazon.json"));
    let amazon = Amazon::open(application.clone(), clock, entropy)?;
    amazon.allow_redirect(format!("{}/callback/amazon-sp-api", addresses.0));
    if !options.tls_off {
        amazon.served_over_tls();
    }
    let simulated = super::server::serve(amazon_listener, amazon.router(), Limits::default(), shutdown.clone());
    let simulated = tokio::spawn(simulated);

    let ca: PathBuf = authority.ca_path().to_owned();
    let config = config(directory, &addresses.2, &ca)?;
    let remembered = directory.remembered()?;
    let (vault, staff) = vault_open(&config, remembered.is_none()).await?;
    let client = Client::new(&addresses.0, (!options.tls_off).then_some(ca.as_path()))?;
    let doors = Doors { vault: vault.clone(), api, gateway, metrics: Metrics::install() };
    let stop = shutdown.clone();
    let serving = tokio::spawn(async move { assembly::serve_doors(&config, doors, stop).await });

    let told = match (remembered, staff) {
        (Some(told), _) => Ok(told),
        (None, Some(staff)) => Box::pin(story::tell(&client, &staff, &application, &SystemEntropy)).await,
        (None, None) => Err(DevError::Answer("init")),
    };
    let told = told.and_then(|mut told| {
        told["api"] = json!(addresses.0);
        told["gateway"] = json!(addresses.1);
        told["amazon"] = json!(addresses.2);
        told["ca"] = json!(ca);
        directory.remember(&told)?;
        ready(&told)
    });
    if told.is_err() {
        shutdown.cancel();
    }
    let served = serving.await.map_err(|_| DevError::Answer("server"))?;
    let _ = simulated.await;
    told?;
    Ok(served?)
}

/// Opens the vault of the directory, or makes it, which yields its first staff.
async fn vault_open(config: &Config, new: bool) -> Result<(Vault, Option<FirstStaff>), DevError> {
    if !new {
        let vault = assembly::vault_open(config).await?;
        unsealing::unseal_at_start(config, &vault).await;
        return Ok((vault, None));
    }
    let db = assembly::database_open(config, Missing::Create).await?;
    db.migrate().await?;
    let seal: Arc<dyn Seal> = Arc::new(FileSeal::create(&config.seal.file, &SystemEntropy)?);
    vault_make(&db, &*seal, &SystemClock, &SystemEntropy).await?;
    let vault = assembly::vault_start(config, db).await?;
    vault.keyring.unseal(&seal).await.map_err(ServeError::from)?;
    let staff = first_staff(&vault.register, "officer@localhost", "operator@localhost").await?;
    Ok((vault, Some(staff)))
}

fn config(directory: &Directory, amazon: &str, ca: &std::path::Path) -> Result<Config, DevError> {
    let mut config = Config::load(None, std::iter::empty::<(String, String)>())?;
    let url = |text: String| WebUrl::parse(&text).map(Some).map_err(|_| DevError::Answer("address"));
    let port = amazon.rsplit(':').next().unwrap_or_default();
    let scheme = amazon.split(':').next().unwrap_or_default();
    let region = |name: &str| url(format!("{scheme}://{name}.localhost:{port}"));
    let database = format!("sqlite:{}", directory.path().join("leasehold.db").display());
    config.database.url = DatabaseUrl::parse(&database).map_err(|_| DevError::Answer("database"))?;
    config.seal.file = directory.path().join("keys/seal.key");
    config.audit.anchor = directory.path().join("keys/anchor");
    config.amazon.token_url = url(format!("{amazon}/auth/o2/token"))?;
    config.amazon.consent_url.default = url(format!("{amazon}/apps/authorize/consent"))?;
    config.amazon.endpoint.na = region("na")?;
    config.amazon.endpoint.eu = region("eu")?;
    config.amazon.endpoint.fe = region("fe")?;
    config.egress.allowed_cidrs = vec!["127.0.0.0/8".parse().expect("a network")];
    config.egress.ca_file = Some(ca.to_owned());
    config.metrics.public = true;
    Ok(config)
}

/// Why a development vault does not run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what its fields are")]
pub enum DevError {
    #[error("{source}; use {flag} to set another address")]
    Bind { flag: &'static str, source: BindError },
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Amazon(#[from] AmazonError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}; --data may name a directory where an earlier start was cut short: remove it")]
    KeyFile(#[from] KeyFileError),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error("setting up the sample tenant failed: {0}")]
    Story(Box<dyn std::error::Error + Send + Sync>),
    #[error("setting up the sample tenant failed: the answer of the {0} step is not the one expected")]
    Answer(&'static str),
}

impl From<ClientError> for DevError {
    fn from(error: ClientError) -> Self {
        Self::Story(error.into())
    }
}
