//! The report: every dataset's score, what it lacks, and what would bring it back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::expect::Span;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{
    metrics::{Window, numbers, success},
    quality::{self, Quality, measure},
    score::{Cap, Capped, Deduction, Measured, Part, overall, score, tenth},
};
use crate::{
    error::Result,
    store::{EndState, Facts, Rollup},
    sync::{Shell, definition::Definition, verify::Call},
};

/// Below this people are told.
pub(crate) const THRESHOLD: f64 = 70.0;

/// From this on all is well.
const GOOD: f64 = 90.0;

/// How many times the target may pass before timeliness is nothing.
const SPANS: f64 = 2.0;

/// How many datasets, and how many deductions of each, a small report shows.
const SHOWN: (usize, usize) = (10, 3);

/// What is reported on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// One dataset; all where none is named.
    pub(crate) dataset: Option<String>,
    pub(crate) window: Window,
    /// The datasets whose data is measured now; the others' last measurements serve.
    pub(crate) measure: Vec<Definition>,
    /// How many keys are drawn, and by which seed.
    pub(crate) sample: usize,
    pub(crate) seed: u64,
    /// Everything, not the worst alone.
    pub(crate) detail: bool,
}

/// A dataset's health.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatasetHealth {
    pub(crate) dataset: String,
    pub(crate) score: f64,
    /// good, fair or poor.
    pub(crate) status: &'static str,
    pub(crate) parts: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_measured: Vec<String>,
    pub(crate) deductions: Vec<Deduction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_success: Option<String>,
    /// Shares with their 95 % intervals, on detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quality: Option<Quality>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metrics: BTreeMap<String, Option<f64>>,
}

/// The health of all datasets, or of one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthReport {
    /// Null before the first run.
    pub(crate) score: Option<f64>,
    pub(crate) status: &'static str,
    /// Points since the beginning of the window.
    pub(crate) trend: Option<f64>,
    pub(crate) at: String,
    pub(crate) window: &'static str,
    pub(crate) metrics: BTreeMap<String, Option<f64>>,
    /// The worst first.
    pub(crate) datasets: Vec<DatasetHealth>,
    /// Datasets that are not shown.
    pub(crate) more: u64,
    /// A spreadsheet's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dashboard: Option<String>,
    pub(crate) next: String,
}

/// Returns the word for a score.
pub(crate) fn status(score: Option<f64>) -> &'static str {
    match score {
        None => "unknown",
        Some(score) if score >= GOOD => "good",
        Some(score) if score >= THRESHOLD => "fair",
        Some(_) => "poor",
    }
}

/// Makes the report, and keeps the scores for the history.
///
/// # Errors
/// A store that cannot be read. A dataset whose data cannot be read now is reported so.
pub(crate) async fn report(shell: &Shell, ask: &Ask) -> Result<HealthReport> {
    let now = shell.reach.clock.now();
    let (store, name) = (&shell.store, ask.dataset.as_deref());
    let mut facts = store.all_facts().await?;
    let targets = targets(shell).await?;
    let mut unreadable: BTreeMap<String, String> = BTreeMap::new();
    for definition in &ask.measure {
        let known = facts.entry(definition.name.clone()).or_default();
        match learn(shell, definition, known, ask, now).await {
            Ok(learned) => *known = learned,
            Err(error) => {
                shell.reach.progress.check()?;
                unreadable.insert(definition.name.clone(), error.to_string());
            }
        }
    }
    let window = store.window((ask.window.begin(now), now), name).await?;
    let nothing = Rollup::default();
    let mut datasets = Vec::new();
    for (dataset, facts) in facts.iter().filter(|(known, _)| name.is_none_or(|name| name == *known))
    {
        let look = Look {
            dataset,
            facts,
            runs: window.get(dataset).unwrap_or(&nothing),
            window: ask.window,
            within: targets.get(dataset).copied().unwrap_or(Span::hours(24)),
            unreadable: unreadable.get(dataset),
            now,
        };
        datasets.push(look.health());
    }
    datasets.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| a.dataset.cmp(&b.dataset)));
    let mut kept: Vec<(&str, f64)> =
        datasets.iter().map(|one| (one.dataset.as_str(), one.score)).collect();
    let total = overall(datasets.iter().map(|one| one.score));
    if let (None, Some(total)) = (name, total) {
        kept.push(("", total));
    }
    store.keep_scores(now, &kept).await?;
    let history = store.scores(name.unwrap_or(""), ask.window.begin(now)).await?;
    let trend = history.first().zip(total).map(|((_, first), total)| tenth(total - first));
    let mut all = Rollup::default();
    window.values().for_each(|runs| all.merge(runs));
    let mut metrics = numbers(&all, ask.window);
    let (open, undelivered) = store.alert_counts().await?;
    metrics.insert("alertsOpen".into(), Some(open as f64));
    metrics.insert("alertsUndelivered".into(), Some(undelivered as f64));
    let shown = if ask.detail { usize::MAX } else { SHOWN.0 };
    let more = datasets.len().saturating_sub(shown) as u64;
    let next = next(&datasets, more);
    datasets.truncate(shown);
    if !ask.detail {
        for one in &mut datasets {
            one.deductions.truncate(SHOWN.1);
            one.metrics.clear();
            one.quality = None;
        }
    }
    Ok(HealthReport {
        score: total,
        status: status(total),
        trend,
        at: now.to_string(),
        window: ask.window.as_str(),
        metrics,
        datasets,
        more,
        dashboard: None,
        next,
    })
}

