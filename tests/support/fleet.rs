//! Several real `leasehold serve` processes over one PostgreSQL, each behind a proxy of its own, and a simulated Amazon:
//! nodes to kill and freeze, ways to cut, and a database to take away.

use crate::{postgres::Cluster, tcp_proxy::TcpProxy};
use leasehold::{
    clock::{Clock, SystemClock},
    dev::amazon::{Amazon, AmazonOptions},
    entropy::{Entropy, SystemEntropy},
    server::{Limits, Listener, Tls, authority::DevAuthority, serve},
};
use parking_lot::Mutex;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

const SELLER: &str = "A2ZV5Q9KQ7MX1D";
const REDIRECT: &str = "https://localhost/callback";
const ORDERS: &str = "/orders/v0/orders?MarketplaceIds=A1F83G8C2ARO7P&CreatedAfter=2020-01-01T00%3A00%3A00Z";
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// A server ends an idle connection after ten seconds: the client has to be first, or it writes into a closed one.
const IDLE: Duration = Duration::from_secs(5);
/// How long a caller waits for an answer. Longer than every limit of a node's own.
const ANSWER: Duration = Duration::from_secs(60);

/// What a fleet is made with.
pub(crate) struct FleetOptions {
    pub(crate) nodes: usize,
    pub(crate) connections: usize,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self { nodes: 3, connections: 1 }
    }
}

/// The fleet. Dropping it kills its processes.
pub(crate) struct Fleet {
    pub(crate) cluster: Cluster,
    pub(crate) nodes: Vec<Node>,
    pub(crate) connections: Vec<Connection>,
    client: Client,
    keys: Keys,
    amazon: String,
    _shutdown: DropGuard,
    _directory: TempDir,
}

/// A customer's account, and the refresh token that brings it back after a revocation.
pub(crate) struct Connection {
    pub(crate) id: String,
    refresh_token: String,
}

#[derive(Default)]
struct Keys {
    owner: String,
    worker_id: String,
    worker_secret: String,
}

/// One process.
pub(crate) struct Node {
    pub(crate) name: String,
    /// Between it and the database.
    pub(crate) proxy: TcpProxy,
    directory: PathBuf,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    api: String,
    gateway: String,
}

/// How a call ended, as a caller knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<T> {
    /// It was let through.
    Done(T),
    /// It was refused, for good.
    Refused,
    /// Nobody knows, or nobody may: an answer that did not come, or a 5xx.
    Unknown(String),
}

