use super::Dev;
use serde_json::Value;

#[tokio::test]
async fn a_worker_works_until_the_customer_revokes_and_the_trail_shows_each_step() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(folder.path()).await;
    let lease = dev.lease().await;
    let orders: Value = dev.orders(&lease).send().await.unwrap().json().await.unwrap();
    assert!(!orders["payload"]["Orders"].as_array().unwrap().is_empty(), "{orders}");
    let credential = dev.client.post(format!("{}/v1/credential", dev.text("/api"))).bearer_auth(&lease);
    let credential: Value = credential.send().await.unwrap().json().await.unwrap();
    assert!(credential["access_token"].as_str().unwrap().starts_with("Atza|"));

    let revoke = dev.client.post(format!("{}/v1/connections/{}/revoke", dev.text("/api"), dev.text("/connection")));
    let receipt: Value = dev.as_customer(revoke).send().await.unwrap().json().await.unwrap();
    assert_eq!(receipt["leases_ended"], 1);
    assert_eq!(receipt["destruction"]["state"], "done");
    assert_eq!(receipt["residual"]["count"], 1);
    assert!(receipt["confirmation"].is_object());

    let refused = dev.orders(&lease).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let refused: Value = refused.json().await.unwrap();
    let details = "The access token you provided is revoked, malformed or invalid.";
    assert_eq!(refused["errors"][0]["details"], details);

    let trail = dev.get_as_customer("/v1/audit?limit=100").await;
    let kinds: Vec<&str> = trail["items"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    for kind in [
        "connection.authorized",
        "lease.issued",
        "gateway.admitted",
        "credential.released",
        "connection.revoked",
        "cut.confirmed",
        "lease.refused",
    ] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    for request in dev.reached_amazon().await {
        assert!(!request.to_string().contains(&lease), "the lease reached Amazon: {request}");
    }
}
