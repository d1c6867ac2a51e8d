//! Consent: an owner is sent to the provider, and the browser comes back.

use super::{
    ApiState, PathOf,
    caller::Caller,
    cuts::connection_object,
    json::JsonOrNothing,
    problem::{Problem, ProblemBody},
};
use crate::{
    audit::on_behalf,
    broker::{BegunBy, ConsentError, ConsentReturn, StoreVisit},
    clock::Timestamp,
    id::ConnectionId,
    policy::decide::ConnectionAuthorize,
    secret::SecretText,
};
use axum::{
    extract::{Path, Query, State},
    response::{Html, IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The cookie that binds a consent to the browser that began it. `__Host-` keeps other hosts from setting it.
const COOKIE: &str = "__Host-leasehold-consent";

/// Returns the routes.
pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(connection_authorize))
        .routes(routes!(consent_callback))
        .routes(routes!(store_visit))
}

/// How consent is to begin.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorizeRequest {
    /// The ticket of an authorization that the provider's own store began.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    ticket: Option<SecretText>,
}

/// A consent that was begun.
#[derive(Serialize, ToSchema)]
pub(super) struct AuthorizeResponse {
    /// Where to send the browser.
    url: String,
    /// Until when it may come back.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Begins consent at the provider: returns the address to send the browser to.
///
/// Where a browser asks, a cookie binds the consent to it: another browser cannot end what this one began.
#[utoipa::path(post, path = "/v1/connections/{id}/authorize", operation_id = "connection_authorize", tag = "connections",
    params(("id" = ConnectionId, Path)), request_body(content = Option<AuthorizeRequest>),
    responses((status = 200, description = "Where to send the browser", body = AuthorizeResponse), (status = "default", body = ProblemBody)))]
pub(super) async fn connection_authorize(
    State(state): State<ApiState>,
    caller: Caller,
    PathOf(id): PathOf<ConnectionId>,
    headers: HeaderMap,
    JsonOrNothing(request): JsonOrNothing<AuthorizeRequest>,
) -> Result<Response, Problem> {
    let object = connection_object(&state, id).await?;
    let permit = caller.may::<ConnectionAuthorize>(&state, object)?;
    let begun = state
        .vault
        .broker
        .consent_begin(permit, &state.public_url, begun_by(&headers), request.ticket.as_ref())
        .await?;
    let body = AuthorizeResponse { url: begun.url.into(), expires_at: begun.expires_at };
    let mut response = axum::Json(body).into_response();
    if let Some(cookie) = &begun.browser {
        let text = format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600", cookie.expose());
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

/// Browsers say of every request where it comes from (Fetch Metadata); programs do not.
fn begun_by(headers: &HeaderMap) -> BegunBy {
    if headers.contains_key("sec-fetch-site") { BegunBy::Browser } else { BegunBy::Program }
}

/// What the provider sends the browser back with.
#[derive(Deserialize)]
pub(super) struct CallbackQuery {
    state: Option<SecretText>,
    spapi_oauth_code: Option<SecretText>,
    selling_partner_id: Option<String>,
}

/// Ends consent: the provider sends the browser back here.
#[utoipa::path(get, path = "/callback/{provider}", operation_id = "consent_callback", tag = "browser",
    params(("provider" = String, Path), ("state" = Option<String>, Query), ("spapi_oauth_code" = Option<String>, Query),
        ("selling_partner_id" = Option<String>, Query)),
    responses((status = 200, description = "A page that says it worked"),
        (status = 400, description = "A page that says why not")))]
pub(super) async fn consent_callback(
    State(state): State<ApiState>,
    Path(provider): Path<String>,
    Query(query): Query<CallbackQuery>,
    headers: HeaderMap,
) -> Response {
    let Some(consent) = query.state else { return page(&Err(ConsentError::Unknown)) };
    let came = ConsentReturn {
        state: consent,
        code: query.spapi_oauth_code,
        account: query.selling_partner_id,
        browser: cookie(&headers),
    };
    let broker = std::sync::Arc::clone(&state.vault.broker);
    // A browser that goes away must not leave a code half exchanged.
    let ending = tokio::spawn(on_behalf(async move { broker.consent_end(&provider, came).await }));
    let ended = ending.await.unwrap_or(Err(ConsentError::Unknown));
    page(&ended.map(|ended| ended.connection.name))
}

fn cookie(headers: &HeaderMap) -> Option<SecretText> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| SecretText::new(value.to_owned()))
}

/// What the provider's store sends the browser with.
#[derive(Deserialize)]
pub(super) struct StoreVisitQuery {
    amazon_callback_uri: Option<String>,
    amazon_state: Option<String>,
    selling_partner_id: Option<String>,
    version: Option<String>,
}

/// Begins consent from the provider's own store: keeps what it brought until an owner claims it with a ticket.
#[utoipa::path(get, path = "/login/{provider}", operation_id = "store_visit", tag = "browser",
    params(("provider" = String, Path), ("amazon_callback_uri" = Option<String>, Query),
        ("amazon_state" = Option<String>, Query), ("selling_partner_id" = Option<String>, Query), ("version" = Option<String>, Query)),
    responses((status = 200, description = "A page with the ticket"), (status = 400, description = "A page that says why not"), (status = "default", body = ProblemBody)))]
pub(super) async fn store_visit(
    State(state): State<ApiState>,
    Path(provider): Path<String>,
    Query(query): Query<StoreVisitQuery>,
) -> Response {
    let StoreVisitQuery { amazon_callback_uri, amazon_state, selling_partner_id, version } = query;
    let (Some(callback_uri), Some(provider_state), Some(account)) =
        (amazon_callback_uri, amazon_state, selling_partner_id)
    else {
        return page(&Err(ConsentError::Malformed("a parameter is missing")));
    };
    let draft = version.as_deref() == Some("beta");
    let visit = StoreVisit { callback_uri, state: provider_state, account, draft };
    match state.vault.broker.visit_begin(&provider, visit).await {
        Ok(ticket) => html(
            StatusCode::OK,
            "Almost there",
            &format!(
                "<p>Amazon sent you here to connect an account. An owner of your organization claims it within 30 minutes with \
             this ticket:</p><pre>leasehold connection authorize CONNECTION --ticket {}</pre>",
                ticket.expose()
            ),
        ),
        Err(error) => page(&Err(error)),
    }
}

/// Says to a person how a consent ended.
fn page(ended: &Result<String, ConsentError>) -> Response {
    match ended {
        Ok(name) => {
            let body = format!("<p>{} is connected. You may close this page.</p>", escape(name));
            html(StatusCode::OK, "Connected", &body)
        }
        Err(error) => {
            let body = format!("<p>{}.</p><p>Nothing was connected.</p>", escape(&error.to_string()));
            html(StatusCode::BAD_REQUEST, "Not connected", &body)
        }
    }
}

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    );
    let mut response = (status, Html(text)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; __Host-leasehold-consent=xyz; c=d"));
        assert_eq!(cookie(&headers).unwrap().expose(), "xyz");
    }

    #[test]
    fn a_name_cannot_carry_markup_into_the_page() {
        assert_eq!(escape("<script>\"&"), "&lt;script&gt;&quot;&amp;");
    }
}
