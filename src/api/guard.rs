//! What every request passes through: security headers, a rate by address, a time limit, and a net under panics.

use super::{
    ApiState,
    problem::{Problem, ProblemKind},
};
use crate::{clock::Timestamp, peer::Peer};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderName, HeaderValue, header};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::{
    net::{IpAddr, Ipv6Addr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

/// How many addresses are told apart at once; past it the least used are forgotten, and memory stays bounded.
const ADDRESSES: usize = 20_000;

/// How many requests one address may make.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How many a second after that.
    pub per_second: u32,
}

/// A token bucket for each address.
pub(super) struct Buckets {
    rate: Rate,
    by_address: Cache<IpAddr, Arc<Mutex<Bucket>>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl Buckets {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, by_address: Cache::new(ADDRESSES) }
    }

    /// Takes a token, or says how long until there is one.
    pub(super) fn take(&self, address: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let address = network_of(address);
        let full = Bucket { tokens: f64::from(self.rate.burst), at: now };
        let bucket = self
            .by_address
            .get_or_insert_with(&address, || Ok::<_, std::convert::Infallible>(Arc::new(Mutex::new(full))))
            .unwrap_or_else(|never| match never {});
        let mut bucket = bucket.lock();
        let per_second = f64::from(self.rate.per_second.max(1));
        let gained = now.since(bucket.at).as_secs_f64() * per_second;
        bucket.tokens = (bucket.tokens + gained).min(f64::from(self.rate.burst));
        bucket.at = now.max(bucket.at);
        if bucket.tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.tokens) / per_second));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

/// One caller holds a whole /64 in IPv6, so a bucket for each address there would be none.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

pub(super) async fn limit_rate(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.address.ip());
    if let Some(address) = peer
        && let Err(wait) = state.buckets.take(address, state.vault.clock.now())
    {
        return Problem::new(ProblemKind::TooMany).with_retry_after(wait).into_response();
    }
    next.run(request).await
}

/// Ends a request that takes too long. A change under way is committed all the same: only its answer is lost.
pub(super) async fn limit_time(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(state.limits.request, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(ProblemKind::TimedOut).with_retry_after(Duration::from_secs(5)).into_response(),
    }
}

/// Answers a panic with a problem that says nothing of it; the panic hook has logged its place.
pub(super) async fn catch_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Problem::new(ProblemKind::Internal).into_response(),
    }
}

/// Adds the headers that every answer carries. One that a handler set stays.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    let docs = request.uri().path().starts_with("/docs");
    let mut response = next.run(request).await;
    let policy = if docs {
        // What the documentation page brings with it, and nothing from elsewhere.
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    } else {
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    };
    let headers: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 2, per_second: 1 };

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new(RATE);
        let address = IpAddr::from([192, 0, 2, 1]);
        let start = Timestamp::from_micros(0);
        assert!(buckets.take(address, start).is_ok() && buckets.take(address, start).is_ok());
        assert_eq!(buckets.take(address, start), Err(Duration::from_secs(1)));
        assert!(buckets.take(IpAddr::from([192, 0, 2, 2]), start).is_ok());
        assert!(buckets.take(address, start.plus(Duration::from_secs(1))).is_ok());
    }

    #[test]
    fn a_whole_ipv6_network_is_one_caller() {
        let buckets = Buckets::new(Rate { burst: 1, per_second: 1 });
        let start = Timestamp::from_micros(0);
        assert!(buckets.take("2001:db8::1".parse().unwrap(), start).is_ok());
        assert!(buckets.take("2001:db8::2".parse().unwrap(), start).is_err());
        assert!(buckets.take("2001:db8:0:1::1".parse().unwrap(), start).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_away() {
        let buckets = Buckets::new(Rate { burst: 1, per_second: 1 });
        let address = IpAddr::from([192, 0, 2, 1]);
        let late = Timestamp::from_micros(10_000_000);
        assert!(buckets.take(address, late).is_ok());
        assert!(buckets.take(address, Timestamp::from_micros(0)).is_err());
        assert!(buckets.take(address, late).is_err());
    }
}
