//! What a test or a demonstration asks of the simulator: to be slow, throttled, broken or strange.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// What was asked for; nothing by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Control {
    pub(super) settings: Settings,
    rules: Vec<Rule>,
}

/// What holds whatever the path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Life of new access tokens, in seconds; 3600 at Amazon.
    pub(super) token_ttl_s: u64,
    /// Pads every 200 answer below a path, slowly.
    pub(super) slow_body: Option<SlowBody>,
    /// Whether the application has the restricted roles, without which personal data needs a restricted data token.
    pub(super) restricted_role: bool,
    /// How the application is offered to sellers.
    pub(super) listing: Listing,
    /// How many selling partners may authorize an unlisted application; 25 at Amazon.
    pub(super) consent_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { token_ttl_s: 3600, slow_body: None, restricted_role: true, listing: Listing::Listed, consent_limit: 25 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Listing {
    /// In the Appstore: any number of consents.
    Listed,
    /// Published without a listing: `CONSENT_LIMIT_REACHED` beyond the limit.
    Unlisted,
    /// Only `version=beta` finds it.
    Draft,
}

/// JSON may begin with white space: the answer stays true, and only comes slowly.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlowBody {
    #[serde(default)]
    pub(super) path_prefix: String,
    pub(super) chunks: u64,
    pub(super) chunk_bytes: usize,
    pub(super) interval_ms: u64,
}

/// What happens to requests below a path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rule {
    path_prefix: String,
    method: Option<String>,
    delay_ms: u64,
    throttle: Throttle,
    retry_after_s: Option<u64>,
    /// How many of the next requests fail; all of them where only `status` or `failure` is given.
    fail_next: Option<u64>,
    status: Option<u16>,
    failure: Option<Failure>,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            path_prefix: String::new(),
            method: None,
            delay_ms: 0,
            throttle: Throttle::Always(false),
            retry_after_s: None,
            fail_next: None,
            status: None,
            failure: None,
        }
    }
}

/// `true`, or how many of the next requests.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum Throttle {
    Always(bool),
    Next(u64),
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Failure {
    InvalidGrant,
    InvalidClient,
    UnauthorizedClient,
    ServerError,
    TemporarilyUnavailable,
    /// The SP-API's 403 for a bad token, whatever the token: the outage that thousands of sellers once saw.
    Unauthorized,
    /// No answer for ten minutes.
    Hang,
    /// Half of the true answer under a `Content-Length` for all of it, then the connection ends.
    Truncated,
    /// 200 with no body.
    Empty,
}

/// What happens in the place of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Throttled { retry_after_s: Option<u64> },
    Status(StatusCode),
    Fails(Failure),
}

impl Control {
    /// Reads a control request, which replaces what was asked for before. The fields of one rule may stand at the top;
    /// more rules stand in `rules`.
    pub(super) fn parse(body: Map<String, Value>) -> Result<Self, serde_json::Error> {
        let mut rule = body;
        let mut settings = Map::new();
        for name in ["token_ttl_s", "slow_body", "restricted_role", "listing", "consent_limit"] {
            settings.extend(rule.remove_entry(name));
        }
        let mut rules: Vec<Rule> = match rule.remove("rules") {
            Some(rules) => serde_json::from_value(rules)?,
            None => Vec::new(),
        };
        if !rule.is_empty() {
            rules.insert(0, serde_json::from_value(Value::Object(rule))?);
        }
        let settings = serde_json::from_value(Value::Object(settings))?;
        Ok(Self { settings, rules })
    }

    /// Decides one request, counting down what was asked for a number of times.
    pub(super) fn decide(&mut self, method: &str, path: &str) -> (Duration, Option<Outcome>) {
        let mut delay = Duration::ZERO;
        for rule in self.rules.iter_mut().filter(|rule| rule.covers(method, path)) {
            delay = delay.max(Duration::from_millis(rule.delay_ms));
            if let Some(outcome) = rule.outcome() {
                return (delay, Some(outcome));
            }
        }
        (delay, None)
    }
}

impl Rule {
    fn covers(&self, method: &str, path: &str) -> bool {
        path.starts_with(&self.path_prefix)
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
    }

    fn outcome(&mut self) -> Option<Outcome> {
        if self.throttle.counted_down() {
            return Some(Outcome::Throttled { retry_after_s: self.retry_after_s });
        }
        let wanted = self.fail_next.is_some() || self.status.is_some() || self.failure.is_some();
        match &mut self.fail_next {
            _ if !wanted => return None,
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        Some(match self.failure {
            Some(failure) => Outcome::Fails(failure),
            None => {
                let status = self.status.and_then(|status| StatusCode::from_u16(status).ok());
                Outcome::Status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            }
        })
    }
}

impl Throttle {
    fn counted_down(&mut self) -> bool {
        match self {
            Self::Always(always) => *always,
            Self::Next(0) => false,
            Self::Next(left) => {
                *left -= 1;
                true
            }
        }
    }
}
