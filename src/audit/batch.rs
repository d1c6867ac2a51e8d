//! One batch: an open transaction that holds the lock on the head, and what its operations have done so far. Each
//! operation sees the effects of those before it.

use super::operation::{Effect, FenceRefusal, Fenced, FencedLease};
use crate::{
    clock::Timestamp,
    domain::{
        entry::{EntryHead, NO_ENTRY},
        event::{Event, Kind},
        fence::{Fence, Incarnation},
    },
    id::{LeaseId, TenantId},
    merkle,
    store::{
        Link, StoreError, fences,
        leases::{self, LeaseCountKey, ResidualKey},
        log::{self, ChainHead, EntryRow, HeadRow},
        nodes,
    },
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// An open batch.
pub struct Batch<'c> {
    link: Link<'c>,
    at: Timestamp,
    turn: i64,
    incarnation: Incarnation,
    next_seq: i64,
    entries: Vec<EntryRow>,
    /// What changes recorded, to be announced once it is durable.
    announced: Vec<(TenantId, Kind, String)>,
    /// The same, by their sequence numbers.
    announced_seqs: HashSet<i64>,
    chains: HashMap<TenantId, Option<ChainHead>>,
    epochs: HashMap<Uuid, i64>,
    raised: Vec<Fence>,
    ended: HashSet<LeaseId>,
    counts: HashMap<LeaseCountKey, i64>,
    residuals: HashSet<ResidualKey>,
    /// Whether other nodes have to be told that there is something to follow.
    telling: bool,
    bytes: String,
}

/// How far a batch was before a change that may be rolled back.
pub(super) struct Mark {
    next_seq: i64,
    entries: usize,
    announced: usize,
    raised: usize,
    chains: HashMap<TenantId, Option<ChainHead>>,
    epochs: HashMap<Uuid, i64>,
    ended: HashSet<LeaseId>,
}

/// What a batch leaves once its operations are done.
pub(super) struct Written {
    pub(super) entries: Vec<EntryRow>,
    pub(super) announced: Vec<(TenantId, Kind, String)>,
    pub(super) raised: Vec<Fence>,
}

impl<'c> Batch<'c> {
    /// Opens a batch on a link that holds the lock on the head.
    pub(super) fn new(link: Link<'c>, at: Timestamp, head: &HeadRow, incarnation: Incarnation) -> Self {
        Self {
            link,
            at,
            turn: head.turn,
            incarnation,
            next_seq: head.size,
            entries: Vec::new(),
            announced: Vec::new(),
            announced_seqs: HashSet::new(),
            chains: HashMap::new(),
            epochs: HashMap::new(),
            raised: Vec::new(),
            ended: HashSet::new(),
            counts: HashMap::new(),
            residuals: HashSet::new(),
            telling: false,
            bytes: String::with_capacity(512),
        }
    }

    /// Returns the batch's time: the clock's, but never before the newest entry's.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Returns the batch's turn at the head, which orders it among all nodes' batches.
    #[must_use]
    pub fn turn(&self) -> i64 {
        self.turn
    }

