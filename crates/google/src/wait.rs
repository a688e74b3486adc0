//! What a call is held back for, and how long.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// Says that a call is being held back; shown in words by `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// When it goes on, as far as is known now: others may come first, so that it may move.
    pub until: Instant,
    /// Why.
    pub reason: WaitReason,
}

impl Wait {
    /// Returns how long the call still waits, counted from now.
    pub fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.remaining().as_millis().div_ceil(1000).max(1);
        match self.reason {
            WaitReason::Quota(allowance) => {
                write!(f, "waiting {seconds} s for Google's quota of {allowance}")
            }
            WaitReason::Retry => write!(f, "waiting {seconds} s before the next try"),
        }
    }
}

/// Why a call is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// The calls of this window are used up, or Google said so.
    Quota(Allowance),
    /// The last try failed, the next one comes after a pause.
    Retry,
}

/// What Google allows one user: so many calls of a kind in a window of time (google-wire 2.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// What is counted, in the plural: `reads`, `writes`, `Drive calls`.
    pub of: &'static str,
    /// How many calls a window; `None` without a limit of our own.
    pub calls: Option<u32>,
    /// How long a window is.
    pub window: Duration,
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, calls, window } = self;
        match calls {
            Some(calls) if window.as_secs_f64() == 60.0 => write!(f, "{calls} {of} a minute"),
            Some(calls) => write!(f, "{calls} {of} in {} s", window.as_secs_f64()),
            None => f.write_str(of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_said_in_words() {
        let allowed = |of, calls, seconds| {
            WaitReason::Quota(Allowance { of, calls, window: Duration::from_secs(seconds) })
        };
        let cases = [
            (
                11_001,
                allowed("writes", Some(60), 60),
                "12 s for Google's quota of 60 writes a minute",
            ),
            (3_000, allowed("reads", Some(5), 3), "3 s for Google's quota of 5 reads in 3 s"),
            (0, allowed("Drive calls", None, 60), "1 s for Google's quota of Drive calls"),
            (1_500, WaitReason::Retry, "2 s before the next try"),
        ];
        for (millis, reason, words) in cases {
            let until = Instant::now() + Duration::from_millis(millis);
            assert_eq!(Wait { until, reason }.to_string(), format!("waiting {words}"));
        }
    }
}
