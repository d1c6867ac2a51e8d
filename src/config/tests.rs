use super::*;
use keys::{KEYS, Kind, known};
use std::collections::BTreeSet;

fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("leasehold.toml");
    std::fs::write(&path, toml).unwrap();
    Config::load(Some(&path), environment.iter().copied())
}

/// Loads what must be refused and returns why, without the temporary directory.
fn refusal(toml: &str, environment: &[(&str, &str)]) -> String {
    let error = load(toml, environment).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error.split_once("leasehold.toml").map_or(error.clone(), |(_, rest)| format!("leasehold.toml{rest}"))
}

#[test]
fn an_empty_file_gives_the_defaults_that_the_design_names() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.database.url.as_str(), "sqlite:leasehold.db");
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(config.gateway.listen.to_string(), "127.0.0.1:8444");
    assert_eq!(config.lease.default_s.duration().as_secs(), 900);
    assert_eq!(config.lease.max_s.duration().as_secs(), 3_600);
    assert_eq!(config.limits.body_bytes.as_usize(), 1_048_576);
    assert_eq!(config.seal.file, Path::new("keys/seal.key"));
}

#[test]
fn a_whole_file_is_read() {
    let config = load(
        r#"
        database = { url = "postgres://leasehold@db.internal/leasehold", password_file = "/run/secrets/db" }
        seal = { kind = "passphrase", passphrase_credential = "seal" }
        tls = { certificate = "server.pem", key = "server.key" }
        api = { listen = "0.0.0.0:8443", public_url = "https://vault.example" }
        [amazon]
        token_url = "https://127.0.0.1:8445/auth/o2/token"
        endpoint.eu = "https://eu.localhost:8445"
        [amazon.consent_url]
        default = "https://127.0.0.1:8445/consent"
        seller.eu = "https://eu.example"
        seller.in = "https://in.example"
        [egress]
        allowed_cidrs = ["127.0.0.0/8"]
        "#,
        &[("CREDENTIALS_DIRECTORY", "/run/credentials/leasehold")],
    )
    .unwrap();
    assert_eq!(config.database_password(), Some(SecretReference::File("/run/secrets/db".into())));
    let directory = Some("/run/credentials/leasehold".into());
    assert_eq!(config.seal_passphrase(), Some(SecretReference::Credential { name: "seal".into(), directory }));
    assert!(matches!(config.listener_tls().unwrap(), ListenerTls::Files { .. }));
    let consent = &config.amazon.consent_url;
    assert_eq!(consent.for_seller("in", "eu").unwrap().to_string(), "https://in.example/");
    assert_eq!(consent.for_seller("de", "eu").unwrap().to_string(), "https://eu.example/");
    assert_eq!(consent.for_vendor("de", "eu").unwrap().to_string(), "https://127.0.0.1:8445/consent");
}

#[test]
fn a_variable_wins_over_the_file() {
    let environment = [
        ("LEASEHOLD_API_LISTEN", "127.0.0.1:0"),
        ("LEASEHOLD_EGRESS_ALLOWED_CIDRS", "127.0.0.0/8, ::1/128"),
        ("LEASEHOLD_AMAZON_ENDPOINT_EU", "https://127.0.0.1:8445"),
        ("LEASEHOLD_AMAZON_CONSENT_URL_SELLER_DE", "https://de.example"),
        ("LEASEHOLD_LEASE_DEFAULT_S", "60"),
        ("LEASEHOLD_METRICS_PUBLIC", "true"),
        ("PATH", "/bin"),
    ];
    let config = load("[api]\nlisten = \"127.0.0.1:1\"\n[lease]\nmax_s = 120", &environment).unwrap();
    assert_eq!(config.api.listen.port(), 0);
    assert_eq!(config.egress.allowed_cidrs.len(), 2);
    assert_eq!(config.amazon.endpoint.eu.as_ref().unwrap().to_string(), "https://127.0.0.1:8445/");
    assert_eq!(config.amazon.consent_url.for_seller("de", "eu").unwrap().to_string(), "https://de.example/");
    assert_eq!((config.lease.default_s.duration().as_secs(), config.lease.max_s.duration().as_secs()), (60, 120));
    assert!(config.metrics.public);
}

#[test]
fn variables_of_the_command_line_are_no_keys() {
    let variables = ["LEASEHOLD_URL", "LEASEHOLD_TOKEN", "LEASEHOLD_CA", "LEASEHOLD_CONFIG"];
    Config::load(None, variables.map(|name| (name, "anything"))).unwrap();
}

#[test]
fn no_two_keys_share_a_variable() {
    let variables: BTreeSet<_> = known().map(|(key, _)| variable_of(&key)).collect();
    assert_eq!(variables.len(), known().count());
    assert_eq!(variable_of("amazon.endpoint.eu"), "LEASEHOLD_AMAZON_ENDPOINT_EU");
}

