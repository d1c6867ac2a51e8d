//! What is in a fleet's vault: set up over node 0's API, as people would.

use super::{Fleet, FleetOptions, calls::Answer};
use futures_util::{StreamExt as _, stream};
use leasehold::{dev::amazon::AmazonOptions, secret::SecretText};
use serde_json::{Value, json};
use std::{path::Path, process::Stdio};

pub(super) const REDIRECT: &str = "https://localhost/callback";
const PROVIDER: &str = "amazon-sp-api";
pub(super) const MARKETPLACE: &str = "A1PA6795UKMFR9";
/// How many connections are made at once.
const AT_ONCE: usize = 8;

/// A connection, as a test speaks of it.
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) tenant: String,
    /// The access key of the tenant's owner.
    pub(crate) owner: SecretText,
    /// What the seller's consent brought: the simulator knows it for as long as it runs.
    pub(super) refresh_token: String,
    pub(super) account: String,
}

/// A worker's way in.
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// Makes the vault with the real program; returns the access keys of the first staff, officer and operator.
pub(super) async fn init(config: &Path) -> (SecretText, SecretText) {
    // Not waited for on this thread: the proxies to the database run here.
    let made = tokio::process::Command::new(env!("CARGO_BIN_EXE_leasehold"))
        .args(["init", "--json", "--config"])
        .arg(config)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let keys: Value = serde_json::from_slice(&made.stdout).unwrap();
    let key = |name: &str| SecretText::new(keys[name].as_str().unwrap().to_owned());
    (key("officer"), key("operator"))
}

/// Sets up the application, the workers, the tenants and the connections.
pub(super) async fn furnish(fleet: &mut Fleet, options: &FleetOptions, application: &AmazonOptions) {
    let operator = fleet.operator.clone();
    let set = json!({
        "client_id": application.client_id,
        "client_secret": application.client_secret.expose(),
        "public_id": application.application_id,
    });
    fleet.put(&format!("/v1/applications/{PROVIDER}"), &operator, &set).await;
    let own = json!({ "name": "Own hosts", "service": "sync", "country": "DE", "basis": "own processing" });
    let sub_processor = text(&fleet.post("/v1/sub-processors", &operator, &own).await["id"]);
    for number in 0..options.workers {
        let add = json!({ "name": format!("sync-{number}"), "module": "ops", "sub_processor": sub_processor });
        let made = fleet.post("/v1/workers", &operator, &add).await;
        fleet.workers.push(Worker { id: text(&made["client_id"]), secret: text(&made["client_secret"]) });
    }
    let mut tenants = Vec::new();
    for number in 0..options.tenants {
        let tenant = fleet.post("/v1/tenants", &operator, &json!({ "name": format!("tenant-{number}") })).await;
        let tenant = text(&tenant["id"]);
        let add = json!({ "tenant": tenant, "email": format!("owner-{number}@example.com"), "role": "owner" });
        let owner = fleet.post("/v1/users", &operator, &add).await;
        tenants.push((tenant, SecretText::new(text(&owner["access_key"]))));
    }
    let made = stream::iter(0..options.connections).map(|number| {
        let (tenant, owner) = tenants[number % tenants.len()].clone();
        fleet.connection_make(number, tenant, owner, options.delivery, application)
    });
    fleet.connections = made.buffered(AT_ONCE).collect().await;
}

impl Fleet {
    async fn connection_make(
        &self,
        number: usize,
        tenant: String,
        owner: SecretText,
        delivery: &str,
        application: &AmazonOptions,
    ) -> Connection {
        let account = format!("AFLEET{number:08}");
        let refresh_token = self.consent(&account, application).await;
        let add = json!({ "tenant": tenant, "provider": PROVIDER, "name": account, "kind": "seller",
            "region": "eu", "country": "DE", "account": account });
        let id = text(&self.post("/v1/connections", &owner, &add).await["id"]);
        let connection = Connection { id, tenant, owner, refresh_token, account };
        self.authorize_at(0, &connection).await.done();
        let grant =
            json!({ "connection": connection.id, "module": "ops", "scopes": ["orders:read"], "delivery": delivery });
        self.put("/v1/grants", &connection.owner, &grant).await;
        connection
    }

    /// Gives a connection a credential, the first or a new one: what a revocation ended goes on then, its leases do not.
    pub(super) async fn authorize_at(&self, node: usize, connection: &Connection) -> Answer<()> {
        let url = format!("{}/v1/connections/{}/import", self.node(node).api, connection.id);
        let import = json!({ "refresh_token": connection.refresh_token, "account": connection.account });
        let request = self.client.post(url).bearer_auth(connection.owner.expose()).json(&import);
        Answer::of(request, |_| Some(())).await
    }

    /// Walks through the simulator's consent page as a new seller, and exchanges the code.
    async fn consent(&self, account: &str, application: &AmazonOptions) -> String {
        let seller = json!({ "selling_partner_id": account, "name": account, "kind": "seller", "region": "eu",
            "marketplaces": [MARKETPLACE] });
        let added = self.client.post(format!("{}/_sim/sellers", self.amazon)).json(&seller).send().await.unwrap();
        assert!(added.status().is_success(), "{}", added.text().await.unwrap());
        let form = [
            ("application_id", application.application_id.as_str()),
            ("redirect_uri", REDIRECT),
            ("selling_partner_id", account),
            ("decision", "confirm"),
        ];
        let page = format!("{}/apps/authorize/consent", self.amazon);
        let answer = self.client.post(page).form(&form).send().await.unwrap();
        let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let (_, code) = back.query_pairs().find(|(name, _)| name == "spapi_oauth_code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", REDIRECT),
            ("client_id", application.client_id.as_str()),
            ("client_secret", application.client_secret.expose()),
        ];
        let answer = self.client.post(format!("{}/auth/o2/token", self.amazon)).form(&form).send().await.unwrap();
        text(&answer.json::<Value>().await.unwrap()["refresh_token"])
    }

    async fn post(&self, path: &str, key: &SecretText, body: &Value) -> Value {
        self.told(self.client.post(format!("{}{path}", self.node(0).api)), key, body).await
    }

    async fn put(&self, path: &str, key: &SecretText, body: &Value) -> Value {
        self.told(self.client.put(format!("{}{path}", self.node(0).api)), key, body).await
    }

    async fn told(&self, request: reqwest::RequestBuilder, key: &SecretText, body: &Value) -> Value {
        let answer = request.bearer_auth(key.expose()).json(body).send().await.unwrap();
        let (status, url) = (answer.status(), answer.url().clone());
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
