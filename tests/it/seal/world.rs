//! A vault under any seal, without anything that it could call, and its API.

use crate::{
    databases::{TestDatabase, TestStore},
    test_log::anchor_copy,
};
use axum::{Router, body::Body};
use http::{Request, StatusCode, header};
use leasehold::{
    api::{self, ApiOptions, ApiState, Docs, Limits, OpenSeal},
    broker::{
        Addresses,
        dialer::{Dialer, DialerOptions},
        provider::Catalogue,
    },
    clock::{Clock, ManualClock, SystemClock},
    entropy::{Entropy, SystemEntropy},
    keyring::init::vault_make,
    register::init::first_staff,
    seal::{Seal, SealError},
    secret::SecretText,
    store::log,
    vault::{Vault, VaultOptions},
};
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(super) struct World {
    pub(super) vault: Vault,
    pub(super) clock: Arc<ManualClock>,
    pub(super) officer: SecretText,
    pub(super) operator: SecretText,
    router: Router,
    store: TestStore,
    /// Where the anchor lies, and what else a node keeps.
    _folder: TempDir,
}

impl World {
    /// Makes a vault under `seal`, which is open.
    pub(super) async fn make(database: TestDatabase, seal: Arc<dyn Seal>) -> Self {
        let store = TestStore::make(database).await;
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        vault_make(&store.db, &*seal, &*clock, &SystemEntropy).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let vault = start(&store, &clock, folder.path().join("anchor")).await;
        vault.keyring.unseal(&seal).await.unwrap();
        let staff = first_staff(&vault.register, "officer@example.com", "operator@example.com").await.unwrap();
        let router = router(&vault, nothing_at_hand());
        Self { vault, clock, officer: staff.officer.key, operator: staff.operator.key, router, store, _folder: folder }
    }

    /// Starts the vault again, sealed, as a process that begins over the same database.
    pub(super) async fn restart(self) -> Self {
        let anchor = anchor_copy(self.vault.sequencer.anchor().directory());
        let vault = start(&self.store, &self.clock, anchor).await;
        let router = router(&vault, nothing_at_hand());
        Self { vault, router, ..self }
    }

    /// Calls the API as somebody.
    pub(super) async fn call(&self, key: &SecretText, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", key.expose()))
            .header(header::CONTENT_TYPE, "application/json");
        let body = if method == "GET" { Body::empty() } else { Body::from(body.to_string()) };
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (head.status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Posts as the officer, who is answered well.
    #[track_caller]
    pub(super) fn post(&self, path: &str, body: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        let call = self.call(&self.officer, "POST", path, body);
        async move {
            let (status, answer) = call.await;
            assert!(status.is_success(), "{place}: {status} {answer}");
            answer
        }
    }

    /// Posts as the officer, who is refused.
    pub(super) async fn refused(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.call(&self.officer, "POST", path, body).await;
        assert!(!status.is_success(), "{answer}");
        (status.as_u16(), answer)
    }

    pub(super) async fn seal_status(&self) -> Value {
        let (status, answer) = self.call(&self.operator, "GET", "/v1/seal", json!({})).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Returns the payloads of the vault's own entries of a kind, oldest first.
    pub(super) async fn entries(&self, kind: &str) -> Vec<Value> {
        let mut reader = self.vault.db.reader().await.unwrap();
        let mut page = log::entry_page(&mut reader.link(), log::Stretch::Before(i64::MAX), 1_000).await.unwrap();
        page.sort_by_key(|row| row.head.seq);
        let own = page.into_iter().filter(|row| row.head.kind == kind);
        own.map(|row| serde_json::from_str(&row.payload.unwrap()).unwrap()).collect()
    }
}

fn nothing_at_hand() -> OpenSeal {
    Arc::new(|_| Err(SealError::Corrupt { what: "no seal is at hand here" }))
}

async fn start(store: &TestStore, clock: &Arc<ManualClock>, anchor: PathBuf) -> Vault {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let options = VaultOptions {
        db: store.db.clone(),
        dialer: Dialer::new(DialerOptions::default()).unwrap(),
        catalogue: Arc::new(Catalogue::built_in()),
        addresses: Addresses::default(),
        clock: Arc::<ManualClock>::clone(clock),
        entropy,
        name: "test".into(),
        anchor,
        claim: None,
    };
    Vault::start(options).await.unwrap().0
}

fn router(vault: &Vault, open_seal: OpenSeal) -> Router {
    let options = ApiOptions {
        vault: vault.clone(),
        public_url: "https://vault.example".parse().unwrap(),
        limits: Limits::default(),
        open_seal,
        metrics: None,
        docs: Docs::Hidden,
    };
    api::router(ApiState::new(options))
}