impl Fleet {
    pub(crate) async fn start(options: FleetOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let (amazon, simulator, ca) = amazon_start(directory.path(), &shutdown).await;
        let cluster = Cluster::start().await;
        let operator = init(directory.path(), &cluster.url("postgres"));
        let nodes = (0..options.nodes).map(|index| Node::make(index, directory.path(), &cluster, &amazon, &ca));
        let nodes: Vec<Node> = futures_util::future::join_all(nodes).await;
        let certificate = reqwest::Certificate::from_pem(&fs::read(&ca).unwrap()).unwrap();
        let client = Client::builder()
            .tls_certs_only([certificate])
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER)
            .pool_idle_timeout(IDLE)
            .build()
            .unwrap();
        let _shutdown = shutdown.drop_guard();
        let mut fleet = Self {
            cluster,
            nodes,
            connections: Vec::new(),
            client,
            keys: Keys::default(),
            amazon,
            _shutdown,
            _directory: directory,
        };
        futures_util::future::join_all((0..fleet.nodes.len()).map(|node| fleet.ready(node))).await;
        fleet.people_make(&simulator, &operator, options.connections).await;
        fleet
    }

    /// Adds a tenant, its connections and a worker, as people would.
    async fn people_make(&mut self, simulator: &AmazonOptions, operator: &str, connections: usize) {
        let tenant = self.made(operator, Method::POST, "/v1/tenants", json!({ "name": "acme" })).await;
        let person =
            json!({ "tenant": tenant["id"], "email": "owner@acme.example", "role": "owner", "password": null });
        let person = self.made(operator, Method::POST, "/v1/users", person).await;
        self.keys.owner = text(&person["access_key"]);
        let application = json!({ "client_id": simulator.client_id, "client_secret": simulator.client_secret.expose(),
            "public_id": simulator.application_id });
        self.made(operator, Method::PUT, "/v1/applications/amazon-sp-api", application).await;
        let own = json!({ "name": "Own hosts", "service": "sync", "country": "DE", "basis": "own processing" });
        let own = self.made(operator, Method::POST, "/v1/sub-processors", own).await;
        let worker = json!({ "name": "sync", "module": "ops", "sub_processor": own["id"] });
        let worker = self.made(operator, Method::POST, "/v1/workers", worker).await;
        (self.keys.worker_id, self.keys.worker_secret) = (text(&worker["client_id"]), text(&worker["client_secret"]));
        let owner = self.keys.owner.clone();
        for number in 0..connections {
            let new = json!({ "tenant": tenant["id"], "provider": "amazon-sp-api", "name": format!("shop {number}"),
                "kind": "seller", "region": "eu", "country": "DE", "account": null });
            let id = text(&self.made(&owner, Method::POST, "/v1/connections", new).await["id"]);
            let grant = json!({ "connection": id, "module": "ops", "scopes": ["orders:read"], "delivery": "token" });
            self.made(&owner, Method::PUT, "/v1/grants", grant).await;
            let connection = Connection { id, refresh_token: self.consent(simulator).await };
            assert!(matches!(self.import(0, &connection).await, Outcome::Done(())));
            self.connections.push(connection);
        }
    }

    /// Walks through the simulated consent, as the company did before it had a vault.
    async fn consent(&self, simulator: &AmazonOptions) -> String {
        let form = [
            ("application_id", simulator.application_id.as_str()),
            ("redirect_uri", REDIRECT),
            ("selling_partner_id", SELLER),
            ("decision", "confirm"),
        ];
        let url = format!("{}/apps/authorize/consent", self.amazon);
        let answer = self.client.post(url).form(&form).send().await.unwrap();
        let location = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let (_, code) = location.query_pairs().find(|(name, _)| name == "spapi_oauth_code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT),
            ("client_id", simulator.client_id.as_str()),
            ("client_secret", simulator.client_secret.expose()),
        ];
        let answer = self.client.post(format!("{}/auth/o2/token", self.amazon)).form(&form).send().await.unwrap();
        text(&answer.json::<Value>().await.unwrap()["refresh_token"])
    }

    async fn made(&self, key: &str, method: Method, path: &str, body: Value) -> Value {
        match self.ask(0, key, method, path, &body).await {
            Outcome::Done(made) => made,
            failed => panic!("{path}: {failed:?}"),
        }
    }

    /// Calls a node's API.
    async fn ask(&self, node: usize, key: &str, method: Method, path: &str, body: &Value) -> Outcome<Value> {
        let Some(api) = self.nodes[node].api() else { return Outcome::Unknown("the node is down".into()) };
        let request = self.client.request(method, format!("{api}{path}")).bearer_auth(key).json(body);
        outcome(request).await
    }

    /// Calls a node's API as the customer does.
    pub(crate) async fn as_owner(&self, node: usize, path: &str, body: &Value) -> Outcome<Value> {
        self.ask(node, &self.keys.owner, Method::POST, path, body).await
    }

    /// Takes a connection's refresh token in, or in again.
    pub(crate) async fn import(&self, node: usize, connection: &Connection) -> Outcome<()> {
        let body = json!({ "refresh_token": connection.refresh_token, "account": SELLER });
        let path = format!("/v1/connections/{}/import", connection.id);
        match self.as_owner(node, &path, &body).await {
            Outcome::Done(_) => Outcome::Done(()),
            Outcome::Refused => Outcome::Refused,
            Outcome::Unknown(why) => Outcome::Unknown(why),
        }
    }

    /// Revokes a connection, and returns the receipt.
    pub(crate) async fn revoke(&self, node: usize, connection: &Connection) -> Outcome<Value> {
        self.as_owner(node, &format!("/v1/connections/{}/revoke", connection.id), &json!({})).await
    }

    /// Asks for a lease.
    pub(crate) async fn issue(&self, node: usize, connection: &Connection) -> Outcome<String> {
        let Some(api) = self.nodes[node].api() else { return Outcome::Unknown("the node is down".into()) };
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", connection.id.as_str()),
            ("client_id", &self.keys.worker_id),
            ("client_secret", &self.keys.worker_secret),
        ];
        match outcome(self.client.post(format!("{api}/auth/o2/token")).form(&form)).await {
            Outcome::Done(answer) => Outcome::Done(text(&answer["access_token"])),
            Outcome::Refused => Outcome::Refused,
            Outcome::Unknown(why) => Outcome::Unknown(why),
        }
    }

    /// Asks for the access token itself.
    pub(crate) async fn token(&self, node: usize, lease: &str) -> Outcome<Value> {
        let Some(api) = self.nodes[node].api() else { return Outcome::Unknown("the node is down".into()) };
        outcome(self.client.post(format!("{api}/v1/credential")).bearer_auth(lease)).await
    }

    /// Calls Amazon through a node's gateway.
    pub(crate) async fn gateway(&self, node: usize, lease: &str) -> Outcome<Value> {
        let url = self.nodes[node].running.lock().as_ref().map(|running| format!("{}{ORDERS}", running.gateway));
        let Some(url) = url else { return Outcome::Unknown("the node is down".into()) };
        outcome(self.client.get(url).header("x-amz-access-token", lease)).await
    }

    /// Waits until a node says that it is ready.
    pub(crate) async fn ready(&self, node: usize) {
        let came = async {
            while self.health(node).await != Some(StatusCode::OK) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let log = || self.nodes[node].log();
        tokio::time::timeout(PATIENCE, came).await.unwrap_or_else(|_| panic!("node {node} is not ready\n{}", log()));
    }

    /// Asks a node whether it is ready.
    pub(crate) async fn health(&self, node: usize) -> Option<StatusCode> {
        let url = format!("{}/health/ready", self.nodes[node].api()?);
        let answer = self.client.get(url).timeout(Duration::from_secs(15)).send().await;
        answer.ok().map(|answer| answer.status())
    }

    /// Reads what the simulator counted.
    pub(crate) async fn amazon_stats(&self) -> Value {
        self.client.get(format!("{}/_sim/stats", self.amazon)).send().await.unwrap().json().await.unwrap()
    }

    /// Steers the simulator.
    pub(crate) async fn amazon_steer(&self, control: &Value) {
        let request = self.client.post(format!("{}/_sim/control", self.amazon)).json(control);
        assert!(request.send().await.unwrap().status().is_success());
    }

    /// Reads what reached the simulator below a path.
    pub(crate) async fn reached_amazon(&self, prefix: &str) -> usize {
        let url = format!("{}/_sim/requests", self.amazon);
        let all: Vec<Value> = self.client.get(url).send().await.unwrap().json().await.unwrap();
        all.iter().filter(|entry| entry["path"].as_str().unwrap().starts_with(prefix)).count()
    }
}

