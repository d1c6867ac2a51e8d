//! A running `leasehold dev`, ended with its handle.

use reqwest::{Certificate, Client, RequestBuilder};
use serde_json::Value;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Duration,
};

/// How long a start may take on a busy machine before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) struct Dev {
    child: Child,
    folder: PathBuf,
    pub(super) ready: Value,
    pub(super) client: Client,
}

impl Dev {
    /// Starts it over the data in `folder`, new or from before, on free ports.
    pub(super) async fn start(folder: &Path) -> Self {
        let ready_file = folder.join("ready.json");
        let _ = fs::remove_file(&ready_file);
        let log = File::options().create(true).append(true).open(folder.join("log.txt")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        command
            .args(["dev", "--listen", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--amazon", "127.0.0.1:0"])
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--ready-file")
            .arg(&ready_file)
            .env_clear()
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut child = command.spawn().unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !ready_file.exists() {
            let ended = child.try_wait().unwrap();
            let log = || fs::read_to_string(folder.join("log.txt")).unwrap_or_default();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", log());
            assert!(tokio::time::Instant::now() < deadline, "it is not ready\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let ready: Value = serde_json::from_slice(&fs::read(&ready_file).unwrap()).unwrap();
        let ca = fs::read(ready["ca"].as_str().unwrap()).unwrap();
        let ca = Certificate::from_pem(&ca).unwrap();
        let client =
            Client::builder().tls_certs_only([ca]).no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { child, folder: folder.to_owned(), ready, client }
    }

    pub(super) fn text(&self, pointer: &str) -> &str {
        self.ready.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in the ready file"))
    }

    pub(super) fn ready_file(&self) -> PathBuf {
        self.folder.join("ready.json")
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without a warning.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A token request in Login with Amazon's dialect.
    pub(super) fn lease_request(&self) -> RequestBuilder {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", self.text("/connection")),
            ("client_id", self.text("/worker/client_id")),
            ("client_secret", self.text("/worker/client_secret")),
        ];
        self.client.post(format!("{}/auth/o2/token", self.text("/api"))).form(&form)
    }

    pub(super) async fn lease(&self) -> String {
        let answer: Value = self.lease_request().send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no lease: {answer}")).to_owned()
    }

    pub(super) fn orders(&self, lease: &str) -> RequestBuilder {
        let query = "MarketplaceIds=A1F83G8C2ARO7P&CreatedAfter=2020-01-01T00%3A00%3A00Z";
        self.client
            .get(format!("{}/orders/v0/orders?{query}", self.text("/gateway")))
            .header("x-amz-access-token", lease)
    }

    /// A call that only the worker may make about its leases.
    pub(super) fn lease_call(&self, path: &str, lease: &str) -> RequestBuilder {
        let form = [
            ("token", lease),
            ("client_id", self.text("/worker/client_id")),
            ("client_secret", self.text("/worker/client_secret")),
        ];
        self.client.post(format!("{}{path}", self.text("/api"))).form(&form)
    }

    /// The worker, on its own.
    pub(super) fn worker(&self) -> WorkerClient {
        WorkerClient {
            client: self.client.clone(),
            api: self.text("/api").to_owned(),
            connection: self.text("/connection").to_owned(),
            id: self.text("/worker/client_id").to_owned(),
            secret: self.text("/worker/client_secret").to_owned(),
        }
    }

    pub(super) fn as_customer(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.text("/customer/token"))
    }

    pub(super) async fn get_as_customer(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.text("/api")));
        self.as_customer(request).send().await.unwrap().json().await.unwrap()
    }

    /// What reached the simulated Amazon.
    pub(super) async fn reached_amazon(&self) -> Vec<Value> {
        let answer = self.client.get(format!("{}/_sim/requests", self.text("/amazon"))).send().await.unwrap();
        answer.json().await.unwrap()
    }
}

/// A worker that outlives what it talks to.
pub(super) struct WorkerClient {
    client: Client,
    api: String,
    connection: String,
    id: String,
    secret: String,
}

impl WorkerClient {
    /// Gets a lease; nothing where the answer did not come.
    pub(super) async fn issue(&self) -> Option<String> {
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", &format!("urn:leasehold:connection:{}", self.connection)),
            ("client_id", &self.id),
            ("client_secret", &self.secret),
        ];
        let answer = self.client.post(format!("{}/oauth2/token", self.api)).form(&form).send().await.ok()?;
        let answer: Value = answer.json().await.ok()?;
        answer["access_token"].as_str().map(str::to_owned)
    }

    /// Ends a lease; nothing where that was not acknowledged.
    pub(super) async fn end(&self, lease: &str) -> Option<()> {
        let form = [("token", lease), ("client_id", &self.id), ("client_secret", &self.secret)];
        let answer = self.client.post(format!("{}/oauth2/revoke", self.api)).form(&form).send().await.ok()?;
        answer.status().is_success().then_some(())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