    /// Lends the transaction, for store functions.
    pub fn link(&mut self) -> Link<'_> {
        self.link.again()
    }

    /// Appends an entry and returns its sequence number.
    ///
    /// # Errors
    /// Where the tenant's chain head cannot be read.
    pub async fn record(&mut self, event: Event) -> Result<i64, StoreError> {
        self.announced.push((event.tenant, event.kind, event.payload.clone()));
        self.announced_seqs.insert(self.next_seq);
        self.telling = true;
        self.append(event).await
    }

    /// Raises a subject's epoch: every lease and session made under the old one is ended. Returns the new epoch.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn raise(&mut self, subject: Uuid) -> Result<i64, StoreError> {
        let epoch = self.raise_unannounced(subject).await?;
        self.raised.push(Fence { subject, epoch });
        Ok(epoch)
    }

    /// Raises a subject's epoch without announcing it here: the caller stops what is in flight on this node himself, and
    /// counts it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn raise_unannounced(&mut self, subject: Uuid) -> Result<i64, StoreError> {
        let epoch = fences::epoch_raise(&mut self.link, subject, self.turn).await?;
        self.epochs.insert(subject, epoch);
        self.telling = true;
        Ok(epoch)
    }

    /// Ends one lease early.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn end_lease(&mut self, lease: LeaseId, expires_at: Timestamp) -> Result<(), StoreError> {
        fences::ended_lease_insert(&mut self.link, lease, expires_at, self.turn).await?;
        self.ended.insert(lease);
        self.telling = true;
        Ok(())
    }

    /// Reads the fences of a whole batch, in statements later than the one that took the lock.
    pub(super) async fn read_fences(
        &mut self,
        subjects: HashSet<Uuid>,
        leases: HashSet<LeaseId>,
    ) -> Result<(), StoreError> {
        let subjects: Vec<Uuid> = subjects.into_iter().collect();
        let leases: Vec<LeaseId> = leases.into_iter().collect();
        self.epochs = fences::epochs_show(&mut self.link, &subjects).await?;
        for subject in subjects {
            self.epochs.entry(subject).or_insert(0);
        }
        self.ended = fences::ended_leases_show(&mut self.link, &leases).await?;
        Ok(())
    }

    /// Reads where the tenants' chains end, all at once.
    pub(super) async fn read_chain_heads(&mut self, tenants: HashSet<TenantId>) -> Result<(), StoreError> {
        let tenants: Vec<TenantId> = tenants.into_iter().collect();
        let mut found = log::chain_heads_show(&mut self.link, &tenants).await?;
        self.chains = tenants.into_iter().map(|tenant| (tenant, found.remove(&tenant))).collect();
        Ok(())
    }

    /// Says whether every one of `fences` stands; reads those that the batch has not read yet.
    pub(super) async fn stands(&mut self, fences: &[Fence]) -> Result<bool, StoreError> {
        for fence in fences {
            let epoch = match self.epochs.get(&fence.subject) {
                Some(epoch) => *epoch,
                None => {
                    let epoch = fences::epoch_show(&mut self.link, fence.subject).await?;
                    self.epochs.insert(fence.subject, epoch);
                    epoch
                }
            };
            if epoch != fence.epoch {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Decides a use: the one place where a lease meets the epochs that are in force.
    pub(super) fn check(&self, lease: &FencedLease) -> Result<(), FenceRefusal> {
        if lease.incarnation != self.incarnation {
            return Err(FenceRefusal::OtherIncarnation);
        }
        for (fence, fenced) in lease.fences.iter().zip(Fenced::ORDER) {
            // A subject that was not read counts as raised: no fence, no access.
            if self.epochs.get(&fence.subject) != Some(&fence.epoch) {
                return Err(FenceRefusal::Raised(fenced));
            }
        }
        if self.ended.contains(&lease.id) {
            return Err(FenceRefusal::Ended);
        }
        if self.at >= lease.expires_at {
            return Err(FenceRefusal::Expired);
        }
        Ok(())
    }

    /// Keeps what an admitted use leaves behind, until the next flush.
    pub(super) fn keep(&mut self, effect: Effect) {
        match effect {
            Effect::Issue(key) => *self.counts.entry(key).or_insert(0) += 1,
            Effect::Release(key) => {
                self.residuals.insert(key);
            }
            Effect::Pass => {}
        }
    }

    /// Appends an entry to the log and to its tenant's chain.
    pub(super) async fn append(&mut self, event: Event) -> Result<i64, StoreError> {
        let before = match self.chains.get(&event.tenant) {
            Some(head) => *head,
            None => log::chain_head_show(&mut self.link, event.tenant).await?,
        };
        let (tenant_seq, tenant_prev) = before.map_or((0, NO_ENTRY), |head| (head.tenant_seq + 1, head.leaf_hash));
        let head = EntryHead {
            seq: self.next_seq,
            at: self.at,
            tenant: event.tenant,
            tenant_seq,
            tenant_prev,
            kind: event.kind.as_str().into(),
            payload_hash: event.payload_hash,
        };
        head.write_bytes(&mut self.bytes);
        let leaf_hash = merkle::leaf_hash(self.bytes.as_bytes());
        self.chains.insert(event.tenant, Some(ChainHead { tenant_seq, leaf_hash }));
        self.entries.push(EntryRow { head, leaf_hash, salt: Some(event.salt), payload: Some(event.payload) });
        self.next_seq += 1;
        Ok(self.next_seq - 1)
    }

    /// Writes what uses left behind, so that a change that follows sees it.
    pub(super) async fn flush_uses(&mut self) -> Result<(), StoreError> {
        if !self.counts.is_empty() {
            let counts: Vec<_> = self.counts.drain().collect();
            leases::lease_counts_add(&mut self.link, &counts).await?;
        }
        if !self.residuals.is_empty() {
            let residuals: Vec<_> = self.residuals.drain().collect();
            leases::residuals_add(&mut self.link, &residuals, self.at).await?;
        }
        Ok(())
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            next_seq: self.next_seq,
            entries: self.entries.len(),
            announced: self.announced.len(),
            raised: self.raised.len(),
            chains: self.chains.clone(),
            epochs: self.epochs.clone(),
            ended: self.ended.clone(),
        }
    }

    /// Returns the sequence numbers of what was appended since.
    pub(super) fn since(&self, mark: &Mark) -> std::ops::Range<i64> {
        mark.next_seq..self.next_seq
    }

    pub(super) fn return_to(&mut self, mark: Mark) {
        self.next_seq = mark.next_seq;
        self.announced_seqs.retain(|seq| *seq < mark.next_seq);
        self.entries.truncate(mark.entries);
        self.announced.truncate(mark.announced);
        self.raised.truncate(mark.raised);
        self.chains = mark.chains;
        self.epochs = mark.epochs;
        self.ended = mark.ended;
    }

    /// Writes everything that is still only in memory, the head excepted.
    pub(super) async fn finish(mut self) -> Result<Written, StoreError> {
        self.flush_uses().await?;
        log::entries_insert(&mut self.link, &self.entries, &self.announced_seqs).await?;
        let touched: HashSet<TenantId> = self.entries.iter().map(|entry| entry.head.tenant).collect();
        let heads: Vec<(TenantId, ChainHead)> =
            touched.into_iter().filter_map(|tenant| Some((tenant, (*self.chains.get(&tenant)?)?))).collect();
        log::chain_heads_move(&mut self.link, &heads).await?;
        if self.telling {
            nodes::turn_tell(&mut self.link, self.turn).await?;
        }
        Ok(Written { entries: self.entries, announced: self.announced, raised: self.raised })
    }
}
