use super::*;
use std::fs;

const SMALL: &str = r#"
name = "small"
title = "Small"
refused = ["/oauth"]
[token]
url = "https://id.example/token"
lifetime_s = 600
refresh_margin_s = 120
[inject]
header = "authorization"
[lease_from]
headers = ["authorization"]
[endpoints]
[[scope]]
name = "orders:read"
modules = ["ops"]
routes = ["GET /orders", "GET /orders/{id}"]
[[scope]]
name = "orders:write"
modules = []
routes = []
[reports]
create = ["POST /reports"]
list = []
report = ["GET /reports/{id}"]
schedule = []
document = []
[reports.types]
"orders:read" = ["ORDERS_DAILY"]
"#;

/// Loads [`SMALL`] with one piece of it replaced, and returns what is said of it.
fn refusal(piece: &str, replacement: &str) -> String {
    assert!(SMALL.contains(piece), "{piece}");
    let text = SMALL.replacen(piece, replacement, 1);
    Provider::parse("small.toml", &text).expect_err(replacement).to_string()
}

#[test]
fn a_small_file_loads() {
    let provider = Provider::parse("small.toml", SMALL).unwrap();
    assert_eq!((provider.name(), provider.title(), provider.routes().count()), ("small", "Small", 4));
}

#[test]
fn a_file_is_refused_naming_the_file_the_key_and_the_reason() {
    let mut said = Vec::new();
    for (piece, replacement) in [
        ("title =", "titel ="),
        ("title = \"Small\"", ""),
        ("lifetime_s = 600", "lifetime_s = \"600\""),
        ("modules = [\"ops\"]", "modules = [\"opps\"]"),
        ("modules = []", "modules = []\nverbs = []"),
        ("name = \"small\"", "name = \"Small\""),
        ("[token]", "[token"),
        ("https://id.example/token", "http://id.example/token"),
        ("https://id.example/token", "https://10.0.0.1/token"),
        ("https://id.example/token", "https://user:secret@id.example/token"),
        ("refresh_margin_s = 120", "refresh_margin_s = 121"),
        ("header = \"authorization\"", "header = \"host\""),
        ("header = \"authorization\"", "header = \"a b\""),
        ("[endpoints]", "[endpoints]\nna = { live = \"https://api.example/v1\" }"),
        ("[endpoints]", "[endpoints]\nmars = { live = \"https://api.example\" }"),
        ("\"orders:read\"", "\"orders:grab\""),
        ("name = \"orders:write\"", "name = \"orders:read\""),
        ("\"GET /orders\"", "\"/orders\""),
        ("\"GET /orders\"", "\"get /orders\""),
        ("\"GET /orders\"", "\"GET /orders/../x\""),
        ("\"GET /orders\"", "\"GET /orders/*\""),
        ("\"GET /orders\"", "\"GET /orders/{key}\""),
        ("\"GET /orders\"", "\"GET /oauth/token\""),
        ("\"GET /orders\"", "\"GET /{anything}\""),
        ("\"POST /reports\"", "\"GET /orders\""),
        ("\"GET /reports/{id}\"", "\"GET /reports/{id}/{page}\""),
        ("refused = [\"/oauth\"]", "refused = [\"/oauth/../x\"]"),
        ("refused = [\"/oauth\"]", "refused = [\"oauth\"]"),
        ("[reports.types]\n\"orders:read\"", "[reports.types]\n\"orders.pii:read\""),
        ("ORDERS_DAILY", "ORD*"),
        ("ORDERS_DAILY", "orders"),
        ("[\"ORDERS_DAILY\"]", "[\"ORDERS_DAILY\", \"ORDERS_DAILY\"]"),
        ("[reports]", "[[batch]]\nroute = \"POST /batch\"\nrequests = []\n[reports]"),
        ("[reports]", "[[batch]]\nroute = \"GET /orders\"\nrequests = [\"orders\"]\n[reports]"),
        ("[reports]", "[[query]]\nparameter = \"a\"\nfree = []\nscope = \"a:read\"\nroutes = []\n[reports]"),
        ("[reports]", "[restricted]\ntoken_path = \"rdt\"\nscope = \"orders:read\"\nroutes = []\n[reports]"),
    ] {
        let error = refusal(piece, replacement);
        assert!(error.starts_with("provider file small.toml, "), "{error}");
        said.push(format!("{}\n    {error}", replacement.replace('\n', " ⏎ ")));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_directory_adds_the_operators_own_and_never_replaces_a_built_in_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("small.toml"), SMALL).unwrap();
    fs::write(directory.path().join("notes.txt"), "not a provider").unwrap();
    let mut catalogue = Catalogue::built_in();
    catalogue.load_directory(directory.path()).unwrap();
    assert!(catalogue.provider("small").is_some() && catalogue.provider("Small").is_none());

    let impostor = SMALL.replace("name = \"small\"", "name = \"amazon-sp-api\"");
    fs::write(directory.path().join("small.toml"), impostor).unwrap();
    let error = Catalogue::built_in().load_directory(directory.path()).unwrap_err();
    assert!(matches!(error.reason, Reason::NameTwice(_)) && error.file.ends_with("small.toml"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read_or_is_too_long_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut catalogue = Catalogue::built_in();
    let absent = catalogue.load_directory(&directory.path().join("absent")).unwrap_err();
    assert!(matches!(absent.reason, Reason::Unreadable(_)), "{absent}");
    fs::write(directory.path().join("long.toml"), "#".repeat(1 << 21)).unwrap();
    let long = catalogue.load_directory(directory.path()).unwrap_err();
    assert!(matches!(long.reason, Reason::TooLong), "{long}");
    fs::write(directory.path().join("long.toml"), b"name = \"\xff\"").unwrap();
    let garbled = catalogue.load_directory(directory.path()).unwrap_err();
    assert!(matches!(garbled.reason, Reason::Unreadable(_)), "{garbled}");
}
