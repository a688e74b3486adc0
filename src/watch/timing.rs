//! When to look next: polls that become slower while nothing changes, and schedules with a time zone.

use std::str::FromStr;

use croner::Cron;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::error::{Error, Result};

/// How much slower a poll becomes each time that nothing had changed.
const SLOWER: f64 = 1.5;

/// How many times slower than asked a poll may become.
const SLOWEST: f64 = 10.0;

/// No poll becomes slower than this by itself, in seconds.
const LONGEST: f64 = 300.0;

/// The interval of a poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Poll {
    asked: f64,
    now: f64,
}

impl Poll {
    /// Creates the poll of an interval in seconds; none for 0.
    pub(super) fn new(seconds: f64) -> Option<Self> {
        (seconds > 0.0).then_some(Self { asked: seconds, now: seconds })
    }

    /// Takes in what a look found, and returns how long to wait for the next one.
    pub(super) fn after(&mut self, changed: bool) -> SignedDuration {
        let slowest = (self.asked * SLOWEST).min(LONGEST.max(self.asked));
        self.now = if changed { self.asked } else { (self.now * SLOWER).min(slowest) };
        self.interval()
    }

    /// Returns the interval as it is now.
    pub(super) fn interval(&self) -> SignedDuration {
        SignedDuration::try_from_secs_f64(self.now).unwrap_or(SignedDuration::from_secs(30))
    }
}

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    cron: Box<Cron>,
    zone: TimeZone,
}

impl Schedule {
    /// Reads an expression of five fields (minute, hour, day of month, month, day of week), or six with seconds first.
    ///
    /// # Errors
    /// An expression that is none, or that no time matches.
    pub(crate) fn read(expression: &str, zone: TimeZone) -> Result<Self> {
        let cron = Cron::from_str(expression).map_err(|error| {
            Error::invalid(format!("argument cron: \"{expression}\" is no schedule: {error}"))
                .next("give minute, hour, day of month, month and day of week, such as \"0 9 * * MON-FRI\"")
        })?;
        let schedule = Self { cron: Box::new(cron), zone };
        // Any time will do: a date that never comes never comes.
        if schedule.next(Timestamp::UNIX_EPOCH).is_none() {
            return Err(Error::invalid(format!("argument cron: \"{expression}\" never comes"))
                .next("give a date that exists"));
        }
        Ok(schedule)
    }

    /// Returns the first matching time after one.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = after.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&from, false).ok().map(|next| next.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_slows_down_while_nothing_changes_and_is_quick_again_when_something_does() {
        let mut poll = Poll::new(2.0).unwrap();
        let waits: Vec<f64> = (0..8).map(|_| poll.after(false).as_secs_f64()).collect();
        assert_eq!(waits[..3], [3.0, 4.5, 6.75]);
        assert_eq!(waits[7], 20.0, "ten times at most");
        assert_eq!(poll.after(true).as_secs_f64(), 2.0);
        let mut slow = Poll::new(60.0).unwrap();
        assert_eq!((0..20).map(|_| slow.after(false).as_secs_f64()).last(), Some(300.0));
        let mut daily = Poll::new(3_600.0).unwrap();
        assert_eq!(daily.after(false).as_secs_f64(), 3_600.0, "slower than the bound already");
        assert_eq!(Poll::new(0.0), None);
    }

    #[test]
    fn a_schedule_follows_its_zone_through_the_change_of_the_clocks() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let schedule = Schedule::read("30 9 * * *", berlin).unwrap();
        let after = |text: &str| schedule.next(text.parse().unwrap()).unwrap().to_string();
        // The clocks go forward on 2026-03-29, and back on 2026-10-25.
        assert_eq!(after("2026-03-28T09:00:00Z"), "2026-03-29T07:30:00Z");
        assert_eq!(after("2026-10-24T12:00:00Z"), "2026-10-25T08:30:00Z");
        assert_eq!(after("2026-01-01T08:30:00Z"), "2026-01-02T08:30:00Z");
    }
}
