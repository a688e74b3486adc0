//! What waits: conflicts for people, changes for members that cannot be reached, rows that were given up.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{look::seconds_since, score::Cause, score::tenth};
use crate::{
    store::{Breaker, Facts, Queued},
    sync::verify::Call,
};

/// How long a change may be on its way before it waits: the longest time between two tries of a member that cannot be
/// reached. What is younger is under way, or somebody edits at this moment.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

const DAY: f64 = 86_400.0;

/// How old a dead letter may become before it caps the score.
const LETTERS_FOR: f64 = DAY;

/// Returns the moment from which on changes are not late.
pub(super) fn late(now: Timestamp) -> Timestamp {
    now.checked_sub(PATIENCE).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What waits for a dataset.
#[derive(Clone, Copy)]
pub(super) struct Waits<'a> {
    pub(super) dataset: &'a str,
    pub(super) facts: &'a Facts,
    pub(super) queued: &'a Queued,
    pub(super) now: Timestamp,
}

impl Waits<'_> {
    /// Returns the share of the backlog's part: exp(−waiting / changes a day), where what waits for d days counts 1 + d times;
    /// with what waits, most first, and the call that ends it.
    pub(super) fn backlog(&self, a_day: f64) -> (f64, Vec<Cause>) {
        let mut causes = Vec::new();
        let mut add = |count: u64, since: Option<i64>, why: String, call: Call| {
            let days = since.map_or(0.0, |at| seconds_since(at, self.now) / DAY);
            let share = count as f64 * (1.0 + days.max(0.0));
            if count > 0 {
                causes.push(Cause { share, why, call });
            }
        };
        let Facts { conflicts, conflicts_since, .. } = *self.facts;
        add(
            conflicts,
            conflicts_since,
            format!(
                "{conflicts} conflicts wait for a person: the call lists them, and action \"decide\" with their ids \
                 settles them"
            ),
            Call::new("resolveConflicts", json!({"dataset": self.dataset, "state": "open"})),
        );
        let Queued { late, oldest, dead, oldest_dead, .. } = *self.queued;
        let micros = |at: Option<Timestamp>| at.map(Timestamp::as_microsecond);
        let down = self.down().map_or(String::new(), |one| format!(" ({})", place(one)));
        add(
            late,
            micros(oldest),
            format!("{late} changes wait for longer than 5 minutes{down}"),
            self.sync(),
        );
        add(dead, micros(oldest_dead), self.given_up(), self.retry());
        causes.sort_by(|one, other| other.share.total_cmp(&one.share));
        let waiting: f64 = causes.iter().map(|one| one.share).sum();
        ((-waiting / a_day.max(1.0)).exp(), causes)
    }

    /// Returns how long the oldest change has waited that is late, in seconds.
    pub(super) fn lag(&self) -> Option<f64> {
        let oldest = self.queued.oldest.filter(|_| self.queued.late > 0)?;
        Some(seconds_since(oldest.as_microsecond(), self.now))
    }

    /// Returns why the score is capped by rows that were given up, and the call that tries them again.
    pub(super) fn letters(&self) -> Option<(String, Call)> {
        let oldest = self.queued.oldest_dead?;
        let age = seconds_since(oldest.as_microsecond(), self.now);
        (age > LETTERS_FOR).then(|| (self.given_up(), self.retry()))
    }

    /// Returns why the score is capped by a member that is down, and the call that tries it again.
    pub(super) fn outage(&self) -> Option<(String, Call)> {
        Some((place(self.down()?), self.sync()))
    }

    /// Returns a member that is down, and that no run reached since.
    fn down(&self) -> Option<&Breaker> {
        let reached = |one: &&Breaker| {
            self.facts.last_success.is_none_or(|at| at < one.since.as_microsecond())
        };
        self.queued.down.iter().find(reached)
    }

    fn given_up(&self) -> String {
        let hours = self
            .queued
            .oldest_dead
            .map_or(0.0, |at| seconds_since(at.as_microsecond(), self.now) / 3_600.0);
        format!(
            "{} rows were given up, the oldest {hours:.1} hours ago: watchDataset with deadLetters says why",
            self.queued.dead
        )
    }

    fn retry(&self) -> Call {
        Call::new("watchDataset", json!({"action": "retry", "dataset": self.dataset}))
    }

    fn sync(&self) -> Call {
        Call::new("syncDataset", json!({"name": self.dataset, "mode": "apply"}))
    }
}

fn place(one: &Breaker) -> String {
    let member = if one.member.is_empty() { "the dataset" } else { &one.member };
    format!("{member} cannot be reached since {:.0}: {}", one.since, one.why)
}

