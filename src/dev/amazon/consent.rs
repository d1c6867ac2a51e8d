//! Consent: the page of Seller and Vendor Central on which a selling partner lets the application in.
//!
//! It has no login and no session, so it takes whoever opens it for the owner of every account it lists.

use super::{
    Amazon,
    control::Listing,
    marketplace::{Kind, Marketplace, Seller},
    page::{Page, escaped, hidden_fields},
    request::{Host, Query},
};
use axum::{
    Form, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use std::fmt::Write;
use url::Url;

pub(super) fn routes() -> Router<Amazon> {
    Router::new().route("/apps/authorize/consent", get(show).post(decide))
}

/// What the application sent the browser with.
#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) application_id: String,
    #[serde(default)]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) redirect_uri: Option<String>,
    #[serde(default)]
    pub(super) version: Option<String>,
}

/// What the selling partner decided. A plain form, so that a script-free browser and a test's client can both send it.
#[derive(Deserialize)]
struct Decision {
    #[serde(flatten)]
    request: Request,
    #[serde(default)]
    selling_partner_id: Option<String>,
    decision: Choice,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Confirm,
    Cancel,
}

/// Why Amazon shows an error page in the place of consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No such application, or a draft that was not asked for as one.
    UnknownApplication,
    /// The redirect URI is not registered.
    RedirectUri,
    /// An unlisted application has as many sellers as it may.
    ConsentLimit,
    /// The account is not one of this site.
    Account,
    /// The Appstore's state is unknown, used or old.
    Journey,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code, text) = match self {
            Self::UnknownApplication => (
                StatusCode::BAD_REQUEST,
                "MD1000",
                "The application does not exist, or it is a draft and the address lacks <code>version=beta</code>.",
            ),
            Self::RedirectUri => (
                StatusCode::BAD_REQUEST,
                "MD5101",
                "The redirect URI is not one of those registered with the application.",
            ),
            Self::ConsentLimit => (
                StatusCode::FORBIDDEN,
                "CONSENT_LIMIT_REACHED",
                "The application is not listed and has been authorized by as many selling partners as it may.",
            ),
            Self::Account => (StatusCode::BAD_REQUEST, "Account", "Choose one of the accounts that this site lists."),
            Self::Journey => {
                (StatusCode::BAD_REQUEST, "amazon_state", "The state is unknown, was used, or is too old. Start again.")
            }
        };
        let body = format!("<p>Error code: <strong>{code}</strong></p>\n<p>{text}</p>");
        Page { status, title: "Authorization failed", body, form_action: None }.into_response()
    }
}

async fn show(State(amazon): State<Amazon>, host: Host, query: Query) -> Result<Page, Refused> {
    let own = |name: &str| query.one(name).map(str::to_owned);
    let request = Request {
        application_id: own("application_id").ok_or(Refused::UnknownApplication)?,
        state: own("state"),
        redirect_uri: own("redirect_uri"),
        version: own("version"),
    };
    let redirect_uri = amazon.consent_checked(&request)?;
    let mut accounts = amazon.sellers();
    accounts.retain(|seller| host.region().is_none_or(|region| region == seller.region));
    let fields = hidden_fields(&[
        ("application_id", Some(&request.application_id)),
        ("state", request.state.as_deref()),
        ("redirect_uri", request.redirect_uri.as_deref()),
        ("version", request.version.as_deref()),
    ]);
    let body = format!(
        "<p>The application <code>{application}</code> asks for access to your selling account. If you confirm, you go \
         back to <code>{origin}</code>.</p>\n<form method=\"post\" action=\"/apps/authorize/consent\">\n{fields}\
         <fieldset>\n<legend>Account</legend>\n{choices}</fieldset>\n\
         <button name=\"decision\" value=\"confirm\">Confirm</button>\n\
         <button name=\"decision\" value=\"cancel\">Cancel</button>\n</form>",
        application = escaped(&request.application_id),
        origin = escaped(&redirect_uri.origin().ascii_serialization()),
        choices = choices(&accounts, query.one("selling_partner_id")),
    );
    let form_action = Some(redirect_uri.origin().ascii_serialization());
    Ok(Page { status: StatusCode::OK, title: "Authorize an application", body, form_action })
}

