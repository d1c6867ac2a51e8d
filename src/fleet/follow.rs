//! Following the others: a notification when there is something, a look every second all the same. The heartbeat and the
//! look are one step: a node whose lease is renewed has stopped everything that was revoked before its heartbeat was
//! sent.

use super::{Fleet, Following, News, Sighting, lease::CERTAIN};
use crate::{
    audit::Announcement,
    clock::{APART_MAX, Uptime},
    store::{Db, Link, StoreError, fences, log, nodes, nodes::NodeRow},
};
use sqlx::postgres::PgListener;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

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

/// How far this node has followed.
#[derive(Clone, Copy)]
struct Place {
    turn: i64,
    size: i64,
}

/// Whether a look is a heartbeat too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Beat,
    Told,
}

impl Fleet {
    /// Joins the fleet and follows it until `shutdown`, or for ever. Over SQLite it returns at once.
    pub async fn run(self: Arc<Self>, following: Arc<dyn Following>, shutdown: CancellationToken) {
        if !self.options.db.is_shared() {
            return;
        }
        let listening = tokio::spawn(Arc::clone(&self).listen(shutdown.clone()));
        let _ = shutdown.run_until_cancelled(self.follow_on(&*following)).await;
        let _ = listening.await;
    }

    async fn follow_on(&self, following: &dyn Following) {
        let mut place = None;
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let look = tokio::select! {
                _ = beats.tick() => Look::Beat,
                () = self.wake.notified() => Look::Told,
            };
            if let Err(error) = self.look(&mut place, look, following).await {
                tracing::warn!(%error, "the other nodes cannot be followed; nothing goes out once the node's lease has ended");
            }
            // Frozen, or without the database for too long: what goes out must not wait for the next write to notice.
            if self.lease.stint().is_none() {
                following.stop_all().await;
            }
        }
    }

    /// Looks once: heartbeat, news, stop, and only then the lease.
    async fn look(&self, place: &mut Option<Place>, look: Look, following: &dyn Following) -> Result<(), StoreError> {
        let sent = self.uptime();
        let mut reader = self.options.db.own().await?;
        let mut link = reader.link();
        if look == Look::Beat {
            self.options.sequencer.check(&mut link).await?;
            self.compare_clocks(&mut link).await?;
        }
        let joined = match *place {
            Some(place) => look == Look::Told || nodes::node_beat(&mut link, self.options.node, place.turn).await?,
            None => false,
        };
        if !joined {
            *place = Some(self.join(&mut link).await?);
        }
        let Some(from) = *place else { return Ok(()) };
        let (news, to) = read_news(&mut link, from).await?;
        let confirm = !news.raised.is_empty() || !news.ended.is_empty();
        let stopping = tokio::time::timeout(STOP_LIMIT, following.follow(&news));
        for stopped in stopping.await.map_err(|_| StoreError::NoAnswer(STOP_LIMIT))? {
            let requests = i64::try_from(stopped.requests).unwrap_or(i64::MAX);
            if requests > 0 {
                let node = self.options.node;
                nodes::cut_report_insert(&mut link, stopped.turn, stopped.subject, node, requests).await?;
            }
        }
        if to.size > from.size {
            self.witness(&mut link, to.size - 1).await?;
        }
        *place = Some(to);
        self.followed.store(to.turn, Ordering::SeqCst);
        self.announce(news);
        if confirm {
            nodes::node_confirm(&mut link, self.options.node, to.turn).await?;
            self.confirmed.notify_waiters();
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

    /// Writes this node's row. What was revoked before stops nothing here: nothing is in flight without a lease.
    async fn join(&self, link: &mut Link<'_>) -> Result<Place, StoreError> {
        let head = log::head_show(link).await?;
        let row = NodeRow {
            id: self.options.node,
            name: self.options.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            beat: 0,
            cut_through: head.turn,
            started_at: self.started_at,
        };
        nodes::node_join(link, &row).await?;
        self.witness(link, head.size - 1).await?;
        tracing::info!(node = %row.id, name = %row.name, "joined the fleet");
        Ok(Place { turn: head.turn, size: head.size })
    }

    /// Remembers an entry, so that a database that lacks it is known for an older copy.
    async fn witness(&self, link: &mut Link<'_>, seq: i64) -> Result<(), StoreError> {
        if let Some(leaf_hash) = log::entry_leaf(link, seq).await? {
            self.options.sequencer.saw(seq, leaf_hash);
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

    fn announce(&self, news: News) {
        let entries: Vec<_> = news
            .entries
            .into_iter()
            .filter_map(|entry| Some((entry.at, (entry.tenant, entry.kind, entry.payload?))))
            .collect();
        if let Some(at) = entries.last().map(|(at, _)| *at) {
            let entries = entries.into_iter().map(|(_, entry)| entry).collect();
            self.options.sequencer.announce(Announcement { at, raised: Arc::default(), entries });
        }
    }

    /// Notes whose heartbeat moved, and removes the rows of nodes that have been silent for long.
    async fn sight(&self, rows: &[NodeRow], link: &mut Link<'_>) -> Result<(), StoreError> {
        let silent: Vec<(crate::id::NodeId, i64)> = {
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

    /// Waits for notifications, and makes the connection anew where it is lost.
    async fn listen(self: Arc<Self>, shutdown: CancellationToken) {
        let Db::Postgres { own, .. } = &self.options.db else { return };
        let listening = async {
            loop {
                if let Err(error) = self.listen_once(own).await {
                    tracing::warn!(%error, "notifications are lost; the log is looked at every second");
                }
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
        };
        let _: Option<()> = shutdown.run_until_cancelled(listening).await;
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
pub(super) fn note(sightings: &mut std::collections::HashMap<crate::id::NodeId, Sighting>, row: &NodeRow, now: Uptime) {
    let seen =
        sightings.entry(row.id).or_insert_with(|| Sighting { name: row.name.clone(), beat: row.beat, since: now });
    if seen.beat != row.beat {
        seen.beat = row.beat;
        seen.since = now;
    }
}

async fn read_news(link: &mut Link<'_>, from: Place) -> Result<(News, Place), StoreError> {
    // The head first: what stands in a later turn comes again with the next look.
    let head = log::head_show(link).await?;
    if head.turn < from.turn || head.size < from.size {
        return Err(StoreError::Rollback { seq: from.size - 1 });
    }
    let to = Place { turn: head.turn, size: head.size };
    let raised = fences::epochs_raised_after(link, from.turn).await?;
    let ended = fences::ended_leases_after(link, from.turn).await?;
    let mut entries = Vec::new();
    let mut next = from.size;
    while next < to.size {
        let page = log::entries_announced(link, next, to.size, PAGE).await?;
        let Some(last) = page.last() else { break };
        next = last.seq + 1;
        entries.extend(page);
    }
    Ok((News { raised, ended, entries }, to))
}