impl Node {
    async fn make(index: usize, directory: &Path, cluster: &Cluster, amazon: &str, ca: &Path) -> Self {
        let name = format!("node-{index}");
        let proxy = TcpProxy::to_port(cluster.port()).await;
        let directory = directory.join(&name);
        fs::create_dir(&directory).unwrap();
        let port = amazon.rsplit(':').next().unwrap();
        let region = |name: &str| format!("https://{name}.localhost:{port}");
        let config = format!(
            "[node]\nname = \"{name}\"\n[database]\nurl = \"postgres://leasehold@{}/postgres?sslmode=disable\"\n\
             [seal]\nfile = \"../keys/seal.key\"\n[tls]\noff = true\n[api]\nlisten = \"127.0.0.1:0\"\n\
             [gateway]\nlisten = \"127.0.0.1:0\"\n[amazon]\ntoken_url = \"{amazon}/auth/o2/token\"\n\
             [amazon.endpoint]\nna = \"{}\"\neu = \"{}\"\nfe = \"{}\"\n\
             [egress]\nallowed_cidrs = [\"127.0.0.0/8\"]\nca_file = \"{}\"\n[metrics]\npublic = true\n",
            proxy.address(),
            region("na"),
            region("eu"),
            region("fe"),
            ca.display(),
        );
        fs::write(directory.join("leasehold.toml"), config).unwrap();
        let node = Self { name, proxy, directory, running: Mutex::default() };
        node.start().await;
        node
    }

