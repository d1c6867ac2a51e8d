use super::*;

#[tokio::test]
async fn authorizations_and_access_tokens_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("amazon.json");
    let before = Simulated::open(Some(&file));
    let tokens = before.connect(EU_SELLER).await;
    let (application, client) = (before.amazon.application_id(), before.amazon.client_id());
    drop(before);
    // The options draw another client id: the registered one stands, since the vault still holds it.
    let after = Simulated::open(Some(&file));
    assert_eq!((after.amazon.application_id(), after.amazon.client_id()), (application, client));
    assert_eq!(after.refresh(&tokens.refresh).await.status, 200);
    assert_eq!(after.get("/orders/v0/orders", &tokens.access).await.status, 200);
}

#[tokio::test]
async fn a_revocation_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("amazon.json");
    let before = Simulated::open(Some(&file));
    let tokens = before.connect(EU_SELLER).await;
    before.revoke(EU_SELLER).await;
    drop(before);
    let after = Simulated::open(Some(&file));
    after.refresh(&tokens.refresh).await.lwa_refused(400, "invalid_grant");
}

#[tokio::test]
async fn what_cannot_be_kept_does_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("gone");
    std::fs::create_dir(&place).unwrap();
    let simulated = Simulated::open(Some(&place.join("amazon.json")));
    let tokens = simulated.connect(EU_SELLER).await;
    std::fs::remove_dir_all(&place).unwrap();
    assert_eq!(simulated.revoke(EU_SELLER).await.status, 500);
    assert_eq!(simulated.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn neither_refresh_tokens_nor_client_secrets_are_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("amazon.json");
    let simulated = Simulated::open(Some(&file));
    let tokens = simulated.connect(EU_SELLER).await;
    let text = std::fs::read_to_string(&file).unwrap();
    for secret in [tokens.refresh.as_str(), tokens.access.as_str(), SECRET] {
        assert!(!text.contains(secret));
    }
}

#[tokio::test]
async fn without_a_file_a_restart_forgets() {
    let before = Simulated::new();
    let tokens = before.connect(EU_SELLER).await;
    let after = Simulated::new();
    after.refresh(&tokens.refresh).await.lwa_refused(400, "invalid_grant");
}
