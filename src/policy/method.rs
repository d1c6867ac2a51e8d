//! HTTP methods that the gateway knows. A method is an exact, case-sensitive token (RFC 9110 section 9.1): `get` is not
//! `GET`, and `HEAD` is not covered by a rule about `GET`.

use crate::domain::words;

words! {
    /// A method that a route may name. Every other method, `CONNECT` and `TRACE` among them, matches no route.
    Method, "method" {
        /// Reads.
        Get = "GET",
        /// Reads the header only.
        Head = "HEAD",
        /// Creates, or does.
        Post = "POST",
        /// Replaces.
        Put = "PUT",
        /// Changes in part.
        Patch = "PATCH",
        /// Removes.
        Delete = "DELETE",
    }
}

/// Names of request headers that make some servers act on another method than the request line's. A request that
/// carries one is refused: the policy decided about the method that it saw. Lower case, as `http::HeaderName` has them.
pub const METHOD_OVERRIDE_HEADERS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_an_exact_token() {
        assert_eq!(Method::parse("GET"), Some(Method::Get));
        for other in ["get", "Get", "GET ", "", "CONNECT", "TRACE", "OPTIONS", "GET\0", "PROPFIND"] {
            assert_eq!(Method::parse(other), None, "{other:?}");
        }
    }
}
