//! Client authentication: HTTP Basic, or client id and secret in the body (RFC 6749 section 2.3.1). One way at a time.

use super::{OAuthError, Parameters};
use crate::{identity::Identity, secret::SecretText, store::workers::WorkerRow};
use data_encoding::BASE64;
use http::{HeaderMap, header};
use std::sync::Arc;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// What a client showed.
pub(in crate::api) struct ClientCredentials {
    id: String,
    secret: SecretText,
}

impl ClientCredentials {
    /// Finds the credentials of a request.
    pub(in crate::api) fn find(headers: &HeaderMap, parameters: &Parameters) -> Result<Self, OAuthError> {
        let body = parameters.text("client_secret");
        match (headers.get(header::AUTHORIZATION), body) {
            (Some(_), Some(_)) => Err(OAuthError::invalid_request("the client authenticates in two ways")),
            (Some(value), None) => {
                let basic = basic(value.to_str().unwrap_or_default()).ok_or(OAuthError::InvalidClient)?;
                match parameters.text("client_id") {
                    Some(id) if id != basic.id => Err(OAuthError::InvalidClient),
                    _ => Ok(basic),
                }
            }
            (None, Some(secret)) => {
                let id = parameters.required("client_id")?.to_owned();
                Ok(Self { id, secret: SecretText::new(secret.to_owned()) })
            }
            (None, None) => Err(OAuthError::InvalidClient),
        }
    }

    /// Says which worker it is.
    pub(in crate::api) async fn authenticate(&self, identity: &Identity) -> Result<Arc<WorkerRow>, OAuthError> {
        Ok(identity.worker(&self.id, self.secret.expose()).await?)
    }
}

/// Reads `Basic base64(id:secret)`, each form-encoded first (RFC 6749 section 2.3.1).
fn basic(value: &str) -> Option<ClientCredentials> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(BASE64.decode(encoded.trim().as_bytes()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    let plain = |text: &str| form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned());
    Some(ClientCredentials { id: plain(id)?, secret: SecretText::new(plain(secret)?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        let read = basic(&format!("Basic {}", BASE64.encode(b"a%2Db:c%3Ad"))).unwrap();
        assert_eq!((read.id.as_str(), read.secret.expose()), ("a-b", "c:d"));
        assert!(basic("Bearer abc").is_none());
        assert!(basic("Basic !!!").is_none());
    }
}
