//! Hostile ways to write allowed paths: each must be refused, or be no route.

use super::*;

#[path = "../../../../tests/support/hostile_paths.rs"]
mod hostile_paths;

const ALLOWED: &[&str] = &[
    "/orders/v0/orders",
    "/orders/v0/orders/902-3159896-1390916",
    "/orders/v0/orders/902-3159896-1390916/address",
    "/orders/v0/orders/902-3159896-1390916/orderItems/buyerInfo",
    "/catalog/2022-04-01/items/B01N5IB20Q",
    "/listings/2021-08-01/items/A2EXAMPLE/SKU-1",
    "/fba/outbound/2020-07-01/fulfillmentOrders/CONSUMER-1",
    "/products/pricing/v0/items/B01N5IB20Q/offers",
    "/reports/2021-06-30/documents/amzn1.spdoc.1.4.na.abc",
    "/finances/transfers/2024-06-01/payouts",
];

#[test]
fn no_hostile_way_to_write_an_allowed_path_is_a_route() {
    let provider = amazon();
    for path in ALLOWED {
        let known =
            Method::ALL.iter().any(|&method| matches!(provider.match_target(method, &target(path)), Match::Route(_)));
        assert!(known, "{path} must be allowed, or its variants prove nothing");
    }
    let variants = hostile_paths::hostile_variants(ALLOWED);
    assert!(variants.len() >= 500, "{} variants", variants.len());
    for variant in &variants {
        let Ok(target) = CanonicalTarget::parse(variant) else { continue };
        for &method in Method::ALL {
            if let Match::Route(route) = provider.match_target(method, &target) {
                panic!("{method} {variant:?} passed for {}", route.template());
            }
        }
    }
}

#[test]
fn each_allowed_path_alone_has_hundreds_of_variants() {
    for path in ALLOWED {
        assert!(hostile_paths::hostile_variants(&[path]).len() >= 300, "{path}");
    }
}