/// Returns numbers of what waits now, of one dataset or of several together.
pub(super) fn numbers<'a>(
    all: impl Iterator<Item = (&'a Facts, &'a Queued)>,
    now: Timestamp,
) -> BTreeMap<String, Option<f64>> {
    let (mut depth, mut dead, mut conflicts) = (0, 0, 0);
    let (mut lag, mut age): (Option<i64>, Option<i64>) = (None, None);
    let older = |known: &mut Option<i64>, at: Option<i64>| {
        *known = known.iter().copied().chain(at).min();
    };
    for (facts, queued) in all {
        depth += queued.events;
        dead += queued.dead;
        conflicts += facts.conflicts;
        older(&mut lag, queued.oldest.map(Timestamp::as_microsecond));
        older(&mut age, facts.conflicts_since);
    }
    let since = |at: Option<i64>, unit: f64| at.map(|at| tenth(seconds_since(at, now) / unit));
    let named = [
        ("queueDepth", Some(depth as f64)),
        ("queueLagSeconds", since(lag, 1.0)),
        ("deadLetters", Some(dead as f64)),
        ("conflictsOpen", Some(conflicts as f64)),
        ("conflictAgeHours", since(age, 3_600.0)),
    ];
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3_600).unwrap()
    }

    fn letters(dead: u64, oldest: i64) -> Queued {
        Queued { dead, oldest_dead: Some(at(oldest)), ..Queued::default() }
    }

    fn waits<'a>(facts: &'a Facts, queued: &'a Queued, hour: i64) -> Waits<'a> {
        Waits { dataset: "d", facts, queued, now: at(hour) }
    }

    #[test]
    fn a_backlog_by_hand() {
        let facts = Facts {
            conflicts: 2,
            conflicts_since: Some(at(24).as_microsecond()),
            ..Facts::default()
        };
        let queued = Queued { events: 9, late: 4, oldest: Some(at(36)), ..letters(1, 0) };
        // 2 conflicts for a day, 4 changes for half a day, 1 row for two days: 4 + 6 + 3 of 26 a day.
        let (value, causes) = waits(&facts, &queued, 48).backlog(26.0);
        assert!((value - (-0.5f64).exp()).abs() < 1e-12, "{value}");
        let found: Vec<(&str, f64)> =
            causes.iter().map(|one| (one.call.tool.as_str(), one.share)).collect();
        assert_eq!(found, [("syncDataset", 6.0), ("resolveConflicts", 4.0), ("watchDataset", 3.0)]);
        // Changes that are on their way are no backlog.
        let queued = Queued { events: 9, oldest: Some(at(48)), ..Queued::default() };
        assert_eq!(waits(&Facts::default(), &queued, 48).backlog(1.0), (1.0, Vec::new()));
        assert_eq!(waits(&Facts::default(), &queued, 48).lag(), None);
    }

    #[test]
    fn letters_cap_after_a_day_and_not_before() {
        let (facts, queued) = (Facts::default(), letters(3, 1));
        assert_eq!(waits(&facts, &queued, 25).letters(), None);
        let (why, call) = waits(&facts, &queued, 26).letters().unwrap();
        assert!(why.starts_with("3 rows were given up, the oldest 25.0 hours ago"), "{why}");
        assert_eq!(call.arguments["action"], "retry");
    }

    #[test]
    fn a_member_is_down_until_a_run_reached_it() {
        let breaker = Breaker {
            member: "crm".into(),
            failures: 3,
            since: at(5),
            until: at(6),
            why: "unavailable: 503".into(),
        };
        let queued = Queued { down: vec![breaker], ..Queued::default() };
        let reached = |hour: Option<i64>| Facts {
            last_success: hour.map(|hour| at(hour).as_microsecond()),
            ..Facts::default()
        };
        let why = waits(&reached(Some(4)), &queued, 7).outage().unwrap().0;
        assert!(why.starts_with("crm cannot be reached since 1970-01-01T05:00:00Z: unav"), "{why}");
        assert!(waits(&reached(None), &queued, 7).outage().is_some());
        assert!(waits(&reached(Some(6)), &queued, 7).outage().is_none());
    }

    #[test]
    fn numbers_of_several_add_up_and_take_the_oldest() {
        let facts = [
            Facts::default(),
            Facts { conflicts: 2, conflicts_since: Some(0), ..Facts::default() },
        ];
        let queued = [
            Queued { events: 3, oldest: Some(at(1)), ..letters(1, 0) },
            Queued { events: 4, oldest: Some(at(2)), ..letters(2, 0) },
        ];
        let found = numbers(facts.iter().zip(&queued), at(3));
        for (name, value) in [
            ("queueDepth", 7.0),
            ("queueLagSeconds", 7_200.0),
            ("deadLetters", 3.0),
            ("conflictsOpen", 2.0),
            ("conflictAgeHours", 3.0),
        ] {
            assert_eq!(found[name], Some(value), "{name}");
        }
        assert_eq!(numbers(std::iter::empty(), at(3))["queueLagSeconds"], None);
    }
}
