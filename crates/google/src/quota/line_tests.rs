use super::*;
use proptest::prelude::*;

use Priority::{Background, Interactive};

const PATIENCE: Duration = Duration::from_secs(60);

/// A line in which time stands still, unless it is told otherwise.
struct Still {
    line: Line<&'static str>,
    now: Instant,
}

impl Still {
    fn new() -> Self {
        Self { line: Line::new(PATIENCE), now: Instant::now() }
    }

    fn enter(&mut self, scope: u64, priority: Priority, name: &'static str) -> u64 {
        self.line.enter(scope, priority, false, name, self.now)
    }

    fn rest(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.line.take(self.now)).collect()
    }
}

#[test]
fn interactive_calls_overtake_background_work() {
    let mut still = Still::new();
    still.enter(1, Background, "b1");
    still.enter(1, Background, "b2");
    still.enter(2, Interactive, "i1");
    assert_eq!(still.line.turn(still.now), Some(Turn::Interactive));
    assert_eq!(still.line.take(still.now), Some("i1"));
    assert_eq!(still.line.turn(still.now), Some(Turn::Background));
    assert_eq!(still.rest(), ["b1", "b2"]);
    assert_eq!(still.line.turn(still.now), None);
}

#[test]
fn scopes_take_turns() {
    let mut still = Still::new();
    for name in ["a1", "a2", "a3", "a4"] {
        still.enter(1, Interactive, name);
    }
    still.enter(2, Interactive, "b1");
    still.enter(3, Interactive, "c1");
    still.enter(2, Interactive, "b2");
    assert_eq!(still.rest(), ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
}

#[test]
fn what_was_sent_before_goes_before_what_was_not() {
    let mut still = Still::new();
    still.enter(1, Interactive, "a1");
    still.enter(2, Interactive, "b1");
    still.line.enter(2, Interactive, true, "b0", still.now);
    assert_eq!(still.rest(), ["b0", "a1", "b1"]);
}

#[test]
fn background_work_gets_every_tenth_place() {
    let mut still = Still::new();
    for _ in 0..40 {
        still.enter(1, Interactive, "i");
    }
    // Places taken while no background work waited do not count.
    for _ in 0..5 {
        still.line.take(still.now);
    }
    for _ in 0..3 {
        still.enter(2, Background, "b");
    }
    let order = still.rest();
    let places: Vec<_> = order.iter().enumerate().filter(|(_, n)| **n == "b").collect();
    assert_eq!(places.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [9, 19, 29]);
}

#[test]
fn background_work_that_got_nothing_for_a_window_is_due() {
    let mut still = Still::new();
    still.enter(1, Background, "b1");
    still.enter(1, Background, "b2");
    assert_eq!(still.line.turn(still.now), Some(Turn::Background));
    still.now += PATIENCE;
    still.enter(2, Interactive, "i1");
    assert_eq!(still.line.turn(still.now), Some(Turn::Due));
    assert_eq!(still.rest(), ["b1", "i1", "b2"]);
    // A new wait begins with the next call, however long ago the last place was.
    still.now += PATIENCE * 5;
    still.enter(1, Background, "b3");
    assert_eq!(still.line.turn(still.now), Some(Turn::Background));
}

#[test]
fn who_leaves_is_forgotten() {
    let mut still = Still::new();
    let gone = still.enter(1, Interactive, "gone");
    still.enter(2, Background, "stays");
    still.line.leave(Interactive, gone);
    still.line.leave(Interactive, gone);
    assert!(!still.line.has_interactive());
    assert_eq!(still.rest(), ["stays"]);
    assert!(still.line.is_empty());
}

proptest! {
    /// Everyone goes once, scopes of a class never go twice while another one of it waits, and the
    /// places foretold are those that come.
    #[test]
    fn everyone_goes_in_turn(calls in prop::collection::vec((0u64..5, any::<bool>()), 1..60)) {
        let now = Instant::now();
        let mut line = Line::new(PATIENCE);
        let mut numbers = Vec::new();
        for (at, (scope, background)) in calls.iter().enumerate() {
            let priority = if *background { Background } else { Interactive };
            // A scope has one class only.
            let scope = scope * 2 + u64::from(*background);
            numbers.push(line.enter(scope, priority, false, at, now));
        }
        let only_one_class = calls.iter().all(|(_, background)| *background == calls[0].1);
        let foretold: Vec<usize> = calls.iter().zip(&numbers).map(|((_, background), number)| {
            line.ahead(if *background { Background } else { Interactive }, *number)
        }).collect();
        let order: Vec<usize> = std::iter::from_fn(|| line.take(now)).collect();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..calls.len()).collect::<Vec<_>>());
        if only_one_class {
            for (place, call) in order.iter().enumerate() {
                prop_assert_eq!(foretold[*call], place);
            }
        }
        for (place, call) in order.iter().enumerate() {
            let same_class: Vec<usize> =
                order[place..].iter().copied().filter(|c| calls[*c].1 == calls[*call].1).collect();
            let others = same_class.iter().any(|c| calls[*c].0 != calls[*call].0);
            let next = same_class.get(1);
            prop_assert!(!(others && next.is_some_and(|c| calls[*c].0 == calls[*call].0)));
        }
    }
}
