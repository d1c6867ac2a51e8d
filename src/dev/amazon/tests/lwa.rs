use super::*;
use std::time::Duration;

const ORDERS: &str = "/orders/v0/orders";

#[tokio::test]
async fn a_code_becomes_tokens_with_amazons_prefixes_and_headers() {
    let simulated = Simulated::new();
    let reply = simulated.exchange(&simulated.code(EU_SELLER).await).await;
    let granted = reply.json();
    assert_eq!(reply.header("cache-control"), "no-cache, no-store, must-revalidate");
    assert!(!reply.header("x-amzn-requestid").is_empty());
    assert_eq!((&granted["token_type"], &granted["expires_in"]), (&json!("bearer"), &json!(3600)));
    for (name, prefix) in [("access_token", "Atza|"), ("refresh_token", "Atzr|")] {
        let token = granted[name].as_str().unwrap();
        assert!(token.starts_with(prefix) && (300..2_048).contains(&token.len()), "{name}");
    }
}

#[tokio::test]
async fn a_refresh_echoes_the_refresh_token() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    let granted = simulated.refresh(&tokens.refresh).await.json();
    assert_eq!(granted["refresh_token"], tokens.refresh);
    assert_ne!(granted["access_token"], tokens.access);
}

#[tokio::test]
async fn json_with_a_null_scope_is_read_like_a_form() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    let body = json!({
        "grant_type": "refresh_token", "refresh_token": tokens.refresh, "scope": null,
        "client_id": simulated.amazon.client_id(), "client_secret": SECRET,
    });
    let request = Request::post("/auth/o2/token").header(header::CONTENT_TYPE, "application/json;charset=utf-8");
    let reply = simulated.send(request.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn a_form_whose_values_were_not_escaped_is_read_all_the_same() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    let body = format!(
        "grant_type=refresh_token&refresh_token={}&client_id={}&client_secret={SECRET}",
        tokens.refresh,
        simulated.amazon.client_id()
    );
    let request = Request::post("/auth/o2/token").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(simulated.send(request.body(Body::from(body)).unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_code_works_once() {
    let simulated = Simulated::new();
    let code = simulated.code(EU_SELLER).await;
    assert_eq!(simulated.exchange(&code).await.status, 200);
    let again = simulated.exchange(&code).await;
    again.lwa_refused(400, "invalid_grant");
    assert!(again.text().contains("invalid grant parameter : code."), "{}", again.text());
}

#[tokio::test]
async fn a_code_dies_after_five_minutes() {
    let simulated = Simulated::new();
    let code = simulated.code(EU_SELLER).await;
    simulated.clock.advance(Duration::from_mins(5));
    simulated.exchange(&code).await.lwa_refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_code_is_bound_to_the_redirect_uri_of_its_consent() {
    let simulated = Simulated::new();
    simulated.amazon.allow_redirect("https://vault.example/other");
    let code = simulated.code(EU_SELLER).await;
    let grant =
        [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "https://vault.example/other")];
    simulated.token(&grant).await.lwa_refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_made_up_refresh_token_is_an_invalid_grant() {
    let simulated = Simulated::new();
    for token in ["Atzr|made-up", "made-up", "Atza|x"] {
        let reply = simulated.refresh(token).await;
        reply.lwa_refused(400, "invalid_grant");
        assert!(reply.header("x-amzn-errortype").starts_with("OA2InvalidRequestException:"));
    }
}

#[tokio::test]
async fn an_access_token_does_not_pass_for_a_refresh_token() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    simulated.refresh(&tokens.access.replace("Atza|", "Atzr|")).await.lwa_refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_wrong_client_secret_is_an_invalid_client() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    let grant = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let wrong = simulated.token(&[&grant[..], &[("client_secret", "wrong")]].concat()).await;
    wrong.lwa_refused(401, "invalid_client");
    assert!(wrong.header("x-amzn-errortype").starts_with("OA2InvalidClientException:"));
    simulated.token(&[&grant[..], &[("client_id", "another")]].concat()).await.lwa_refused(401, "invalid_client");
}

#[tokio::test]
async fn each_missing_parameter_is_named() {
    let simulated = Simulated::new();
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[], "grant_type"),
        (&[("grant_type", "refresh_token")], "refresh_token"),
        (&[("grant_type", "authorization_code")], "code"),
        (&[("grant_type", "authorization_code"), ("code", "AN1")], "redirect_uri"),
        (&[("grant_type", "client_credentials")], "scope"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_secret", "")], "client_secret"),
    ];
    for (fields, name) in cases {
        let reply = simulated.token(fields).await;
        reply.lwa_refused(400, "invalid_request");
        let told = reply.json()["error_description"].as_str().unwrap().to_owned();
        assert_eq!(told, format!("The request is missing a required parameter : {name}"));
    }
}

#[tokio::test]
async fn a_grant_type_that_amazon_does_not_have_is_unsupported() {
    let simulated = Simulated::new();
    simulated.token(&[("grant_type", "password")]).await.lwa_refused(400, "unsupported_grant_type");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_an_invalid_request() {
    let simulated = Simulated::new();
    for body in ["{", "[]", r#"{"grant_type":7}"#] {
        let request = Request::post("/auth/o2/token").header(header::CONTENT_TYPE, "application/json");
        simulated.send(request.body(Body::from(body)).unwrap()).await.lwa_refused(400, "invalid_request");
    }
}

#[tokio::test]
async fn grantless_tokens_exist_for_two_scopes_only() {
    let simulated = Simulated::new();
    for scope in ["sellingpartnerapi::notifications", "sellingpartnerapi::client_credential:rotation"] {
        assert!(simulated.grantless(scope).await.starts_with("Atc|"));
    }
    let reply = simulated.token(&[("grant_type", "client_credentials"), ("scope", "profile")]).await;
    reply.lwa_refused(400, "invalid_scope");
}

#[tokio::test]
async fn a_sellers_revocation_ends_refreshing_and_leaves_issued_tokens_their_hour() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    assert_eq!(simulated.revoke(EU_SELLER).await.status, 204);
    simulated.refresh(&tokens.refresh).await.lwa_refused(400, "invalid_grant");
    assert_eq!(simulated.get(ORDERS, &tokens.access).await.status, 200);
    simulated.clock.advance(Duration::from_hours(1));
    let details = "The access token you provided is revoked, malformed or invalid.";
    simulated.get(ORDERS, &tokens.access).await.refused(403, "Unauthorized", details);
    simulated.revoke(EU_SELLER).await.refused(404, "NotFound", "");
}

#[tokio::test]
async fn a_new_consent_replaces_the_refresh_token_and_heals_a_revocation() {
    let simulated = Simulated::new();
    let old = simulated.connect(EU_SELLER).await;
    simulated.revoke(EU_SELLER).await;
    let new = simulated.connect(EU_SELLER).await;
    simulated.refresh(&old.refresh).await.lwa_refused(400, "invalid_grant");
    assert_eq!(simulated.refresh(&new.refresh).await.status, 200);
}

#[tokio::test]
async fn an_authorization_ends_after_a_year() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    // The client secret has its own end, at 180 days; a rotation must not be what fails here.
    simulated.clock.advance(Duration::from_hours(24 * 179));
    let secret = simulated.rotated_secret().await;
    simulated.clock.advance(Duration::from_hours(24 * 179));
    assert_eq!(simulated.refresh_with(&tokens.refresh, &secret).await.status, 200);
    let secret = simulated.rotated_secret_with(&secret).await;
    simulated.clock.advance(Duration::from_hours(24 * 7));
    simulated.refresh_with(&tokens.refresh, &secret).await.lwa_refused(400, "invalid_grant");
}

#[tokio::test]
async fn a_rotated_client_secret_leaves_the_old_one_a_week() {
    let simulated = Simulated::new();
    let tokens = simulated.connect(EU_SELLER).await;
    let fresh = simulated.rotated_secret().await;
    assert_eq!(simulated.refresh_with(&tokens.refresh, &fresh).await.status, 200);
    simulated.clock.advance(Duration::from_hours(24 * 7) - Duration::from_secs(1));
    assert_eq!(simulated.refresh(&tokens.refresh).await.status, 200);
    simulated.clock.advance(Duration::from_secs(1));
    simulated.refresh(&tokens.refresh).await.lwa_refused(401, "invalid_client");
    assert_eq!(simulated.refresh_with(&tokens.refresh, &fresh).await.status, 200);
}

#[tokio::test]
async fn rotation_answers_nothing_and_not_twice_in_a_minute() {
    let simulated = Simulated::new();
    let token = simulated.grantless("sellingpartnerapi::client_credential:rotation").await;
    let path = "/applications/2023-11-30/clientSecret";
    let rotated = simulated.post(path, &token, &json!({})).await;
    assert_eq!((rotated.status, rotated.body.len()), (204, 0));
    simulated.post(path, &token, &json!({})).await.refused(429, "QuotaExceeded", "");
    simulated.clock.advance(Duration::from_mins(1));
    assert_eq!(simulated.post(path, &token, &json!({})).await.status, 204);
}

#[tokio::test]
async fn rotation_needs_its_own_grantless_scope() {
    let simulated = Simulated::new();
    let path = "/applications/2023-11-30/clientSecret";
    let notifications = simulated.grantless("sellingpartnerapi::notifications").await;
    simulated.post(path, &notifications, &json!({})).await.refused(403, "Unauthorized", "");
    let seller = simulated.connect(EU_SELLER).await.access;
    simulated.post(path, &seller, &json!({})).await.refused(403, "Unauthorized", "");
}

impl Simulated {
    async fn rotated_secret(&self) -> String {
        self.rotated_secret_with(SECRET).await
    }

    /// Rotates as an application does: grantless token, 204, and the secret from the queue.
    async fn rotated_secret_with(&self, secret: &str) -> String {
        let scope = ("scope", "sellingpartnerapi::client_credential:rotation");
        let granted =
            self.token(&[("grant_type", "client_credentials"), scope, ("client_secret", secret)]).await.json();
        let token = granted["access_token"].as_str().unwrap();
        assert_eq!(self.post("/applications/2023-11-30/clientSecret", token, &json!({})).await.status, 204);
        let queue = self.get("/_sim/notifications", "").await.json();
        let newest = queue.as_array().unwrap().last().unwrap();
        assert_eq!(newest["notificationType"], "APPLICATION_OAUTH_CLIENT_NEW_SECRET");
        let payload = &newest["payload"]["applicationOAuthClientNewSecret"];
        payload["newClientSecret"].as_str().unwrap().to_owned()
    }

    async fn refresh_with(&self, refresh_token: &str, secret: &str) -> Reply {
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_secret", secret)];
        self.token(&grant).await
    }
}
