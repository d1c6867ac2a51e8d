use super::Dev;
use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};

/// Adds the development CA to the bundle of the environment's own `certifi`, in place of one from an earlier run.
fn trust(python: &str, ca: &str) {
    let asked =
        Command::new(python).args(["-c", "import certifi; print(certifi.where())"]).env_clear().output().unwrap();
    let bundle = PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim());
    let pristine = bundle.with_extension("pem.pristine");
    if !pristine.exists() {
        fs::copy(&bundle, &pristine).unwrap();
    }
    let both = [fs::read(pristine).unwrap(), b"\n".to_vec(), fs::read(ca).unwrap()].concat();
    fs::write(bundle, both).unwrap();
}

/// Amazon's own SDK, unmodified, in the environment that `tests/run` makes.
#[tokio::test]
async fn amazons_own_sdk_lists_orders_and_a_catalog_item() {
    let here = env!("CARGO_MANIFEST_DIR");
    let python = std::env::var("LEASEHOLD_TEST_PYTHON").unwrap_or_else(|_| format!("{here}/tests/.venv/bin/python"));
    assert!(std::path::Path::new(&python).exists(), "{python} is missing: `tests/run` installs Amazon's SDK there");
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    trust(&python, dev.text("/ca"));
    let script = format!("{here}/tests/python/sdk_lists_orders.py");
    let ready = dev.ready_file();
    let ran =
        tokio::task::spawn_blocking(move || Command::new(python).arg(script).arg(ready).env_clear().output().unwrap());
    let ran = ran.await.unwrap();
    let (printed, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{printed}\n{complained}");
    let got: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert!(!got["orders"].as_array().unwrap().is_empty());
    assert!(got["asin"].is_string());

    // Amazon saw its own token and never the lease; the worker saw the lease and never the token.
    let reached = dev.reached_amazon().await;
    let calls: Vec<&Value> = reached.iter().filter(|it| it["path"].as_str().unwrap().starts_with("/orders")).collect();
    assert!(!calls.is_empty());
    for call in &calls {
        assert!(call["headers"]["x-amz-access-token"].as_str().unwrap().starts_with("Atza|"), "{call}");
    }
    assert!(reached.iter().all(|request| !request.to_string().contains("lh_")));
    assert!(!printed.contains("Atza|") && !complained.contains("Atza|"));
}