/// Measures a dataset's data and learns from it.
async fn learn(
    shell: &Shell,
    definition: &Definition,
    known: &Facts,
    ask: &Ask,
    now: Timestamp,
) -> Result<Facts> {
    let age = known.last_success.map(|at| seconds_since(at, now));
    let in_time = age.is_some_and(|age| age <= definition.health.within().seconds());
    let how = quality::Ask { keys: ask.sample, seed: ask.seed, in_time };
    let found = measure(shell, definition, how).await?;
    let kept = serde_json::to_value(&found).ok();
    let unexplained = found.unexplained;
    shell
        .store
        .learn(&definition.name, |facts| {
            facts.quality = kept;
            facts.compared = Some(now.as_microsecond());
            facts.unexplained = unexplained;
        })
        .await
}

/// Returns each dataset's freshness target.
async fn targets(shell: &Shell) -> Result<BTreeMap<String, Span>> {
    let saved = shell.store.datasets(None, 10_000).await?;
    let within = |definition: &serde_json::Value| {
        definition.pointer("/definition/health/within")?.as_str()?.parse().ok()
    };
    let target = |one: &crate::store::Dataset| Some((one.name.clone(), within(&one.definition)?));
    Ok(saved.iter().filter_map(target).collect())
}

fn seconds_since(at: i64, now: Timestamp) -> f64 {
    (now.as_microsecond() - at) as f64 / 1e6
}

/// Returns 1 for what is within the target, and less the more often the target has passed.
fn timely(age: f64, target: f64) -> f64 {
    (1.0 - (age - target).max(0.0) / (SPANS * target)).max(0.0)
}

fn next(datasets: &[DatasetHealth], more: u64) -> String {
    let poor: BTreeSet<&str> = datasets
        .iter()
        .filter(|one| one.score < THRESHOLD)
        .map(|one| one.dataset.as_str())
        .take(5)
        .collect();
    let mut next = match (datasets.is_empty(), poor.is_empty()) {
        (true, _) => "no dataset has run yet: syncDataset defines and syncs one".to_owned(),
        (_, true) => {
            "nothing is below 70; each deduction names the call that removes it".to_owned()
        }
        (_, false) => format!(
            "look at {}: each deduction names the call that removes it",
            poor.into_iter().collect::<Vec<_>>().join(", ")
        ),
    };
    if more > 0 {
        next.push_str(&format!("; {more} better ones are not shown (detail shows all)"));
    }
    next
}

/// What one dataset is judged by.
struct Look<'a> {
    dataset: &'a str,
    facts: &'a Facts,
    runs: &'a Rollup,
    window: Window,
    within: Span,
    unreadable: Option<&'a String>,
    now: Timestamp,
}

