//! PostgreSQL for tests: clusters of a test's own, which it may kill, freeze, replicate and promote, and one shared
//! server for tests that need only a database. `cluster.sh` keeps each cluster, and ends it with the test's process.

use leasehold::entropy::{SystemEntropy, make_array};
use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};

const KEEPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/cluster.sh");
/// Where `tests/run` says which server the whole run shares: the URL of a database from which others can be made.
const SHARED: &str = "LEASEHOLD_TEST_POSTGRES";
/// How long a server may take until it answers. Generous: the machine may be busy with other tests.
const START: Duration = Duration::from_secs(60);
/// Free ports are found by binding them, so that another process may take one before the server does.
const PORTS: usize = 5;

/// A cluster of the test's own. Dropping it kills it and removes its directory.
pub(crate) struct Cluster {
    keeper: Mutex<Keeper>,
    port: u16,
}

/// What a cluster is made with.
#[derive(Default)]
pub(crate) struct ClusterOptions {
    /// Settings beyond those of `cluster.sh`. [`Cluster::set`] can change them later.
    pub(crate) settings: Vec<(&'static str, String)>,
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        Self::with(ClusterOptions::default()).await
    }

    pub(crate) async fn with(options: ClusterOptions) -> Self {
        let mut keeper = Keeper::start();
        keeper.ask("init");
        keeper.configure(&options.settings);
        Self::serve(keeper).await
    }

    /// Makes a streaming standby, whose `application_name` is `name`, of a running primary. It serves reads.
    pub(crate) async fn standby_of(primary: &Self, name: &str) -> Self {
        Self::standby_at(primary.port, name).await
    }

    /// Makes a standby of the primary that `port` leads to: a proxy between them can then cut the replication.
    pub(crate) async fn standby_at(port: u16, name: &str) -> Self {
        let backup = format!("backup {port} {name}");
        // Not on the test's own thread, on which the proxy runs.
        let copied = tokio::task::spawn_blocking(move || {
            let mut keeper = Keeper::start();
            keeper.ask(&backup);
            keeper
        });
        Self::serve(copied.await.unwrap()).await
    }

    async fn serve(mut keeper: Keeper) -> Self {
        for _ in 0..PORTS {
            let port = free_port();
            keeper.ask(&format!("start {port}"));
            if keeper.answers_at(port).await {
                return Self { keeper: Mutex::new(keeper), port };
            }
            keeper.ask("kill");
        }
        panic!("PostgreSQL does not start:\n{}", keeper.log());
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, database: &str) -> String {
        url_at(self.port, database)
    }

    /// Makes an empty database, and returns its URL.
    pub(crate) async fn database_make(&self) -> String {
        database_make(&self.url("postgres")).await
    }

    /// Runs statements in a database, one after the other, each in its own transaction.
    pub(crate) async fn run(&self, database: &str, statements: &str) {
        let mut connection = PgConnection::connect(&self.url(database)).await.unwrap();
        run(&mut connection, statements).await;
    }

    /// Runs a query that counts something in the database `postgres`.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
    }

    /// Changes a setting for good and has the server read it, as `synchronous_standby_names` once a standby is there.
    pub(crate) async fn set(&self, setting: &str, value: &str) {
        self.run("postgres", &format!("ALTER SYSTEM SET {setting} = '{}'", value.replace('\'', "''"))).await;
        self.run("postgres", "SELECT pg_reload_conf()").await;
    }

    /// Kills every process of the cluster at once, as a power cut would. [`Self::start_again`] recovers it.
    pub(crate) fn kill9(&self) {
        self.keeper.lock().ask("kill");
    }

    /// Stops the cluster in good order; open connections are ended.
    pub(crate) fn stop(&self) {
        self.keeper.lock().ask("stop");
    }

    /// Freezes every process: connections stay open and nothing answers.
    pub(crate) fn pause(&self) {
        self.keeper.lock().ask("pause");
    }

    /// Thaws what [`Self::pause`] froze.
    pub(crate) fn resume(&self) {
        self.keeper.lock().ask("resume");
    }

    /// Starts the cluster after [`Self::kill9`] or [`Self::stop`], on the same port, and waits until it answers.
    pub(crate) async fn start_again(&self) {
        for _ in 0..PORTS {
            self.keeper.lock().ask(&format!("start {}", self.port));
            let data = self.keeper.lock().data();
            if answers(self.port, &data, || self.keeper.lock().is_alive()).await {
                return;
            }
            self.keeper.lock().ask("kill");
        }
        panic!("PostgreSQL does not start again:\n{}", self.log());
    }

    /// Makes a standby a primary, and returns when it takes writes.
    pub(crate) async fn promote(&self) {
        self.run("postgres", "SELECT pg_promote(true, 60)").await;
    }

    /// What the server wrote to its log so far.
    pub(crate) fn log(&self) -> String {
        self.keeper.lock().log()
    }

    #[cfg(test)]
    pub(crate) fn directory(&self) -> PathBuf {
        self.keeper.lock().directory.clone()
    }
}

