//! The way of every call: gate, time-out, classification, another try.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use google_sheets4::common;
use tokio::time::Instant;
use tracing::Instrument;

use crate::calls::WaitReason;
use crate::classify::{classify, timed_out};
use crate::config::Backoff;
use crate::delegate::Witness;
use crate::quota::Gate;
use crate::{Error, Google, Kind, Result, Retry};

/// The longest wait that is done inside a call; a longer one is the caller's decision.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// A call: its name at Google, its service, and what sending it twice would do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) operation: &'static str,
    pub(crate) service: Service,
    pub(crate) effect: Effect,
}

/// The service a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Sheets,
    Drive,
}

/// What sending a call twice would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: it only reads.
    Read,
    /// Nothing more than sending it once.
    Repeatable,
    /// The same again: when its outcome is unknown it must not be sent again.
    Once,
}

/// The tries of one call so far.
struct Tries {
    made: u32,
    since: Instant,
    /// Whether a token that the service refused was given up for a fresh one.
    renewed: bool,
}

impl Call {
    pub(crate) const fn sheets(operation: &'static str, effect: Effect) -> Self {
        Self { operation, service: Service::Sheets, effect }
    }

    pub(crate) const fn drive(operation: &'static str, effect: Effect) -> Self {
        Self { operation, service: Service::Drive, effect }
    }

    pub(crate) fn writes(&self) -> bool {
        self.effect != Effect::Read
    }

    /// What to do when the request was sent and no definite answer came back.
    pub(crate) fn retry_when_unknown(&self) -> Retry {
        match self.effect {
            Effect::Read | Effect::Repeatable => Retry::Temporary,
            Effect::Once => Retry::Ambiguous,
        }
    }
}

impl Google {
    /// Makes a call: `send` is one attempt of it, reported to the witness.
    pub(crate) async fn run<T, F>(&self, call: Call, send: impl Fn(Witness) -> F) -> Result<T>
    where
        F: Future<Output = common::Result<T>>,
    {
        let (operation, started) = (call.operation, Instant::now());
        let span = tracing::info_span!(
            "google",
            otel.name = operation,
            otel.kind = "client",
            tries = tracing::field::Empty,
            error.type = tracing::field::Empty,
        );
        let done = self.tried(call, send).instrument(span.clone()).await;
        let outcome = match &done {
            Ok(_) => "ok".to_owned(),
            Err(error) => {
                let kind = format!("{:?}", error.kind);
                span.record("error.type", kind.as_str());
                kind
            }
        };
        tracing::trace!(
            target: "lockstep::numbers",
            {
                monotonic_counter.lockstep.google.calls = 1_u64,
                histogram.lockstep.google.call.seconds = started.elapsed().as_secs_f64(),
                operation,
                outcome = outcome.as_str(),
            },
            "counted"
        );
        done
    }

    async fn tried<T, F>(&self, call: Call, send: impl Fn(Witness) -> F) -> Result<T>
    where
        F: Future<Output = common::Result<T>>,
    {
        if call.writes() && self.shared.door.read_only() {
            return Err(Error::new(
                Kind::Forbidden,
                Retry::Permanent,
                call.operation,
                "the operator allows reading only ([access] readOnly)",
            ));
        }
        let limit = self.time_limit(&call);
        let mut tries = Tries { made: 0, since: Instant::now(), renewed: false };
        loop {
            self.gate(&call).pass(&self.scope, tries.made > 0).await;
            if tries.made == 0 {
                tries.since = Instant::now();
            }
            tries.made += 1;
            tracing::Span::current().record("tries", tries.made);
            self.scope.count(call.writes(), tries.made > 1);
            let witness = Witness::default();
            // Boxed: the generated futures are large, and live in every future above this one.
            let sent = Box::pin(send(witness.clone()));
            let error = match tokio::time::timeout(limit, sent).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => classify(&call, witness.seen(), error).await,
                Err(_) => timed_out(&call, witness.seen(), limit),
            };
            // The service refuses a token before it looks at the call: it had no effect.
            if error.status == Some(401) && !tries.renewed {
                tries.renewed = true;
                if let Some(tokens) = &self.shared.tokens {
                    tokens.refused().await;
                    continue;
                }
            }
            self.before_retry(&call, error, &tries).await?;
        }
    }

    /// Waits as the failure demands, or returns it if it is final.
    async fn before_retry(&self, call: &Call, mut error: Error, tries: &Tries) -> Result<()> {
        let backoff = &self.shared.backoff;
        tracing::debug!(operation = call.operation, tries = tries.made, kind = ?error.kind, "call failed");
        if error.kind == Kind::Quota && error.retry == Retry::Temporary {
            let pause = error.retry_after.unwrap_or_else(|| until_next(self.shared.window));
            error.retry_after = Some(pause);
            self.gate(call).close_for(pause.min(LONGEST_WAIT)).await;
        }
        let too_long = error.retry_after.is_some_and(|wait| wait > LONGEST_WAIT);
        let enough = tries.made >= backoff.attempts || tries.since.elapsed() >= backoff.give_up;
        if error.retry != Retry::Temporary || enough || too_long {
            return Err(error);
        }
        if error.kind != Kind::Quota {
            let delay = error.retry_after.unwrap_or_else(|| backoff.pause(tries.made));
            self.scope.wait(delay, WaitReason::Retry).await;
        }
        Ok(())
    }

    fn gate(&self, call: &Call) -> &Arc<Gate> {
        let gates = &self.shared.gates;
        match (call.service, call.writes()) {
            (Service::Sheets, false) => &gates.sheets_read,
            (Service::Sheets, true) => &gates.sheets_write,
            (Service::Drive, _) => &gates.drive,
        }
    }

    fn time_limit(&self, call: &Call) -> Duration {
        if call.writes() { self.shared.timeouts.write } else { self.shared.timeouts.read }
    }
}

impl Backoff {
    /// Returns how long to wait after an attempt (1 for the first): a random share of a bound that doubles up to the cap.
    pub fn pause(&self, attempt: u32) -> Duration {
        self.delay(attempt, fastrand::f64())
    }

    /// The delay after an attempt (1 for the first): full jitter, that is a `random` share
    /// (0 to 1) of a bound that doubles up to the cap.
    pub(crate) fn delay(&self, attempt: u32, random: f64) -> Duration {
        let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
        let bound = self.base.saturating_mul(doubled).min(self.cap);
        bound.mul_f64(random.clamp(0.0, 1.0))
    }
}

/// The time to the next full `window` of the wall clock, and a moment more.
fn until_next(window: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let window = window.as_millis().max(1);
    let left = u64::try_from(window - now % window).unwrap_or(u64::MAX);
    Duration::from_millis(left) + Duration::from_millis(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_are_a_share_of_their_bound() {
        let backoff = Backoff {
            base: Duration::from_millis(500),
            cap: Duration::from_secs(32),
            ..Backoff::default()
        };
        let bounds: Vec<_> = (1..=9).map(|n| backoff.delay(n, 1.0).as_millis()).collect();
        assert_eq!(bounds, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 32_000, 32_000]);
        assert_eq!(backoff.delay(3, 0.25), Duration::from_millis(500));
        assert_eq!(backoff.delay(40, 0.0), Duration::ZERO);
        assert_eq!(backoff.delay(u32::MAX, 1.0), backoff.cap);
    }

    #[test]
    fn the_next_window_is_never_further_than_a_window() {
        for window in [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(60)] {
            let wait = until_next(window);
            assert!(wait > Duration::ZERO);
            assert!(wait <= window + Duration::from_millis(101), "{wait:?}");
        }
    }
}