fn choices(accounts: &[Seller], preferred: Option<&str>) -> String {
    let mut html = String::new();
    for (number, seller) in accounts.iter().enumerate() {
        let chosen = match preferred {
            Some(id) => seller.selling_partner_id == id,
            None => number == 0,
        };
        let countries: Vec<&str> =
            seller.marketplaces.iter().filter_map(|id| Marketplace::find(id)).map(|shop| shop.country).collect();
        let _ = writeln!(
            html,
            "<label><input type=\"radio\" name=\"selling_partner_id\" value=\"{id}\" required{checked}> {name} \
             <small>{kind}, {region}: {countries}; {id}</small></label>",
            id = escaped(&seller.selling_partner_id),
            checked = if chosen { " checked" } else { "" },
            name = escaped(&seller.name),
            kind = match seller.kind {
                Kind::Seller => "Seller Central",
                Kind::Vendor => "Vendor Central",
            },
            region = seller.region.name().to_uppercase(),
            countries = countries.join(", "),
        );
    }
    html
}

/// Sends the browser back. Amazon does not publish what Cancel does; here it goes back with `error=access_denied`, as
/// RFC 6749 section 4.1.2.1 has it, so that an application can be seen to cope.
async fn decide(State(amazon): State<Amazon>, host: Host, Form(decision): Form<Decision>) -> Result<Response, Refused> {
    let request = &decision.request;
    let redirect_uri = amazon.consent_checked(request)?;
    if let Choice::Cancel = decision.decision {
        return Ok(sent_to(redirect_uri, &[("state", request.state.as_deref()), ("error", Some("access_denied"))]));
    }
    let seller = decision.selling_partner_id.as_deref().and_then(|id| amazon.seller(id)).ok_or(Refused::Account)?;
    if host.region().is_some_and(|region| region != seller.region) {
        return Err(Refused::Account);
    }
    amazon.consent_given(&seller, request)
}

impl Amazon {
    /// Checks the application and where it wants the browser back; the first registered redirect URI stands in for one
    /// that is absent.
    pub(super) fn consent_checked(&self, request: &Request) -> Result<Url, Refused> {
        let draft = self.0.control.lock().settings.listing == Listing::Draft;
        if request.application_id != self.application_id() || (draft && request.version.as_deref() != Some("beta")) {
            return Err(Refused::UnknownApplication);
        }
        let registered = self.0.redirect_uris.read();
        let wanted = request.redirect_uri.as_ref();
        let uri = match wanted {
            Some(wanted) => registered.iter().find(|uri| *uri == wanted),
            None => registered.first(),
        };
        uri.and_then(|uri| Url::parse(uri).ok()).ok_or(Refused::RedirectUri)
    }

    /// Records consent and sends the browser to the application with a code that lives five minutes.
    pub(super) fn consent_given(&self, seller: &Seller, request: &Request) -> Result<Response, Refused> {
        let redirect_uri = self.consent_checked(request)?;
        let settings = self.0.control.lock().settings.clone();
        {
            let book = self.0.book.lock();
            let standing = book.state.authorizations.get(&seller.selling_partner_id);
            let renewal = standing.is_some_and(|authorization| authorization.revoked_at.is_none());
            if settings.listing != Listing::Listed && !renewal && book.consents() >= settings.consent_limit {
                return Err(Refused::ConsentLimit);
            }
        }
        // Compared at the exchange with what the application says then, so exactly as it was said here.
        let said = request.redirect_uri.clone().or_else(|| self.0.redirect_uris.read().first().cloned());
        let code = self.make_code(seller, &said.unwrap_or_default());
        Ok(sent_to(
            redirect_uri,
            &[
                ("state", request.state.as_deref()),
                ("selling_partner_id", Some(&seller.selling_partner_id)),
                ("spapi_oauth_code", Some(&code)),
            ],
        ))
    }
}

/// Answers 302 to `url` with more query parameters, and with no trace in a `Referer`.
pub(super) fn sent_to(mut url: Url, parameters: &[(&str, Option<&str>)]) -> Response {
    for (name, value) in parameters {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
    }
    let headers = [
        (header::LOCATION, HeaderValue::from_str(url.as_str()).expect("a serialized URL is visible ASCII")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::FOUND, headers).into_response()
}
