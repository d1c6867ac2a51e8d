//! Waiting until a revocation is true on every node: each has confirmed, or its lease must have ended.

use super::{Fleet, follow::note, lease::CERTAIN};
use crate::{
    clock::Uptime,
    id::NodeId,
    store::{
        StoreError,
        nodes::{self, NodeRow},
    },
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

/// How long to wait for a confirmation before looking all the same.
const LOOK: Duration = Duration::from_millis(100);

crate::domain::words! {
    /// How a node ceased to let through what was revoked.
    Ceased, "how a node ceased" {
        /// It has stopped its requests, and said so.
        Confirmed = "confirmed",
        /// It did not answer, and its lease has ended: it has stopped by itself.
        LeaseEnded = "lease_ended",
    }
}

/// A node on which a revocation is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeCut {
    /// The node.
    #[schema(value_type = String, format = Uuid)]
    pub id: NodeId,
    /// What the operator knows it by.
    pub name: String,
    /// How it ceased.
    pub ceased: Ceased,
}

impl Fleet {
    /// Returns once what was raised in `turn` is true on every node, at the latest [`CERTAIN`] after `since`, which must
    /// not lie before the commit. Requests of this node must have been stopped.
    pub async fn call(&self, turn: i64, since: Uptime) -> Vec<NodeCut> {
        let own = NodeCut { id: self.options.node, name: self.options.name.clone(), ceased: Ceased::Confirmed };
        if !self.options.db.is_shared() {
            return vec![own];
        }
        let mut known = Vec::new();
        loop {
            // Before the rows are read: a confirmation between the two must not be missed.
            let confirmed = self.confirmed.notified();
            tokio::pin!(confirmed);
            confirmed.as_mut().enable();
            match self.nodes().await {
                Ok(rows) => {
                    let (cuts, open) = self.judge(&rows, turn);
                    known = cuts;
                    if !open {
                        break;
                    }
                }
                Err(error) => tracing::warn!(%error, "the nodes' confirmations cannot be read"),
            }
            if self.uptime().since(since) >= CERTAIN {
                break;
            }
            let _ = tokio::time::timeout(LOOK, confirmed).await;
        }
        if known.is_empty() {
            let sightings = self.sightings.lock();
            let seen = |(id, seen): (&NodeId, &super::Sighting)| NodeCut {
                id: *id,
                name: seen.name.clone(),
                ceased: Ceased::LeaseEnded,
            };
            known = sightings.iter().map(seen).collect();
        }
        known.retain(|cut| cut.id != own.id);
        known.insert(0, own);
        known
    }

    /// Adds up how many requests all nodes stopped for a raise.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn requests_stopped(&self, turn: i64, subject: Uuid) -> Result<usize, StoreError> {
        if !self.options.db.is_shared() {
            return Ok(0);
        }
        let sum = nodes::cut_report_sum(&mut self.options.db.reader().await?.link(), turn, subject).await?;
        Ok(usize::try_from(sum).unwrap_or(0))
    }

    async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        nodes::nodes_list(&mut self.options.db.reader().await?.link()).await
    }

    /// Says how each node ceased, and whether one may not have. Whoever is not known to have ceased is written down as
    /// if its lease had ended, which it has when the wait is over.
    fn judge(&self, rows: &[NodeRow], turn: i64) -> (Vec<NodeCut>, bool) {
        let now = self.uptime();
        let mut sightings = self.sightings.lock();
        let mut open = false;
        let cuts = rows.iter().map(|row| {
            note(&mut sightings, row, now);
            let through = if row.id == self.options.node { self.followed() } else { row.cut_through };
            let silent = sightings.get(&row.id).is_some_and(|seen| now.since(seen.since) >= CERTAIN);
            let ceased = if through >= turn { Ceased::Confirmed } else { Ceased::LeaseEnded };
            open |= through < turn && !silent;
            NodeCut { id: row.id, name: row.name.clone(), ceased }
        });
        (cuts.collect(), open)
    }
}
