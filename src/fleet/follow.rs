//! Following the others: a notification when there is something, a look every second all the same. The heartbeat and the
//! look are one step: a node whose lease is renewed has stopped everything that was revoked before its heartbeat was
//! sent.

use super::{Fleet, Following, News, Sighting, Stopped, lease::CERTAIN};
use crate::{
    audit::{Announcement, VouchError, anchor::AnchorError},
    clock::{APART_MAX, Uptime},
    id::NodeId,
    store::{
        Db, Link, StoreError, fences,
        log::{self, AnnouncedRow},
        nodes::{self, NodeRow, Vantage},
    },
};
use sqlx::postgres::PgListener;
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// How often a node shows that it lives, and looks whether it was told of everything.
const BEAT: Duration = Duration::from_secs(1);
/// How long what was revoked may take to stop before the node counts as stuck, and its lease is not renewed.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// How long to wait before a lost listening connection is made anew.
const LISTEN_AGAIN: Duration = Duration::from_millis(200);
/// How many announced entries are read at once.
const PAGE: i64 = 500;
/// How many lives of a lease a silent node's row is kept.
const KEPT: u32 = 100;

/// How many looks in a row may find what no notification told of before the listening connection counts as dead.
const UNTOLD_MAX: u32 = 3;

/// How far this node has followed, and what of it no notification told.
#[derive(Default)]
struct Path {
    /// Where it stands; none before it has joined.
    place: Option<Vantage>,
    untold: u32,
    /// The heartbeats of the others as they were first seen, while this node waits for one of them to vouch.
    first_beats: HashMap<NodeId, i64>,
}

/// Why a look did not come to its end.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Anchor(#[from] AnchorError),
}

impl From<VouchError> for LookError {
    fn from(error: VouchError) -> Self {
        match error {
            VouchError::Store(error) => Self::Store(error),
            VouchError::Anchor(error) => Self::Anchor(error),
        }
    }
}

/// Whether a look is a heartbeat too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Beat,
    Told,
}

impl Fleet {
    /// Joins the fleet and follows it until this node leaves.
    pub(super) async fn run(self: Arc<Self>, following: Arc<dyn Following>) {
        let listening = self.leaving.run_until_cancelled(self.listen());
        let following = self.leaving.run_until_cancelled(self.follow_on(&*following));
        tokio::join!(listening, following);
    }

