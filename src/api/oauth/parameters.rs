//! Parameters of an OAuth request: a form, each name at most once (RFC 6749 section 3.2).

use super::OAuthError;
use crate::secret::SecretText;
use std::collections::HashMap;
use url::form_urlencoded;

/// The longest body, in bytes.
const BODY_MAX: usize = 16 * 1024;

/// The parameters of one request. Values may be secrets, so all of them are.
pub(in crate::api) struct Parameters(HashMap<String, SecretText>);

impl Parameters {
    /// Reads a form. Parameters without a value count as omitted (RFC 6749 section 3.2).
    pub(in crate::api) fn from_form(body: &[u8]) -> Result<Self, OAuthError> {
        if body.len() > BODY_MAX {
            return Err(OAuthError::invalid_request("the body is too large"));
        }
        let mut parameters = HashMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            if value.is_empty() {
                continue;
            }
            if parameters.insert(name.into_owned(), SecretText::new(value.into_owned())).is_some() {
                return Err(OAuthError::invalid_request("a parameter is repeated"));
            }
        }
        Ok(Self(parameters))
    }

    /// Reads a JSON object of texts, as some of Amazon's SDKs send. A null counts as omitted.
    pub(in crate::api) fn from_json(body: &[u8]) -> Result<Self, OAuthError> {
        if body.len() > BODY_MAX {
            return Err(OAuthError::invalid_request("the body is too large"));
        }
        let read: HashMap<String, Option<SecretText>> = serde_json::from_slice(body)
            .map_err(|_| OAuthError::invalid_request("the body is not an object of texts"))?;
        Ok(Self(read.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()))
    }

    /// Returns a parameter.
    pub(in crate::api) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(SecretText::expose)
    }

    /// Returns a parameter that has to be there.
    pub(in crate::api) fn required(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.text(name).ok_or(OAuthError::MissingParameter(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused() {
        assert!(Parameters::from_form(b"scope=a&scope=b").is_err());
        assert_eq!(Parameters::from_form(b"scope=a&state=").unwrap().text("state"), None);
    }

    #[test]
    fn a_null_counts_as_omitted() {
        let parameters = Parameters::from_json(br#"{"scope":null,"client_id":"x"}"#).unwrap();
        assert_eq!((parameters.text("scope"), parameters.text("client_id")), (None, Some("x")));
    }
}
