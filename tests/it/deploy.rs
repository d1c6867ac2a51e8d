//! What `deploy/` ships is what this binary reads, and as closed as it says.

use leasehold::config::{Config, ListenerTls, SecretReference};
use serde_json::Value;
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

/// The most exposure that `systemd-analyze security` may find in the unit, in tenths; 100 is a unit without any
/// hardening. What is left is what a server cannot do without: the network, and the host's root directory, read-only.
const EXPOSURE_MAX_TENTHS: &str = "15";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(shipped(name)).unwrap()
}

fn config(environment: &[(&str, &str)]) -> Config {
    Config::load(Some(&shipped("leasehold.toml")), environment.iter().copied()).unwrap()
}

fn compose() -> Value {
    serde_saphyr::from_str(&text("compose.yaml")).unwrap()
}

/// The services of compose.yaml that run Leasehold, by name.
fn nodes(compose: &Value) -> Vec<(&String, &Value)> {
    let services = compose["services"].as_object().unwrap();
    services.iter().filter(|(_, service)| service["image"] == "leasehold").collect()
}

/// Runs `systemd-analyze`; `None` where this machine has none.
fn systemd_analyze(arguments: &[&str], unit: &Path) -> Option<Output> {
    Command::new("systemd-analyze").args(arguments).arg(unit).output().ok()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_configuration_is_read_and_holds_no_secret() {
    let config = config(&[("CREDENTIALS_DIRECTORY", "/run/credentials/leasehold.service")]);
    let credential = |name: &str| {
        let directory = Some("/run/credentials/leasehold.service".into());
        Some(SecretReference::Credential { name: name.to_owned(), directory })
    };
    assert_eq!(config.database_password(), credential("database_password"));
    assert_eq!(config.seal_passphrase(), credential("seal_passphrase"));
    assert!(matches!(config.listener_tls().unwrap(), ListenerTls::Files { .. }));
    assert!(config.database.url.as_str().contains("sslmode=verify-full"));
}

/// The program itself reads it too: everything fails that only a host can give, and the configuration does not.
#[test]
fn doctor_reads_the_configuration() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leasehold"));
    command.args(["doctor", "--config"]).arg(shipped("leasehold.toml")).env_clear();
    let output = command.output().unwrap();
    assert!(said(&output).contains("ok    configuration: read"), "{}", said(&output));
}

#[test]
fn the_unit_passes_each_credential_that_the_configuration_names() {
    let unit = text("leasehold.service");
    for reference in [config(&[]).database_password(), config(&[]).seal_passphrase()] {
        let Some(SecretReference::Credential { name, .. }) = reference else { panic!("{reference:?}") };
        assert!(unit.contains(&format!("LoadCredential={name}:/")), "{name}");
    }
}

#[test]
fn nothing_is_killed_while_it_drains() {
    let drain = config(&[]).limits.drain_timeout_s.duration();
    let seconds = |text: &str| Duration::from_secs(text.trim_end_matches('s').parse().unwrap());
    let unit = text("leasehold.service");
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    assert!(seconds(stop) > drain);
    let compose = compose();
    for (name, node) in nodes(&compose) {
        assert!(seconds(node["stop_grace_period"].as_str().unwrap()) > drain, "{name}");
    }
}

#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("leasehold.service");
    // It looks for the program too, which is here and not in /usr/bin.
    let here = text("leasehold.service").replace("/usr/bin/leasehold", env!("CARGO_BIN_EXE_leasehold"));
    fs::write(&unit, here).unwrap();
    let Some(output) = systemd_analyze(&["verify"], &unit) else { return };
    assert!(output.status.success() && !said(&output).contains("leasehold.service:"), "{}", said(&output));
}