    async fn follow_on(&self, following: &dyn Following) {
        let mut path = Path::default();
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let look = tokio::select! {
                _ = beats.tick() => Look::Beat,
                () = self.wake.notified() => Look::Told,
            };
            match self.look(&mut path, look, following).await {
                Ok(()) => {}
                // Whoever found it out has said so. Nobody waits for this lease: nothing is acknowledged meanwhile.
                Err(LookError::Store(StoreError::Quarantined(_))) => self.lease.end(),
                Err(error) => {
                    tracing::warn!(%error, "the other nodes cannot be followed; nothing goes out once the node's lease has ended");
                }
            }
            // Frozen, or without the database for too long: what goes out must not wait for the next write to notice.
            if self.lease.stint().is_none() {
                following.stop_all().await;
            }
        }
    }

    /// Looks once: heartbeat, news, stop, and only then the lease.
    async fn look(&self, path: &mut Path, look: Look, following: &dyn Following) -> Result<(), LookError> {
        let sent = self.uptime();
        let mut reader = self.options.db.own().await?;
        let mut link = reader.link();
        if self.options.sequencer.is_unvouched() {
            self.seek_voucher(path, &mut link).await?;
        }
        let to = nodes::vantage_show(&mut link).await?;
        // Another history: what was followed up to a turn of the one says nothing of the other's.
        let is_other =
            path.place.is_some_and(|from| to.timeline != from.timeline || to.turn < from.turn || to.size < from.size);
        if look == Look::Beat || is_other {
            self.options.sequencer.check(&mut link).await?;
            self.compare_clocks(&mut link).await?;
        }
        let from = match path.place {
            Some(from) if !is_other && self.is_member(&mut link, look, from).await? => from,
            lost => {
                if lost.is_some() {
                    self.lose_track(following).await?;
                    path.place = None;
                }
                self.join(&mut link, to).await?;
                to
            }
        };
        let is_news = self.follow_up(&mut link, from, to, following).await?;
        path.place = Some(to);
        path.untold = if is_news && look == Look::Beat { path.untold + 1 } else { 0 };
        if path.untold == UNTOLD_MAX {
            self.deaf.notify_one();
        }
        if look == Look::Beat {
            // What was in flight when the lease lapsed does not go on: it was not told of all that was revoked.
            if self.lease.stint().is_none() {
                following.stop_all().await;
            }
            self.lease.renew(sent);
            self.sight(&nodes::nodes_list(&mut link).await?, &mut link).await?;
        }
        Ok(())
    }

    /// Shows that this node lives; false where the others have taken it for dead.
    async fn is_member(&self, link: &mut Link<'_>, look: Look, from: Vantage) -> Result<bool, StoreError> {
        match look {
            Look::Beat => nodes::node_beat(link, self.options.node, from.turn).await,
            Look::Told => Ok(true),
        }
    }

    /// Stops what was revoked between two places and tells what was changed. Returns whether there was anything.
    async fn follow_up(
        &self,
        link: &mut Link<'_>,
        from: Vantage,
        to: Vantage,
        following: &dyn Following,
    ) -> Result<bool, LookError> {
        // What stands in a turn after `to` comes again with the next look.
        let mut news = News {
            raised: fences::epochs_raised_after(link, from.turn).await?,
            ended: fences::ended_leases_after(link, from.turn).await?,
            entries: log::entries_announced(link, from.size, to.size, PAGE).await?,
        };
        let is_cut = !news.raised.is_empty() || !news.ended.is_empty();
        let is_news = is_cut || !news.entries.is_empty();
        loop {
            let stopping = tokio::time::timeout(STOP_LIMIT, following.follow(&news));
            let stopped = stopping.await.map_err(|_| StoreError::NoAnswer(STOP_LIMIT))?;
            self.report(link, &stopped).await?;
            let last = news.entries.last().map(|entry| entry.seq);
            self.announce(news.entries);
            let Some(last) = last else { break };
            let entries = log::entries_announced(link, last + 1, to.size, PAGE).await?;
            news = News { raised: Vec::new(), ended: Vec::new(), entries };
        }
        if to.size > from.size {
            self.witness(link, to.size - 1).await?;
        }
        self.followed.store(to.turn, Ordering::SeqCst);
        if is_cut {
            nodes::node_confirm(link, self.options.node, to.turn).await?;
            self.confirmed.notify_waiters();
        }
        Ok(is_news)
    }

    /// Writes down how many requests were stopped, for receipts.
    async fn report(&self, link: &mut Link<'_>, stopped: &[Stopped]) -> Result<(), StoreError> {
        for Stopped { turn, subject, requests } in stopped.iter().filter(|stopped| stopped.requests > 0) {
            let requests = i64::try_from(*requests).unwrap_or(i64::MAX);
            nodes::cut_report_insert(link, *turn, *subject, self.options.node, requests).await?;
        }
        Ok(())
    }

    /// Gives up the node's lease and whatever stands on what was followed so far: the others took this node for dead, or
    /// the database goes on from an earlier state.
    async fn lose_track(&self, following: &dyn Following) -> Result<(), StoreError> {
        tracing::warn!("lost track of the other nodes: every request is stopped, and this node joins anew");
        self.lease.end();
        let anew = tokio::time::timeout(STOP_LIMIT, following.begin_anew());
        anew.await.map_err(|_| StoreError::NoAnswer(STOP_LIMIT))?;
        let at = self.options.clock.now();
        let (raised, entries) = (Arc::default(), Arc::default());
        self.options.sequencer.announce(Announcement { at, raised, entries, is_after_gap: true });
        Ok(())
    }

    /// Writes this node's row. What was revoked before stops nothing here: nothing is in flight without a lease.
    async fn join(&self, link: &mut Link<'_>, at: Vantage) -> Result<(), LookError> {
        let row = NodeRow {
            id: self.options.node,
            name: self.options.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            beat: 0,
            cut_through: at.turn,
            started_at: self.started_at,
        };
        nodes::node_join(link, &row).await?;
        self.witness(link, at.size - 1).await?;
        tracing::info!(node = %row.id, name = %row.name, "joined the fleet");
        Ok(())
    }

    /// Remembers an entry, so that a database that lacks it is known for an older copy.
    async fn witness(&self, link: &mut Link<'_>, seq: i64) -> Result<(), LookError> {
        if let Some(leaf_hash) = log::entry_leaf(link, seq).await? {
            self.options.sequencer.saw(seq, leaf_hash)?;
        }
        Ok(())
    }

    /// Looks whether a node lives that was able to compare the database with its own anchor: one that was not does not show
    /// that it lives. Until then there is nothing to compare with here.
    async fn seek_voucher(&self, path: &mut Path, link: &mut Link<'_>) -> Result<(), LookError> {
        for node in nodes::nodes_list(link).await? {
            let first = *path.first_beats.entry(node.id).or_insert(node.beat);
            if node.beat > first {
                self.options.sequencer.vouched(link).await?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Compares this host's clock with the server's, and with it the other nodes'.
    async fn compare_clocks(&self, link: &mut Link<'_>) -> Result<(), StoreError> {
        let clock = &self.options.clock;
        match clock.is_hosts() {
            true => nodes::clocks_compare(link, || clock.now(), APART_MAX).await,
            false => Ok(()),
        }
    }

    fn announce(&self, entries: Vec<AnnouncedRow>) {
        let Some(at) = entries.last().map(|entry| entry.at) else { return };
        let entries =
            entries.into_iter().filter_map(|entry| Some((entry.tenant, entry.kind?, entry.payload?))).collect();
        let raised = Arc::default();
        self.options.sequencer.announce(Announcement { at, raised, entries, is_after_gap: false });
    }

    /// Notes whose heartbeat moved, and removes the rows of nodes that have been silent for long.
    async fn sight(&self, rows: &[NodeRow], link: &mut Link<'_>) -> Result<(), StoreError> {
        let silent: Vec<(NodeId, i64)> = {
            let now = self.uptime();
            let mut sightings = self.sightings.lock();
            sightings.retain(|id, _| rows.iter().any(|row| row.id == *id));
            for row in rows {
                note(&mut sightings, row, now);
            }
            metrics::gauge!("leasehold_nodes").set(sightings.len() as f64);
            let gone = sightings.iter().filter(|(_, seen)| now.since(seen.since) > CERTAIN * KEPT);
            gone.map(|(id, seen)| (*id, seen.beat)).collect()
        };
        for (id, beat) in silent {
            nodes::node_forget(link, id, beat).await?;
        }
        Ok(())
    }

    /// Waits for notifications, and makes the connection anew where it is lost, or silent although there was news.
    async fn listen(&self) {
        let Db::Postgres { own, .. } = &self.options.db else { return };
        loop {
            tokio::select! {
                listened = self.listen_once(own) => if let Err(error) = listened {
                    tracing::warn!(%error, "notifications are lost; the log is looked at every second");
                },
                () = self.deaf.notified() => {
                    tracing::warn!("the listening connection is silent although there was news: it is made anew");
                }
            }
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn listen_once(&self, pool: &sqlx::PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all([nodes::TURN_CHANNEL, nodes::CUT_CHANNEL]).await?;
        // What was told before this is found by a look.
        self.wake.notify_one();
        while let Some(told) = listener.try_recv().await? {
            match told.channel() {
                nodes::CUT_CHANNEL => self.confirmed.notify_waiters(),
                _ => self.wake.notify_one(),
            }
        }
        Ok(())
    }
}

/// Notes a node's heartbeat.
pub(super) fn note(sightings: &mut HashMap<NodeId, Sighting>, row: &NodeRow, now: Uptime) {
    let seen =
        sightings.entry(row.id).or_insert_with(|| Sighting { name: row.name.clone(), beat: row.beat, since: now });
    if seen.beat != row.beat {
        seen.beat = row.beat;
        seen.since = now;
    }
}
