//! How runs ended within a window, as numbers with names.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use super::score::tenth;
use crate::store::Rollup;

/// Calls of one kind that Google allows one user in a minute.
const QUOTA: f64 = 60.0;

/// How far back runs are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Window {
    #[default]
    #[serde(rename = "24h")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
}

impl Window {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Returns its length in days.
    pub(super) fn days(self) -> f64 {
        match self {
            Self::Day => 1.0,
            Self::Week => 7.0,
            Self::Month => 30.0,
        }
    }

    /// Returns its beginning.
    pub(super) fn begin(self, now: Timestamp) -> Timestamp {
        let hours = (self.days() * 24.0) as i64;
        now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// Returns the share of runs that did what they were asked: a partial one counts half.
pub(super) fn success(runs: &Rollup) -> Option<f64> {
    let good = (runs.in_step + runs.applied) as f64 + 0.5 * runs.partial as f64;
    (runs.runs() > 0).then(|| good / runs.runs() as f64)
}

/// Returns the numbers of a window; null where nothing was measured.
pub(super) fn numbers(runs: &Rollup, window: Window) -> BTreeMap<String, Option<f64>> {
    let minutes = window.days() * 24.0 * 60.0;
    let count = |count: u64| Some(count as f64);
    let share = |part: u64| (runs.runs() > 0).then(|| thousandth(part as f64 / runs.runs() as f64));
    let seconds = |share: f64| runs.durations.quantile(share).map(|ms| thousandth(ms / 1000.0));
    let named = [
        ("runs", count(runs.runs())),
        ("inStep", count(runs.in_step)),
        ("applied", count(runs.applied)),
        ("partial", count(runs.partial)),
        ("halted", count(runs.halted)),
        ("failed", count(runs.failed)),
        ("successRate", success(runs).map(thousandth)),
        ("errorRate", share(runs.failed)),
        ("p50Seconds", seconds(0.5)),
        ("p95Seconds", seconds(0.95)),
        ("rowsWritten", count(runs.rows)),
        ("apiCalls", count(runs.reads + runs.writes)),
        ("retries", count(runs.retries)),
        ("quotaShare", Some(thousandth(runs.reads.max(runs.writes) as f64 / (QUOTA * minutes)))),
        ("conflictsOpened", count(runs.conflicts_opened)),
        ("conflictsClosed", count(runs.conflicts_closed)),
        ("lagP95Seconds", runs.lags.quantile(0.95).map(tenth)),
    ];
    let errors = runs.errors.iter().map(|(kind, found)| (format!("errors.{kind}"), count(*found)));
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(errors).collect()
}

fn thousandth(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_hand() {
        let mut runs =
            Rollup { in_step: 5, applied: 3, partial: 1, failed: 1, ..Rollup::default() };
        (runs.reads, runs.writes, runs.rows) = (864, 12, 77);
        runs.errors.insert("unavailable".into(), 1);
        let numbers = numbers(&runs, Window::Day);
        let expected = [
            ("runs", 10.0),
            ("successRate", 0.85),
            ("errorRate", 0.1),
            ("apiCalls", 876.0),
            // 864 reads of 60 x 1440 a day.
            ("quotaShare", 0.01),
            ("errors.unavailable", 1.0),
        ];
        for (name, value) in expected {
            assert_eq!(numbers[name], Some(value), "{name}");
        }
        assert_eq!(numbers["p95Seconds"], None, "nothing was measured");
        assert_eq!(super::numbers(&Rollup::default(), Window::Week)["successRate"], None);
    }
}
