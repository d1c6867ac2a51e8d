use super::*;

const HOST: &str = "127.0.0.1:8445";

impl Simulated {
    async fn page(&self, host: &str, query: &[(&str, &str)]) -> Reply {
        self.browse(host, "/apps/authorize/consent", query).await
    }

    async fn browse(&self, host: &str, path: &str, query: &[(&str, &str)]) -> Reply {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let request = Request::get(format!("{path}?{query}")).header(header::HOST, host);
        self.send(request.body(Body::empty()).unwrap()).await
    }
}

fn is_error_page(reply: &Reply, code: &str) {
    assert!((400..500).contains(&reply.status), "{}", reply.status);
    assert!(reply.text().contains(code), "{}", reply.text());
    assert!(!reply.headers.contains_key("location"));
}

#[tokio::test]
async fn the_page_names_the_application_and_lists_the_accounts() {
    let simulated = Simulated::new();
    let application = simulated.amazon.application_id();
    let page = simulated.page(HOST, &[("application_id", &application), ("state", "s")]).await;
    assert_eq!(page.status, 200);
    let text = page.text();
    assert!(text.contains(&application) && text.contains("https://vault.example"));
    for seller in simulated.amazon.sellers() {
        assert!(text.contains(&seller.selling_partner_id), "{}", seller.name);
    }
}

