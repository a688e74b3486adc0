//! The right to watch a dataset: one process has it at a time.

use jiff::{SignedDuration, Timestamp};

use super::{breaker::later, seat::ASK, seat::Seat, worker::House};
use crate::{
    error::Result,
    store::{Acquired, Lease, WATCH},
};

/// How long the right to watch a dataset lasts without being renewed.
const TTL: SignedDuration = SignedDuration::from_secs(60);

/// How long a server that has its part of the watches leaves a free one to the others.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

/// How long a server that cannot do with a dataset leaves it to the others.
const AWAY: SignedDuration = SignedDuration::from_mins(2);

/// The right to watch a dataset, as far as this process has it.
#[derive(Debug, Default)]
pub(super) struct Right {
    lease: Option<Lease>,
    /// Since when this process, which has its part, leaves the watch to others.
    passed: Option<Timestamp>,
    /// Until when this process leaves the watch to others, because it could do nothing with it.
    away: Option<Timestamp>,
}

impl Right {
    /// Returns when the right is to be renewed.
    pub(super) fn renewal(&self) -> Option<Timestamp> {
        self.lease.as_ref()?.until.checked_sub(TTL / 2).ok()
    }

    /// Returns whether a watch is left to the other servers for now.
    fn is_left(&mut self, house: &House, now: Timestamp) -> bool {
        if self.away.is_some_and(|until| now < until) {
            return true;
        }
        if house.share.is_full() {
            let since = *self.passed.get_or_insert(now);
            if now.duration_since(since) < PATIENCE {
                return true;
            }
        }
        (self.passed, self.away) = (None, None);
        false
    }
}

impl Seat {
    /// Makes sure that this process is the one that watches the dataset.
    pub(super) async fn hold(&mut self, house: &House, now: Timestamp) -> Result<bool> {
        let (store, holder) = (&house.shell.store, &house.shell.holder);
        if let Some(lease) = &self.right.lease {
            if lease.until.duration_since(now) > TTL / 2 {
                return Ok(true);
            }
            if let Ok(lease) = store.renew(lease, now, TTL).await {
                self.right.lease = Some(lease);
                return Ok(true);
            }
            self.right.lease = None;
            house.share.note(&self.dataset, false);
        }
        if self.right.is_left(house, now) {
            return Ok(false);
        }
        let name = format!("{WATCH}{}", self.dataset);
        let mut got = store.acquire(&name, holder.name(), now, TTL).await?;
        if let Acquired::Busy { holder: other, until } = &got
            && (holder.is_gone(other) || other == holder.name())
            && let Acquired::Held(lease) = store.acquire(&name, holder.name(), *until, TTL).await?
        {
            got = Acquired::Held(store.renew(&lease, now, TTL).await?);
        }
        let Acquired::Held(lease) = got else { return Ok(false) };
        self.right.lease = Some(lease);
        house.share.note(&self.dataset, true);
        // What others counted while they watched goes on.
        if let Some(watch) = store.watch(&self.dataset).await? {
            self.status = serde_json::from_value(watch.status).unwrap_or_default();
        }
        Ok(true)
    }

    /// Gives the watch to another server that has room for it; it finds the channels in the store.
    pub(super) async fn give(&mut self, house: &House) {
        if self.right.lease.is_some() {
            self.leave(house).await;
            let now = house.now();
            self.right.passed = Some(now);
            self.wait(later(now, ASK));
        }
    }

    /// Leaves a dataset with which this process can do nothing to the others, where there are any.
    pub(super) async fn stay_away(&mut self, house: &House) {
        if house.share.has_others() {
            self.right.away = Some(later(house.now(), AWAY));
            self.give(house).await;
        }
    }

    /// Gives the right to watch back.
    pub(super) async fn leave(&mut self, house: &House) {
        house.share.note(&self.dataset, false);
        if let Some(lease) = self.right.lease.take()
            && let Err(error) = house.shell.store.release(&lease).await
        {
            tracing::debug!(%error, "the right to watch runs out by itself");
        }
    }

    /// Ends the channels of a watch that was stopped.
    pub(super) async fn close(&mut self, house: &House) {
        self.channels.close(house, &self.dataset).await;
        self.leave(house).await;
    }
}