    fn spawn(&self) -> Child {
        let log = File::create(self.directory.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        command.args(["serve", "--config", "leasehold.toml"]).current_dir(&self.directory).env_clear();
        command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    /// Starts the process, which has to end by itself, and returns what it said.
    pub(crate) async fn start_refused(&self) -> String {
        let mut child = self.spawn();
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
        let ended = tokio::time::timeout(PATIENCE, ended).await.expect("it ends").unwrap();
        assert!(!ended.success());
        self.log()
    }

    /// Starts the process, which was never started or was killed, and waits until it listens.
    pub(crate) async fn start(&self) {
        let mut child = self.spawn();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let (api, gateway) = loop {
            if let Some(addresses) = self.addresses() {
                break addresses;
            }
            assert!(child.try_wait().unwrap().is_none(), "{} ended:\n{}", self.name, self.log());
            assert!(tokio::time::Instant::now() < deadline, "{} does not listen:\n{}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        *self.running.lock() = Some(Running { child, api, gateway });
    }

    /// What the process says of where it listens, in its log.
    fn addresses(&self) -> Option<(String, String)> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("\"serving\""))?;
        let line: Value = serde_json::from_str(line).ok()?;
        let find = |name: &str| line[name].as_str().or(line["fields"][name].as_str()).map(str::to_owned);
        Some((find("api")?, find("gateway")?))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    /// Where its API listens, while it runs.
    pub(crate) fn api(&self) -> Option<String> {
        self.running.lock().as_ref().map(|running| running.api.clone())
    }

    /// Kills it without a warning.
    pub(crate) fn kill9(&self) {
        if let Some(mut running) = self.running.lock().take() {
            running.child.kill().unwrap();
            running.child.wait().unwrap();
        }
    }

    /// Stops the whole process where it is; what it has open stays open.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.running.lock().as_ref().expect("it runs").child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(condition: impl AsyncFn() -> bool) {
    let came = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), came).await.expect("it comes true");
}

/// Runs `leasehold init`, and returns the first operator's key.
fn init(directory: &Path, url: &str) -> String {
    let config = format!("[database]\nurl = \"{url}\"\n[seal]\nfile = \"keys/seal.key\"\n");
    fs::write(directory.join("init.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
    command.args(["init", "--json", "--config", "init.toml"]).current_dir(directory).env_clear();
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    text(&serde_json::from_slice::<Value>(&made.stdout).unwrap()["operator"])
}

async fn amazon_start(directory: &Path, shutdown: &CancellationToken) -> (String, AmazonOptions, PathBuf) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let authority = DevAuthority::open_or_make(&directory.join("tls"), &*clock, &*entropy).unwrap();
    let application = AmazonOptions { redirect_uris: vec![REDIRECT.into()], ..AmazonOptions::make(&*entropy) };
    let simulator = Amazon::open(application.clone(), clock, entropy).unwrap();
    simulator.served_over_tls();
    let tls = Tls::On(authority.server_config().unwrap());
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), tls).await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().port());
    tokio::spawn(serve(listener, simulator.router(), Limits::default(), shutdown.clone()));
    (url, application, authority.ca_path().to_owned())
}

/// Sends a request and says how it ended. Whatever Amazon itself answered was let through.
async fn outcome(request: reqwest::RequestBuilder) -> Outcome<Value> {
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Outcome::Unknown(error.to_string()),
    };
    let status = answer.status();
    let body = answer.text().await;
    match status {
        StatusCode::TOO_MANY_REQUESTS => Outcome::Done(Value::Null),
        status if status.is_success() => match body.map(|body| serde_json::from_str(&body)) {
            Ok(Ok(value)) => Outcome::Done(value),
            // Its head came: it was let through, whatever became of its body.
            _ => Outcome::Done(Value::Null),
        },
        status if status.is_client_error() => Outcome::Refused,
        status => Outcome::Unknown(format!("{status}: {}", body.unwrap_or_default())),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
