//! Who calls the SP-API: opens `x-amz-access-token` and checks region, role and restriction before a handler runs.

use super::{
    Amazon,
    errors::Refusal,
    marketplace::{Kind, Marketplace, Seller},
    request::{Host, Query},
    restricted::Restriction,
    token::Purpose,
};
use crate::clock::Timestamp;
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::{Deserialize, Serialize};

/// What an access token holds under its seal.
#[derive(Serialize, Deserialize)]
pub(super) struct AccessClaim {
    pub(super) seller: String,
    pub(super) dies_at: Timestamp,
}

/// What a grantless token holds under its seal.
#[derive(Serialize, Deserialize)]
pub(super) struct GrantlessClaim {
    pub(super) scope: String,
    pub(super) dies_at: Timestamp,
}

/// A selling partner on whose behalf somebody calls.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) seller: Seller,
    pub(super) query: Query,
    pub(super) host: Host,
    /// What a restricted data token named for this path; `None` for a plain access token.
    pub(super) restriction: Option<Restriction>,
}

/// A seller: vendors have no role for the operation.
pub(super) struct SellerCall(pub(super) Caller);

/// A vendor: sellers have no role for the operation.
pub(super) struct VendorCall(pub(super) Caller);

/// A seller who may see personal data: by a restricted data token, or by the application's restricted role.
pub(super) struct SellerPersonalCall(pub(super) Caller);

/// A vendor who may see personal data.
pub(super) struct VendorPersonalCall(pub(super) Caller);

/// The application itself, on nobody's behalf.
pub(super) struct GrantlessCall(pub(super) String);

impl Caller {
    /// Returns the marketplaces that a query names, or all of the seller's where it names none. Amazon requires them; a
    /// script that only wants to see its lease work need not.
    pub(super) fn marketplaces(&self, name: &str) -> Result<Vec<&'static Marketplace>, Refusal> {
        let own = |id: &str| self.seller.marketplaces.iter().any(|own| own == id);
        let named = self.query.list(name);
        if let Some(foreign) = named.iter().find(|id| !own(id)) {
            return Err(Refusal::InvalidInput(format!("{name} is invalid: {foreign}")));
        }
        let ids: Vec<&str> = match named.is_empty() {
            true => self.seller.marketplaces.iter().map(String::as_str).collect(),
            false => named,
        };
        Ok(ids.into_iter().filter_map(Marketplace::find).collect())
    }

    /// Returns the marketplace that a query names, or the seller's home.
    pub(super) fn marketplace(&self, name: &str) -> Result<&'static Marketplace, Refusal> {
        let marketplaces = self.marketplaces(name)?;
        marketplaces.first().copied().ok_or_else(|| Refusal::InvalidInput(format!("{name} is missing")))
    }

    /// Says whether a restricted data token of this request named `element`.
    pub(super) fn named(&self, element: &str) -> bool {
        self.restriction.as_ref().is_some_and(|named| named.iter().any(|name| name == element))
    }

    fn only(self, kind: Kind) -> Result<Self, Refusal> {
        if self.seller.kind == kind { Ok(self) } else { Err(Refusal::Denied) }
    }

    fn personal(self, amazon: &Amazon) -> Result<Self, Refusal> {
        let permitted = self.restriction.is_some() || amazon.0.control.lock().settings.restricted_role;
        if permitted { Ok(self) } else { Err(Refusal::Denied) }
    }
}

impl Amazon {
    /// Finds whom an access token or a restricted data token stands for. Amazon gives the same answer to a token that is
    /// malformed, expired, or of another region. A seller's revocation does not end it: only its hour does.
    fn caller(&self, parts: &Parts) -> Result<Caller, Refusal> {
        let token = presented(parts)?;
        let (seller, restriction) = match self.restricted_find(token) {
            Some(found) => {
                let restriction = found.naming(&parts.method, parts.uri.path()).ok_or(Refusal::Denied)?;
                (found.seller, Some(restriction))
            }
            None => (self.access_opened(token)?.seller, None),
        };
        let seller = self.seller(&seller).ok_or(Refusal::TokenInvalid)?;
        let host = Host::of(parts);
        if host.region().is_some_and(|region| region != seller.region) {
            return Err(Refusal::TokenInvalid);
        }
        Ok(Caller { seller, query: Query::parse(parts.uri.query().unwrap_or_default()), host, restriction })
    }

    fn access_opened(&self, token: &str) -> Result<AccessClaim, Refusal> {
        if self.grantless_opened(token).is_some() {
            // A good token, of an application that has no role for a selling partner's data.
            return Err(Refusal::Denied);
        }
        let claim: AccessClaim = self.0.mint.open(Purpose::Access, token).ok_or(Refusal::TokenInvalid)?;
        if self.now() < claim.dies_at { Ok(claim) } else { Err(Refusal::TokenInvalid) }
    }

    fn grantless_opened(&self, token: &str) -> Option<GrantlessClaim> {
        let claim: GrantlessClaim = self.0.mint.open(Purpose::Grantless, token)?;
        (self.now() < claim.dies_at).then_some(claim)
    }
}

fn presented(parts: &Parts) -> Result<&str, Refusal> {
    let token = parts.headers.get("x-amz-access-token").filter(|token| !token.is_empty());
    token.ok_or(Refusal::TokenMissing)?.to_str().map_err(|_| Refusal::TokenInvalid)
}

impl FromRequestParts<Amazon> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, amazon: &Amazon) -> Result<Self, Refusal> {
        amazon.caller(parts)
    }
}

impl FromRequestParts<Amazon> for SellerCall {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, amazon: &Amazon) -> Result<Self, Refusal> {
        amazon.caller(parts)?.only(Kind::Seller).map(Self)
    }
}

impl FromRequestParts<Amazon> for VendorCall {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, amazon: &Amazon) -> Result<Self, Refusal> {
        amazon.caller(parts)?.only(Kind::Vendor).map(Self)
    }
}

impl FromRequestParts<Amazon> for SellerPersonalCall {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, amazon: &Amazon) -> Result<Self, Refusal> {
        amazon.caller(parts)?.only(Kind::Seller)?.personal(amazon).map(Self)
    }
}

impl FromRequestParts<Amazon> for VendorPersonalCall {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, amazon: &Amazon) -> Result<Self, Refusal> {
        amazon.caller(parts)?.only(Kind::Vendor)?.personal(amazon).map(Self)
    }
}

impl FromRequestParts<Amazon> for GrantlessCall {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, amazon: &Amazon) -> Result<Self, Refusal> {
        let token = presented(parts)?;
        if let Some(claim) = amazon.grantless_opened(token) {
            return Ok(Self(claim.scope));
        }
        // A selling partner's token is good, and has no role here.
        amazon.caller(parts).and(Err(Refusal::Denied))
    }
}
