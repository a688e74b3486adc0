//! What calls were made, and what a run is waiting for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// Counts of calls since a handle was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Calls {
    /// Reads sent, retries among them.
    pub reads: u64,
    /// Writes sent, retries among them.
    pub writes: u64,
    /// How many of them were sent again after a failure.
    pub retries: u64,
    /// Time spent waiting for quota and between retries.
    pub waited: Duration,
}

/// Says that a call is being held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// How long from the moment of this notice.
    pub duration: Duration,
    /// Why.
    pub reason: WaitReason,
}

/// Why a call is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitReason {
    /// The quota of this minute is used up.
    Quota,
    /// The last try failed, the next one comes after a pause.
    Retry,
}

/// The counters and the notice of one scope; counts go up to the scopes around it too.
#[derive(Debug)]
pub(crate) struct Scope {
    reads: AtomicU64,
    writes: AtomicU64,
    retries: AtomicU64,
    waited_micros: AtomicU64,
    waiting: watch::Sender<Option<Wait>>,
    parent: Option<Arc<Scope>>,
}

impl Scope {
    pub(crate) fn new(parent: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            waited_micros: AtomicU64::new(0),
            waiting: watch::Sender::new(None),
            parent,
        })
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
        let _notice = self.notice(duration, reason);
        tokio::time::sleep(duration).await;
    }

    /// Shows a wait until the result is dropped.
    pub(crate) fn notice(&self, duration: Duration, reason: WaitReason) -> Option<Notice<'_>> {
        (!duration.is_zero()).then(|| Notice::new(self, Wait { duration, reason }))
    }

    fn each(&self, act: impl Fn(&Self)) {
        let mut scope = Some(self);
        while let Some(here) = scope {
            act(here);
            scope = here.parent.as_deref();
        }
    }
}

/// Shows a wait for as long as it lives.
pub(crate) struct Notice<'a> {
    scope: &'a Scope,
    since: tokio::time::Instant,
}

impl<'a> Notice<'a> {
    fn new(scope: &'a Scope, wait: Wait) -> Self {
        scope.each(|scope| {
            scope.waiting.send_replace(Some(wait));
        });
        Self { scope, since: tokio::time::Instant::now() }
    }
}

impl Drop for Notice<'_> {
    fn drop(&mut self) {
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.scope.each(|scope| {
            scope.waited_micros.fetch_add(micros, Ordering::Relaxed);
            scope.waiting.send_replace(None);
        });
    }
}
