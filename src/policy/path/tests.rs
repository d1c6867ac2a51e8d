use super::{PathRefusal::*, *};
use proptest::prelude::*;

fn canonical(raw: &str) -> String {
    CanonicalTarget::parse(raw).unwrap_or_else(|refusal| panic!("{raw:?}: {refusal}")).to_string()
}

#[test]
fn an_ordinary_target_passes_unchanged() {
    for target in [
        "/orders/v0/orders",
        "/orders/v0/orders/902-3159896-1390916/address",
        "/orders/v0/orders?MarketplaceIds=A1F83G8C2ARO7P&MarketplaceIds=A1PA6795UKMFR9&CreatedAfter=2024-01-01T00:00:00Z",
        "/listings/2021-08-01/items/A1/SKU.1_2~3-4+5@6:7,8!9$&'()*=",
        "/orders/v0/orders?NextToken=2YgYW55IGNhcm5hbCBwbGVhc3VyZS4%3D&a=b+c",
        "/x?a=%2541&b=/?&c",
    ] {
        assert_eq!(canonical(target), target);
    }
}

#[test]
fn what_is_accepted_is_written_one_way() {
    assert_eq!(canonical("/a/b%2dc%7E%5f"), "/a/b-c~_");
    assert_eq!(canonical("/a/%c3%a9%20%2b%23"), "/a/%C3%A9%20%2B%23");
    assert_eq!(canonical("/a?b=%63%2f%2F&d[0]=|"), "/a?b=c%2F%2F&d%5B0%5D=%7C");
    assert_eq!(canonical("/a?"), "/a");
}

#[test]
fn each_way_to_write_one_path_as_two_is_refused_for_its_own_reason() {
    for (raw, reason) in [
        ("", NotOriginForm),
        ("*", NotOriginForm),
        ("orders/v0", NotOriginForm),
        ("https://sellingpartnerapi-eu.amazon.com/orders/v0/orders", NotOriginForm),
        ("sellingpartnerapi-eu.amazon.com:443", NotOriginForm),
        ("/", EmptySegment),
        ("//orders", EmptySegment),
        ("/orders//v0", EmptySegment),
        ("/orders/", EmptySegment),
        ("/orders/?a=b", EmptySegment),
        ("/orders/.", DotSegment),
        ("/orders/../finances", DotSegment),
        ("/orders/.../finances", DotSegment),
        ("/orders/..;a=b/finances", Semicolon),
        ("/orders/%2e%2e/finances", EncodedDot),
        ("/orders/.%2E/finances", EncodedDot),
        ("/orders%2Fv0", EncodedSlash),
        ("/orders%2fv0", EncodedSlash),
        ("/orders%5cv0", EncodedSlash),
        ("/orders\\v0", Backslash),
        ("/orders;a=b", Semicolon),
        ("/orders%3Ba", Semicolon),
        ("/%6Frders", EncodedLetter),
        ("/orders/%31", EncodedLetter),
        ("/orders%252Fv0", EncodedTwice),
        ("/orders/%252e%252e", EncodedTwice),
        ("/orders/%25%32%46", EncodedLetter),
        ("/orders/%", InvalidEncoding),
        ("/orders/%2", InvalidEncoding),
        ("/orders/%g0", InvalidEncoding),
        ("/orders/%u002f", InvalidEncoding),
        ("/orders/%+2", InvalidEncoding),
        ("/orders/%C0%AF", InvalidUtf8),
        ("/orders/%E0%80%AF", InvalidUtf8),
        ("/orders/%C3/%A9", InvalidUtf8),
        ("/orders/%C3x%A9", InvalidUtf8),
        ("/orders/%FF", InvalidUtf8),
        ("/orders/%ED%A0%80", InvalidUtf8),
        ("/orders%EF%BC%8Faddress", LookAlike),
        ("/orders%E2%88%95address", LookAlike),
        ("/orders/%EF%BC%8E%EF%BC%8E", LookAlike),
        ("/orders/\u{FF0F}", NotAscii),
        ("/orders/a\0", Control),
        ("/orders/%00", Control),
        ("/orders/%0d%0aHost:%20x", Control),
        ("/orders/a\tb", Control),
        ("/orders/%7F", Control),
        ("/orders/%C2%85", Control),
        ("/orders/a b", NotAllowed),
        ("/orders/{orderId}", NotAllowed),
        ("/orders/a\"b", NotAllowed),
        ("/orders#a", Fragment),
        ("/orders?a#b", Fragment),
        ("/orders?a;b", Semicolon),
        ("/orders?a\\b", Backslash),
        ("/orders?a=%00", Control),
        ("/orders?a=%0d%0a", Control),
        ("/orders?a=\r\n", Control),
        ("/orders?a=%", InvalidEncoding),
        ("/orders?a=%4", InvalidEncoding),
        ("/orders?a=%C0%AF", InvalidUtf8),
        ("/orders?a=é", NotAscii),
    ] {
        assert_eq!(CanonicalTarget::parse(raw), Err(reason), "{raw:?}");
    }
}

