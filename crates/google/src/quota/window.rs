//! The calls of the last window: exact, for one process.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When the last calls went out, and whether the service closed the door.
///
/// Google allows so many calls in a minute (google-wire 2.8). A token bucket (`governor`'s GCRA
/// among them) lets a full bucket out at once and refills while it drains, which is up to twice
/// the limit in the first minute, and a 429. This window lets the next call go as soon as fewer
/// than the limit lie inside it: never more than the limit wherever Google's minute begins, and no
/// call later than needed.
#[derive(Debug)]
pub(super) struct Window {
    length: Duration,
    /// Oldest first.
    sent: VecDeque<Instant>,
    closed_until: Option<Instant>,
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, sent: VecDeque::new(), closed_until: None }
    }

    /// Returns how long the next call must wait under a limit; `None` if it may go now.
    pub(super) fn wait(&mut self, limit: Option<u32>, now: Instant) -> Option<Duration> {
        while self.sent.front().is_some_and(|sent| *sent + self.length <= now) {
            self.sent.pop_front();
        }
        let free = self.frees(0, limit).max(self.closed_until)?;
        Some(free.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Counts a call that goes out now.
    pub(super) fn count(&mut self, now: Instant) {
        self.sent.push_back(now);
    }

    /// Lets nothing pass before a moment.
    pub(super) fn close(&mut self, until: Instant) {
        self.closed_until = self.closed_until.max(Some(until));
    }

    /// Returns when a call finds a place if `ahead` others go first, as far as this process knows.
    pub(super) fn opens(&self, ahead: usize, limit: Option<u32>) -> Option<Instant> {
        self.frees(ahead, limit).max(self.closed_until)
    }

    /// Places come free in the order they were taken, and those that go first take them again.
    fn frees(&self, ahead: usize, limit: Option<u32>) -> Option<Instant> {
        // A limit of none at all would wait forever.
        let limit = usize::try_from(limit?.max(1)).unwrap_or(usize::MAX);
        let rounds = u32::try_from(ahead / limit).unwrap_or(u32::MAX);
        let place = (self.sent.len() + ahead % limit).checked_sub(limit)?;
        let taken = self.sent.get(place)?;
        taken.checked_add(self.length.saturating_mul(rounds.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LENGTH: Duration = Duration::from_millis(1000);

    #[test]
    fn a_smaller_share_waits_for_more_places() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut window = Window::new(LENGTH);
        for millis in [0, 100, 200] {
            window.count(at(millis));
        }
        let mut wait = |limit| window.wait(limit, at(300)).map(|wait| wait.as_millis());
        assert_eq!(wait(Some(4)), None);
        assert_eq!(wait(Some(3)), Some(700));
        assert_eq!(wait(Some(2)), Some(800));
        assert_eq!(wait(Some(1)), Some(900));
        assert_eq!(wait(Some(0)), Some(900));
        assert_eq!(wait(None), None);
        window.close(at(2_000));
        window.close(at(1_500));
        assert_eq!(window.wait(None, at(300)), Some(Duration::from_millis(1_700)));
        assert_eq!(window.wait(Some(3), at(1_999)), Some(Duration::from_millis(1)));
        assert_eq!(window.wait(Some(3), at(2_000)), None);
    }

    proptest! {
        /// What is foretold for a call that has others before it is when it really goes.
        #[test]
        fn the_moment_foretold_is_the_moment_it_opens(
            gaps in prop::collection::vec(0u64..600, 0..12), limit in 1u32..6, ahead in 0usize..15,
        ) {
            let mut window = Window::new(LENGTH);
            let mut now = Instant::now();
            let mut step = |window: &mut Window, gap| {
                now += Duration::from_millis(gap);
                while let Some(wait) = window.wait(Some(limit), now) {
                    now += wait;
                }
                now
            };
            for gap in gaps {
                let gone = step(&mut window, gap);
                window.count(gone);
            }
            let asked = step(&mut Window::new(LENGTH), 0);
            let foretold = window.opens(ahead, Some(limit)).unwrap_or(asked).max(asked);
            for _ in 0..ahead {
                let gone = step(&mut window, 0);
                window.count(gone);
            }
            prop_assert!(foretold <= step(&mut window, 0));
            // With a full window nothing is left to guess.
            if ahead == 0 {
                prop_assert_eq!(foretold, step(&mut window, 0));
            }
        }
    }
}
