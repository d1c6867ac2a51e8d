//! A whole vault on loopback: the simulated Amazon and the gateway on real listeners over TLS, a database of its own, a
//! clock that stands still, one tenant with one authorized connection, and workers that get leases.

use crate::{
    databases::{TestDatabase, TestStore},
    test_log::anchor_copy,
};
use leasehold::{
    api::{self, ApiOptions, ApiState, Docs},
    audit::{Batch, Change, ChangeError},
    broker::{
        Addresses, Import, NewApplication,
        dialer::{Dialer, DialerOptions},
        provider::{Catalogue, Region},
    },
    clock::{Clock, ManualClock, SystemClock},
    dev::amazon::{Amazon, AmazonOptions},
    domain::{lease::DEFAULT_LIFE, secrets::ClientSecret, secrets::RefreshToken},
    entropy::{Entropy, SystemEntropy, make_bearer},
    gateway::{self, GatewayLimits},
    id::{ConnectionId, GrantId, SubProcessorId, TenantId, UserId, WorkerId},
    identity::{IssueError, IssueRequest},
    keyring::{NewTenantKey, init::vault_make},
    policy::{
        Actor, Delivery, Module, Role, ScopeSet, decide,
        decide::{ApplicationSet, ConnectionImport, UserAdd},
        object::{OfTenant, Users, VaultWide},
    },
    register::{AddUser, Made, init::first_staff},
    seal::{FileSeal, Seal, SealError},
    secret::{SecretHash, SecretText},
    server::{Limits, Listener, Tls, authority::DevAuthority, serve},
    store::{
        Db, connections,
        grants::{self, NewGrant},
        keys, log,
        sub_processors::{self, SubProcessorRow},
        tenants,
        workers::{self, NewWorker},
    },
    vault::{Vault, VaultOptions},
};
use serde_json::Value;
use std::{convert::Infallible, net::Ipv4Addr, path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const PROVIDER: &str = "amazon-sp-api";
/// Sellers that the simulator knows, in the European region: ours and the neighbour's.
pub(crate) const SELLER: &str = "A2ZV5Q9KQ7MX1D";
const OTHER_SELLER: &str = "A17KQ3W8RT5LNP";
pub(crate) const MARKETPLACE: &str = "A1PA6795UKMFR9";
const REDIRECT: &str = "https://localhost/callback";

/// What a test vault is made with.
pub(crate) struct TestVaultOptions {
    pub(crate) database: TestDatabase,
    /// What the one grant permits, and the one worker gets.
    pub(crate) scopes: &'static str,
    pub(crate) delivery: Delivery,
    pub(crate) limits: GatewayLimits,
}

impl Default for TestVaultOptions {
    fn default() -> Self {
        Self {
            database: TestDatabase::Sqlite,
            scopes: "orders:read",
            delivery: Delivery::Gateway,
            limits: GatewayLimits::default(),
        }
    }
}

/// Another tenant, with a connection and a worker of its own.
pub(crate) struct Neighbour {
    pub(crate) connection: ConnectionId,
    pub(crate) worker: WorkerId,
    pub(crate) worker_secret: SecretText,
}

pub(crate) struct TestVault {
    pub(crate) vault: Vault,
    pub(crate) clock: Arc<ManualClock>,
    /// Base URL of the simulator.
    pub(crate) amazon: String,
    /// Base URL of the gateway.
    pub(crate) gateway: String,
    /// Follows no redirect, trusts the test's authority only.
    pub(crate) client: reqwest::Client,
    pub(crate) tenant: TenantId,
    pub(crate) connection: ConnectionId,
    pub(crate) worker: WorkerId,
    pub(crate) worker_secret: SecretText,
    /// Base URL of the API.
    pub(crate) api: String,
    /// The access keys of the tenant's owner and of the security officer.
    pub(crate) owner_key: SecretText,
    pub(crate) officer_key: SecretText,
    /// The first operator's access key.
    pub(crate) operator_key: SecretText,
    /// The first staff's ids: officer, operator.
    pub(crate) staff: [UserId; 2],
    /// The authority that all listeners' certificates are from.
    pub(crate) ca_pem: Vec<u8>,
    simulator: Amazon,
    client_secret: SecretText,
    shutdown: CancellationToken,
    _directory: TempDir,
    /// After everything that uses it.
    _store: TestStore,
}

impl TestVault {
    pub(crate) async fn start() -> Self {
        Self::with(TestVaultOptions::default()).await
    }

    pub(crate) async fn on(database: TestDatabase) -> Self {
        Self::with(TestVaultOptions { database, ..TestVaultOptions::default() }).await
    }

    pub(crate) async fn with(options: TestVaultOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let shutdown = CancellationToken::new();
        let authority = DevAuthority::open_or_make(directory.path(), &*clock, &*entropy).unwrap();
        let ca_pem = std::fs::read(authority.ca_path()).unwrap();

        let application = AmazonOptions { redirect_uris: vec![REDIRECT.into()], ..AmazonOptions::make(&*entropy) };
        let client_secret = application.client_secret.clone();
        let simulator = Amazon::open(application, Arc::<ManualClock>::clone(&clock), Arc::clone(&entropy)).unwrap();
        simulator.served_over_tls();
        let listener = listen(&authority).await;
        let (amazon, port) = (base_url(&listener), listener.local_addr().port());
        tokio::spawn(serve(listener, simulator.router(), Limits::default(), shutdown.clone()));

        let store = TestStore::make(options.database).await;
        let seal: Arc<dyn Seal> = Arc::new(FileSeal::create(&directory.path().join("seal.key"), &*entropy).unwrap());
        vault_make(&store.db, &*seal, &*clock, &*entropy).await.unwrap();
        let anchor = directory.path().join("anchor");
        let vault = start_vault(&store.db, &seal, &clock, &entropy, &ca_pem, port, anchor).await;
        let listener = listen(&authority).await;
        let gateway = base_url(&listener);
        let router = gateway::router(vault.clone(), options.limits);
        tokio::spawn(serve(listener, router, Limits::default(), shutdown.clone()));
        let listener = listen(&authority).await;
        let api = base_url(&listener);
        let router = api::router(ApiState::new(api_options(&vault, &api)));
        tokio::spawn(serve(listener, router, Limits::default(), shutdown.clone()));

        let certificate = reqwest::Certificate::from_pem(&ca_pem).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([certificate])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let people = People::make(&vault, "acme", options.scopes.parse().unwrap(), options.delivery).await;
        let new = NewApplication {
            provider: PROVIDER.into(),
            client_id: simulator.client_id(),
            client_secret: ClientSecret(client_secret.clone()),
            public_id: simulator.application_id(),
            draft: false,
        };
        let (tenant, connection) = (people.tenant, people.connection);
        let operator = Actor::new(UserId::make(&*clock, &*entropy), Role::Operator, None, 0).unwrap();
        let permit = decide::<ApplicationSet>(&operator, VaultWide).unwrap();
        vault.broker.application_set(permit, new).await.unwrap();

        let staff = first_staff(&vault.register, "officer@example.com", "operator@example.com").await.unwrap();
        let permit = decide::<UserAdd>(&operator, Users { of: Some(tenant) }).unwrap();
        let new = AddUser { email: "owner@example.com".into(), role: Role::Owner, password: None };
        let Made::New(_, owner_key) = vault.register.user_add(permit, new, None).await.unwrap() else {
            panic!("nobody asked for this owner before");
        };
        let People { worker, worker_secret, .. } = people;
        let test = Self {
            vault,
            clock,
            amazon,
            gateway,
            client,
            tenant,
            connection,
            worker,
            worker_secret,
            api,
            owner_key,
            staff: [staff.officer.user, staff.operator.user],
            officer_key: staff.officer.key,
            operator_key: staff.operator.key,
            ca_pem,
            simulator,
            client_secret,
            shutdown,
            _directory: directory,
            _store: store,
        };
        test.import(tenant, connection, SELLER).await;
        test
    }

    /// Starts the same vault over another database, into which this one's was copied.
    pub(crate) async fn start_over(&self, db: &Db) -> Vault {
        let seal: Arc<dyn Seal> = Arc::new(FileSeal::open(&self.seal_path()).unwrap());
        let port = self.amazon.rsplit(':').next().unwrap().parse().unwrap();
        let anchor = anchor_copy(self.vault.sequencer.anchor().directory());
        start_vault(db, &seal, &self.clock, &self.vault.entropy, &self.ca_pem, port, anchor).await
    }

    /// Makes another tenant, whose connection and worker are as ours.
    pub(crate) async fn neighbour(&self, scopes: &'static str, delivery: Delivery) -> Neighbour {
        let people = People::make(&self.vault, "bolt", scopes.parse().unwrap(), delivery).await;
        self.import(people.tenant, people.connection, OTHER_SELLER).await;
        let People { connection, worker, worker_secret, .. } = people;
        Neighbour { connection, worker, worker_secret }
    }

    /// Takes in the credential that a seller's consent brings.
    pub(crate) async fn import(&self, tenant: TenantId, connection: ConnectionId, seller: &str) {
        let refresh_token = consent(&self.client, &self.amazon, &self.simulator, &self.client_secret, seller).await;
        let owner = UserId::make(&*self.clock, &*self.vault.entropy);
        let owner = Actor::new(owner, Role::Owner, Some(tenant), 0).unwrap();
        let permit = decide::<ConnectionImport>(&owner, OfTenant { tenant, id: connection }).unwrap();
        let import = Import { account: Some(seller.into()), refresh_token };
        // Over a shared database a node calls nobody before its first look at the others.
        for _ in 0..500 {
            if self.vault.fleet.lease().stint().is_some() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        self.vault.broker.import(permit, import).await.unwrap();
    }

    /// Issues a lease to the worker, with all of the grant's scopes.
    pub(crate) async fn lease(&self) -> String {
        self.lease_with(None).await
    }

    /// Issues a lease, bound to a certificate where one is given.
    pub(crate) async fn lease_with(&self, certificate: Option<[u8; 32]>) -> String {
        let (worker, secret) = (self.worker, &self.worker_secret);
        self.issue(worker, secret, self.connection, certificate).await.unwrap()
    }

    /// Issues a lease to a worker, or says why not.
    pub(crate) async fn issue(
        &self,
        worker: WorkerId,
        secret: &SecretText,
        connection: ConnectionId,
        certificate: Option<[u8; 32]>,
    ) -> Result<String, IssueError> {
        let worker = self.vault.identity.worker(&worker.to_string(), secret.expose()).await.unwrap();
        let request = IssueRequest {
            worker,
            connection,
            scopes: None,
            life: DEFAULT_LIFE,
            job: Some("nightly".into()),
            address: Ipv4Addr::LOCALHOST.into(),
            certificate,
        };
        self.vault.identity.issue(request).await.map(|issued| issued.token.expose().to_owned())
    }

    /// Asks the API to hand out the access token.
    pub(crate) fn release(&self, lease: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/v1/credential", self.api)).bearer_auth(lease)
    }

    /// Posts to the API as a person does, and returns what came back.
    pub(crate) async fn post(&self, path: &str, key: &SecretText) -> Value {
        let request = self.client.post(format!("{}{path}", self.api)).bearer_auth(key.expose());
        let response = request.json(&serde_json::json!({ "reason": "a test" })).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Returns the whole log, oldest first.
    pub(crate) async fn log(&self) -> Vec<log::EntryRow> {
        let mut reader = self.vault.db.reader().await.unwrap();
        let mut rows: Vec<log::EntryRow> = Vec::new();
        loop {
            let next = rows.last().map_or(0, |row| row.head.seq + 1);
            let page = log::entry_page(&mut reader.link(), log::Stretch::From(next), 1_000).await.unwrap();
            if page.is_empty() {
                return rows;
            }
            rows.extend(page);
        }
    }

    /// Returns where the key file of the seal lies.
    pub(crate) fn seal_path(&self) -> PathBuf {
        self._directory.path().join("seal.key")
    }

    /// Asks the gateway for `path` as an SDK would.
    pub(crate) fn get(&self, path: &str, lease: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.gateway)).header("x-amz-access-token", lease)
    }

    /// Raises the connection's epoch, as a revocation does, and returns the new one.
    pub(crate) async fn raise_connection(&self) -> i64 {
        self.vault.sequencer.commit(Raise(self.connection)).await.unwrap().output
    }

    /// Returns what reached the simulator below a path.
    pub(crate) async fn reached_amazon(&self, prefix: &str) -> Vec<Value> {
        let all = self.client.get(format!("{}/_sim/requests", self.amazon)).send().await.unwrap();
        let all: Vec<Value> = all.json().await.unwrap();
        all.into_iter().filter(|entry| entry["path"].as_str().unwrap().starts_with(prefix)).collect()
    }

    /// Steers the simulator.
    pub(crate) async fn steer(&self, control: Value) {
        let url = format!("{}/_sim/control", self.amazon);
        assert!(self.client.post(url).json(&control).send().await.unwrap().status().is_success());
    }

    /// Returns the payloads of the tenant's entries of a kind, oldest first.
    pub(crate) async fn entries(&self, kind: &str) -> Vec<Value> {
        let mut reader = self.vault.db.reader().await.unwrap();
        let mut page = log::entry_page(&mut reader.link(), log::Stretch::Before(i64::MAX), 200).await.unwrap();
        page.sort_by_key(|row| row.head.seq);
        let own = page.into_iter().filter(|row| row.head.tenant == self.tenant && row.head.kind == kind);
        own.map(|row| serde_json::from_str(&row.payload.unwrap()).unwrap()).collect()
    }

    /// Waits until the tenant has `count` entries of a kind: what nobody waits for is written a moment later.
    pub(crate) async fn entries_once(&self, kind: &str, count: usize) -> Vec<Value> {
        let written = async {
            loop {
                let entries = self.entries(kind).await;
                if entries.len() >= count {
                    return entries;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), written).await.expect("the entries are written")
    }
}

impl Drop for TestVault {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn listen(authority: &DevAuthority) -> Listener {
    let tls = Tls::On(authority.server_config().unwrap());
    Listener::bind("127.0.0.1:0".parse().unwrap(), tls).await.unwrap()
}

fn base_url(listener: &Listener) -> String {
    format!("https://localhost:{}", listener.local_addr().port())
}

/// No test here opens the seal through the API.
fn api_options(vault: &Vault, url: &str) -> ApiOptions {
    ApiOptions {
        vault: vault.clone(),
        public_url: url.parse().unwrap(),
        limits: api::Limits { rate: api::Rate { burst: 1_000_000, per_second: 1_000_000 }, ..api::Limits::default() },
        open_seal: Arc::new(|_| Err(SealError::Corrupt { what: "no seal is offered here" })),
        metrics: None,
        docs: Docs::Hidden,
    }
}

async fn start_vault(
    db: &Db,
    seal: &Arc<dyn Seal>,
    clock: &Arc<ManualClock>,
    entropy: &Arc<dyn Entropy>,
    ca_pem: &[u8],
    amazon_port: u16,
    anchor: PathBuf,
) -> Vault {
    let dialer = Dialer::new(DialerOptions {
        allowed_cidrs: vec!["127.0.0.0/8".parse().unwrap()],
        extra_roots_pem: Some(ca_pem.to_vec()),
        ..DialerOptions::default()
    });
    let mut addresses = Addresses {
        token_url: Some(format!("https://localhost:{amazon_port}/auth/o2/token").parse().unwrap()),
        ..Addresses::default()
    };
    for region in Region::ALL {
        let url = format!("https://{region}.localhost:{amazon_port}").parse().unwrap();
        addresses.endpoints.insert(*region, url);
    }
    let options = VaultOptions {
        db: db.clone(),
        dialer: dialer.unwrap(),
        catalogue: Arc::new(Catalogue::built_in()),
        addresses,
        clock: Arc::<ManualClock>::clone(clock),
        entropy: Arc::clone(entropy),
        name: "test".into(),
        anchor,
        claim: None,
    };
    let (vault, _task) = Vault::start(options).await.unwrap();
    vault.keyring.unseal(seal).await.unwrap();
    vault
}

/// Walks through the simulator's consent page and exchanges the code, as the company did before it had a vault.
async fn consent(
    client: &reqwest::Client,
    amazon: &str,
    simulator: &Amazon,
    secret: &SecretText,
    seller: &str,
) -> RefreshToken {
    let application = simulator.application_id();
    let form = [
        ("application_id", application.as_str()),
        ("redirect_uri", REDIRECT),
        ("selling_partner_id", seller),
        ("decision", "confirm"),
    ];
    let answer = client.post(format!("{amazon}/apps/authorize/consent")).form(&form).send().await.unwrap();
    let location = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
    let (_, code) = location.query_pairs().find(|(name, _)| name == "spapi_oauth_code").unwrap();
    let client_id = simulator.client_id();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", REDIRECT),
        ("client_id", client_id.as_str()),
        ("client_secret", secret.expose()),
    ];
    let answer = client.post(format!("{amazon}/auth/o2/token")).form(&form).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    RefreshToken(SecretText::new(answer["refresh_token"].as_str().unwrap().to_owned()))
}

/// The rows that a lease rests on.
struct People {
    name: &'static str,
    tenant: TenantId,
    connection: ConnectionId,
    grant: GrantId,
    worker: WorkerId,
    worker_secret: SecretText,
    sub_processor: SubProcessorId,
    scopes: ScopeSet,
    delivery: Delivery,
}

impl People {
    async fn make(vault: &Vault, name: &'static str, scopes: ScopeSet, delivery: Delivery) -> Self {
        let (clock, entropy) = (&*vault.clock, &*vault.entropy);
        let make = || Self {
            name,
            tenant: TenantId::make(clock, entropy),
            connection: ConnectionId::make(clock, entropy),
            grant: GrantId::make(clock, entropy),
            worker: WorkerId::make(clock, entropy),
            worker_secret: make_bearer(entropy, "lhw_"),
            sub_processor: SubProcessorId::make(clock, entropy),
            scopes: scopes.clone(),
            delivery,
        };
        let people = make();
        let key = vault.keyring.make_tenant_key(people.tenant).await.unwrap();
        vault.sequencer.commit(Arrange { people, key }).await.unwrap().output
    }

    fn again(&self) -> Self {
        Self { worker_secret: self.worker_secret.clone(), scopes: self.scopes.clone(), ..*self }
    }
}

/// Writes the rows. The real changes are the register's.
struct Arrange {
    people: People,
    key: NewTenantKey,
}

impl Change for Arrange {
    type Output = People;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<People, ChangeError<Infallible>> {
        let People { name, tenant, connection, grant, worker, sub_processor, delivery, .. } = self.people;
        let at = batch.at();
        let link = &mut batch.link();
        tenants::tenant_insert(link, tenant, name, at).await?;
        keys::tenant_key_insert(link, tenant, &self.key.wrapped, 0, at).await?;
        let row = SubProcessorRow {
            id: sub_processor,
            name: format!("hosts for {name}"),
            service: "hosting".into(),
            country: "DE".into(),
            basis: "none_needed".into(),
            created_at: at,
        };
        sub_processors::sub_processor_insert(link, &row).await?;
        let secret_hash = SecretHash::of(self.people.worker_secret.expose());
        let name = format!("sync-orders-{name}");
        let new = NewWorker { id: worker, name: &name, module: Module::Ops, sub_processor, secret_hash };
        workers::worker_insert(link, &new, at).await?;
        let new = connections::NewConnection {
            id: connection,
            tenant,
            provider: PROVIDER,
            name: "shop",
            kind: "seller",
            region: "eu",
            country: "DE",
            account: None,
        };
        connections::connection_insert(link, &new, at).await?;
        let scopes = &self.people.scopes;
        let new = NewGrant { id: grant, tenant, connection, module: Module::Ops, scopes, delivery };
        grants::grant_insert(link, &new, at).await?;
        Ok(self.people.again())
    }
}

struct Raise(ConnectionId);

impl Change for Raise {
    type Output = i64;
    type Refusal = Infallible;

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<i64, ChangeError<Infallible>> {
        // Not announced: the test stops what is in flight itself, and counts it.
        Ok(batch.raise_unannounced(self.0.as_uuid()).await?)
    }
}
