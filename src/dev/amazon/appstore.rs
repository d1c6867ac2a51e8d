//! Consent that begins in the Selling Partner Appstore, where Amazon opens the application's login URI first; the yearly
//! renewal takes this path too.

use super::{
    Amazon,
    consent::{Refused, Request, sent_to},
    request::{Host, Query},
};
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use url::Url;

pub(super) fn routes() -> Router<Amazon> {
    Router::new().route("/appstore/start", get(start)).route("/apps/authorize/confirm/{application_id}", get(confirm))
}

/// Stands for the Authorize button of the Appstore: `?selling_partner_id=…&login_uri=…[&version=beta]`. At Amazon the login
/// URI is registered; here the test names it.
async fn start(State(amazon): State<Amazon>, Host(host): Host, query: Query) -> Result<Response, Refused> {
    let seller = query.one("selling_partner_id").and_then(|id| amazon.seller(id)).ok_or(Refused::Account)?;
    let login_uri = query.one("login_uri").and_then(|uri| Url::parse(uri).ok());
    let login_uri = login_uri.filter(|uri| matches!(uri.scheme(), "http" | "https")).ok_or(Refused::RedirectUri)?;
    let callback = format!("{}/apps/authorize/confirm/{}", amazon.base_url(&host), amazon.application_id());
    let amazon_state = amazon.journey_begin(&seller.selling_partner_id);
    Ok(sent_to(
        login_uri,
        &[
            ("amazon_callback_uri", Some(&callback)),
            ("amazon_state", Some(&amazon_state)),
            ("selling_partner_id", Some(&seller.selling_partner_id)),
            ("version", query.one("version")),
        ],
    ))
}

/// Takes the browser back from the login URI and, since the partner consented in the Appstore already, sends it straight
/// to the redirect URI with a code.
async fn confirm(
    State(amazon): State<Amazon>,
    Path(application_id): Path<String>,
    query: Query,
) -> Result<Response, Refused> {
    let request = Request {
        application_id,
        state: query.one("state").map(str::to_owned),
        redirect_uri: query.one("redirect_uri").map(str::to_owned),
        version: query.one("version").map(str::to_owned),
    };
    // Before the state is used up: a wrong redirect URI can be mended and tried again.
    amazon.consent_checked(&request)?;
    let seller = query.one("amazon_state").and_then(|state| amazon.journey_end(state)).ok_or(Refused::Journey)?;
    let seller = amazon.seller(&seller).ok_or(Refused::Account)?;
    amazon.consent_given(&seller, &request)
}
