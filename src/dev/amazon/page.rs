//! The few HTML pages of Seller and Vendor Central: no script, one inline style, nothing from elsewhere.

use axum::response::{Html, IntoResponse, Response};
use data_encoding::BASE64;
use http::{HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A page. `body` is markup; whatever a request put into it went through [`escaped`].
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) body: String,
    /// Where a form of this page may end up: an origin beside our own.
    pub(super) form_action: Option<String>,
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title} (simulated Amazon)</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<header>Seller and Vendor Central <em>simulated</em></header>\n\
             <main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n",
            title = self.title,
            body = self.body,
        );
        let headers = [
            (header::CONTENT_SECURITY_POLICY, policy(self.form_action.as_deref())),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        ];
        (self.status, headers, Html(html)).into_response()
    }
}

/// Browsers hold a form's redirect against `form-action` too, so the application's origin must stand in it.
fn policy(form_action: Option<&str>) -> HeaderValue {
    let style = BASE64.encode(&Sha256::digest(STYLE.as_bytes()));
    let elsewhere = form_action.unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self' {elsewhere}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    // An origin that a header cannot hold is left out; the page then works in our own origin only.
    HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// Escapes text for element content and for quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// Writes hidden fields, escaped; absent ones are left out.
pub(super) fn hidden_fields(fields: &[(&str, Option<&str>)]) -> String {
    let mut html = String::new();
    for (name, value) in fields {
        if let Some(value) = value {
            let _ = writeln!(html, "<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value));
        }
    }
    html
}

const STYLE: &str = "\
body{margin:0;font:1rem/1.5 system-ui,sans-serif;color:#16191f;background:#f3f4f4}\
header{padding:.75rem 1.5rem;color:#fff;background:#232f3e}\
main{max-width:40rem;margin:2rem auto;padding:1.5rem 2rem;background:#fff;border:1px solid #d5dbdb;border-radius:.5rem}\
h1{margin-top:0;font-size:1.5rem}\
code{overflow-wrap:anywhere}\
fieldset{margin:1.5rem 0;padding:.5rem 1rem;border:1px solid #879596;border-radius:.25rem}\
label{display:block;padding:.375rem 0}\
small{color:#545b64}\
button{min-height:2.75rem;padding:0 1.5rem;font:inherit;border:1px solid #545b64;border-radius:.25rem;background:#fff;color:#16191f}\
button[value=confirm]{border-color:#16191f;background:#232f3e;color:#fff}\
:focus-visible{outline:3px solid #0073bb;outline-offset:2px}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_request_stays_text() {
        assert_eq!(escaped("<b a=\"'&\">"), "&lt;b a=&quot;&#39;&amp;&quot;&gt;");
    }
}
