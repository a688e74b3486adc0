//! How fast requests go out: never more in a window than the operator allows, none while the API said to wait.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::config::LimitsConfig;
use crate::progress::Progress;

/// Lets requests of one API pass, all runs of this process together.
pub(super) struct Pace {
    windows: Vec<(Duration, usize)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: VecDeque<Instant>,
    closed: Option<Instant>,
}

impl Pace {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        let window = |seconds, count: Option<u32>| {
            Some((Duration::from_secs(seconds), usize::try_from(count?).ok()?))
        };
        let windows = [window(1, limits.per_second), window(60, limits.per_minute)];
        Self { windows: windows.into_iter().flatten().collect(), state: Mutex::default() }
    }

    /// Returns how many requests may go out in so many seconds, if that is bounded.
    pub(super) fn within(&self, seconds: u64) -> Option<usize> {
        let counts = self.windows.iter().map(|(window, count)| {
            let windows = usize::try_from(seconds / window.as_secs().max(1)).unwrap_or(usize::MAX);
            count.saturating_mul(windows.max(1))
        });
        counts.min()
    }

    /// Waits until a request may go out, and counts it.
    pub(super) async fn pass(&self, api: &str, progress: &Progress) {
        while let Some(wait) = self.claim(Instant::now()) {
            if wait >= Duration::from_secs(1) {
                let seconds = wait.as_secs_f64().ceil();
                progress.step(
                    0,
                    None,
                    format!("waiting {seconds} s for the rate limit of \"{api}\""),
                );
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Lets nothing out for a while.
    pub(super) fn close(&self, wait: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + wait;
        state.closed = Some(state.closed.map_or(until, |known| known.max(until)));
    }

    fn claim(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = state.closed.map(|until| until.saturating_duration_since(now));
        let full = self.windows.iter().map(|(window, count)| {
            let oldest = state.sent.len().checked_sub(*count).and_then(|at| state.sent.get(at));
            oldest.map_or(Duration::ZERO, |sent| (*sent + *window).saturating_duration_since(now))
        });
        let wait = full.chain(closed).max().unwrap_or_default();
        if !wait.is_zero() {
            return Some(wait);
        }
        let longest = self.windows.iter().map(|(_, count)| *count).max().unwrap_or(0);
        if longest > 0 {
            state.sent.push_back(now);
            if state.sent.len() > longest {
                state.sent.pop_front();
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_second: Option<u32>, per_minute: Option<u32>) -> Pace {
        Pace::new(&LimitsConfig { per_second, per_minute, ..LimitsConfig::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_holds_more_than_is_allowed() {
        let pace = pace(Some(3), Some(10));
        let began = Instant::now();
        let mut sent = Vec::new();
        for _ in 0..25 {
            pace.pass("crm", &Progress::silent()).await;
            sent.push(began.elapsed());
        }
        for (window, count) in [(1, 3), (60, 10)] {
            let window = Duration::from_secs(window);
            for pair in sent.windows(count + 1) {
                assert!(pair[count] - pair[0] >= window, "{sent:?}");
            }
        }
        assert!(sent[9] < Duration::from_secs(4), "it is slower than it must be: {sent:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_lets_nothing_out() {
        let pace = pace(None, None);
        let began = Instant::now();
        pace.close(Duration::from_secs(7));
        pace.close(Duration::from_secs(2));
        pace.pass("crm", &Progress::silent()).await;
        assert_eq!(began.elapsed(), Duration::from_secs(7));
        assert_eq!(pace.within(10), None);
        assert_eq!(self::pace(Some(5), Some(60)).within(60), Some(60));
    }
}
