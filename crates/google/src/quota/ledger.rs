//! The calls of all processes, counted in one place.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};

/// How long an answer is waited for: longer than a database waits for its lock.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a ledger that failed is left alone.
const REST: Duration = Duration::from_secs(30);

/// How often a place that was counted too long ago is given up for another one.
const STALE: u32 = 3;

/// What a [`Ledger`] says that cannot do its work.
pub type LedgerError = Box<dyn std::error::Error + Send + Sync>;

/// The answer of a [`Ledger`].
pub type LedgerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// Counts the calls of all processes that share Google's quota of one user.
///
/// A bucket is a name for one limit. Processes may give different limits for the same bucket:
/// background work leaves the last places to interactive calls by claiming under a lower one.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Counts a call that goes out now; or counts nothing and returns how long to wait.
    ///
    /// It has to wait while `limit` calls, of all processes, lie inside the last `window`, and
    /// while the bucket is closed. Counting must be atomic over all processes, and the call is
    /// counted at a moment between the question and the answer. A wait that is told too short
    /// costs another question, and nothing else.
    fn claim<'a>(
        &'a self,
        bucket: &'a str,
        limit: u32,
        window: Duration,
    ) -> LedgerFuture<'a, Option<Duration>>;

    /// Lets no call of a bucket pass before a moment; an earlier moment than the one that is set
    /// changes nothing.
    fn close<'a>(&'a self, bucket: &'a str, until: SystemTime) -> LedgerFuture<'a, ()>;
}

/// Says where calls are counted together with those of other processes.
#[derive(Debug, Clone)]
pub struct SharedQuota {
    /// Where.
    pub ledger: Arc<dyn Ledger>,
    /// Names whose quota it is: the same text for the same Google project and user, and another
    /// one for others. It is part of the names of the buckets; not a secret.
    pub account: String,
}

/// What a ledger answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Go,
    Wait(Duration),
    /// It failed, now or a moment ago: this process has to count alone.
    Unknown,
}

/// A ledger as the gates use it: bounded in time, and left alone for a while after a failure.
#[derive(Debug)]
pub(crate) struct Book {
    shared: SharedQuota,
    broken: Mutex<Option<Broken>>,
}

#[derive(Debug)]
struct Broken {
    until: Instant,
    why: String,
}

impl Book {
    pub(crate) fn new(shared: SharedQuota) -> Self {
        Self { shared, broken: Mutex::default() }
    }

    /// Returns why the ledger is not used at the moment.
    pub(crate) fn failure(&self) -> Option<String> {
        self.broken().as_ref().map(|broken| broken.why.clone())
    }

    /// Claims a place that was counted at most `slack` ago.
    pub(super) async fn claim(
        &self,
        bucket: &str,
        limit: u32,
        window: Duration,
        slack: Duration,
    ) -> Answer {
        if self.rests() {
            return Answer::Unknown;
        }
        let bucket = self.name(bucket);
        for _ in 0..STALE {
            let asked = Instant::now();
            let claim = self.shared.ledger.claim(&bucket, limit, window);
            match self.bounded(claim).await {
                None => return Answer::Unknown,
                Some(Some(wait)) => return Answer::Wait(wait),
                // A call that goes out much later than it was counted would be inside a window
                // in which it is not counted.
                Some(None) if asked.elapsed() > slack => {}
                Some(None) => return Answer::Go,
            }
        }
        self.failed(format!("it takes longer than {} ms to answer", slack.as_millis()));
        Answer::Unknown
    }

    /// Tells everyone that a bucket is closed for a while.
    pub(super) async fn close(&self, bucket: &str, pause: Duration) {
        let until = SystemTime::now().checked_add(pause);
        if let Some(until) = until.filter(|_| !self.rests()) {
            self.bounded(self.shared.ledger.close(&self.name(bucket), until)).await;
        }
    }

    fn name(&self, bucket: &str) -> String {
        format!("{}/{bucket}", self.shared.account)
    }

    async fn bounded<T>(&self, answer: LedgerFuture<'_, T>) -> Option<T> {
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => {
                if self.broken().take().is_some() {
                    tracing::info!("the ledger of Google's quota answers again");
                }
                Some(answer)
            }
            Ok(Err(error)) => {
                self.failed(error.to_string());
                None
            }
            Err(_) => {
                self.failed(format!("no answer within {} s", PATIENCE.as_secs()));
                None
            }
        }
    }

    /// Takes note of a failure, and tells the first of a row.
    fn failed(&self, why: String) {
        let mut broken = self.broken();
        if broken.is_none() {
            tracing::warn!(
                why,
                "the ledger of Google's quota failed: this process counts its own calls alone, \
                 and makes at most half as many as are allowed, until the ledger answers again"
            );
        }
        *broken = Some(Broken { until: Instant::now() + REST, why });
    }

    fn rests(&self) -> bool {
        self.broken().as_ref().is_some_and(|broken| Instant::now() < broken.until)
    }

    fn broken(&self) -> MutexGuard<'_, Option<Broken>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
