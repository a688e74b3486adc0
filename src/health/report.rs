//! The report: every dataset's score, what it lacks, and what would bring it back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::expect::Span;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    look::{Look, seconds_since},
    metrics::{Window, numbers},
    quality::{self, Quality, ToCorrect, measure},
    score::{Deduction, overall, tenth},
    waits,
};
use crate::{
    error::Result,
    store::{Facts, Measurement, Queued, Rollup},
    sync::{
        Shell,
        definition::Definition,
        report::{drop_last, shorten},
    },
};

/// Below this a score is poor.
pub(crate) const POOR: f64 = 70.0;

/// From this on all is well.
const GOOD: f64 = 90.0;

/// How many datasets, and how many deductions of each, a small report shows.
const SHOWN: (usize, usize) = (10, 3);

/// How many datasets a small report shows at least.
const FEW: usize = 3;

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
    /// Keeps no scores: a look through another window must not bend the history.
    pub(crate) look_only: bool,
    /// Below which score people are told, where somebody is named who is.
    pub(crate) told_below: Option<f64>,
}

impl Ask {
    /// Returns below which score a dataset is named as one to look at.
    pub(crate) fn bound(&self) -> f64 {
        self.told_below.unwrap_or(POOR)
    }
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
    /// Those that the rows that were read do not meet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) expectations: Vec<String>,
    /// What a person has to correct, by key, on detail and where the data was measured now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    pub(crate) to_correct: Vec<ToCorrect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_success: Option<String>,
    /// Shares with their 95 % intervals, on detail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
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
        Some(score) if score >= POOR => "fair",
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
    let mut to_correct = BTreeMap::new();
    for definition in &ask.measure {
        let known = facts.entry(definition.name.clone()).or_default();
        match learn(shell, definition, known, ask, now).await {
            Ok((learned, rows)) => {
                *known = learned;
                to_correct.insert(definition.name.clone(), rows);
            }
            Err(error) => {
                shell.reach.progress.check()?;
                unreadable.insert(definition.name.clone(), error.to_string());
            }
        }
    }
    let queued = store.queued(name, waits::late(now)).await?;
    for dataset in queued.keys() {
        // It is watched, and could not be looked at yet.
        facts.entry(dataset.clone()).or_default();
    }
    let window = store.window((ask.window.begin(now), now), name).await?;
    let (nothing, rest) = (Rollup::default(), Queued::default());
    let mut datasets = Vec::new();
    for (dataset, facts) in facts.iter().filter(|(known, _)| name.is_none_or(|name| name == *known))
    {
        let look = Look {
            dataset,
            facts,
            runs: window.get(dataset).unwrap_or(&nothing),
            queued: queued.get(dataset).unwrap_or(&rest),
            window: ask.window,
            within: targets.get(dataset).copied().unwrap_or(Span::hours(24)),
            unreadable: unreadable.get(dataset),
            now,
        };
        let to_correct = to_correct.remove(dataset).unwrap_or_default();
        datasets.push(DatasetHealth { to_correct, ..look.health() });
    }
    datasets.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| a.dataset.cmp(&b.dataset)));
    let mut kept: Vec<(&str, f64)> =
        datasets.iter().map(|one| (one.dataset.as_str(), one.score)).collect();
    let total = overall(datasets.iter().map(|one| one.score));
    if let (None, Some(total)) = (name, total) {
        kept.push(("", total));
    }
    if !ask.look_only {
        store.keep_scores(now, &kept).await?;
    }
    let history = store.scores(name.unwrap_or(""), ask.window.begin(now)).await?;
    let trend = history.first().zip(total).map(|((_, first), total)| tenth(total - first));
    let mut all = Rollup::default();
    window.values().for_each(|runs| all.merge(runs));
    let mut metrics = numbers(&all, ask.window);
    let known = facts.iter().filter(|(known, _)| name.is_none_or(|name| name == *known));
    let known = known.map(|(known, facts)| (facts, queued.get(known).unwrap_or(&rest)));
    metrics.extend(waits::numbers(known, now));
    let (open, undelivered) = store.alert_counts().await?;
    metrics.insert("alertsOpen".into(), Some(open as f64));
    metrics.insert("alertsUndelivered".into(), Some(undelivered as f64));
    let shown = if ask.detail { usize::MAX } else { SHOWN.0 };
    let of = datasets.len();
    let poor = poor(&datasets, ask.bound());
    datasets.truncate(shown);
    if !ask.detail {
        for one in &mut datasets {
            one.deductions.truncate(SHOWN.1);
            one.metrics.clear();
            one.quality = None;
            one.expectations.truncate(SHOWN.1);
            one.to_correct.clear();
        }
    }
    let mut report = HealthReport {
        score: total,
        status: status(total),
        trend,
        at: now.to_string(),
        window: ask.window.as_str(),
        metrics,
        datasets,
        more: 0,
        dashboard: None,
        next: String::new(),
    };
    if !ask.detail {
        shorten(&mut report, |report| {
            let longest = report.datasets.iter_mut().max_by_key(|one| one.deductions.len());
            longest.is_some_and(|one| drop_last(&mut one.deductions, 1))
                || report.datasets.iter_mut().any(|one| drop_last(&mut one.expectations, 1))
                || drop_last(&mut report.datasets, FEW)
        });
    }
    report.more = of.saturating_sub(report.datasets.len()) as u64;
    report.next = next(of == 0, &poor, ask.bound(), report.more);
    Ok(report)
}

