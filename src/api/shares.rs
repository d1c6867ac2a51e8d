//! What callers are told of shares that are being gathered.

use crate::{clock::Timestamp, keyring::Progress};
use serde::Serialize;
use utoipa::ToSchema;

/// How far shares have come together on this node. Never a share.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SharesGiven {
    /// The numbers of the shares that were given.
    given: Vec<u8>,
    /// How many are needed.
    needed: u8,
    /// How many there are.
    of: u8,
    /// When those given are forgotten; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    forgotten_at: Option<Timestamp>,
}

impl From<Progress> for SharesGiven {
    fn from(progress: Progress) -> Self {
        let Progress { given, threshold, shares, expires_at } = progress;
        Self { given, needed: threshold, of: shares, forgotten_at: expires_at }
    }
}
