//! Revoking a connection with 10 and with 100,000 leases alive, in one run: the cost of a cut must not grow with the leases
//! that it ends. Prints both medians and their ratio.
//!
//! `cargo bench --bench revocation`

use leasehold::{
    broker::{
        Addresses,
        dialer::{Dialer, DialerOptions},
        provider::{AccountKind, Catalogue, Region},
    },
    clock::SystemClock,
    custody::Receipt,
    entropy::SystemEntropy,
    id::{ConnectionId, TenantId},
    identity::IssueRequest,
    keyring::init::vault_make,
    policy::{
        Actor, Delivery, Module, Role, ScopeSet, decide,
        decide::{ConnectionAdd, ConnectionRevoke, GrantSet, SubProcessorAdd, TenantAdd, UserAdd, WorkerAdd},
        object::{OfTenant, Users, VaultWide, WholeTenant},
    },
    register::{AddConnection, AddSubProcessor, AddUser, AddWorker, GrantTerms, init::first_staff},
    seal::{FileSeal, Seal},
    store::{Db, Missing, connections, workers::WorkerRow},
    vault::{Vault, VaultOptions},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

const ROUNDS: usize = 7;
const FEW: usize = 10;
const MANY: usize = 100_000;
/// Leases asked for at once while they are being made.
const AT_ONCE: usize = 256;

struct Bench {
    vault: Vault,
    operator: Actor,
    owner: Actor,
    tenant: TenantId,
    worker: Arc<WorkerRow>,
    _folder: tempfile::TempDir,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run());
}

#[expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
async fn run() {
    let bench = Bench::start().await;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        few.push(bench.revoke_with(FEW).await);
        many.push(bench.revoke_with(MANY).await);
    }
    let (few, many) = (median(&mut few), median(&mut many));
    println!("revoke with {FEW} leases alive:      {few:?} (median of {ROUNDS})");
    println!("revoke with {MANY} leases alive:  {many:?} (median of {ROUNDS})");
    println!("ratio: {:.2}", many.as_secs_f64() / few.as_secs_f64());
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let url = format!("sqlite:{}", folder.path().join("vault.db").display());
        let db = Db::open(&url, Missing::Create).await.expect("a database");
        db.migrate().await.expect("a schema");
        let seal: Arc<dyn Seal> =
            Arc::new(FileSeal::create(&folder.path().join("seal.key"), &*entropy).expect("a seal"));
        vault_make(&db, &*seal, &*clock, &*entropy).await.expect("a vault");
        let dialer = Dialer::new(DialerOptions::default()).expect("a dialer");
        let (catalogue, addresses) = (Arc::new(Catalogue::built_in()), Addresses::default());
        let (name, anchor) = ("bench".into(), folder.path().join("anchor"));
        let options = VaultOptions { db, dialer, catalogue, addresses, clock, entropy, name, anchor, claim: None };
        let (vault, _task) = Vault::start(options).await.expect("a started vault");
        vault.keyring.unseal(&seal).await.expect("an unsealed vault");

        let staff = first_staff(&vault.register, "officer@example.com", "operator@example.com").await.expect("staff");
        let operator = vault.identity.person(staff.operator.key.expose()).await.expect("the operator");
        let register = &vault.register;
        let permit = decide::<TenantAdd>(&operator, VaultWide).expect("an operator may");
        let tenant = register.tenant_add(permit, "Acme", None).await.expect("a tenant").id();
        let permit = decide::<UserAdd>(&operator, Users { of: Some(tenant) }).expect("an operator may");
        let new = AddUser { email: "owner@example.com".into(), role: Role::Owner, password: None };
        let owner = register.user_add(permit, new, None).await.expect("an owner").id();
        let owner = Actor::new(owner, Role::Owner, Some(tenant), 0).expect("an owner has a tenant");
        let permit = decide::<SubProcessorAdd>(&operator, VaultWide).expect("an operator may");
        let new = AddSubProcessor {
            name: "Own hosts".into(),
            service: "hosting".into(),
            country: "DE".into(),
            basis: "none_needed".into(),
        };
        let sub_processor = register.sub_processor_add(permit, new, None).await.expect("a sub-processor").id();
        let permit = decide::<WorkerAdd>(&operator, VaultWide).expect("an operator may");
        let new = AddWorker { name: "sync".into(), module: Module::Ops, sub_processor };
        let worker = register.worker_add(permit, new, None).await.expect("a worker").id();
        let worker = vault.identity.worker_afresh(worker).await.expect("a read").expect("the worker");
        Self { vault, operator, owner, tenant, worker, _folder: folder }
    }

    /// Makes a connection with so many leases, revokes it, and says how long the revocation took.
    async fn revoke_with(&self, leases: usize) -> Duration {
        let connection = self.connection().await;
        self.issue(connection, leases).await;
        let object = OfTenant { tenant: self.tenant, id: connection };
        let permit = decide::<ConnectionRevoke>(&self.owner, object).expect("an owner may");
        let started = Instant::now();
        let receipt: Receipt = self.vault.custody.connection_revoke(permit, None).await.expect("a receipt");
        let took = started.elapsed();
        assert_eq!(receipt.leases_ended, i64::try_from(leases).expect("few"), "the receipt counts every lease");
        took
    }

    async fn connection(&self) -> ConnectionId {
        let permit = decide::<ConnectionAdd>(&self.operator, WholeTenant(self.tenant)).expect("an operator may");
        let new = AddConnection {
            provider: "amazon-sp-api".into(),
            name: "EU".into(),
            kind: AccountKind::Seller,
            region: Region::Eu,
            country: "DE".into(),
            account: None,
        };
        let id = self.vault.register.connection_add(permit, new, None).await.expect("a connection").id();
        // Consent needs a provider, and this measures the cut: the state is all that issuing looks at.
        let activate = Activate(id);
        self.vault.sequencer.commit(activate).await.unwrap_or_else(|_| panic!("an active connection"));
        let permit = decide::<GrantSet>(&self.owner, OfTenant { tenant: self.tenant, id }).expect("an owner may");
        let scopes = ScopeSet::parse("orders:read").expect("a scope");
        let terms = GrantTerms { module: Module::Ops, scopes, delivery: Delivery::Gateway };
        self.vault.register.grant_set(permit, terms).await.expect("a grant");
        id
    }

    async fn issue(&self, connection: ConnectionId, leases: usize) {
        let tasks = (0..AT_ONCE.min(leases)).map(|task| {
            let mine = leases / AT_ONCE.min(leases) + usize::from(task < leases % AT_ONCE.min(leases));
            let (identity, worker) = (Arc::clone(&self.vault.identity), Arc::clone(&self.worker));
            tokio::spawn(async move {
                for _ in 0..mine {
                    let request = IssueRequest {
                        worker: Arc::clone(&worker),
                        connection,
                        scopes: None,
                        life: Duration::from_secs(900),
                        job: None,
                        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                        certificate: None,
                    };
                    identity.issue(request).await.expect("a lease");
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a task that ends");
        }
    }
}

struct Activate(ConnectionId);

impl leasehold::audit::Change for Activate {
    type Output = ();
    type Refusal = std::convert::Infallible;

    async fn apply(
        &self,
        batch: &mut leasehold::audit::Batch<'_>,
    ) -> Result<(), leasehold::audit::ChangeError<std::convert::Infallible>> {
        let state = leasehold::domain::connection::ConnectionState::Active;
        Ok(connections::connection_state_set(&mut batch.link(), self.0, state).await?)
    }
}
