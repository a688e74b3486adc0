//! What calls were made, and what a run is waiting for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

pub use crate::wait::{Wait, WaitReason};

/// Counts of calls since a handle was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// Reads sent, retries among them.
    pub reads: u64,
    /// Writes sent, retries among them.
    pub writes: u64,
    /// How many of them were sent again after a failure.
    pub retries: u64,
    /// Time spent waiting for quota and between retries; calls that wait at the same time each
    /// count theirs.
    pub waited: Duration,
}

/// Who goes first when calls wait for quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Somebody waits for the answer.
    Interactive,
    /// Nobody does.
    Background,
}

/// The counters and the notice of one scope; counts go up to the scopes around it too.
#[derive(Debug)]
pub(crate) struct Scope {
    id: u64,
    priority: Priority,
    reads: AtomicU64,
    writes: AtomicU64,
    retries: AtomicU64,
    waited_micros: AtomicU64,
    /// What its calls wait for at the moment, by notice.
    waits: Mutex<Vec<(u64, Wait)>>,
    /// The longest of them.
    waiting: watch::Sender<Option<Wait>>,
    parent: Option<Arc<Scope>>,
}

/// Returns a number that was never returned before.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Scope {
    pub(crate) fn new(priority: Priority, parent: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            id: unique(),
            priority,
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            waited_micros: AtomicU64::new(0),
            waits: Mutex::default(),
            waiting: watch::Sender::new(None),
            parent,
        })
    }

    /// Tells scopes apart, for taking turns.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn priority(&self) -> Priority {
        self.priority
    }

    pub(crate) fn calls(&self) -> Calls {
        Calls {
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            waited: Duration::from_micros(self.waited_micros.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn waiting(&self) -> watch::Receiver<Option<Wait>> {
        self.waiting.subscribe()
    }

    pub(crate) fn count(&self, write: bool, again: bool) {
        self.each(|scope| {
            let counter = if write { &scope.writes } else { &scope.reads };
            counter.fetch_add(1, Ordering::Relaxed);
            scope.retries.fetch_add(again.into(), Ordering::Relaxed);
        });
    }

    /// Sleeps, tells so, and counts the time even if the caller gives up in between.
    pub(crate) async fn wait(&self, duration: Duration, reason: WaitReason) {
        let until = Instant::now() + duration;
        let notice = self.notice();
        notice.show(Wait { until, reason });
        tokio::time::sleep_until(until).await;
    }

    /// Starts a wait, whose time is counted until the result is dropped.
    pub(crate) fn notice(&self) -> Notice<'_> {
        Notice { scope: self, id: unique(), since: Instant::now() }
    }

    fn each(&self, act: impl Fn(&Self)) {
        let mut scope = Some(self);
        while let Some(here) = scope {
            act(here);
            scope = here.parent.as_deref();
        }
    }

    /// Replaces what is shown for a notice.
    fn show(&self, notice: u64, wait: Option<Wait>) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.retain(|(other, _)| *other != notice);
        waits.extend(wait.map(|wait| (notice, wait)));
        let longest = waits.iter().map(|(_, wait)| *wait).max_by_key(|wait| wait.until);
        // Still under the lock, or an older state could be published last.
        self.waiting.send_if_modified(|shown| std::mem::replace(shown, longest) != longest);
    }
}

/// Shows a wait for as long as it lives.
#[derive(Debug)]
pub(crate) struct Notice<'a> {
    scope: &'a Scope,
    id: u64,
    since: Instant,
}

impl Notice<'_> {
    /// Tells what the wait is for, or that this changed.
    pub(crate) fn show(&self, wait: Wait) {
        self.scope.each(|scope| scope.show(self.id, Some(wait)));
    }
}

impl Drop for Notice<'_> {
    fn drop(&mut self) {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.scope.each(|scope| {
            scope.waited_micros.fetch_add(micros, Ordering::Relaxed);
            scope.show(self.id, None);
        });
    }
}