/// The server that tests share which need only a database of their own.
pub(crate) struct Server {
    /// The URL of the database from which others are made.
    maintenance: String,
    /// Kept while the process lives, where nobody lent us a server.
    _own: Option<Cluster>,
}

impl Server {
    /// Returns the run's server where `tests/run` started one, else one that lives as long as this process.
    pub(crate) async fn shared() -> &'static Self {
        static SERVER: OnceCell<Server> = OnceCell::const_new();
        SERVER
            .get_or_init(async || match std::env::var(SHARED) {
                Ok(maintenance) => Self { maintenance, _own: None },
                Err(_) => {
                    let own = Cluster::start().await;
                    Self { maintenance: own.url("postgres"), _own: Some(own) }
                }
            })
            .await
    }

    /// Makes an empty database, and returns its URL.
    pub(crate) async fn database_make(&self) -> String {
        database_make(&self.maintenance).await
    }

    /// Copies a database to a new one by way of a dump, and returns its URL. Others may be connected to the source.
    pub(crate) async fn database_copy(&self, url: &str) -> String {
        let copy = self.database_make().await;
        let pipe =
            format!("{} '{url}' | {} --quiet --set ON_ERROR_STOP=1 '{copy}'", program("pg_dump"), program("psql"));
        // A pipe of which only the last part is asked would hide that the first one failed.
        let script = format!("set -o pipefail; {pipe}");
        let copied = tokio::process::Command::new("bash").args(["-c", &script]).output().await.unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        copy
    }

    /// Removes a database that [`Self::database_make`] made, whoever is still connected.
    pub(crate) async fn database_drop(&self, url: &str) {
        let name = url.rsplit_once('/').expect("the URL of a database").1;
        let mut connection = PgConnection::connect(&self.maintenance).await.unwrap();
        run(&mut connection, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
}

async fn database_make(maintenance: &str) -> String {
    let name = format!("test_{}", uuid::Uuid::from_bytes(make_array(&SystemEntropy)).simple());
    let mut connection = PgConnection::connect(maintenance).await.unwrap();
    run(&mut connection, &format!("CREATE DATABASE {name}")).await;
    let mut url = url::Url::parse(maintenance).unwrap();
    url.set_path(&name);
    url.into()
}

/// Finds a program of PostgreSQL's where `cluster.sh` finds the server, or on the path.
fn program(name: &str) -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).max();
    found.map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

async fn run(connection: &mut PgConnection, statements: &str) {
    let done = connection.execute(AssertSqlSafe(statements.to_owned())).await;
    assert!(done.is_ok(), "{statements}: {}", done.err().unwrap());
}

fn url_at(port: u16, database: &str) -> String {
    format!("postgres://leasehold@127.0.0.1:{port}/{database}")
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until the server whose data are in `data` answers on `port`; no other server that has taken that port.
async fn answers(port: u16, data: &Path, is_alive: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline && is_alive() {
        if let Ok(mut connection) = PgConnection::connect(&url_at(port, "postgres")).await {
            let shown: Result<String, _> = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut connection).await;
            return shown.is_ok_and(|shown| Path::new(&shown) == data);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// The process of `cluster.sh`. It outlives this one just long enough to clean up.
struct Keeper {
    child: Child,
    commands: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    directory: PathBuf,
}

impl Keeper {
    fn start() -> Self {
        let mut child = Command::new("sh")
            .arg(KEEPER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // What ends the test's group must not end who cleans up after it.
            .process_group(0)
            .spawn()
            .unwrap();
        let commands = child.stdin.take();
        let replies = BufReader::new(child.stdout.take().expect("piped above"));
        let mut keeper = Self { child, commands, replies, directory: PathBuf::new() };
        keeper.directory = keeper.reply().unwrap_or_else(|why| panic!("{why}")).into();
        keeper
    }

    fn ask(&mut self, command: &str) {
        self.try_ask(command).unwrap_or_else(|why| panic!("{command}: {why}\n{}", self.log()));
    }

    fn try_ask(&mut self, command: &str) -> Result<String, String> {
        writeln!(self.commands.as_mut().expect("taken by drop only"), "{command}").unwrap();
        self.reply()
    }

    fn reply(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        match line.trim_end().split_once(' ').unwrap_or((line.trim_end(), "")) {
            ("ok", rest) => Ok(rest.to_owned()),
            _ => Err(line),
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn is_alive(&mut self) -> bool {
        self.try_ask("alive").is_ok()
    }

    async fn answers_at(&mut self, port: u16) -> bool {
        let data = self.data();
        let keeper = Mutex::new(self);
        answers(port, &data, || keeper.lock().is_alive()).await
    }

    fn configure(&self, settings: &[(&'static str, String)]) {
        let path = self.data().join("postgresql.conf");
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        for (name, value) in settings {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''")).unwrap();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.child.wait();
    }
}
