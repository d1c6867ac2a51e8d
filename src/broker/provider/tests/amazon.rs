use super::*;
use http::StatusCode;

/// The rows of the category table that the file was written from: an operation of each path prefix, with its scope.
const ROWS: &[(&str, &str)] = &[
    ("GET /orders/v0/orders", "orders:read"),
    ("GET /orders/v0/orders/902-1", "orders:read"),
    ("GET /orders/v0/orders/902-1/orderItems", "orders:read"),
    ("POST /orders/v0/orders/902-1/shipmentConfirmation", "orders:write"),
    ("GET /orders/2026-01-01/orders", "orders:read"),
    ("GET /orders/2026-01-01/orders/902-1", "orders:read"),
    ("GET /vendor/orders/v1/purchaseOrders", "orders:read"),
    ("POST /vendor/orders/v1/acknowledgements", "orders:write"),
    ("GET /vendor/transactions/v1/transactions/1", "orders:read"),
    ("GET /orders/v0/orders/902-1/address", "orders.pii:read"),
    ("GET /orders/v0/orders/902-1/buyerInfo", "orders.pii:read"),
    ("GET /orders/v0/orders/902-1/orderItems/buyerInfo", "orders.pii:read"),
    ("GET /orders/v0/orders/902-1/regulatedInfo", "orders.pii:read"),
    ("PATCH /orders/v0/orders/902-1/regulatedInfo", "orders.pii:write"),
    ("GET /vendor/directFulfillment/orders/2021-12-28/purchaseOrders", "orders.pii:read"),
    ("GET /vendor/directFulfillment/shipping/2021-12-28/packingSlips/1", "orders.pii:read"),
    ("POST /vendor/directFulfillment/payments/v1/invoices", "orders.pii:write"),
    ("GET /vendor/directFulfillment/transactions/2021-12-28/transactions/1", "orders.pii:read"),
    ("GET /catalog/2022-04-01/items/B01", "catalog:read"),
    ("GET /catalog/2020-12-01/items", "catalog:read"),
    ("GET /catalog/v0/categories", "catalog:read"),
    ("GET /listings/2021-08-01/items/A1/SKU-1", "listings:read"),
    ("PATCH /listings/2021-08-01/items/A1/SKU-1", "listings:write"),
    ("PUT /listings/2020-09-01/items/A1/SKU-1", "listings:write"),
    ("GET /listings/2021-08-01/restrictions", "listings:read"),
    ("GET /definitions/2020-09-01/productTypes/LUGGAGE", "listings:read"),
    ("GET /fba/inventory/v1/summaries", "inventory:read"),
    ("POST /vendor/directFulfillment/inventory/v1/warehouses/W1/items", "inventory:write"),
    ("GET /fba/inbound/v0/shipments", "shipments:read"),
    ("GET /fba/inbound/v1/eligibility/itemPreview", "shipments:read"),
    ("GET /inbound/fba/2024-03-20/inboundPlans", "shipments:read"),
    ("POST /inbound/fba/2024-03-20/inboundPlans", "shipments:write"),
    ("GET /fba/outbound/2020-07-01/fulfillmentOrders/1", "shipments:read"),
    ("POST /fba/outbound/2020-07-01/fulfillmentOrders/preview", "shipments:read"),
    ("PUT /fba/outbound/2020-07-01/fulfillmentOrders/1/cancel", "shipments:write"),
    ("POST /fulfillment/outbound/2026-07-04/orders", "shipments:write"),
    ("POST /vendor/shipping/v1/shipmentConfirmations", "shipments:write"),
    ("GET /awd/2024-05-09/inboundShipments", "shipments:read"),
    ("GET /products/pricing/v0/items/B01/offers", "pricing:read"),
    ("POST /batches/products/pricing/v0/itemOffers", "pricing:read"),
    ("POST /batches/products/pricing/2022-05-01/items/competitiveSummary", "pricing:read"),
    ("POST /products/fees/v0/feesEstimate", "pricing:read"),
    ("POST /dataKiosk/2023-11-15/queries", "analytics:read"),
    ("GET /dataKiosk/2023-11-15/documents/1", "analytics:read"),
    ("GET /finances/v0/financialEvents", "finance:read"),
    ("GET /finances/2024-06-19/transactions", "finance:read"),
    ("POST /vendor/payments/v1/invoices", "finance:write"),
    ("POST /finances/transfers/2024-06-01/payouts", "transfers:write"),
    ("POST /finances/transfers/wallet/2024-03-01/transactions", "transfers:write"),
    ("GET /finances/transfers/2024-06-01/paymentMethods", "transfers:read"),
    ("GET /notifications/v1/subscriptions/ORDER_CHANGE", "notifications:read"),
    ("POST /notifications/v1/subscriptions/ORDER_CHANGE", "notifications:write"),
    ("GET /sellers/v1/marketplaceParticipations", "account:read"),
];

