//! Writes allowed paths in the ways that attackers write them, to slip past a policy. None of the variants may be taken for
//! an allowed path, nor for any other route. Plain functions, so that the policy's own tests and the gateway's, over a
//! socket, try the same list.

/// Ways to write the slash between two segments. Each is meant to be one thing to a filter and another to a server.
const SLASHES: &[&str] = &[
    "//",
    "///",
    "/./",
    "/../",
    "/x/../",
    "/.//",
    "/%2e/",
    "/%2E/",
    "/%2e%2e/",
    "/.%2e/",
    "/%2E./",
    "/..;/",
    "/.;a=b/",
    "/;/",
    "/..%00/",
    "/..%2f",
    "/..%5c",
    "/..\\",
    "\\",
    "\\/",
    "/\\",
    "/\\/",
    "%2f",
    "%2F",
    "/%2f",
    "%2f/",
    "%5c",
    "%5C",
    "%252f",
    "%252F",
    "%25%32%66",
    "%255c",
    "/%252e%252e/",
    "%c0%af",
    "%C0%AF",
    "%e0%80%af",
    "%f0%80%80%af",
    "%c1%9c",
    "/%c0%ae%c0%ae/",
    "/%c0%ae/",
    "%ef%bc%8f",
    "%ef%bc%bc",
    "%e2%81%84",
    "%e2%88%95",
    "%e2%a7%b8",
    "/%ef%bc%8e%ef%bc%8e/",
    "/%e2%80%a4/",
    "\u{FF0F}",
    "\u{2044}",
    "\u{2215}",
    "/\u{FF0E}\u{FF0E}/",
    "%u002f",
    "%u2215",
    "%%32%66",
    "%",
    "/%/",
    "/ ",
    " /",
    "\t/",
    "/\t",
    "/%09",
    "/%00",
    "\0/",
    "/%0a",
    "/%0d%0a",
    "\r\n/",
    "/%7f",
    "/%c2%85",
    ";/",
    "%3b/",
    "/%3b",
    "#/",
    "/#",
    "/...../",
];

/// What is put behind a whole path.
const TAILS: &[&str] = &[
    "/",
    "//",
    "/.",
    "/..",
    "/./",
    "/../",
    "/%2e",
    "/%2e%2e",
    "/..%2f",
    "%2f",
    "%2f..",
    "%5c",
    "\\",
    ";",
    ";a=b",
    "%3b",
    "#",
    "#/../..",
    "%00",
    "\0",
    "%00.json",
    "%0a",
    "%0d%0aHost:%20evil.example",
    "\r\nHost: evil.example",
    "\n",
    "\t",
    "%09",
    " ",
    "%7f",
    "%",
    "%2",
    "%zz",
    "%c0%80",
    "%e0%80%80",
    "%ff",
    "%ed%a0%80",
    "/%252e%252e",
    "%252f..%252f..",
    "/..;/..",
    "/../../../auth/o2/token",
    "%2f..%2f..%2ftokens",
    "/..%252f..",
    "/%ef%bc%8e%ef%bc%8e",
    "\u{FF0F}",
    "\u{2028}",
    "é",
    "?a=%00",
    "?a=b#c",
    "?a=%0d%0aHost:%20evil.example",
    "?a;b",
    "?a=\\",
    "?%",
    "?a=%c0%af",
    "?a=\r\n",
];

/// What is put before a whole path, in place of its first slash or before it.
const HEADS: &[&str] = &[
    "//",
    "///",
    "/./",
    "/../",
    "/%2e/",
    "/%2e%2e/",
    "/..;/",
    "/;/",
    "/x/../",
    "/x/%2e%2e/",
    "\\",
    "/\\",
    "%2f",
    "/%2f",
    "/%5c",
    "%5c",
    "/%252f",
    "",
    " /",
    "\t/",
    "\0/",
    "/%00/",
    "/%0a/",
    "#/",
    "/#/",
    "*",
    "*/",
    "https://sellingpartnerapi-eu.amazon.com/",
    "http://sellingpartnerapi-eu.amazon.com/",
    "HTTPS://sellingpartnerapi-eu.amazon.com:443/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "https:/",
    "https:///",
    "file:///",
    "https://user@evil.example/",
    "@evil.example/",
    "/@evil.example/",
    "/https://evil.example/",
    "/http:/evil.example/",
    "evil.example:443/",
    "?/",
    "/?/",
    "/%3f/",
    "\u{FF0F}",
    "/%ef%bc%8f",
    "/v1/",
    "/v0/",
    "/api/",
    "/prod/",
    "/sandbox/",
    "/.well-known/../",
];