#[test]
fn the_unit_exposes_little() {
    let threshold = format!("--threshold={EXPOSURE_MAX_TENTHS}");
    let arguments = ["security", "--offline=true", "--no-pager", &threshold];
    let Some(output) = systemd_analyze(&arguments, &shipped("leasehold.service")) else { return };
    assert!(output.status.success(), "{}", said(&output));
    // The same question about a unit with nothing but a command has to fail, or the threshold measures nothing.
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("bare.service");
    fs::write(&bare, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(!systemd_analyze(&arguments, &bare).unwrap().status.success());
}

#[test]
fn every_node_in_a_container_is_closed() {
    let compose = compose();
    let nodes = nodes(&compose);
    assert_eq!(nodes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["init", "node-1", "node-2", "node-3"]);
    for (name, node) in nodes {
        assert_eq!(node["read_only"], true, "{name}");
        assert_eq!(node["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(node["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(node["ulimits"]["core"], 0, "{name}");
        assert_eq!(node["ulimits"]["memlock"], -1, "{name}");
        assert_eq!(node["user"], "10001:10001", "{name}");
        for forbidden in ["privileged", "cap_add", "devices", "pid", "ipc", "network_mode"] {
            assert!(node.get(forbidden).is_none(), "{name} has {forbidden}");
        }
    }
    let user = text("Dockerfile").lines().find_map(|line| line.strip_prefix("USER ").map(str::to_owned));
    assert_eq!(user.as_deref(), Some("10001:10001"));
}

/// A container's environment is shown by `docker inspect` to whoever may ask, so it names where secrets are and holds
/// none; and what it says is what this binary reads.
#[test]
fn a_nodes_environment_is_read_and_names_files_only() {
    let compose = compose();
    for (name, node) in nodes(&compose) {
        let environment = node["environment"].as_object().unwrap();
        let pairs: Vec<_> = environment.iter().map(|(key, value)| (key.as_str(), value.as_str().unwrap())).collect();
        let config = config(&pairs);
        for reference in [config.database_password(), config.seal_passphrase()] {
            let Some(SecretReference::Credential { name: credential, directory }) = reference else {
                panic!("{name}: {reference:?}")
            };
            assert_eq!(directory.as_deref(), Some(Path::new("/run/secrets")), "{name}");
            assert!(node["secrets"].as_array().unwrap().iter().any(|secret| *secret == credential.as_str()), "{name}");
        }
    }
}

#[test]
fn the_balancer_asks_each_node_whether_it_is_ready_and_never_ends_its_tls() {
    let haproxy = text("haproxy.cfg");
    assert!(haproxy.contains("mode tcp") && !haproxy.contains("mode http"));
    assert!(haproxy.lines().filter(|line| line.trim_start().starts_with("bind ")).all(|line| !line.contains("ssl")));
    for address in ["node-1:8443", "node-2:8443", "node-3:8443", "node-1:8444", "node-2:8444", "node-3:8444"] {
        assert!(haproxy.contains(address), "{address}");
    }
    assert_eq!(haproxy.matches("uri /health/ready").count(), 2);
    assert_eq!(haproxy.matches("check-ssl verify required").count(), 3);
    assert!(haproxy.contains("OPTIONS /primary"));
}

/// HAProxy's own check, where this machine has it. It wants the authority that nodes' certificates come from; any will do.
#[test]
fn haproxy_takes_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, file) = (folder.path().join("ca.pem"), folder.path().join("haproxy.cfg"));
    fs::write(&ca, rcgen::generate_simple_self_signed(["vault.example".to_owned()]).unwrap().cert.pem()).unwrap();
    let check = |text: &str| {
        fs::write(&file, text.replace("/etc/haproxy/vault-ca.pem", ca.to_str().unwrap())).unwrap();
        Command::new("haproxy").args(["-c", "-f"]).arg(&file).output().ok()
    };
    let Some(output) = check(&text("haproxy.cfg")) else { return };
    assert!(output.status.success(), "{}", said(&output));
    // It has to see what it is shown: one word that it does not know fails.
    assert!(!check(&text("haproxy.cfg").replace("balance leastconn", "balance leastcon")).unwrap().status.success());
}

/// What the page for operators says of the shipped files and of the code's metrics.
#[test]
fn the_page_for_operators_names_what_there_is() {
    let page = fs::read_to_string(shipped("../docs/OPERATIONS.md")).unwrap();
    for line in ["TimeoutStopSec=45s", "LimitNOFILE=65536", "LimitMEMLOCK=infinity", "LimitCORE=0"] {
        assert!(text("leasehold.service").contains(line) && page.contains(line), "{line}");
    }
    let url = config(&[]).database.url.as_str().to_owned();
    assert!(page.contains(&url), "{url}");
    let sources = rust_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let (mut table, mut emitted) = (HashSet::new(), HashSet::new());
    for (path, source) in &sources {
        let names = if path.ends_with("metrics_table.rs") { &mut table } else { &mut emitted };
        for macro_name in ["counter!(\"", "gauge!(\"", "histogram!(\"", "(Counter, \"", "(Gauge, \"", "(Histogram, \""]
        {
            for after in source.split(macro_name).skip(1) {
                names.insert(after.split('"').next().unwrap().to_owned());
            }
        }
    }
    assert_eq!(table, emitted, "metrics_table.rs names what is measured, and nothing else");
    for name in &table {
        assert!(page.contains(&format!("`{name}`")), "docs/OPERATIONS.md does not name {name}");
    }
}

/// Every source file under `folder`, with its text.
fn rust_sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}
