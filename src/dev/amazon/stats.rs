//! Counts at the token endpoint: whether refreshes of one authorization ever ran at once.

use super::Amazon;
use serde::Serialize;
use std::collections::HashMap;

/// Counts at the token endpoint.
#[derive(Default, Serialize)]
pub(super) struct Stats {
    /// Requests of any grant type, refused ones too.
    pub(super) token_requests: u64,
    /// Requests of grant type `refresh_token`.
    pub(super) refreshes: u64,
    /// Most refreshes that were under way at once for one refresh token.
    pub(super) max_concurrent_refreshes_per_authorization: u64,
    #[serde(skip)]
    under_way: HashMap<String, u64>,
}

/// One refresh under way; it ends when this drops, also where the caller went away.
pub(super) struct UnderWay {
    amazon: Amazon,
    fingerprint: String,
}

impl UnderWay {
    pub(super) fn begin(amazon: &Amazon, fingerprint: String) -> Self {
        let mut stats = amazon.0.stats.lock();
        stats.refreshes += 1;
        let under_way = stats.under_way.entry(fingerprint.clone()).or_default();
        *under_way += 1;
        let under_way = *under_way;
        stats.max_concurrent_refreshes_per_authorization =
            stats.max_concurrent_refreshes_per_authorization.max(under_way);
        Self { amazon: amazon.clone(), fingerprint }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut stats = self.amazon.0.stats.lock();
        if let Some(under_way) = stats.under_way.get_mut(&self.fingerprint) {
            *under_way -= 1;
            if *under_way == 0 {
                stats.under_way.remove(&self.fingerprint);
            }
        }
    }
}
