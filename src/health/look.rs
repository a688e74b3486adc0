//! What one dataset is judged by, and what it comes to.

use jiff::Timestamp;
use lockstep_engine::expect::Span;
use serde_json::json;

use super::{
    metrics::{Window, numbers, success},
    quality::Quality,
    report::{DatasetHealth, status},
    score::{Cap, Capped, Cause, Measured, Part, score},
    waits::{self, Waits},
};
use crate::{
    error::Kind,
    store::{EndState, Facts, Queued, Rollup},
    sync::verify::Call,
};

/// How many times the target may pass before timeliness is nothing.
const SPANS: f64 = 2.0;

/// What one dataset is judged by.
pub(super) struct Look<'a> {
    pub(super) dataset: &'a str,
    pub(super) facts: &'a Facts,
    pub(super) runs: &'a Rollup,
    pub(super) queued: &'a Queued,
    pub(super) window: Window,
    pub(super) within: Span,
    pub(super) unreadable: Option<&'a String>,
    pub(super) now: Timestamp,
}

impl Look<'_> {
    fn sync(&self, mode: &str) -> Call {
        Call::new("syncDataset", json!({"name": self.dataset, "mode": mode}))
    }

    fn verify(&self) -> Call {
        Call::new("verifyDataset", json!({"name": self.dataset}))
    }

    /// Returns the call that lists what was found to correct: the same keys are drawn again.
    fn list(&self, quality: Option<&Quality>) -> Call {
        let (keys, seed) = quality.map_or((1_000, 1), |one| (one.sampled.max(1), one.seed));
        Call::new(
            "healthReport",
            json!({"dataset": self.dataset, "detail": true, "sample": keys, "seed": seed}),
        )
    }

    fn waits(&self) -> Waits<'_> {
        Waits { dataset: self.dataset, facts: self.facts, queued: self.queued, now: self.now }
    }

    /// Returns its score, with everything that it lacks.
    pub(super) fn health(&self) -> DatasetHealth {
        let quality: Option<Quality> =
            self.facts.quality.clone().and_then(|kept| serde_json::from_value(kept).ok());
        let measured = self.measured(quality.as_ref());
        let found = score(&measured, &self.caps());
        let shares = quality.iter().flat_map(|quality| &quality.shares);
        let shares = shares.filter_map(|(name, share)| Some((name.clone(), share.as_ref()?.value)));
        let part = |one: &Measured| (one.part.as_str().to_owned(), one.value);
        let rounded = |(name, value): (String, f64)| (name, (value * 1e4).round() / 1e4);
        let mut not_measured: Vec<String> =
            found.missing.iter().map(|name| (*name).to_owned()).collect();
        if quality.as_ref().is_some_and(|quality| quality.share("accuracy").is_none()) {
            not_measured.push("accuracy (no systemOfRecord)".into());
        }
        for one in quality.iter().flat_map(|quality| &quality.untold) {
            not_measured.push(format!("{one}: a sample cannot tell"));
        }
        let last = self.facts.last_success.and_then(|at| Timestamp::from_microsecond(at).ok());
        DatasetHealth {
            dataset: self.dataset.to_owned(),
            score: found.value,
            status: status(Some(found.value)),
            parts: shares.chain(measured.iter().map(part)).map(rounded).collect(),
            not_measured,
            deductions: found.deductions,
            to_correct: Vec::new(),
            expectations: quality.as_ref().map_or_else(Vec::new, |quality| quality.failed.clone()),
            last_success: last.map(|at| at.to_string()),
            quality,
            metrics: numbers(self.runs, self.window)
                .into_iter()
                .chain(waits::numbers([(self.facts, self.queued)].into_iter(), self.now))
                .collect(),
        }
    }

    fn measured(&self, quality: Option<&Quality>) -> Vec<Measured> {
        let mut measured = Vec::new();
        let mut add = |part, value: Option<f64>, why: String, call: Call| {
            let causes = vec![Cause { share: 1.0, why, call }];
            measured.extend(value.map(|value| Measured { part, value, causes }));
        };
        let places = |dimensions: &[&str]| {
            let found = quality.iter().flat_map(|quality| &quality.places);
            let named = found.filter(|(place, _)| dimensions.iter().any(|d| place.starts_with(d)));
            named.map(|(place, count)| format!("{place} ({count})")).collect::<Vec<_>>().join(", ")
        };
        let of = quality.map_or(0, |quality| quality.sampled);
        add(
            Part::Consistency,
            quality.and_then(|quality| quality.share("consistency")),
            format!("sides differ, of {of} keys: {}", places(&["consistency"])),
            self.verify(),
        );
        let bad = self.runs.failed + self.runs.halted + self.runs.partial;
        let kinds: Vec<String> =
            self.runs.errors.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let kinds = match kinds.is_empty() {
            true => String::new(),
            false => format!(": {}", kinds.join(", ")),
        };
        add(
            Part::Success,
            success(self.runs),
            format!(
                "{bad} of {} runs did not end well{kinds}; each good run raises it, and what failed counts until the \
                 window of {} has passed",
                self.runs.runs(),
                self.window.as_str()
            ),
            self.sync("apply"),
        );
        add(Part::Timeliness, self.timeliness(), self.age(), self.sync("apply"));
        let shares = ["validity", "completeness", "uniqueness"];
        let found: Vec<f64> =
            shares.iter().filter_map(|name| quality.and_then(|q| q.share(name))).collect();
        add(
            Part::Quality,
            (!found.is_empty()).then(|| found.iter().product()),
            format!(
                "cells and rows to correct by hand on their side, of {of} keys: {}; the call lists them by key in \
                 toCorrect, and syncDataset carries the correction on",
                places(&shares)
            ),
            self.list(quality),
        );
        let (value, causes) = self.waits().backlog(self.runs.rows as f64 / self.window.days());
        if self.facts.last_run.is_some() || !causes.is_empty() {
            measured.push(Measured { part: Part::Backlog, value, causes });
        }
        measured
    }

    fn timeliness(&self) -> Option<f64> {
        let target = self.within.seconds();
        let fresh = self.facts.last_success.map(|at| timely(seconds_since(at, self.now), target));
        let lags = self.runs.lags.mean(|lag| timely(lag, target));
        let waits = self.waits().lag().map(|age| timely(age, target));
        fresh.into_iter().chain(lags).chain(waits).reduce(f64::min)
    }

    /// Returns whether the last run was refused for a credential.
    fn refused(&self) -> bool {
        let kind = self.facts.last_error.as_ref().map(|(kind, _)| kind.as_str());
        kind == Some(Kind::Unauthenticated.as_str())
    }

    fn age(&self) -> String {
        let hours = self.facts.last_success.map(|at| seconds_since(at, self.now) / 3600.0);
        let lag = self.runs.lags.quantile(0.95);
        let lag = lag.map_or(String::new(), |lag| {
            format!("; 95 of 100 changes arrived within {:.0} minutes", lag / 60.0)
        });
        let waits = self.waits().lag().map_or(String::new(), |age| {
            format!("; a change waits for {:.1} hours", age / 3_600.0)
        });
        format!(
            "the last good run is {:.1} hours old, the target is {}{lag}{waits}",
            hours.unwrap_or_default(),
            self.within
        )
    }

    fn caps(&self) -> Vec<Capped> {
        let mut caps = Vec::new();
        let mut add = |cap, why: String, call| caps.push(Capped { cap, why, call });
        let error = || {
            let (kind, text) = self.facts.last_error.clone().unwrap_or_default();
            if text.is_empty() { kind } else { text }
        };
        match self.facts.last_state {
            Some(EndState::Halted) => {
                add(
                    Cap::Halted,
                    format!(
                        "a safety bound stopped the last run: {}; the call says why: correct the data, or have a \
                         person agree to override, then call it with mode \"apply\"",
                        error()
                    ),
                    self.sync("plan"),
                );
            }
            // A spoke was left out because its credential is refused: no later run catches that up.
            Some(EndState::Partial) if self.refused() => {
                add(
                    Cap::LastRunFailed,
                    format!("the last run left a member out: {}", error()),
                    self.sync("apply"),
                );
            }
            Some(EndState::Failed) => {
                add(
                    Cap::LastRunFailed,
                    format!("the last run failed: {}", error()),
                    self.sync("apply"),
                );
            }
            _ => {}
        }
        if let Some(why) = self.unreadable {
            add(Cap::LastRunFailed, format!("it cannot be read: {why}"), self.sync("plan"));
        } else if self.facts.last_state != Some(EndState::Failed)
            && let Some((why, call)) = self.waits().outage()
        {
            add(Cap::LastRunFailed, why, call);
        }
        if let Some((why, call)) = self.waits().letters() {
            add(Cap::DeadLetters, why, call);
        }
        if self.facts.unexplained > 0 {
            let why = format!(
                "{} cells or rows changed where no run and no source did it",
                self.facts.unexplained
            );
            add(Cap::UnexplainedDrift, why, self.verify());
        }
        let stale = 2.0 * self.within.seconds();
        if self.facts.compared.is_none_or(|at| seconds_since(at, self.now) > stale) {
            let why =
                format!("the sides were not compared within twice the target of {}", self.within);
            add(Cap::Stale, why, self.verify());
        }
        caps
    }
}

