//! The quota scheduler: calls stay within Google's limits, and the important ones go first.
//!
//! A [`Gate`] stands before each of Google's limits. What may go is decided by its [`Window`],
//! and by the [`Ledger`] of all processes if there is one: both must agree. Who goes is decided
//! by its [`Line`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::calls::{Priority, Scope};
use crate::config::{Limits, Quota};
use crate::wait::{Allowance, Wait, WaitReason};
use ledger::{Answer, Book};
use line::{Line, Turn};
use window::Window;

pub(crate) mod ledger;
mod line;
mod window;

/// Google's limits for one user, reads and writes each (google-wire 2.8).
const PER_USER: u32 = 60;

/// Background work leaves one place in so many to interactive calls. Without free places an
/// interactive call that finds the window full waits for up to a whole one, first in line or not.
const KEPT_FREE: u32 = 20;

/// The least time between two questions to a ledger.
const LEAST_WAIT: Duration = Duration::from_millis(20);

/// How long what was told of a wait holds: others may come first, or the door may be closed.
const NOTICE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));

/// The gates of one client: a client is one user.
#[derive(Debug)]
pub(crate) struct Gates {
    pub(crate) sheets_read: Arc<Gate>,
    pub(crate) sheets_write: Arc<Gate>,
    pub(crate) drive: Arc<Gate>,
    pub(crate) book: Option<Arc<Book>>,
}

impl Gates {
    pub(crate) fn new(quota: &Quota, loopback: bool) -> Self {
        let (reads, writes) = match quota.limits {
            Limits::Auto if loopback => (None, None),
            Limits::Auto => (Some(PER_USER), Some(PER_USER)),
            Limits::Unlimited => (None, None),
            Limits::PerWindow { reads, writes } => (Some(reads.max(1)), Some(writes.max(1))),
        };
        // The embedded workspace has no quota that would be worth a question a call.
        let shared = quota.shared.clone().filter(|_| !(quota.limits == Limits::Auto && loopback));
        let book = shared.map(|shared| Arc::new(Book::new(shared)));
        let gate = |bucket, of, calls| {
            let allowance = Allowance { of, calls, window: quota.window };
            Gate::new(bucket, allowance, book.clone())
        };
        Self {
            sheets_read: gate("sheets.read", "reads", reads),
            sheets_write: gate("sheets.write", "writes", writes),
            // Drive's limit (325,000 units a minute) is out of reach of this client; its gate
            // only pauses after a refusal.
            drive: gate("drive", "Drive calls", None),
            book,
        }
    }
}

/// The door before one limit.
#[derive(Debug)]
pub(crate) struct Gate {
    bucket: &'static str,
    allowance: Allowance,
    /// A window, and a little for calls that overtake each other on the way.
    window: Duration,
    slack: Duration,
    book: Option<Arc<Book>>,
    state: Mutex<State>,
    /// Wakes the doorman when there is something new to decide.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    sent: Window,
    line: Line<oneshot::Sender<()>>,
    /// When the next place comes free, as far as was told.
    opens: Instant,
    /// Gives the places to those who wait; there is one while anybody does. It is a task of its
    /// own, so that a waiting call that nobody polls does not hold up the others.
    doorman: Option<JoinHandle<()>>,
}

impl Gate {
    fn new(bucket: &'static str, allowance: Allowance, book: Option<Arc<Book>>) -> Arc<Self> {
        let slack = (allowance.window / 30).min(Duration::from_millis(500));
        let window = allowance.window.saturating_add(slack);
        let state = State {
            sent: Window::new(window),
            line: Line::new(window),
            opens: Instant::now(),
            doorman: None,
        };
        let (state, changed) = (Mutex::new(state), Notify::new());
        Arc::new(Self { bucket, allowance, window, slack, book, state, changed })
    }