/// Measures a dataset's data and learns from it; also returns what a person has to correct.
async fn learn(
    shell: &Shell,
    definition: &Definition,
    known: &Facts,
    ask: &Ask,
    now: Timestamp,
) -> Result<(Facts, Vec<ToCorrect>)> {
    let age = known.last_success.map(|at| seconds_since(at, now));
    let in_time = age.is_some_and(|age| age <= definition.health.within().seconds());
    let how = quality::Ask { keys: ask.sample, seed: ask.seed, in_time };
    let found = measure(shell, definition, how).await?;
    shell.store.keep_measurement(&definition.name, now, &measurement(&found)).await?;
    let kept = serde_json::to_value(&found).ok();
    let to_correct = found.to_correct;
    let (unexplained, whole) = (found.unexplained, found.sampled >= found.of);
    let learned = shell
        .store
        .learn(&definition.name, |facts| {
            facts.quality = kept;
            if whole {
                facts.compared = Some(now.as_microsecond());
                facts.unexplained = unexplained;
            } else {
                // What a sample does not show may be in the rows that it left out.
                facts.unexplained = facts.unexplained.max(unexplained);
            }
        })
        .await?;
    Ok((learned, to_correct))
}

/// Returns what the history keeps of a measurement.
fn measurement(found: &Quality) -> Measurement {
    let share = |(name, share): (&String, &Option<_>)| {
        let share: &super::estimate::Estimate = share.as_ref()?;
        Some((name.clone(), share.value))
    };
    let all: u64 = found.drift.values().sum();
    Measurement {
        shares: found.shares.iter().filter_map(share).collect(),
        pending: found.pending,
        unexplained: found.unexplained,
        other: all.saturating_sub(found.pending + found.unexplained),
    }
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

/// Returns the names of the datasets that are looked at first.
fn poor(datasets: &[DatasetHealth], bound: f64) -> Vec<String> {
    let poor: BTreeSet<&str> = datasets
        .iter()
        .filter(|one| one.score < bound)
        .map(|one| one.dataset.as_str())
        .take(5)
        .collect();
    poor.into_iter().map(str::to_owned).collect()
}

fn next(nothing: bool, poor: &[String], bound: f64, more: u64) -> String {
    let mut next = match (nothing, poor.is_empty()) {
        (true, _) => "no dataset has run yet: syncDataset defines and syncs one".to_owned(),
        (_, true) => {
            format!("nothing is below {bound}; each deduction names the call that removes it")
        }
        (_, false) => {
            format!("look at {}: each deduction names the call that removes it", poor.join(", "))
        }
    };
    if more > 0 {
        next.push_str(&format!("; {more} better ones are not shown (detail shows all)"));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_scores() {
        let words = [None, Some(100.0), Some(90.0), Some(89.9), Some(70.0), Some(69.9)].map(status);
        assert_eq!(words, ["unknown", "good", "good", "fair", "fair", "poor"]);
    }
}
