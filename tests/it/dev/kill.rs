use super::{Dev, program::WorkerClient};
use serde_json::Value;
use std::{process::Command, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// How often it is killed: a few times here, fifty with `LEASEHOLD_KILLS=50`.
fn rounds() -> usize {
    std::env::var("LEASEHOLD_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(4)
}

/// What was acknowledged before the kill.
#[derive(Default)]
struct Acknowledged {
    issued: Vec<String>,
    ended: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_kill_stands_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut dev = Dev::start(folder.path()).await;
    let mut issued_before = 0;
    for round in 0..rounds() {
        // A different moment in each round, the same ones in each run.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let acknowledged = stream_until_killed(&mut dev, Duration::from_millis(50 + seed % 400)).await;

        let database = format!("sqlite:{}", folder.path().join("data/leasehold.db").display());
        let mut verify = Command::new(env!("CARGO_BIN_EXE_leasehold"));
        verify.args(["audit", "verify", "--full", "--database", &database]).env_clear();
        let verified = verify.output().unwrap();
        assert!(verified.status.success(), "round {round}: {}", String::from_utf8_lossy(&verified.stderr));

        dev = Dev::start(folder.path()).await;
        for lease in &acknowledged.ended {
            assert_eq!(dev.orders(lease).send().await.unwrap().status(), 403, "round {round}: an ended lease works");
        }
        let alive = acknowledged.issued.iter().filter(|lease| !acknowledged.ended.contains(lease));
        for lease in alive.clone().take(5) {
            let state: Value = dev.lease_call("/oauth2/introspect", lease).send().await.unwrap().json().await.unwrap();
            // One whose end was asked for, and not acknowledged, may have ended.
            assert!(state["active"].is_boolean(), "round {round}: {state}");
        }
        let issued = count(&dev, "lease.issued").await;
        assert!(issued >= issued_before + acknowledged.issued.len(), "round {round}: a lease without its entry");
        issued_before = issued;
    }
}

/// Issues leases and ends every other one, until the process is killed in the middle of it.
async fn stream_until_killed(dev: &mut Dev, after: Duration) -> Acknowledged {
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(worker(Arc::clone(&acknowledged), dev.worker()))).collect();
    tokio::time::sleep(after).await;
    dev.kill();
    for task in tasks {
        task.await.unwrap();
    }
    Arc::into_inner(acknowledged).unwrap().into_inner()
}

/// Works until the first call that is not answered.
async fn worker(acknowledged: Arc<Mutex<Acknowledged>>, caller: WorkerClient) {
    for turn in 0_u32.. {
        let Some(lease) = caller.issue().await else { return };
        acknowledged.lock().await.issued.push(lease.clone());
        if turn % 2 == 0 {
            let Some(()) = caller.end(&lease).await else { return };
            acknowledged.lock().await.ended.push(lease);
        }
    }
}

async fn count(dev: &Dev, kind: &str) -> usize {
    let (mut found, mut after) = (0, 0);
    loop {
        let page = dev.get_as_customer(&format!("/v1/audit?after={after}&limit=200")).await;
        let items = page["items"].as_array().unwrap().clone();
        let Some(last) = items.last() else { return found };
        found += items.iter().filter(|entry| entry["kind"] == kind).count();
        after = last["tenant_seq"].as_i64().unwrap();
    }
}
