//! How a long call tells its caller how far it is, and learns that it is no longer wanted.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};

/// How often a call that takes long says what it is doing.
const SECOND: Duration = Duration::from_secs(1);

/// One step of progress: how much of how much is done, and with what.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// How many units are done.
    pub done: u64,
    /// How many units there are, where known.
    pub total: Option<u64>,
    /// What is being done, in a few words.
    pub message: String,
}

/// Where progress goes, and where cancellation comes from.
#[derive(Clone)]
pub struct Progress {
    last: Arc<Mutex<Option<Step>>>,
    sink: Option<Arc<dyn Fn(Step) + Send + Sync>>,
    cancelled: CancellationToken,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("cancelled", &self.cancelled.is_cancelled()).finish()
    }
}

impl Progress {
    /// Creates a progress that nobody listens to.
    #[must_use]
    pub fn silent() -> Self {
        Self { last: Arc::default(), sink: None, cancelled: CancellationToken::new() }
    }

    /// Creates a progress that calls `sink` at each step and stops when `cancelled` is.
    pub fn new(
        cancelled: CancellationToken,
        sink: Option<Arc<dyn Fn(Step) + Send + Sync>>,
    ) -> Self {
        Self { last: Arc::default(), sink, cancelled }
    }

    /// Tells the listener about a step.
    pub fn step(&self, done: u64, total: Option<u64>, message: impl Into<String>) {
        if let Some(sink) = &self.sink {
            let step = Step { done, total, message: message.into() };
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(step.clone());
            sink(step);
        }
    }

    /// Does a piece of work, and tells once a second what it waits for, or that it is still at it.
    ///
    /// `waiting` says in words what the work waits for at the moment.
    pub async fn during<T>(
        &self,
        work: impl Future<Output = T>,
        waiting: impl Fn() -> Option<String>,
    ) -> T {
        let Some(sink) = &self.sink else { return work.await };
        let mut work = std::pin::pin!(work);
        let started = Instant::now();
        let mut ticks = tokio::time::interval_at(started + SECOND, SECOND);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => {
                    let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let mut step = last.unwrap_or(Step { done: 0, total: None, message: "working".into() });
                    step.message = waiting().unwrap_or_else(|| {
                        format!("{} ({} s)", step.message, started.elapsed().as_secs())
                    });
                    sink(step);
                }
            }
        }
    }

    /// Returns an error if the caller cancelled; called between batches, never inside one.
    ///
    /// # Errors
    /// [`Kind::Cancelled`].
    pub fn check(&self) -> Result<()> {
        match self.cancelled.is_cancelled() {
            true => Err(cancelled()),
            false => Ok(()),
        }
    }

    /// Does work that only reads; it is dropped wherever it is when the caller cancels.
    ///
    /// # Errors
    /// Those of the work, and [`Kind::Cancelled`].
    pub async fn reading<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.cancelled.cancelled() => Err(cancelled()),
        }
    }
}

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "the call was cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_read_ends_at_once_when_nobody_wants_it_any_more() {
        let token = CancellationToken::new();
        let progress = Progress::new(token.clone(), None);
        let hour = async {
            tokio::time::sleep(SECOND * 3_600).await;
            Ok(1)
        };
        tokio::spawn(async move {
            tokio::time::sleep(SECOND).await;
            token.cancel();
        });
        let began = Instant::now();
        let ended = progress.reading(hour).await;
        assert_eq!(ended.unwrap_err().kind(), Kind::Cancelled);
        assert_eq!(began.elapsed(), SECOND);
        assert_eq!(Progress::silent().reading(async { Ok(7) }).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_call_says_what_it_waits_for() {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&told);
        let sink = Arc::new(move |step: Step| heard.lock().unwrap().push(step.message));
        let progress = Progress::new(CancellationToken::new(), Some(sink));
        let began = Instant::now();
        let waiting = || (began.elapsed() > SECOND * 2).then(|| "waiting 9 s".to_owned());
        let work = async {
            progress.step(0, None, "reading");
            tokio::time::sleep(Duration::from_millis(3_500)).await;
            7
        };
        assert_eq!(progress.during(work, waiting).await, 7);
        assert_eq!(
            *told.lock().unwrap(),
            ["reading", "reading (1 s)", "reading (2 s)", "waiting 9 s"]
        );
    }
}
