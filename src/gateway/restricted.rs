//! Restricted data tokens: made inside the vault for one request on one exact path, used for it, and forgotten. A worker
//! never gets one.

use super::{Gateway, admit::Asked, answer::Refusal, forward, types};
use crate::{
    broker::{
        dialer::full,
        provider::{BodyRule, Route},
    },
    domain::secrets::AccessToken,
    secret::SecretText,
};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;

/// The longest answer with a token in it. Amazon's tokens are at most 2,048 bytes.
const ANSWER_BYTES: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    restricted_data_token: String,
}

impl Gateway {
    /// Says whether the provider wants a restricted token: for a route that its file marks, and for the document of a
    /// report whose type holds personal data.
    pub(super) fn needs_restricted(&self, asked: &Asked<'_>, route: &Route, types: &types::Found) -> bool {
        let Some(restricted) = asked.place.provider.restricted() else { return false };
        if route.rule() == BodyRule::ReportDocument {
            return types.scopes(&asked.place.provider).any(|scope| *scope == restricted.scope);
        }
        route.is_restricted()
    }

    /// Gets a restricted token for exactly the path that is asked for. Costs one call upstream.
    ///
    /// Yields `None` where Amazon refuses one (the application has the role without it, or the type is not restricted
    /// after all): the request then goes up with the plain token, which opens nothing that it should not, and Amazon's
    /// own answer tells the worker.
    pub(super) async fn restricted_token(
        &self,
        asked: &Asked<'_>,
        token: &AccessToken,
    ) -> Result<Option<AccessToken>, Refusal> {
        let Some(restricted) = asked.place.provider.restricted() else { return Ok(None) };
        let resource = serde_json::json!({ "method": asked.method, "path": asked.target.path() });
        let body = serde_json::json!({ "restrictedResources": [resource] }).to_string();
        let uri = Uri::try_from(format!("{}{}", asked.place.base, restricted.token_path));
        let uri = uri.map_err(|_| Refusal::Provider("The provider's token path cannot be called.".to_owned()))?;
        let mut request = Request::new(full(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        forward::inject(request.headers_mut(), &asked.place.provider, token)?;
        let (head, body) = self.vault.broker.dialer().send(request).await?.into_parts();
        match head.status {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => return Ok(None),
            StatusCode::TOO_MANY_REQUESTS => return Err(Refusal::Throttled(std::time::Duration::from_secs(1))),
            _ => return Err(Refusal::Provider("The provider gave no restricted token.".to_owned())),
        }
        let strange = || Refusal::Provider("The provider's restricted token cannot be read.".to_owned());
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|_| strange())?.to_bytes();
        let answer: Answer = serde_json::from_slice(&body).map_err(|_| strange())?;
        if answer.restricted_data_token.is_empty() {
            return Err(strange());
        }
        Ok(Some(AccessToken(SecretText::new(answer.restricted_data_token))))
    }
}
