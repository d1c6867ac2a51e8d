//! What evidence costs: `leasehold audit verify` on exports of 100,000 and 1,000,000 entries, and a server that hands out an
//! export and proofs of a log of a million. Time, and the most memory that the process took.
//!
//! `cargo bench --bench evidence`; `LEASEHOLD_EXPORT_ENTRIES=100000,1000000` and `LEASEHOLD_LOG_ENTRIES=1000000` say how much,
//! and 0 leaves a part out. Everything is made in a temporary directory.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    dead_code,
    reason = "a measurement, with the tests' own forger"
)]

#[path = "../tests/support/forger.rs"]
mod forger;

use forger::{Forger, payload_of_use};
use leasehold::{
    audit::{Effect, Sequencer, SequencerOptions, Use},
    clock::{Clock, SystemClock},
    domain::{
        event::{Event, Kind, Outcome, Payload, Subject},
        fence::Incarnation,
        lease::{Epochs, Lease},
    },
    entropy::SystemEntropy,
    id::{ConnectionId, GrantId, LeaseId, NodeId, SubProcessorId, TenantId, WorkerId},
    policy::{Delivery, Module},
    store::{Db, Missing, vault},
};
use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_leasehold");
const ROUNDS: usize = 5;
/// Uses that wait for the log at once while it is filled.
const AT_ONCE: u64 = 2_048;
const PROOFS: u64 = 1_000;

fn main() {
    // What `cargo bench` adds, and `cargo test --benches` does not.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    println!("| entries | bytes | verified in | most memory |\n|---|---|---|---|");
    for entries in numbers("LEASEHOLD_EXPORT_ENTRIES", "100000,1000000") {
        verify(folder.path(), entries);
    }
    for entries in numbers("LEASEHOLD_LOG_ENTRIES", "1000000") {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Box::pin(serve(folder.path(), entries)));
    }
}

fn numbers(variable: &str, default: &str) -> Vec<u64> {
    let said = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    said.split(',').map(|number| number.parse().unwrap()).filter(|number| *number > 0).collect()
}

/// Measures `audit verify` on an export of a tenant that has nine of ten entries of its log.
fn verify(folder: &Path, entries: u64) {
    let (path, keys) = (folder.join("export.jsonl"), folder.join("vault.pub"));
    let (tenant, mut forger) = (Forger::tenant(1), Forger::new());
    let mut file = BufWriter::new(File::create(&path).unwrap());
    writeln!(file, "{}", forger.opening(tenant, entries)).unwrap();
    for number in 0..entries {
        if number % 9 == 8 {
            forger.append(Forger::tenant(2), "gateway.admitted", "{}");
        }
        writeln!(file, "{}", forger.append(tenant, "gateway.admitted", &payload_of_use(number)).line()).unwrap();
    }
    writeln!(file, "{}", forger.closing(tenant)).unwrap();
    file.into_inner().unwrap().sync_all().unwrap();
    std::fs::write(&keys, forger.key.public()).unwrap();
    drop(forger);

    let bytes = std::fs::metadata(&path).unwrap().len();
    let (mut spans, mut most) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut command = Command::new(PROGRAM);
        command
            .args(["audit", "verify"])
            .arg(&path)
            .arg("--key")
            .arg(&keys)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let status = loop {
            most = most.max(most_memory(&child));
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert!(status.success());
        spans.push(began.elapsed());
    }
    spans.sort_unstable();
    let (least, median, longest) = (spans[0], spans[ROUNDS / 2], spans[ROUNDS - 1]);
    println!("| {entries} | {bytes} | {median:.2?} ({least:.2?} to {longest:.2?}) | {most} KiB |");
}