fn found<'a>(provider: &'a Provider, request: &str) -> Match<'a> {
    let (method, path) = request.split_once(' ').unwrap();
    provider.match_target(Method::parse(method).unwrap(), &target(path))
}

#[test]
fn every_category_opens_its_operations() {
    let provider = amazon();
    for (request, scope) in ROWS {
        match found(&provider, request) {
            Match::Route(route) => assert_eq!(route.scope().map(Scope::as_str), Some(*scope), "{request}"),
            other => panic!("{request}: {other:?}"),
        }
    }
}

#[test]
fn reports_and_feeds_are_decided_by_their_type() {
    let provider = amazon();
    for (request, rule) in [
        ("POST /reports/2021-06-30/reports", BodyRule::CreateReport),
        ("POST /reports/2021-06-30/schedules", BodyRule::CreateReport),
        ("GET /reports/2021-06-30/reports", BodyRule::ListReports),
        ("GET /reports/2021-06-30/schedules", BodyRule::ListReports),
        ("GET /reports/2021-06-30/reports/1", BodyRule::ReportById),
        ("DELETE /reports/2021-06-30/reports/1", BodyRule::ReportById),
        ("DELETE /reports/2021-06-30/schedules/1", BodyRule::ReportScheduleById),
        ("GET /reports/2021-06-30/documents/1", BodyRule::ReportDocument),
        ("POST /feeds/2021-06-30/feeds", BodyRule::CreateFeed),
        ("GET /feeds/2021-06-30/feeds", BodyRule::ListFeeds),
        ("DELETE /feeds/2021-06-30/feeds/1", BodyRule::FeedById),
        ("GET /feeds/2021-06-30/documents/1", BodyRule::FeedDocument),
        ("POST /feeds/2021-06-30/documents", BodyRule::FeedUpload),
    ] {
        match found(&provider, request) {
            Match::Route(route) => assert_eq!((route.rule(), route.scope()), (rule, None), "{request}"),
            other => panic!("{request}: {other:?}"),
        }
    }
    for (report_type, scope) in [
        ("GET_FLAT_FILE_ALL_ORDERS_DATA_BY_LAST_UPDATE_GENERAL", Some("orders:read")),
        ("GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING", Some("orders.pii:read")),
        ("GET_AMAZON_FULFILLED_SHIPMENTS_DATA_GENERAL", Some("orders.pii:read")),
        ("GET_MERCHANT_LISTINGS_ALL_DATA", Some("listings:read")),
        ("GET_FBA_MYI_ALL_INVENTORY_DATA", Some("inventory:read")),
        ("GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2", Some("finance:read")),
        ("GET_BRAND_ANALYTICS_SEARCH_TERMS_REPORT", Some("analytics:read")),
        ("GET_VENDOR_SALES_REPORT", Some("analytics:read")),
        ("GET_SOMETHING_NEW", None),
    ] {
        assert_eq!(provider.report_scope(report_type).map(Scope::as_str), scope, "{report_type}");
    }
    assert_eq!(provider.feed_scope("JSON_LISTINGS_FEED").map(Scope::as_str), Some("listings:write"));
    assert_eq!(provider.feed_scope("POST_SOMETHING_NEW"), None);
}

#[test]
fn modules_are_offered_what_the_table_says() {
    let offered = |module| amazon().scopes_of(module).to_string();
    assert_eq!(
        offered(Module::Ops),
        "account:read catalog:read inventory:read inventory:write listings:read listings:write notifications:read \
         notifications:write orders:read orders:write"
    );
    assert_eq!(
        offered(Module::Marketing),
        "account:read analytics:read catalog:read listings:read listings:write pricing:read pricing:write"
    );
    assert_eq!(
        offered(Module::Logistics),
        "account:read inventory:read inventory:write orders.pii:read orders.pii:write orders:read orders:write \
         shipments:read shipments:write"
    );
    assert_eq!(offered(Module::Finance), "account:read finance:read finance:write transfers:read transfers:write");
}

