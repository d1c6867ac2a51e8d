//! The nodes over one database: each shows that it lives, follows what the others change, and confirms what it has
//! stopped. It knows when something was revoked, and not what that stops here: whoever does brings it ([`Following`]).
//!
//! Over SQLite there is one node, and nothing here runs.

mod follow;
mod lease;
mod roll_call;

pub use lease::{CERTAIN, LIFE, NodeLease, Stint};
pub use roll_call::{Ceased, NodeCut};

use crate::{
    audit::Sequencer,
    clock::{Clock, Timestamp, Uptime},
    id::{LeaseId, NodeId},
    store::{Db, StoreError, fences::Raise, log::AnnouncedRow, nodes},
};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What was changed since a node looked last, here or elsewhere.
#[derive(Debug)]
pub struct News {
    /// What was raised. Its requests have to stop.
    pub raised: Vec<Raise>,
    /// Which leases were ended early. Their requests have to stop.
    pub ended: Vec<LeaseId>,
    /// What changes recorded.
    pub entries: Vec<AnnouncedRow>,
}

/// How many requests a raise stopped here.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    /// The head's turn in which it was raised.
    pub turn: i64,
    /// What was raised.
    pub subject: Uuid,
    /// How many requests were stopped.
    pub requests: usize,
}

/// Whoever stops what news revoke, and forgets what they make stale.
pub trait Following: Send + Sync {
    /// Stops it, and returns how much there was to stop once nothing of it moves any more.
    fn follow<'a>(&'a self, news: &'a News) -> BoxFuture<'a, Vec<Stopped>>;

    /// Stops every request: what was revoked meanwhile is not known.
    fn stop_all(&self) -> BoxFuture<'_, ()>;

    /// Stops every request and forgets whatever may be stale: what was changed meanwhile will never be told.
    fn begin_anew(&self) -> BoxFuture<'_, ()>;
}

/// What a [`Fleet`] is made of.
pub struct FleetOptions {
    /// The database.
    pub db: Db,
    /// Where changes are announced.
    pub sequencer: Sequencer,
    /// Wall time and uptime.
    pub clock: Arc<dyn Clock>,
    /// This process.
    pub node: NodeId,
    /// What the operator knows it by.
    pub name: String,
}

/// This node among the others.
pub struct Fleet {
    options: FleetOptions,
    lease: NodeLease,
    started_at: Timestamp,
    /// The turn up to which this node has followed.
    followed: AtomicI64,
    /// There is something to follow.
    wake: Notify,
    /// Some node has confirmed.
    confirmed: Notify,
    /// When each node's heartbeat was first seen at its present count.
    sightings: Mutex<HashMap<NodeId, Sighting>>,
    leaving: CancellationToken,
    follower: Mutex<Option<JoinHandle<()>>>,
    /// The listening connection is to be made anew.
    deaf: Notify,
}

#[derive(Clone, Debug)]
struct Sighting {
    name: String,
    beat: i64,
    since: Uptime,
}

impl Fleet {
    /// Makes this node's part. It sends nothing out before [`Fleet::start`] has joined it.
    #[must_use]
    pub fn new(options: FleetOptions) -> Arc<Self> {
        let lease = match options.db.is_shared() {
            true => NodeLease::ended(Arc::clone(&options.clock)),
            false => NodeLease::endless(),
        };
        let started_at = options.clock.now();
        Arc::new(Self {
            options,
            lease,
            started_at,
            followed: AtomicI64::new(0),
            wake: Notify::new(),
            confirmed: Notify::new(),
            sightings: Mutex::default(),
            leaving: CancellationToken::new(),
            follower: Mutex::default(),
            deaf: Notify::new(),
        })
    }

    /// Joins the fleet and follows it until this node leaves. Over SQLite there is nobody to follow.
    pub fn start(self: &Arc<Self>, following: Arc<dyn Following>) {
        if self.options.db.is_shared() {
            *self.follower.lock() = Some(tokio::spawn(Arc::clone(self).run(following)));
        }
    }

    /// Returns this node's lease.
    #[must_use]
    pub fn lease(&self) -> NodeLease {
        self.lease.clone()
    }

    /// Returns the uptime that waits are counted from.
    #[must_use]
    pub fn uptime(&self) -> Uptime {
        self.options.clock.uptime()
    }

    /// Leaves the fleet, once nothing goes out any more: nobody has to wait for this node's lease to end.
    ///
    /// # Errors
    /// Where the database fails; the others then wait.
    pub async fn leave(&self) -> Result<(), StoreError> {
        self.lease.end();
        self.leaving.cancel();
        let follower = self.follower.lock().take();
        let Some(follower) = follower else { return Ok(()) };
        // A heartbeat after the row is gone would join again.
        let _ = follower.await;
        nodes::node_leave(&mut self.options.db.own().await?.link(), self.options.node).await
    }

    fn followed(&self) -> i64 {
        self.followed.load(Ordering::SeqCst)
    }
}