impl Look<'_> {
    fn sync(&self, mode: &str) -> Call {
        Call::new("syncDataset", json!({"name": self.dataset, "mode": mode}))
    }

    fn verify(&self) -> Call {
        Call::new("verifyDataset", json!({"name": self.dataset}))
    }

    fn health(&self) -> DatasetHealth {
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
        not_measured.push("deadLetters".into());
        let last = self.facts.last_success.and_then(|at| Timestamp::from_microsecond(at).ok());
        DatasetHealth {
            dataset: self.dataset.to_owned(),
            score: found.value,
            status: status(Some(found.value)),
            parts: shares.chain(measured.iter().map(part)).map(rounded).collect(),
            not_measured,
            deductions: found.deductions,
            last_success: last.map(|at| at.to_string()),
            quality,
            metrics: numbers(self.runs, self.window),
        }
    }

    fn measured(&self, quality: Option<&Quality>) -> Vec<Measured> {
        let mut measured = Vec::new();
        let mut add = |part, value: Option<f64>, why: String, call: Call| {
            measured.extend(value.map(|value| Measured { part, value, why, call }));
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
        add(
            Part::Success,
            success(self.runs),
            format!("{bad} of {} runs did not end well: {}", self.runs.runs(), kinds.join(", ")),
            self.sync("apply"),
        );
        add(Part::Timeliness, self.timeliness(), self.age(), self.sync("apply"));
        add(
            Part::Backlog,
            self.facts.last_run.map(|_| self.backlog()),
            format!("{} conflicts wait for a person", self.facts.conflicts),
            Call::new("resolveConflicts", json!({"dataset": self.dataset})),
        );
        let shares = ["validity", "completeness", "uniqueness"];
        let found: Vec<f64> =
            shares.iter().filter_map(|name| quality.and_then(|q| q.share(name))).collect();
        add(
            Part::Quality,
            (!found.is_empty()).then(|| found.iter().product()),
            format!("rows to correct, of {of} keys: {}", places(&shares)),
            self.sync("plan"),
        );
        measured
    }

    fn timeliness(&self) -> Option<f64> {
        let target = self.within.seconds();
        let fresh = self.facts.last_success.map(|at| timely(seconds_since(at, self.now), target));
        let lags = self.runs.lags.mean(|lag| timely(lag, target));
        fresh.into_iter().chain(lags).reduce(f64::min)
    }

    fn age(&self) -> String {
        let hours = self.facts.last_success.map(|at| seconds_since(at, self.now) / 3600.0);
        let lag = self.runs.lags.quantile(0.95);
        let lag = lag.map_or(String::new(), |lag| {
            format!("; 95 of 100 changes arrived within {:.0} minutes", lag / 60.0)
        });
        format!(
            "the last good run is {:.1} hours old, the target is {}{lag}",
            hours.unwrap_or_default(),
            self.within
        )
    }

    /// exp(−waiting / changes a day), where a conflict that waits for d days counts 1 + d times.
    fn backlog(&self) -> f64 {
        let days =
            self.facts.conflicts_since.map_or(0.0, |at| seconds_since(at, self.now) / 86_400.0);
        let waiting = self.facts.conflicts as f64 * (1.0 + days.max(0.0));
        let a_day = self.runs.rows as f64 / self.window.days();
        (-waiting / a_day.max(1.0)).exp()
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
                    format!("a safety bound stopped the last run: {}", error()),
                    self.sync("plan"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeliness_by_hand() {
        for (age, expected) in [(0.0, 1.0), (60.0, 1.0), (120.0, 0.5), (180.0, 0.0), (999.0, 0.0)] {
            assert_eq!(timely(age, 60.0), expected, "{age}");
        }
    }

    #[test]
    fn words_for_scores() {
        let words = [None, Some(100.0), Some(90.0), Some(89.9), Some(70.0), Some(69.9)].map(status);
        assert_eq!(words, ["unknown", "good", "good", "fair", "fair", "poor"]);
    }
}
