//! Who is calling: a person, by access key. What they may do is asked through [`Caller::may`], which records what a role
//! was refused.

use super::{
    ApiState,
    problem::{Problem, ProblemKind},
};
use crate::{
    domain::event::{Kind, Subject},
    id::TenantId,
    policy::{
        Action, Actor, Permit, Refusal, decide,
        object::{Home, Object, Share},
    },
};
use axum::{extract::FromRequestParts, http::request::Parts};
use http::{HeaderMap, header};

/// The longest bearer token that is looked up.
const BEARER_MAX: usize = 2_048;

/// A person, authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Caller(pub Actor);

impl FromRequestParts<ApiState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let key = bearer(&parts.headers).ok_or_else(unauthenticated)?;
        Ok(Self(state.vault.identity.person(key).await?))
    }
}

impl Caller {
    /// Asks whether the caller may do `A`. What the role does not allow is recorded in the chain of whom it would have
    /// concerned; what is foreign is answered like what does not exist.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn may<A: Action>(&self, state: &ApiState, object: A::Object) -> Result<Permit<A>, Problem> {
        let (home, person) = (object.home(), object.person());
        decide::<A>(&self.0, object).map_err(|refusal| {
            if refusal == Refusal::Role {
                self.record_refusal(state, A::NAME.as_str(), home, person.map(|user| user.as_uuid()));
            }
            refusal.into()
        })
    }

    /// Returns the share of a listing that the caller reads: the own tenant's, or everything for staff.
    #[must_use]
    pub fn share(&self) -> Share {
        self.0.tenant().map_or(Share::All, Share::One)
    }

    fn record_refusal(&self, state: &ApiState, action: &'static str, home: Home, person: Option<uuid::Uuid>) {
        let tenant = match (self.0.tenant(), home) {
            (Some(own), _) => own,
            (None, Home::Tenant(tenant)) => tenant,
            (None, _) => TenantId::VAULT,
        };
        let object = match (person, home) {
            (Some(person), _) => Subject::new("user", person),
            (None, Home::Tenant(tenant)) => Subject::new("tenant", tenant.as_uuid()),
            (None, _) => Subject::VAULT,
        };
        let actor = Subject::new("user", self.0.user().as_uuid());
        let details = serde_json::json!({ "action": action, "role": self.0.role() });
        state.vault.sequencer.refuse(tenant, Kind::AccessRefused, actor, object, action, details);
    }
}

/// Reads `Authorization: Bearer …`; `None` where there is none, more than one, or one that is too long.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, token) = value.split_once(' ')?;
    let fits = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= BEARER_MAX;
    fits.then_some(token)
}

fn unauthenticated() -> Problem {
    Problem::new(ProblemKind::Unauthenticated).with_detail("send `Authorization: Bearer` with an access key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn one_bearer_is_read_and_nothing_else() {
        assert_eq!(bearer(&headers(&["Bearer lhk_a"])), Some("lhk_a"));
        assert_eq!(bearer(&headers(&["bearer lhk_a"])), Some("lhk_a"));
        for none in [&[][..], &["Basic abc"], &["Bearer "], &["lhk_a"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(none)), None, "{none:?}");
        }
    }
}