/// Returns how many seconds have passed since a stored time.
pub(super) fn seconds_since(at: i64, now: Timestamp) -> f64 {
    (now.as_microsecond() - at) as f64 / 1e6
}

/// Returns 1 for what is within the target, and less the more often the target has passed.
fn timely(age: f64, target: f64) -> f64 {
    (1.0 - (age - target).max(0.0) / (SPANS * target)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoke_that_is_refused_for_its_credential_caps_a_partial_run() {
        let caps = |state, kind: &str| {
            let last_error = Some((kind.to_owned(), format!("{kind}: the token has expired")));
            let now = Timestamp::UNIX_EPOCH;
            let facts = Facts {
                last_state: Some(state),
                last_error,
                compared: Some(0),
                ..Facts::default()
            };
            let look = Look {
                dataset: "d",
                facts: &facts,
                runs: &Rollup::default(),
                queued: &Queued::default(),
                window: Window::Day,
                within: Span::hours(24),
                unreadable: None,
                now,
            };
            look.caps().into_iter().map(|one| (one.cap, one.why)).collect::<Vec<_>>()
        };
        let [(cap, why)] = &caps(EndState::Partial, "unauthenticated")[..] else { panic!() };
        assert!(*cap == Cap::LastRunFailed && why.contains("unauthenticated"), "{why}");
        assert_eq!(caps(EndState::Partial, "unavailable"), [], "the next run catches it up");
        assert_eq!(caps(EndState::Applied, "unauthenticated"), []);
    }

    #[test]
    fn timeliness_by_hand() {
        for (age, expected) in [(0.0, 1.0), (60.0, 1.0), (120.0, 0.5), (180.0, 0.0), (999.0, 0.0)] {
            assert_eq!(timely(age, 60.0), expected, "{age}");
        }
    }
}