    /// Waits until a call may go out, and counts it; a call that is sent `again` goes first.
    pub(crate) async fn pass(self: &Arc<Self>, scope: &Scope, again: bool) {
        let share = match scope.priority() {
            Priority::Interactive => self.share(Turn::Interactive),
            Priority::Background => self.share(Turn::Background),
        };
        let nobody_waits = self.state().line.is_empty();
        if nobody_waits && self.claim(share).await.is_none() {
            return;
        }
        let notice = scope.notice();
        let mut place = self.enter(scope, again);
        loop {
            let until = place.opens(share);
            let reason = WaitReason::Quota(self.allowance);
            notice.show(Wait { until, reason });
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left.clamp(NOTICE.0, NOTICE.1), &mut place.granted).await {
                Ok(Ok(())) => return,
                // Not given a place and no longer in line: nobody does that, but if so, again.
                Ok(Err(_)) => place = self.enter(scope, again),
                Err(_) => {}
            }
        }
    }

    /// Lets nothing pass for a while, in all processes: the service said that the limit is
    /// reached.
    pub(crate) async fn close_for(&self, pause: Duration) {
        self.state().sent.close(Instant::now() + pause);
        if let Some(book) = &self.book {
            book.close(self.bucket, pause).await;
        }
    }

    /// Returns how many calls may lie inside a window when a turn takes its place.
    fn share(&self, turn: Turn) -> Option<u32> {
        self.allowance.calls.map(|calls| match turn {
            Turn::Interactive | Turn::Due => calls,
            Turn::Background => calls - calls / KEPT_FREE,
        })
    }

    /// Counts a call that goes out now, or returns how long it must wait.
    async fn claim(&self, limit: Option<u32>) -> Option<Duration> {
        let wait = match &self.book {
            None => self.count(limit),
            Some(book) => {
                // What this process sent itself is reason enough to wait, without a question.
                let wait = self.state().sent.wait(limit, Instant::now());
                match wait {
                    Some(wait) => Some(wait),
                    None => self.claim_from(book, limit).await,
                }
            }
        };
        if let Some(wait) = wait {
            self.state().opens = Instant::now() + wait;
        }
        wait
    }

    async fn claim_from(&self, book: &Book, limit: Option<u32>) -> Option<Duration> {
        let asked = limit.unwrap_or(u32::MAX);
        match book.claim(self.bucket, asked, self.window, self.slack).await {
            Answer::Go => {
                self.state().sent.count(Instant::now());
                None
            }
            // Never longer than a window without a question: a clock may have been set.
            Answer::Wait(wait) => Some(wait.clamp(LEAST_WAIT, self.window.max(LEAST_WAIT))),
            // Others may be counting alone too.
            Answer::Unknown => self.count(limit.map(|limit| limit.div_ceil(2))),
        }
    }

    /// Counts a call in this process alone, or returns how long it must wait.
    fn count(&self, limit: Option<u32>) -> Option<Duration> {
        let now = Instant::now();
        let mut state = self.state();
        let wait = state.sent.wait(limit, now);
        if wait.is_none() && (limit.is_some() || self.book.is_some()) {
            state.sent.count(now);
        }
        wait
    }

    fn enter(self: &Arc<Self>, scope: &Scope, again: bool) -> Place<'_> {
        let (ticket, granted) = oneshot::channel();
        let priority = scope.priority();
        let mut state = self.state();
        if priority == Priority::Interactive && !state.line.has_interactive() {
            // The doorman may be waiting for a place that background work may take.
            self.changed.notify_one();
        }
        let number = state.line.enter(scope.id(), priority, again, ticket, Instant::now());
        // A doorman of a runtime that has ended does not come back.
        if state.doorman.as_ref().is_none_or(JoinHandle::is_finished) {
            state.doorman = Some(tokio::spawn(Arc::clone(self).keep()));
        }
        drop(state);
        Place { gate: self, priority, number, granted }
    }

    /// Gives places to those who wait until nobody does.
    async fn keep(self: Arc<Self>) {
        while let Some(turn) = self.turn() {
            match self.claim(self.share(turn)).await {
                None => self.give(),
                Some(wait) => {
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = self.changed.notified() => {}
                    }
                }
            }
        }
    }

    /// Returns whose turn it is, or relieves the doorman.
    fn turn(&self) -> Option<Turn> {
        let mut state = self.state();
        let turn = state.line.turn(Instant::now());
        if turn.is_none() {
            state.doorman = None;
        }
        turn
    }

    /// Gives a place to the first who still wants it.
    fn give(&self) {
        let mut state = self.state();
        while let Some(ticket) = state.line.take(Instant::now()) {
            if ticket.send(()).is_ok() {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so that a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in line, given up when it is dropped.
struct Place<'a> {
    gate: &'a Gate,
    priority: Priority,
    number: u64,
    granted: oneshot::Receiver<()>,
}

impl Place<'_> {
    /// Returns when it will probably be this call's turn.
    fn opens(&self, share: Option<u32>) -> Instant {
        let state = self.gate.state();
        let ahead = state.line.ahead(self.priority, self.number);
        let known = state.sent.opens(ahead, share);
        known.unwrap_or(state.opens).max(state.opens)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.line.leave(self.priority, self.number);
        if state.line.is_empty() {
            self.gate.changed.notify_one();
        }
    }
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod quota_tests;
#[cfg(test)]
#[path = "quota/shared_tests.rs"]
mod shared_tests;
