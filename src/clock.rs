//! The time, as something that can be handed in.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Tells the time: the system's, or one that tests set.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that stands still.
    Fixed(Timestamp),
    /// A clock that is moved by hand, so that hours pass in milliseconds.
    Driven(&'static Hand),
}

/// The hand of a driven clock, in microseconds since 1970.
#[derive(Debug)]
pub struct Hand(AtomicI64);

impl Hand {
    /// Creates a hand that shows a time.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.as_microsecond()))
    }

    /// Moves the hand on.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock {
    /// Returns the current time.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) => at,
            Self::Driven(hand) => {
                Timestamp::from_microsecond(hand.0.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }
}
