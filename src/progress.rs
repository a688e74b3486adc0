//! How a long call tells its caller how far it is, and learns that it is no longer wanted.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Kind, Result};

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
        Self { sink: None, cancelled: CancellationToken::new() }
    }

    /// Creates a progress that calls `sink` at each step and stops when `cancelled` is.
    pub fn new(
        cancelled: CancellationToken,
        sink: Option<Arc<dyn Fn(Step) + Send + Sync>>,
    ) -> Self {
        Self { sink, cancelled }
    }

    /// Tells the listener about a step.
    pub fn step(&self, done: u64, total: Option<u64>, message: impl Into<String>) {
        if let Some(sink) = &self.sink {
            sink(Step { done, total, message: message.into() });
        }
    }

    /// Returns an error if the caller cancelled; called between batches, never inside one.
    ///
    /// # Errors
    /// [`Kind::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.cancelled.is_cancelled() {
            Err(Error::new(Kind::Cancelled, "the call was cancelled"))
        } else {
            Ok(())
        }
    }
}
