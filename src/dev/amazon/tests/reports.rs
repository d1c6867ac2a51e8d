use super::*;
use std::time::Duration;

const REPORTS: &str = "/reports/2021-06-30/reports";

impl Simulated {
    async fn report(&self, access: &str) -> Value {
        let wanted = json!({ "reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": [DE] });
        let made = self.post(REPORTS, access, &wanted).await;
        assert_eq!(made.status, 202, "{}", made.text());
        let path = format!("{REPORTS}/{}", made.json()["reportId"].as_str().unwrap());
        self.get(&path, access).await.json()
    }

    async fn document_url(&self, access: &str, report: &Value) -> Url {
        let path = format!("/reports/2021-06-30/documents/{}", report["reportDocumentId"].as_str().unwrap());
        Url::parse(self.get(&path, access).await.json()["url"].as_str().unwrap()).unwrap()
    }

    /// Follows a presigned URL, which no token goes with.
    async fn follow(&self, method: Method, url: &Url, body: Body) -> Reply {
        let path = &url[url::Position::BeforePath..];
        self.send(Request::builder().method(method).uri(path).body(body).unwrap()).await
    }
}

#[tokio::test]
async fn a_documents_url_works_without_a_token_for_five_minutes() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let report = simulated.report(&access).await;
    assert_eq!(report["processingStatus"], "DONE");
    let url = simulated.document_url(&access, &report).await;
    assert_eq!(url.host_str(), Some("127.0.0.1"));
    let document = simulated.follow(Method::GET, &url, Body::empty()).await;
    assert!(document.status == 200 && document.text().starts_with("seller-sku\t"));
    simulated.clock.advance(Duration::from_mins(5));
    let late = simulated.follow(Method::GET, &url, Body::empty()).await;
    assert_eq!(late.status, 403);
    assert!(late.text().contains("<Message>Request has expired</Message>"), "{}", late.text());
}

#[tokio::test]
async fn a_documents_url_cannot_be_altered() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let (one, two) = (simulated.report(&access).await, simulated.report(&access).await);
    let (first, second) = (simulated.document_url(&access, &one).await, simulated.document_url(&access, &two).await);
    let mut moved = second.clone();
    moved.set_query(first.query());
    let mut bare = second.clone();
    bare.set_query(None);
    for url in [moved, bare] {
        let refused = simulated.follow(Method::GET, &url, Body::empty()).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("SignatureDoesNotMatch"), "{}", refused.text());
    }
    assert_eq!(simulated.follow(Method::PUT, &first, Body::empty()).await.status, 403);
}

#[tokio::test]
async fn reports_and_their_documents_are_their_sellers() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let other = simulated.connect(OTHER_EU_SELLER).await.access;
    let report = simulated.report(&access).await;
    let by_id = format!("{REPORTS}/{}", report["reportId"].as_str().unwrap());
    let document = format!("/reports/2021-06-30/documents/{}", report["reportDocumentId"].as_str().unwrap());
    simulated.get(&by_id, &other).await.refused(404, "NotFound", "");
    simulated.get(&document, &other).await.refused(404, "NotFound", "");
    simulated.call(Method::DELETE, &by_id, &other, Body::empty()).await.refused(404, "NotFound", "");
    assert_eq!(simulated.get(REPORTS, &other).await.json()["reports"], json!([]));
    assert_eq!(simulated.get(REPORTS, &access).await.json()["reports"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_cancelled_report_has_no_document() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let report = simulated.report(&access).await;
    let path = format!("{REPORTS}/{}", report["reportId"].as_str().unwrap());
    assert_eq!(simulated.call(Method::DELETE, &path, &access, Body::empty()).await.status, 200);
    let cancelled = simulated.get(&path, &access).await.json();
    assert_eq!(cancelled["processingStatus"], "CANCELLED");
    assert!(cancelled.get("reportDocumentId").is_none());
}

#[tokio::test]
async fn a_report_of_no_known_type_or_a_foreign_marketplace_is_refused() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    for (report_type, shops) in [
        ("ORDERS", json!([DE])),
        ("GET_MERCHANT_LISTINGS_ALL_DATA", json!(["ATVPDKIKX0DER"])),
        ("GET_MERCHANT_LISTINGS_ALL_DATA", json!([])),
    ] {
        let wanted = json!({ "reportType": report_type, "marketplaceIds": shops });
        simulated.post(REPORTS, &access, &wanted).await.refused(400, "InvalidInput", "");
    }
}

#[tokio::test]
async fn a_feed_takes_an_uploaded_document_of_its_own_seller() {
    let simulated = Simulated::new();
    let access = simulated.connect(EU_SELLER).await.access;
    let place = simulated.post("/feeds/2021-06-30/documents", &access, &json!({ "contentType": "text/xml" })).await;
    assert_eq!(place.status, 201);
    let place = place.json();
    let feed = json!({
        "feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [DE], "inputFeedDocumentId": place["feedDocumentId"],
    });
    let feeds = "/feeds/2021-06-30/feeds";
    simulated.post(feeds, &access, &feed).await.refused(400, "InvalidInput", "");
    let url = Url::parse(place["url"].as_str().unwrap()).unwrap();
    assert_eq!(simulated.follow(Method::PUT, &url, Body::from("{}")).await.status, 200);
    let other = simulated.connect(OTHER_EU_SELLER).await.access;
    simulated.post(feeds, &other, &feed).await.refused(400, "InvalidInput", "");
    let made = simulated.post(feeds, &access, &feed).await;
    assert_eq!(made.status, 202);
    let shown = simulated.get(&format!("{feeds}/{}", made.json()["feedId"].as_str().unwrap()), &access).await.json();
    assert_eq!(shown["processingStatus"], "DONE");
    let result = format!("/feeds/2021-06-30/documents/{}", shown["resultFeedDocumentId"].as_str().unwrap());
    assert_eq!(simulated.get(&result, &access).await.status, 200);
    simulated.get(&result, &other).await.refused(404, "NotFound", "");
    // Else a report's document could be read under a feed's category.
    simulated.get(&result.replace("feeds", "reports"), &access).await.refused(404, "NotFound", "");
}