/// Returns hostile ways to write each of `allowed`, paths such as `/orders/v0/orders/902-1/address` without a query. Several
/// hundred for each; none twice. Some hold raw control characters, which an HTTP client refuses to send: write those to the
/// socket.
pub(crate) fn hostile_variants(allowed: &[&str]) -> Vec<String> {
    let mut variants = Vec::new();
    for path in allowed {
        between_segments(path, &mut variants);
        around(path, &mut variants);
        within_literals(path, &mut variants);
        too_long(path, &mut variants);
    }
    mixed(allowed, &mut variants);
    variants.sort();
    variants.dedup();
    variants.retain(|variant| !allowed.contains(&variant.as_str()));
    variants
}

fn between_segments(path: &str, variants: &mut Vec<String>) {
    for (at, _) in path.match_indices('/').skip(1) {
        variants.extend(SLASHES.iter().map(|slash| format!("{}{slash}{}", &path[..at], &path[at + 1..])));
    }
}

fn around(path: &str, variants: &mut Vec<String>) {
    variants.extend(TAILS.iter().map(|tail| format!("{path}{tail}")));
    variants.extend(HEADS.iter().map(|head| format!("{head}{}", &path[1..])));
    let encoded = |byte: u8| format!("%{byte:02x}");
    variants.push(path.bytes().map(encoded).collect());
    variants.push(format!("/{}", path[1..].bytes().map(encoded).collect::<String>()));
    variants.push(format!("/{}", path[1..].bytes().map(|byte| format!("%25{byte:02x}")).collect::<String>()));
}

/// Changes the first two segments, which are literals in every template: letters encoded, overlong, full width, in another
/// case, with something invisible between them.
fn within_literals(path: &str, variants: &mut Vec<String>) {
    let second_slash = path.match_indices('/').nth(2).map_or(path.len(), |(at, _)| at);
    for (at, c) in path[..second_slash].char_indices().filter(|(_, c)| c.is_ascii_alphanumeric()) {
        let (before, after, byte) = (&path[..at], &path[at + 1..], c as u8);
        let full_width = char::from_u32(u32::from(byte) + 0xFEE0).expect("ASCII has full-width forms");
        variants.extend([
            format!("{before}%{byte:02x}{after}"),
            format!("{before}%{byte:02X}{after}"),
            format!("{before}%25{byte:02x}{after}"),
            format!("{before}%{:02x}%{:02x}{after}", 0xC0 | byte >> 6, 0x80 | byte & 0x3F),
            format!("{before}%e0%{:02x}%{:02x}{after}", 0x80 | byte >> 6, 0x80 | byte & 0x3F),
            format!("{before}{full_width}{after}"),
            format!(
                "{before}{}{after}",
                full_width.to_string().bytes().map(|b| format!("%{b:02x}")).collect::<String>()
            ),
            format!("{before}{c}%00{after}"),
            format!("{before}{c}\0{after}"),
            format!("{before}{c}%20{after}"),
            format!("{before}{c}+{after}"),
            format!("{before}{c}%09{after}"),
            format!("{before}{c}%e2%80%8b{after}"),
            format!("{before}{c}%cc%81{after}"),
            format!("{before}{c}%c2%ad{after}"),
            format!("{before}{c}%3f{after}"),
            format!("{before}{c}%23{after}"),
        ]);
        if c.is_ascii_alphabetic() {
            let other = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            variants.push(format!("{before}{other}{after}"));
        }
    }
    variants.push(path.to_ascii_uppercase());
}

fn too_long(path: &str, variants: &mut Vec<String>) {
    variants.push(format!("{path}{}", "a".repeat(3_000)));
    variants.push(format!("{path}{}", "/a".repeat(1_500)));
    variants.push(format!("{path}?{}", "a".repeat(9_000)));
}

/// Climbs from one allowed path to another, and mixes two tricks.
fn mixed(allowed: &[&str], variants: &mut Vec<String>) {
    for from in allowed {
        let up = from.matches('/').count();
        for to in allowed {
            for dots in ["/..", "/%2e%2e", "/.%2E", "%2f..", "/..;", "\\..", "%5c..", "/%252e%252e", "/%c0%ae%c0%ae"] {
                variants.push(format!("{from}{}{to}", dots.repeat(up)));
            }
        }
        for (head, tail) in HEADS.iter().zip(TAILS) {
            variants.push(format!("{head}{}{tail}", &from[1..]));
        }
    }
}