/// Fills a log, then measures the server over it: an export of the whole chain, and proofs of single entries.
async fn serve(folder: &Path, entries: u64) {
    let folder = folder.join("server");
    std::fs::create_dir(&folder).unwrap();
    let made = run(&folder, &["init", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let officer = made["officer"].as_str().unwrap().to_owned();
    let filled = Instant::now();
    fill(&folder, entries).await;
    println!("\nfilled with {entries} entries in {:.1?}", filled.elapsed());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "[api]\nlisten = \"127.0.0.1:{port}\"\n[gateway]\nlisten = \"127.0.0.1:0\"\n[tls]\noff = true\n[log]\nfilter = \"error\"\n"
    );
    std::fs::write(folder.join("leasehold.toml"), config).unwrap();
    let mut command = Command::new(PROGRAM);
    command.current_dir(&folder).args(["serve", "--config", "leasehold.toml"]).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    let api = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    while client.get(format!("{api}/health/ready")).send().await.map_or(true, |answer| !answer.status().is_success()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let get = async |path: String| {
        let answer = client.get(format!("{api}{path}")).bearer_auth(&officer).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer
    };
    let began = Instant::now();
    get("/v1/audit/proof/0".into()).await.bytes().await.unwrap();
    println!("the first checkpoint, with all tiles: {:.1?}", began.elapsed());
    println!("most memory before the export: {} KiB", most_memory(&server));
    let path = format!("/v1/audit/export?tenant={}", TenantId::VAULT);
    for _ in 0..3 {
        let (began, mut bytes, mut answer) = (Instant::now(), 0, get(path.clone()).await);
        while let Some(chunk) = answer.chunk().await.unwrap() {
            bytes += chunk.len();
        }
        println!("export: {bytes} bytes in {:.1?}; most memory {} KiB", began.elapsed(), most_memory(&server));
    }
    let mut spans = Vec::new();
    for number in 0..PROOFS {
        let seq = number.wrapping_mul(2_654_435_761) % entries;
        let began = Instant::now();
        get(format!("/v1/audit/proof/{seq}")).await.bytes().await.unwrap();
        spans.push(began.elapsed());
    }
    spans.sort_unstable();
    let (median, p99) = (spans[spans.len() / 2], spans[spans.len() * 99 / 100]);
    println!(
        "{PROOFS} proofs, one after the other: median {median:.2?}, p99 {p99:.2?}; most memory {} KiB",
        most_memory(&server)
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

async fn fill(folder: &Path, entries: u64) {
    let url = format!("sqlite:{}", folder.join("leasehold.db").display());
    let db = Db::open(&url, Missing::Refuse).await.unwrap();
    let row = vault::vault_show(&mut db.reader().await.unwrap().link()).await.unwrap().unwrap();
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let node = NodeId::make(&*clock, &*entropy);
    let (name, anchor) = ("bench".to_owned(), folder.join("keys/anchor"));
    let options =
        SequencerOptions { db: db.clone(), clock: Arc::<SystemClock>::clone(&clock), entropy, node, name, anchor };
    let (sequencer, task) = Sequencer::start(options).await.unwrap();
    let lease = lease(&*clock, row.incarnation);
    for first in (0..entries).step_by(AT_ONCE as usize) {
        let uses = (first..entries.min(first + AT_ONCE)).map(|_| sequencer.admit(use_of(&lease)));
        for done in futures_util::future::join_all(uses).await {
            done.unwrap();
        }
    }
    // The server takes the anchor over.
    drop(sequencer);
    task.await.unwrap();
}

fn use_of(lease: &Lease) -> Use {
    let details = serde_json::json!({
        "lease": lease.id, "method": "GET", "path": "/orders/v0/orders/{orderId}", "scopes": ["orders:read"], "address": "192.0.2.17",
    });
    let (actor, object) =
        (Subject::new("worker", lease.worker.as_uuid()), Subject::new("connection", lease.connection.as_uuid()));
    let payload = Payload { actor, object, outcome: Outcome::Allowed, details };
    let event = Event::make(&SystemEntropy, TenantId::VAULT, Kind::GatewayAdmitted, &payload);
    Use { lease: lease.into(), effect: Effect::Pass, event }
}

fn lease(clock: &dyn Clock, incarnation: Incarnation) -> Lease {
    let entropy = &SystemEntropy;
    let now = clock.now();
    Lease {
        id: LeaseId::make(clock, entropy),
        incarnation,
        tenant: TenantId::VAULT,
        connection: ConnectionId::make(clock, entropy),
        grant: GrantId::make(clock, entropy),
        worker: WorkerId::make(clock, entropy),
        sub_processor: SubProcessorId::make(clock, entropy),
        epochs: Epochs { vault: 0, tenant: 0, connection: 0, grant: 0, worker: 0, objection: 0 },
        issued_at: now,
        expires_at: now.plus(Duration::from_secs(3_600)),
        module: Module::Ops,
        delivery: Delivery::Gateway,
        certificate: None,
        job: None,
        scopes: "orders:read".parse().unwrap(),
    }
}

/// Returns the most memory that a process had resident, in KiB; 0 once it is gone.
fn most_memory(child: &Child) -> u64 {
    let Ok(status) = File::open(format!("/proc/{}/status", child.id())) else { return 0 };
    let lines = BufReader::new(status).lines().map_while(Result::ok);
    let line = lines.into_iter().find_map(|line| line.strip_prefix("VmHWM:").map(str::to_owned));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