/// The table of keys and the sections say the same: every key of the table is taken, with its kind, by a section, and
/// what a section expects, as serde tells when it meets a stranger, is in the table.
#[test]
fn the_table_of_keys_and_the_sections_agree() {
    for (key, kind) in known() {
        let wrong = match kind {
            Kind::Text => "[]",
            Kind::Number | Kind::Switch | Kind::List => "\"text\"",
        };
        let error = refusal(&format!("{key} = {wrong}"), &[]);
        assert!(error.contains(&key) && error.contains("invalid type"), "{error}");
    }
    let sections: BTreeSet<_> = KEYS.iter().filter_map(|(key, _)| key.rsplit_once('.')).map(|(name, _)| name).collect();
    for section in sections {
        let error = refusal(&format!("[{section}]\nstranger = 1"), &[]);
        let (_, expected) = error.split_once("expected").expect("serde lists what it expects");
        for name in expected.split('`').skip(1).step_by(2) {
            let key = format!("{section}.{name}");
            assert!(known().any(|(known, _)| known == key || known.starts_with(&format!("{key}."))), "{key}");
        }
    }
}

#[test]
fn each_refusal_names_the_key_the_cause_and_the_remedy() {
    let both = "tls = { certificate = \"a\", key = \"b\" }";
    let cases = [
        refusal("[api]\nlisten = \"nowhere\"", &[]),
        refusal("[api\n", &[]),
        refusal("[api]\nlsten = \"127.0.0.1:1\"", &[]),
        refusal("colour = 1", &[]),
        refusal("", &[("LEASEHOLD_API_LSTEN", "x")]),
        refusal("", &[("LEASEHOLD_LIMITS_JSON_DEPTH", "1000")]),
        refusal("", &[("LEASEHOLD_LIMITS_JSON_DEPTH", "deep")]),
        refusal("", &[("LEASEHOLD_TLS_OFF", "yes")]),
        refusal("[egress]\nconnect_timeout_s = 0", &[]),
        refusal("[egress]\nconnect_timeout_s = -1", &[]),
        refusal("[egress]\nallowed_cidrs = [\"127.0.0.1/8x\"]", &[]),
        refusal("[amazon]\ntoken_url = \"http://api.example/token\"", &[]),
        refusal("[amazon]\ntoken_url = \"https://127.0.0.1/token\"", &[]),
        refusal("[amazon.consent_url.seller]\natlantis = \"https://a.example\"", &[]),
        refusal("[tls]\noff = true\n[api]\nlisten = \"0.0.0.0:8443\"", &[]),
        refusal("[tls]\noff = true\n[gateway]\nlisten = \"192.168.0.1:8444\"", &[]),
        refusal(&format!("{both}\n[tls2]"), &[]),
        refusal("tls = { certificate = \"a\", key = \"b\", off = true }", &[]),
        refusal("tls = { certificate = \"a\" }", &[]),
        refusal("tls = { key = \"b\" }", &[]),
        refusal("[gateway]\nlisten = \"127.0.0.1:8443\"", &[]),
        refusal("[seal]\nkind = \"hsm\"", &[]),
        refusal("[seal]\npassphrase_file = \"p\"", &[]),
        refusal("[seal]\nkind = \"passphrase\"\npassphrase_file = \"p\"\npassphrase_credential = \"c\"", &[]),
        refusal("[database]\nurl = \"mysql://db\"", &[]),
        refusal("[database]\npassword_file = \"p\"\npassword_credential = \"c\"", &[]),
        refusal("[lease]\nmax_s = 7200", &[]),
        refusal("[lease]\ndefault_s = 600\nmax_s = 300", &[]),
        refusal("[log]\nfilter = \"=,=\"", &[]),
        refusal("api = 1", &[("LEASEHOLD_API_LISTEN", "127.0.0.1:1")]),
        load("", &[]).unwrap().listener_tls().unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for toml in [
        "[database]\nurl = \"postgres://vault:hunter2@db/leasehold\"",
        "[database]\nurl = \"postgres://vault@db/leasehold?password=hunter2\"",
        "[database]\nurl = \"hunter2\"",
        "database = \"postgres://vault:hunter2@db/leasehold\"",
        "[seal]\npassphrase = \"hunter2\"",
        "[seal]\nkind = [\"hunter2\"]",
        "[amazon]\ntoken_url = \"https://vault:hunter2@api.example\"",
        "[amazon]\ntoken_url = \"hunter2\"",
        "[database]\nurl = \"hunter2",
    ] {
        let error = refusal(toml, &[]);
        assert!(!error.contains("hunter2"), "{error}");
    }
    for variable in ["LEASEHOLD_DATABASE_URL", "LEASEHOLD_PASSPHRASE", "LEASEHOLD_LIMITS_CONNECTIONS"] {
        let error = refusal("", &[(variable, "hunter2")]);
        assert!(error.contains(variable) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load(Some(Path::new("/nowhere/leasehold.toml")), [("", ""); 0]).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/leasehold.toml: cannot be read"), "{error}");
}

#[test]
fn egress_becomes_the_dialers_options() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    let config = load(&format!("[egress]\nca_file = {ca:?}\nconnect_timeout_s = 7"), &[]).unwrap();
    let error = config.dialer_options().err().unwrap().to_string();
    assert!(error.starts_with("egress.ca_file: cannot be read"), "{error}");
    std::fs::write(&ca, "PEM").unwrap();
    let options = config.dialer_options().unwrap();
    assert_eq!((options.extra_roots_pem.unwrap(), options.connect_timeout.as_secs()), (b"PEM".to_vec(), 7));
}

#[test]
fn the_configuration_in_force_is_a_file_that_reads_back_the_same() {
    let config = load("[egress]\nallowed_cidrs = [\"10.0.0.0/8\"]\n[tls]\noff = true", &[]).unwrap();
    assert_eq!(load(&config.to_string(), &[]).unwrap().to_string(), config.to_string());
}