#[tokio::test]
async fn the_page_runs_no_script_and_leaves_no_referrer() {
    let simulated = Simulated::new();
    let application = simulated.amazon.application_id();
    let page =
        simulated.page(HOST, &[("application_id", &application), ("state", "\"><script>alert(1)</script>")]).await;
    assert!(!page.text().contains("<script"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    // Without it browsers refuse the redirect after the form.
    assert!(policy.contains("form-action 'self' https://vault.example"), "{policy}");
}

#[tokio::test]
async fn confirming_goes_back_with_state_account_and_code() {
    let simulated = Simulated::new();
    let reply = simulated.confirm(HOST, EU_SELLER).await;
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    let (url, parameters) = reply.location();
    assert!(url.as_str().starts_with(REDIRECT));
    assert_eq!(parameters["state"], "a state");
    assert_eq!(parameters["selling_partner_id"], EU_SELLER);
    assert!(parameters["spapi_oauth_code"].starts_with("AN"));
}

#[tokio::test]
async fn cancelling_goes_back_with_an_error_and_no_code() {
    let simulated = Simulated::new();
    let application = simulated.amazon.application_id();
    let fields = [("application_id", application.as_str()), ("state", "s"), ("decision", "cancel")];
    let (url, parameters) = simulated.form("/apps/authorize/consent", HOST, &fields).await.location();
    assert!(url.as_str().starts_with(REDIRECT));
    assert_eq!((parameters["error"].as_str(), parameters["state"].as_str()), ("access_denied", "s"));
    assert!(!parameters.contains_key("spapi_oauth_code"));
}

#[tokio::test]
async fn an_unknown_application_is_md1000() {
    let simulated = Simulated::new();
    is_error_page(&simulated.page(HOST, &[("application_id", "amzn1.sp.solution.other")]).await, "MD1000");
    is_error_page(&simulated.page(HOST, &[]).await, "MD1000");
}

#[tokio::test]
async fn a_draft_is_md1000_without_version_beta() {
    let simulated = Simulated::new();
    simulated.steer(json!({ "listing": "draft" })).await;
    let application = simulated.amazon.application_id();
    is_error_page(&simulated.page(HOST, &[("application_id", &application)]).await, "MD1000");
    is_error_page(&simulated.confirm(HOST, EU_SELLER).await, "MD1000");
    let beta = simulated.page(HOST, &[("application_id", &application), ("version", "beta")]).await;
    assert_eq!(beta.status, 200);
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_registered_is_md5101() {
    let simulated = Simulated::new();
    let application = simulated.amazon.application_id();
    for uri in ["https://evil.example/", "https://vault.example/callback/amazon-sp-api/", "https://vault.example/"] {
        let page = simulated.page(HOST, &[("application_id", &application), ("redirect_uri", uri)]).await;
        is_error_page(&page, "MD5101");
    }
    simulated.amazon.allow_redirect("https://vault.example/");
    let uri = [("application_id", application.as_str()), ("redirect_uri", "https://vault.example/")];
    assert_eq!(simulated.page(HOST, &uri).await.status, 200);
}

#[tokio::test]
async fn an_unlisted_application_has_a_limit_that_renewals_do_not_count_against() {
    let simulated = Simulated::new();
    simulated.steer(json!({ "listing": "unlisted", "consent_limit": 1 })).await;
    simulated.connect(EU_SELLER).await;
    is_error_page(&simulated.confirm(HOST, OTHER_EU_SELLER).await, "CONSENT_LIMIT_REACHED");
    simulated.connect(EU_SELLER).await;
}

#[tokio::test]
async fn a_regions_site_lists_and_takes_its_own_accounts_only() {
    let simulated = Simulated::new();
    let application = simulated.amazon.application_id();
    let page = simulated.page("na.localhost:8445", &[("application_id", &application)]).await.text();
    assert!(page.contains("A3NB6YH2JC4XWE") && !page.contains(EU_SELLER));
    is_error_page(&simulated.confirm("na.localhost:8445", EU_SELLER).await, "accounts that this site lists");
    assert_eq!(simulated.confirm("eu.localhost:8445", EU_SELLER).await.status, 302);
    is_error_page(&simulated.confirm(HOST, "A0NOBODY").await, "accounts that this site lists");
}

#[tokio::test]
async fn the_appstore_opens_the_login_uri_and_ends_at_the_redirect_uri() {
    let simulated = Simulated::new();
    let login = [("selling_partner_id", EU_SELLER), ("login_uri", "https://vault.example/login"), ("version", "beta")];
    let (url, opened) = simulated.browse(HOST, "/appstore/start", &login).await.location();
    assert!(url.as_str().starts_with("https://vault.example/login?"));
    assert_eq!((opened["selling_partner_id"].as_str(), opened["version"].as_str()), (EU_SELLER, "beta"));
    let callback = Url::parse(&opened["amazon_callback_uri"]).unwrap();
    assert_eq!(callback.host_str(), Some("127.0.0.1"));
    let back = [("amazon_state", opened["amazon_state"].as_str()), ("state", "ours"), ("redirect_uri", REDIRECT)];
    let (url, parameters) = simulated.browse(HOST, callback.path(), &back).await.location();
    assert!(url.as_str().starts_with(REDIRECT));
    assert_eq!((parameters["state"].as_str(), parameters["selling_partner_id"].as_str()), ("ours", EU_SELLER));
    assert_eq!(simulated.exchange(&parameters["spapi_oauth_code"]).await.status, 200);
    // The state is spent.
    is_error_page(&simulated.browse(HOST, callback.path(), &back).await, "amazon_state");
}

#[tokio::test]
async fn the_appstores_callback_checks_state_application_and_redirect_uri() {
    let simulated = Simulated::new();
    let path = format!("/apps/authorize/confirm/{}", simulated.amazon.application_id());
    is_error_page(&simulated.browse(HOST, &path, &[("amazon_state", "made-up")]).await, "amazon_state");
    is_error_page(&simulated.browse(HOST, &path, &[("redirect_uri", "https://evil.example/")]).await, "MD5101");
    is_error_page(&simulated.browse(HOST, "/apps/authorize/confirm/other", &[]).await, "MD1000");
}

#[tokio::test]
async fn the_appstores_state_dies_after_an_hour() {
    let simulated = Simulated::new();
    let login = [("selling_partner_id", EU_SELLER), ("login_uri", "https://vault.example/login")];
    let (_, opened) = simulated.browse(HOST, "/appstore/start", &login).await.location();
    simulated.clock.advance(std::time::Duration::from_hours(1));
    let path = format!("/apps/authorize/confirm/{}", simulated.amazon.application_id());
    is_error_page(&simulated.browse(HOST, &path, &[("amazon_state", &opened["amazon_state"])]).await, "amazon_state");
}

#[tokio::test]
async fn the_appstore_opens_web_addresses_of_known_accounts_only() {
    let simulated = Simulated::new();
    for (seller, uri, code) in [
        ("A0NOBODY", "https://vault.example/login", "accounts that this site lists"),
        (EU_SELLER, "javascript:alert(1)", "MD5101"),
        (EU_SELLER, "login", "MD5101"),
    ] {
        let login = [("selling_partner_id", seller), ("login_uri", uri)];
        is_error_page(&simulated.browse(HOST, "/appstore/start", &login).await, code);
    }
}

#[tokio::test]
async fn behind_tls_the_callback_is_https() {
    let simulated = Simulated::new();
    simulated.amazon.served_over_tls();
    let login = [("selling_partner_id", EU_SELLER), ("login_uri", "https://vault.example/login")];
    let (_, opened) = simulated.browse(HOST, "/appstore/start", &login).await.location();
    assert!(opened["amazon_callback_uri"].starts_with("https://127.0.0.1:8445/"));
}