#[test]
fn lengths_are_bounded_as_read_and_as_written() {
    let path = |n: usize| format!("/{}", "a".repeat(n - 1));
    assert!(CanonicalTarget::parse(&path(2_048)).is_ok());
    assert_eq!(CanonicalTarget::parse(&path(2_049)), Err(TooLong));
    let query = |n: usize, c: &str| format!("/a?{}", c.repeat(n));
    assert!(CanonicalTarget::parse(&query(8_192, "a")).is_ok());
    assert_eq!(CanonicalTarget::parse(&query(8_193, "a")), Err(TooLong));
    assert_eq!(CanonicalTarget::parse(&query(8_000, "|")), Err(TooLong));
}

#[test]
fn parameters_are_read_in_order_and_each_time() {
    let target = CanonicalTarget::parse("/a?b=1&c&b=x+y%2Cz&&=d").unwrap();
    let pairs: Vec<_> = target.parameters().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs, ["b=1", "c=", "b=x y,z", "=d"]);
    assert_eq!(CanonicalTarget::parse("/a").unwrap().parameters().count(), 0);
}

#[test]
fn a_query_stays_out_of_debug_output() {
    let target = CanonicalTarget::parse("/a?email=b%40c").unwrap();
    assert_eq!(format!("{target:?}"), "CanonicalTarget(/a?…)");
}

/// Targets that are mostly well formed, with what an attacker would mix in.
fn targets() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9._~-]{1,6}",
        2 => Just("/".to_owned()),
        1 => "%[0-9a-fA-F]{2}",
        1 => "[!$&'()*+,=:@?;#%\\\\|\"<>^`{}\\[\\]]",
        1 => any::<char>().prop_map(|c| percent_encoding::utf8_percent_encode(
            c.encode_utf8(&mut [0; 4]), percent_encoding::NON_ALPHANUMERIC).to_string()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn canonicalising_twice_changes_nothing(raw in targets()) {
        if let Ok(once) = CanonicalTarget::parse(&raw) {
            prop_assert_eq!(CanonicalTarget::parse(once.as_str()), Ok(once));
        }
    }

    #[test]
    fn a_canonical_target_is_plain_ascii_with_no_way_up(raw in targets()) {
        if let Ok(target) = CanonicalTarget::parse(&raw) {
            prop_assert!(target.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert!(!target.as_str().contains(['\\', ';', '#', '"', '<', '>']));
            prop_assert!(target.segments().all(|segment| !segment.is_empty() && !matches!(segment, "." | "..")));
            let path = target.path().to_ascii_lowercase();
            prop_assert!(["%2f", "%5c", "%2e", "%3b", "%00", "%0a", "%0d", "//"].iter().all(|bad| !path.contains(bad)));
        }
    }

    #[test]
    fn no_input_panics(raw in ".*") {
        let _ = CanonicalTarget::parse(&raw);
        let _ = CanonicalTarget::parse(&format!("/{raw}"));
    }
}
