//! One node: a process with a configuration, ports and a way to the database of its own.

use super::text_of;
use crate::tcp_proxy::TcpProxy;
use leasehold::{
    clock::{Clock as _, SystemClock, Timestamp},
    entropy::{SystemEntropy, make_array},
};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

/// How long a start may take on a busy machine before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Node {
    /// What receipts call it.
    pub(crate) name: String,
    /// Base URL of its API.
    pub(crate) api: String,
    /// Base URL of its gateway.
    pub(crate) gateway: String,
    /// Its way to the database.
    pub(crate) proxy: TcpProxy,
    /// The database, past the proxy.
    database: String,
    config: PathBuf,
    log: PathBuf,
    process: Mutex<Option<Process>>,
}

struct Process {
    child: Child,
    since: Timestamp,
}

/// What a node is made of.
pub(super) struct Place<'a> {
    pub(super) index: usize,
    pub(super) directory: &'a Path,
    pub(super) database: String,
    pub(super) amazon: &'a str,
    pub(super) proxy: TcpProxy,
    pub(super) extra: &'a str,
}

impl Node {
    /// Writes its configuration. It does not run yet.
    pub(super) fn prepare(place: Place<'_>) -> Self {
        let Place { index, directory, database, amazon, proxy, extra } = place;
        let name = format!("node-{index}");
        let [api, gateway] = free_ports();
        let (base, vault) = database.rsplit_once('/').expect("the URL of a database");
        let user = base.rsplit_once(':').expect("a URL with a port").0;
        let seal = directory.join("seal.key");
        let port = amazon.rsplit_once(':').expect("a URL with a port").1;
        // No TLS to the server, so that the proxy sees statements.
        let text = format!(
            r#"
            database.url = "{user}:{}/{vault}?sslmode=disable"
            node.name = "{name}"
            audit.anchor = "{}"
            seal.file = "{}"
            api.listen = "127.0.0.1:{api}"
            gateway.listen = "127.0.0.1:{gateway}"
            tls.off = true
            amazon.token_url = "{amazon}/auth/o2/token"
            amazon.consent_url.default = "{amazon}/apps/authorize/consent"
            amazon.endpoint.na = "http://na.localhost:{port}"
            amazon.endpoint.eu = "http://eu.localhost:{port}"
            amazon.endpoint.fe = "http://fe.localhost:{port}"
            egress.allowed_cidrs = ["127.0.0.0/8"]
            metrics.public = true
            {extra}
            "#,
            proxy.port(),
            directory.join(format!("{name}-anchor")).display(),
            seal.display(),
        );
        let config = directory.join(format!("{name}.toml"));
        std::fs::write(&config, text).unwrap();
        Self {
            api: format!("http://127.0.0.1:{api}"),
            gateway: format!("http://127.0.0.1:{gateway}"),
            log: directory.join(format!("{name}.log")),
            process: Mutex::new(None),
            name,
            proxy,
            database,
            config,
        }
    }

    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.lock().as_ref().expect("the node runs").child.id()
    }

    /// Kills it without a warning. What is frozen dies too.
    pub(crate) fn kill9(&self) {
        if let Some(mut process) = self.process.lock().take() {
            let _ = process.child.kill();
            let _ = process.child.wait();
        }
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(&self) {
        let Some(mut process) = self.process.lock().take() else { return };
        signal(&process.child, Signal::TERM);
        tokio::task::spawn_blocking(move || process.child.wait()).await.unwrap().unwrap();
    }

    /// Stops its processor time: connections stay open and nothing answers.
    pub(crate) fn freeze(&self) {
        signal(&self.process.lock().as_ref().expect("the node runs").child, Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        signal(&self.process.lock().as_ref().expect("the node runs").child, Signal::CONT);
    }

    /// Kills it, if it runs, and starts it. [`Self::ready`] waits for it.
    pub(crate) fn restart(&self) {
        self.kill9();
        let since = SystemClock.now();
        *self.process.lock() = Some(Process { child: self.spawn(), since });
    }

    /// Kills it, if it runs, and starts it, which has to fail. Returns what it wrote to its log in all.
    pub(crate) async fn restart_refused(&self) -> String {
        self.kill9();
        let mut child = self.spawn();
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert!(!ended.await.unwrap().success());
        self.log()
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        command.arg("serve").arg("--config").arg(&self.config).env_clear();
        command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    /// Waits until it serves and has joined the fleet, with a heartbeat.
    pub(crate) async fn ready(&self, client: &reqwest::Client) {
        let since = self.process.lock().as_ref().expect("the node runs").since;
        let waiting = async {
            while !(self.serves(client).await && self.has_joined(since).await) {
                let ended = self.process.lock().as_mut().and_then(|process| process.child.try_wait().unwrap());
                assert!(ended.is_none(), "{} ended: {ended:?}\n{}", self.name, self.log());
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{} is not ready\n{}", self.name, self.log());
    }

    /// What it wrote to its diagnostic log so far.
    pub(crate) fn log(&self) -> String {
        text_of(&self.log)
    }

    async fn serves(&self, client: &reqwest::Client) -> bool {
        let ready = client.get(format!("{}/health/ready", self.api)).send().await;
        ready.is_ok_and(|answer| answer.status().is_success())
    }

    /// The row of an earlier run stays for a while, under the same name.
    async fn has_joined(&self, since: Timestamp) -> bool {
        let Ok(mut connection) = PgConnection::connect(&self.database).await else { return false };
        let beats = "SELECT COUNT(*) FROM nodes WHERE name = $1 AND started_at >= $2 AND beat > 0";
        let joined = sqlx::query_scalar::<_, i64>(beats).bind(&self.name).bind(since.as_micros());
        joined.fetch_one(&mut connection).await.is_ok_and(|count| count > 0)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).expect("a process has an id");
    kill_process(pid, signal).unwrap();
}

/// Draws two ports that are free, below those that the kernel gives to connections: a node is restarted on its own.
fn free_ports() -> [u16; 2] {
    let draw = || loop {
        let port = 10_000 + u16::from_le_bytes(make_array(&SystemEntropy)) % 20_000;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return listener;
        }
    };
    // Held until both are known, so that they differ.
    let listeners = [draw(), draw()];
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
