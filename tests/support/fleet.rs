//! A fleet: several real `leasehold serve` over one PostgreSQL of the test's own, each behind a proxy that the test may
//! cut, with the simulated Amazon as what they call. TLS is off, which loopback allows.

#[path = "fleet/calls.rs"]
mod calls;
#[path = "fleet/node.rs"]
mod node;
#[path = "fleet/world.rs"]
mod world;

pub(crate) use calls::{Answer, orders_path};
pub(crate) use node::Node;
pub(crate) use world::{Connection, Worker};

use crate::{postgres::Cluster, tcp_proxy::TcpProxy};
use http::StatusCode;
use leasehold::{
    clock::SystemClock,
    dev::amazon::{Amazon, AmazonOptions},
    entropy::{Entropy, SystemEntropy},
    secret::SecretText,
    server::{Limits, Listener, Tls, serve},
};
use node::Place;
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How long one call may take before its outcome counts as unknown.
const CALL: Duration = Duration::from_secs(30);
/// A server ends an idle connection after ten seconds: the client has to be first, or it writes into a closed one.
const IDLE: Duration = Duration::from_secs(5);

/// What a fleet is made with.
pub(crate) struct FleetOptions {
    pub(crate) nodes: usize,
    pub(crate) tenants: usize,
    /// Spread over the tenants in turn; each authorized, and granted to the workers' module.
    pub(crate) connections: usize,
    pub(crate) workers: usize,
    /// As an API's caller writes it. `token` allows the gateway too.
    pub(crate) delivery: &'static str,
    /// More of each node's `leasehold.toml`.
    pub(crate) config: &'static str,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self { nodes: 3, tenants: 1, connections: 1, workers: 1, delivery: "token", config: "" }
    }
}

pub(crate) struct Fleet {
    /// Before the cluster: they end first.
    nodes: Vec<Node>,
    cluster: Cluster,
    database: String,
    /// Base URL of the simulator.
    pub(crate) amazon: String,
    pub(crate) client: reqwest::Client,
    pub(crate) connections: Vec<Connection>,
    pub(crate) workers: Vec<Worker>,
    /// May revoke anything.
    pub(crate) officer: SecretText,
    pub(crate) operator: SecretText,
    ends: CancellationToken,
    _directory: TempDir,
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        Self::with(FleetOptions::default()).await
    }

    pub(crate) async fn with(options: FleetOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cluster = Cluster::start().await;
        let database = cluster.url("postgres");
        let ends = CancellationToken::new();
        let (application, amazon) = simulate(&ends).await;
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALL)
            .pool_idle_timeout(IDLE)
            .build()
            .unwrap();

        let places = (0..options.nodes).map(async |index| {
            let proxy = TcpProxy::to_port(cluster.port()).await;
            let database = database.clone();
            Place { index, directory: directory.path(), database, amazon: &amazon, proxy, extra: options.config }
        });
        let places = futures_util::future::join_all(places).await;
        let nodes: Vec<Node> = places.into_iter().map(Node::prepare).collect();
        let (officer, operator) = world::init(nodes[0].config()).await;
        for node in &nodes {
            node.restart();
        }
        let mut fleet = Self {
            nodes,
            cluster,
            database,
            amazon,
            client,
            connections: Vec::new(),
            workers: Vec::new(),
            officer,
            operator,
            ends,
            _directory: directory,
        };
        fleet.ready().await;
        world::furnish(&mut fleet, &options, &application).await;
        fleet
    }

    pub(crate) fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Waits until every node serves and has joined the others.
    pub(crate) async fn ready(&self) {
        for node in &self.nodes {
            node.ready(&self.client).await;
        }
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Runs statements in the vault's database, past the proxies.
    pub(crate) async fn sql(&self, statements: &str) {
        let name = self.database.rsplit_once('/').expect("the URL of a database").1;
        self.cluster.run(name, statements).await;
    }

    /// Returns the URL of the vault's database, past the proxies.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Steers the simulator.
    pub(crate) async fn steer(&self, control: Value) {
        let url = format!("{}/_sim/control", self.amazon);
        assert!(self.client.post(url).json(&control).send().await.unwrap().status().is_success());
    }

    /// Returns what the simulator counts: among others, how many refreshes of one authorization ever ran at once.
    pub(crate) async fn amazon_stats(&self) -> Value {
        self.client.get(format!("{}/_sim/stats", self.amazon)).send().await.unwrap().json().await.unwrap()
    }

    /// Returns how many calls below a path reached the simulator.
    pub(crate) async fn reached_amazon(&self, prefix: &str) -> usize {
        let all = self.client.get(format!("{}/_sim/requests", self.amazon)).send().await.unwrap();
        let all: Vec<Value> = all.json().await.unwrap();
        all.iter().filter(|entry| entry["path"].as_str().unwrap().starts_with(prefix)).count()
    }

    /// Asks a node whether it is ready; `None` where it does not answer.
    pub(crate) async fn health(&self, node: usize) -> Option<StatusCode> {
        let answer = self.client.get(format!("{}/health/ready", self.node(node).api)).send().await;
        answer.ok().map(|answer| answer.status())
    }

    pub(crate) async fn most_refreshes_at_once(&self) -> u64 {
        self.amazon_stats().await["max_concurrent_refreshes_per_authorization"].as_u64().unwrap()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.ends.cancel();
    }
}

/// Serves a simulated Amazon on a free port, and returns what the application was registered with, and the base URL.
async fn simulate(ends: &CancellationToken) -> (AmazonOptions, String) {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let application = AmazonOptions { redirect_uris: vec![world::REDIRECT.into()], ..AmazonOptions::make(&*entropy) };
    let amazon = Amazon::open(application.clone(), Arc::new(SystemClock), entropy).unwrap();
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Tls::Off).await.unwrap();
    let url = listener.base_url();
    tokio::spawn(serve(listener, amazon.router(), Limits::default(), ends.clone()));
    (application, url)
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

/// Reads a file that a panic quotes.
fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
