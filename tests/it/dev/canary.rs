use super::Dev;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Every spelling that a secret might leak in.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let base64 = BASE64.encode(bytes);
    vec![
        bytes.to_vec(),
        base64.trim_end_matches('=').as_bytes()[..base64.len() / 4 * 3].to_vec(),
        BASE64URL_NOPAD.encode(bytes).into_bytes(),
        HEXLOWER.encode(bytes).into_bytes(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string().into_bytes(),
    ]
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// Names the places that hold one of the secrets in some spelling.
fn found(places: &[(String, Vec<u8>)], secrets: &[(&str, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, bytes) in places {
        for (name, secret) in secrets {
            if spellings(secret).iter().any(|spelling| holds(bytes, spelling)) {
                found.push(format!("{name} in {place}"));
            }
        }
    }
    found
}

fn files(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The simulated Amazon's own memory, the seal, and what a person keeps of the development vault are no leaks.
        if path.is_dir() && name != "keys" && name != "tls" {
            files(&path, places);
        } else if path.is_file() && name != "amazon.json" && name != "dev.json" && name != "ready.json" {
            places.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

#[tokio::test]
async fn no_secret_is_found_in_what_the_vault_writes_or_answers() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let api = dev.text("/api").to_owned();
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();

    // Every flow once, and the errors beside them.
    let lease = dev.lease().await;
    dev.orders(&lease).send().await.unwrap();
    let credential = dev.client.post(format!("{api}/v1/credential")).bearer_auth(&lease).send().await.unwrap();
    let credential: Value = credential.json().await.unwrap();
    let canary = "Atzr|canary-refresh-token-5f1d";
    let connections = format!("{api}/v1/connections");
    let new =
        json!({ "provider": "amazon-sp-api", "name": "second", "kind": "seller", "region": "eu", "country": "DE" });
    let added = dev.as_customer(dev.client.post(&connections)).json(&new).send().await.unwrap();
    let added: Value = added.json().await.unwrap();
    let import = format!("{connections}/{}/import", added["id"].as_str().unwrap());
    let secret = "canary-client-secret-77aa";
    for request in [
        dev.as_customer(dev.client.post(&import)).json(&json!({ "refresh_token": canary })),
        dev.as_customer(dev.client.post(&import)).json(&json!({ "refresh_token": canary, "unknown": secret })),
        dev.as_customer(dev.client.post(&import)).json(&json!({ "refresh_token": [canary] })),
        dev.client.post(format!("{api}/oauth2/token")).body(format!("client_secret={secret}&client_secret={secret}")),
        dev.client.post(format!("{api}/auth/o2/token")).form(&[("client_id", "x"), ("client_secret", secret)]),
        dev.client.get(format!("{api}/callback/amazon-sp-api?state={secret}&spapi_oauth_code={secret}")),
        dev.client.get(format!("{api}/v1/tenants")).bearer_auth(secret),
        dev.orders(secret),
        dev.client.get(format!("{}/orders/v0/../{secret}", dev.text("/gateway"))),
        dev.client
            .post(format!("{api}/v1/seal/open"))
            .bearer_auth(dev.text("/officer/token"))
            .json(&json!({ "passphrase": secret })),
    ] {
        let answer = request.send().await.unwrap();
        let (place, text) = (format!("the answer from {}", answer.url().path()), answer.text().await.unwrap());
        places.push((place, text.into_bytes()));
    }
    let metrics = dev.client.get(format!("{api}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("leasehold_"), "{metrics}");
    places.push(("metrics".into(), metrics.into_bytes()));
    places.push(("the audit trail".into(), dev.get_as_customer("/v1/audit?limit=1000").await.to_string().into_bytes()));

    let secrets = [
        ("the refresh token", canary.to_owned()),
        ("a client secret", secret.to_owned()),
        ("the access token", credential["access_token"].as_str().unwrap().to_owned()),
        ("the lease", lease),
        ("the worker's secret", dev.text("/worker/client_secret").to_owned()),
        ("the customer's key", dev.text("/customer/token").to_owned()),
    ];
    drop(dev);
    files(folder.path(), &mut places);
    assert!(places.iter().any(|(place, _)| place.ends_with("leasehold.db")), "the database was not searched");
    // The program's welcome shows the sample's worker secret and customer's key on purpose, in the same stream as the log.
    let (log, rest): (Vec<_>, Vec<_>) = places.into_iter().partition(|(place, _)| place.ends_with("log.txt"));
    assert_eq!(found(&rest, &secrets), Vec::<String>::new());
    assert_eq!(found(&log, &secrets[..4]), Vec::<String>::new());

    // A planted secret is found, in each spelling.
    for spelling in spellings(canary) {
        let planted = [("planted".to_owned(), [b"before ", &*spelling, b" after"].concat())];
        assert_eq!(found(&planted, &secrets), ["the refresh token in planted"]);
    }
}
