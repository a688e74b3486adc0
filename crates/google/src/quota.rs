//! The gate that keeps calls within Google's per-minute limits.
//!
//! Google allows so many calls in a minute (google-wire 2.8). A token bucket (`governor`'s GCRA
//! among them) lets a full bucket out at once and refills while it drains, which is up to twice
//! the limit in the first minute, and a 429. This gate remembers when the last calls went out and
//! lets the next one go as soon as fewer than the limit lie inside any one minute: never more
//! than the limit wherever Google's minute begins, and no call later than needed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::calls::{Scope, WaitReason};
use crate::config::Quota;

/// A minute, and a little for calls that overtake each other on the way.
const MINUTE: Duration = Duration::from_millis(60_500);

/// Google's limits for one user, reads and writes each (google-wire 2.8).
const PER_USER: u32 = 60;

/// The gates of one client: a client is one user.
#[derive(Debug)]
pub(crate) struct Gates {
    pub(crate) sheets_read: Gate,
    pub(crate) sheets_write: Gate,
    pub(crate) drive: Gate,
}

impl Gates {
    pub(crate) fn new(quota: Quota, loopback: bool) -> Self {
        let (reads, writes) = match quota {
            Quota::Auto if loopback => (None, None),
            Quota::Auto => (Some(PER_USER), Some(PER_USER)),
            Quota::Unlimited => (None, None),
            Quota::PerMinute { reads, writes } => (Some(reads), Some(writes)),
        };
        Self {
            sheets_read: Gate::new(reads),
            sheets_write: Gate::new(writes),
            // Drive's limit (325,000 units a minute) is out of reach of this client; its gate
            // only pauses after a refusal.
            drive: Gate::new(None),
        }
    }
}

/// One limit: calls pass in the order they came.
#[derive(Debug)]
pub(crate) struct Gate {
    limit: Option<usize>,
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the calls of the last minute went out, oldest first.
    sent: VecDeque<Instant>,
    closed_until: Option<Instant>,
}

impl Gate {
    fn new(limit: Option<u32>) -> Self {
        Self {
            // A limit of none at all would wait forever.
            limit: limit.map(|limit| usize::try_from(limit.max(1)).unwrap_or(usize::MAX)),
            turn: tokio::sync::Mutex::new(()),
            state: Mutex::default(),
        }
    }

    /// Waits until a call may go out, and counts it.
    pub(crate) async fn pass(&self, scope: &Scope) {
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(_) => {
                let _notice = scope.notice(self.delay(), WaitReason::Quota);
                self.turn.lock().await
            }
        };
        while let Some(delay) = self.claim() {
            scope.wait(delay, WaitReason::Quota).await;
        }
    }

    /// Lets nothing pass for a while: the service said that the limit is reached.
    pub(crate) fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state();
        state.closed_until = state.closed_until.max(Some(until));
    }

    /// Counts a call that goes out now, or tells how long it must wait.
    fn claim(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        let delay = self.delay_at(&mut state, now);
        if delay.is_none() && self.limit.is_some() {
            state.sent.push_back(now);
        }
        delay
    }

    fn delay(&self) -> Duration {
        self.delay_at(&mut self.state(), Instant::now()).unwrap_or_default()
    }

    fn delay_at(&self, state: &mut State, now: Instant) -> Option<Duration> {
        if let Some(until) = state.closed_until.filter(|until| *until > now) {
            return Some(until - now);
        }
        state.closed_until = None;
        let limit = self.limit?;
        while state.sent.front().is_some_and(|sent| *sent + MINUTE <= now) {
            state.sent.pop_front();
        }
        let oldest = state.sent.front().filter(|_| state.sent.len() >= limit)?;
        Some(*oldest + MINUTE - now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so that a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod quota_tests;