#[test]
fn operations_that_give_out_tokens_are_refused_whatever_the_method() {
    let provider = amazon();
    for path in [
        "/tokens/2021-03-01/restrictedDataToken",
        "/tokens/2030-01-01/anything/at/all",
        "/Tokens/2021-03-01/restrictedDataToken",
        "/auth/o2/token",
        "/authorization/v1/authorizationCode",
        "/applications/2023-11-30/clientSecret",
        "/tokens",
    ] {
        for &method in Method::ALL {
            assert!(matches!(provider.match_target(method, &target(path)), Match::TokenMinting), "{method} {path}");
        }
    }
    assert!(matches!(provider.match_target(Method::Get, &target("/tokensale")), Match::Unknown));
}

#[test]
fn what_is_not_listed_is_unknown() {
    let provider = amazon();
    for request in [
        "GET /orders",
        "GET /orders/v1/orders",
        "DELETE /orders/v0/orders/1",
        "HEAD /orders/v0/orders",
        "GET /orders/v0/orders/1/address/x",
        "GET /Orders/v0/orders",
        "POST /messaging/v1/orders/1/messages/warranty",
        "GET /mfn/v0/shipments/1",
        "POST /notifications/v1/destinations",
    ] {
        assert!(matches!(found(&provider, request), Match::Unknown), "{request}");
    }
}

#[test]
fn restricted_operations_are_marked() {
    let provider = amazon();
    let restricted = |request: &str| matches!(found(&provider, request), Match::Route(route) if route.is_restricted());
    assert!(restricted("GET /orders/v0/orders/1/address"));
    assert!(restricted("GET /vendor/directFulfillment/orders/v1/purchaseOrders"));
    assert!(!restricted("GET /orders/v0/orders/1"));
    let marked = provider.restricted().unwrap();
    assert!(provider.declares(&marked.scope));
    assert!(matches!(provider.match_target(Method::Post, &target(&marked.token_path)), Match::TokenMinting));
}

#[test]
fn consent_goes_to_the_countrys_own_host_or_the_one_it_shares() {
    let provider = amazon();
    let page = |kind, country| provider.consent_page(kind, country).map(String::from);
    let consent = |host: &str| Some(format!("https://{host}/apps/authorize/consent"));
    for country in ["UK", "DE", "FR", "IT", "ES"] {
        assert_eq!(page(AccountKind::Seller, country), consent("sellercentral-europe.amazon.com"), "{country}");
    }
    assert_eq!(page(AccountKind::Seller, "US"), consent("sellercentral.amazon.com"));
    assert_eq!(page(AccountKind::Seller, "BE"), consent("sellercentral.amazon.com.be"));
    assert_eq!(page(AccountKind::Seller, "SG"), consent("sellercentral.amazon.sg"));
    assert_eq!(page(AccountKind::Vendor, "SG"), consent("vendorcentral.amazon.com.sg"));
    assert_eq!(page(AccountKind::Vendor, "AE"), consent("vendorcentral.amazon.me"));
    assert_eq!(page(AccountKind::Vendor, "EG"), consent("vendorcentral.amazon.me"));
    assert_eq!(page(AccountKind::Vendor, "BE"), None);
    assert_eq!(page(AccountKind::Seller, "de"), None);
    assert_eq!(provider.marketplaces().len(), 23);
    for (region, count) in [(Region::Na, 4), (Region::Eu, 16), (Region::Fe, 3)] {
        assert_eq!(provider.marketplaces().iter().filter(|market| market.region == region).count(), count, "{region}");
        let endpoint = provider.endpoint(region).unwrap();
        assert_eq!(endpoint.live.host_str(), Some(format!("sellingpartnerapi-{region}.amazon.com").as_str()));
    }
}

#[test]
fn a_failure_marks_a_customer_dead_only_when_it_says_so() {
    let provider = amazon();
    for (status, code, failure) in [
        (400, Some("invalid_grant"), Failure::Grant),
        (401, Some("invalid_client"), Failure::Application),
        (400, Some("unauthorized_client"), Failure::Application),
        (400, Some("temporarily_unavailable"), Failure::Transient),
        (429, Some("invalid_grant"), Failure::Throttled),
        (503, Some("invalid_grant"), Failure::Transient),
        (503, None, Failure::Transient),
        (400, Some("a_word_of_tomorrow"), Failure::Transient),
        (403, None, Failure::Transient),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(provider.classify(status, code), failure, "{status} {code:?}");
    }
}

#[test]
fn a_token_is_refreshed_a_sixth_of_its_life_ahead() {
    let token = amazon().token().clone();
    assert!(token.refresh_margin * 5 <= token.lifetime);
    assert_eq!(token.url.as_str(), "https://api.amazon.com/auth/o2/token");
}
