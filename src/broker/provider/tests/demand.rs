use super::*;

fn needs(request: &str, body: &str) -> String {
    demand(request, body).unwrap_or_else(|refusal| panic!("{request} {body}: {refusal}")).scopes.to_string()
}

const ITEM_OFFERS: &str = "POST /batches/products/pricing/v0/itemOffers";
const REPORTS: &str = "GET /reports/2021-06-30/reports";

#[test]
fn a_plain_route_needs_its_scope_and_leaves_the_body_alone() {
    let demand = demand("GET /orders/v0/orders?MarketplaceIds=A", "not read").unwrap();
    assert_eq!(demand, Demand { scopes: scopes("orders:read"), ..Demand::default() });
    assert!(demand.is_met_by(&scopes("finance:read orders:read")));
    assert!(!demand.is_met_by(&scopes("orders.pii:read orders:write")));
}

#[test]
fn a_report_needs_the_scope_of_its_type() {
    let create = "POST /reports/2021-06-30/reports";
    let body = r#"{ "reportType": "GET_MERCHANT_LISTINGS_ALL_DATA", "marketplaceIds": ["A"] }"#;
    let made = demand(create, body).unwrap();
    assert_eq!(made.scopes, scopes("listings:read"));
    assert_eq!(made.types, ["GET_MERCHANT_LISTINGS_ALL_DATA"]);
    assert_eq!(made.body.unwrap(), br#"{"reportType":"GET_MERCHANT_LISTINGS_ALL_DATA","marketplaceIds":["A"]}"#);

    let of = |report_type: &str| demand(create, &format!(r#"{{"reportType":"{report_type}"}}"#));
    assert_eq!(of("GET_FLAT_FILE_ACTIONABLE_ORDER_DATA_SHIPPING").unwrap().scopes, scopes("orders.pii:read"));
    for unknown in ["GET_SOMETHING_NEW", "get_merchant_listings_all_data", "GET_MERCHANT_LISTINGS_ALL_DATA ", ""] {
        assert_eq!(of(unknown), Err(BodyRefusal::UnknownType(unknown.into())), "{unknown}");
    }
}

#[test]
fn a_body_that_two_parsers_could_read_differently_is_refused() {
    let create = "POST /reports/2021-06-30/reports";
    let open = "GET_MERCHANT_LISTINGS_ALL_DATA";
    let shut = "GET_ORDER_REPORT_DATA_TAX";
    for body in [
        format!(r#"{{"reportType":"{open}","reportType":"{shut}"}}"#),
        format!(r#"{{"reportType":"{open}","report\u0054ype":"{shut}"}}"#),
        format!(r#"{{"reportType":"{open}","reporttype":"{shut}"}}"#),
        format!(r#"{{"reportType":["{open}"]}}"#),
        format!(r#"[{{"reportType":"{open}"}}]"#),
        r#"{"reportType":null}"#.into(),
        "{}".into(),
        format!("reportType={open}"),
        format!(r#"{{"reportType":"{open}"}}{{"reportType":"{shut}"}}"#),
        String::new(),
    ] {
        assert!(demand(create, &body).is_err(), "{body}");
    }
}

#[test]
fn listing_reports_needs_the_scope_of_every_type_that_is_named() {
    let list = |query: &str| demand(&format!("{REPORTS}?{query}"), "");
    let both = list("reportTypes=GET_MERCHANT_LISTINGS_ALL_DATA,GET_PENDING_ORDERS_DATA").unwrap();
    assert_eq!(both.scopes, scopes("listings:read orders:read"));
    assert_eq!(both.types.len(), 2);
    let repeated = list("reportTypes=GET_MERCHANT_LISTINGS_ALL_DATA&reportTypes=GET_ORDER_REPORT_DATA_TAX").unwrap();
    assert_eq!(repeated.scopes, scopes("listings:read orders.pii:read"));

    assert_eq!(list("pageSize=10"), Err(BodyRefusal::Missing("reportTypes")));
    assert_eq!(demand(REPORTS, ""), Err(BodyRefusal::Missing("reportTypes")));
    assert_eq!(list("reportTypes="), Err(BodyRefusal::Missing("reportTypes")));
    assert!(matches!(list("reportTypes=GET_SOMETHING_NEW"), Err(BodyRefusal::UnknownType(_))));
    for hidden in ["ReportTypes", "reportTypes%5B%5D", "reporttypes"] {
        let query = format!("reportTypes=GET_PENDING_ORDERS_DATA&{hidden}=GET_ORDER_REPORT_DATA_TAX");
        assert!(matches!(list(&query), Err(BodyRefusal::AmbiguousParameter(_))), "{query}");
    }
}

#[test]
fn a_further_page_is_looked_up_and_stands_alone() {
    let page = demand(&format!("{REPORTS}?nextToken=abc%3D"), "").unwrap();
    assert_eq!(page.lookups, [Lookup::ReportPage("abc=".into())]);
    for query in
        ["nextToken=a&reportTypes=GET_PENDING_ORDERS_DATA", "nextToken=a&nextToken=b", "nextToken=", "NextToken=a"]
    {
        assert!(demand(&format!("{REPORTS}?{query}"), "").is_err(), "{query}");
    }
}

#[test]
fn an_id_is_looked_up() {
    for (request, lookup) in [
        ("GET /reports/2021-06-30/reports/7", Lookup::Report("7".into())),
        ("DELETE /reports/2021-06-30/schedules/7", Lookup::ReportSchedule("7".into())),
        ("GET /reports/2021-06-30/documents/amzn1.spdoc.1", Lookup::ReportDocument("amzn1.spdoc.1".into())),
        ("GET /feeds/2021-06-30/feeds/7", Lookup::Feed("7".into())),
        ("GET /feeds/2021-06-30/documents/7", Lookup::FeedDocument("7".into())),
    ] {
        let found = demand(request, "").unwrap();
        assert_eq!((found.lookups, found.scopes.len()), (vec![lookup], 0), "{request}");
    }
}

#[test]
fn a_feed_needs_the_scope_of_its_type_and_an_upload_any_that_some_feed_needs() {
    assert_eq!(needs("POST /feeds/2021-06-30/feeds", r#"{"feedType":"JSON_LISTINGS_FEED"}"#), "listings:write");
    let upload = demand("POST /feeds/2021-06-30/documents", "").unwrap();
    assert!(upload.is_met_by(&scopes("pricing:write")));
    assert!(!upload.is_met_by(&scopes("orders:read listings:read")));
    assert!(!upload.is_met_by(&ScopeSet::default()));
}

#[test]
fn a_batch_holds_its_own_requests_only() {
    let batch = |requests: &str| demand(ITEM_OFFERS, &format!(r#"{{"requests":[{requests}]}}"#));
    let good = r#"{"uri":"/products/pricing/v0/items/B%2d1/offers","method":"GET","MarketplaceId":"A","headers":{}}"#;
    let made = batch(good).unwrap();
    assert_eq!(made.scopes, scopes("pricing:read"));
    let sent = String::from_utf8(made.body.unwrap()).unwrap();
    assert!(
        sent.contains(r#"{"uri":"/products/pricing/v0/items/B-1/offers","method":"GET","MarketplaceId":"A""#),
        "{sent}"
    );

    for (uri, method) in [
        ("/orders/v0/orders", "GET"),
        ("/products/pricing/v0/listings/S1/offers", "GET"),
        ("/products/pricing/v0/items/B1/offers", "POST"),
        ("/products/pricing/v0/items/B1/offers", "get"),
        ("/products/pricing/v0/items/B1/offers?x=1", "GET"),
        ("/products/pricing/v0/items/../../../../orders/v0/orders", "GET"),
        ("/products/pricing/v0/items/%2e%2e/offers", "GET"),
        ("https://evil.example/products/pricing/v0/items/B1/offers", "GET"),
        ("/tokens/2021-03-01/restrictedDataToken", "POST"),
        ("", "GET"),
    ] {
        let request = format!(r#"{{"uri":"{uri}","method":"{method}"}}"#);
        assert!(batch(&format!("{good},{request}")).is_err(), "{method} {uri}");
    }
    let path = "/products/pricing/v0/items/B1/offers";
    for request in [
        format!(r#"{{"uri":"{path}","method":"GET","headers":{{"x-amz-access-token":"Atza|other"}}}}"#),
        format!(r#"{{"uri":"{path}","method":"GET","URI":"/orders/v0/orders"}}"#),
        format!(r#"{{"uri":"{path}","uri":"/orders/v0/orders","method":"GET"}}"#),
        format!(r#"{{"uri":"{path}"}}"#),
        format!(r#""{path}""#),
    ] {
        assert!(batch(&request).is_err(), "{request}");
    }
    assert!(demand(ITEM_OFFERS, r#"{"requests":{}}"#).is_err());
    assert!(demand(ITEM_OFFERS, "[]").is_err());
}

#[test]
fn operations_that_exist_only_in_a_batch_pass_there_only() {
    let uri = "/products/pricing/2022-05-01/offer/featuredOfferExpectedPrice";
    let body = format!(r#"{{"requests":[{{"uri":"{uri}","method":"GET","sku":"S","marketplaceId":"A"}}]}}"#);
    let batch = "POST /batches/products/pricing/2022-05-01/offer/featuredOfferExpectedPrice";
    assert_eq!(needs(batch, &body), "pricing:read");
    assert!(matches!(amazon().match_target(Method::Get, &target(uri)), Match::Unknown));
}

#[test]
fn asking_an_order_for_its_buyer_needs_the_scope_for_personal_data() {
    for (query, scopes) in [
        ("", "orders:read"),
        ("?includedData=PROCEEDS,packages", "orders:read"),
        ("?includedData=BUYER", "orders.pii:read orders:read"),
        ("?includedData=PROCEEDS%2CRECIPIENT", "orders.pii:read orders:read"),
        ("?includedData=PROCEEDS&includedData=recipient", "orders.pii:read orders:read"),
        ("?includedData=SOMETHING_NEW", "orders.pii:read orders:read"),
    ] {
        assert_eq!(needs(&format!("GET /orders/2026-01-01/orders{query}"), ""), scopes, "{query}");
        assert_eq!(needs(&format!("GET /orders/2026-01-01/orders/902-1{query}"), ""), scopes, "{query}");
    }
    for hidden in ["IncludedData=BUYER", "includedData[]=BUYER", "includeddata=BUYER"] {
        assert!(demand(&format!("GET /orders/2026-01-01/orders?{hidden}"), "").is_err(), "{hidden}");
    }
}

#[test]
fn a_restricted_data_token_needs_what_its_operations_need() {
    let needs =
        |resources: &str| amazon().restricted_demand(format!(r#"{{"restrictedResources":[{resources}]}}"#).as_bytes());
    let address = r#"{"method":"GET","path":"/orders/v0/orders/{orderId}/address"}"#;
    assert_eq!(needs(address).unwrap().scopes, scopes("orders.pii:read"));
    let plain = r#"{"method":"GET","path":"/orders/v0/orders"}"#;
    assert_eq!(needs(plain).unwrap().scopes, scopes("orders:read"));
    let elements = r#"{"method":"GET","path":"/orders/v0/orders","dataElements":["buyerInfo","shippingAddress"]}"#;
    assert_eq!(needs(elements).unwrap().scopes, scopes("orders.pii:read orders:read"));
    let document = r#"{"method":"GET","path":"/reports/2021-06-30/documents/d1"}"#;
    assert_eq!(needs(document).unwrap().lookups, [Lookup::ReportDocument("d1".into())]);

    for bad in [
        "",
        r#"{"method":"GET","path":"/mfn/v0/shipments/1"}"#,
        r#"{"method":"POST","path":"/tokens/2021-03-01/restrictedDataToken"}"#,
        r#"{"method":"GET","path":"/orders/v0/orders/../orders"}"#,
        r#"{"method":"GET","path":"/orders/v0/orders?x=1"}"#,
        r#"{"method":"GET"}"#,
        r#"{"method":"POST","path":"/reports/2021-06-30/reports"}"#,
    ] {
        assert!(needs(bad).is_err(), "{bad}");
    }
    assert!(needs(&vec![plain; 50].join(",")).is_ok());
    assert!(needs(&vec![plain; 51].join(",")).is_err());
}
