//! What people see of a watch.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::{
    error::Result,
    store::{Breaker, Letter, Store, StoredWatch},
    sync::{describe::kind, hidden::Hidden},
};

/// What the worker last saw of a dataset; kept in the store, so that every process can tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    /// When it last looked.
    pub(crate) looked: Option<Timestamp>,
    /// When it looks next.
    pub(crate) next: Option<Timestamp>,
    /// When something last changed.
    pub(crate) event: Option<Timestamp>,
    /// The last run.
    pub(crate) run: Option<String>,
    /// Events since the watch was started.
    pub(crate) events: u64,
    /// Rows written since then.
    pub(crate) written: u64,
    /// Rows that wait for a decision.
    pub(crate) conflicts: u64,
    /// Safety halts.
    pub(crate) halts: Vec<String>,
    /// What kept it from looking.
    pub(crate) error: Option<String>,
    /// Seconds from detection to delivery that 95 of 100 events stayed below, of the last ones.
    pub(crate) p95: Option<f64>,
    /// What tells of changes.
    pub(crate) triggers: Vec<String>,
    /// The process that watches.
    pub(crate) worker: String,
}

/// A member that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BreakerOut {
    /// Blank: the dataset.
    pub(crate) member: String,
    /// open, or retrying.
    pub(crate) state: &'static str,
    pub(crate) failures: u64,
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) why: String,
}

/// A watched dataset.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WatchOut {
    pub(crate) dataset: String,
    /// running, stopped or waiting (no server watches it at the moment).
    pub(crate) state: &'static str,
    /// What tells of changes.
    pub(crate) triggers: Vec<String>,
    /// Events that wait.
    pub(crate) depth: u64,
    /// Age of the oldest.
    pub(crate) lag_seconds: f64,
    /// Detection to delivery, of the last 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p95_seconds: Option<f64>,
    pub(crate) dead_letters: u64,
    /// Events since start.
    pub(crate) events: u64,
    /// Rows written since start.
    pub(crate) written: u64,
    pub(crate) conflicts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_look: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_look: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_run_id: Option<String>,
    /// Members that cannot be reached; their events wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    pub(crate) breakers: Vec<BreakerOut>,
    /// syncDataset with override passes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) halted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// How long after its next look a watch counts as abandoned.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// Returns what is to be seen of a watch.
///
/// # Errors
/// A store that cannot be read.
pub(crate) async fn shown(store: &Store, watch: &StoredWatch, now: Timestamp) -> Result<WatchOut> {
    let status: Status = serde_json::from_value(watch.status.clone()).unwrap_or_default();
    let depth = store.depth(&watch.dataset).await?;
    let breakers = store.breakers(&watch.dataset).await?;
    let late = |next: Timestamp| now.duration_since(next) > LATE;
    let idle = status.looked.is_none() || status.next.is_some_and(late);
    let mut triggers = status.triggers;
    if triggers.is_empty()
        && let Ok(settings) = serde_json::from_value::<Settings>(watch.settings.clone())
    {
        triggers = planned(&settings);
    }
    let seconds = |oldest: Timestamp| now.duration_since(oldest).as_secs_f64().max(0.0);
    Ok(WatchOut {
        dataset: watch.dataset.clone(),
        state: match (watch.running, idle) {
            (false, _) => "stopped",
            (true, true) => "waiting",
            (true, false) => "running",
        },
        triggers,
        depth: depth.events,
        lag_seconds: depth.oldest.map_or(0.0, seconds),
        p95_seconds: status.p95,
        dead_letters: depth.dead,
        events: status.events,
        written: status.written,
        conflicts: status.conflicts,
        last_look: status.looked.map(|at| at.to_string()),
        next_look: status.next.filter(|_| watch.running).map(|at| at.to_string()),
        last_event: status.event.map(|at| at.to_string()),
        last_run_id: status.run,
        breakers: breakers.into_iter().map(breaker).collect(),
        halted: status.halts,
        error: status.error,
    })
}

/// Returns what tells of changes, as far as the settings say.
pub(super) fn planned(settings: &Settings) -> Vec<String> {
    let poll = settings.poll_seconds;
    let poll = (poll > 0.0).then(|| format!("poll {poll} s"));
    let zone = settings.time_zone.as_deref().unwrap_or("UTC");
    let cron = settings.cron.as_ref().map(|cron| format!("cron {cron} ({zone})"));
    poll.into_iter().chain(cron).collect()
}

fn breaker(breaker: Breaker) -> BreakerOut {
    BreakerOut {
        state: if breaker.is_open() { "open" } else { "retrying" },
        member: breaker.member,
        failures: breaker.failures,
        since: breaker.since.to_string(),
        until: breaker.until.to_string(),
        why: breaker.why,
    }
}

/// An event that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LetterOut {
    pub(crate) letter: u64,
    pub(crate) dataset: String,
    /// What was to be written.
    pub(crate) member: String,
    pub(crate) key: String,
    /// insert, update, delete, mark or reactivate.
    pub(crate) kind: &'static str,
    pub(crate) columns: Vec<String>,
    /// Changes that became one.
    pub(crate) changes: u64,
    pub(crate) detected: String,
    pub(crate) died: String,
    pub(crate) attempts: u64,
    /// What happened, when.
    pub(crate) story: Vec<String>,
}

/// Returns what is to be seen of a dead letter.
///
/// Of a dataset with sensitive columns its story is left out: what a member said of a row may quote any cell of it.
pub(crate) fn letter(letter: Letter, hidden: &Hidden) -> LetterOut {
    let Letter { dataset, event, died } = letter;
    LetterOut {
        letter: event.number,
        dataset,
        member: event.work.member,
        key: hidden.key(event.work.key.to_string()),
        kind: kind(event.work.kind),
        columns: event.work.columns,
        changes: event.coalesced,
        detected: event.detected.to_string(),
        died: died.to_string(),
        attempts: event.attempts,
        story: event
            .story
            .into_iter()
            .map(|step| format!("{:.0}: {}", step.at, hidden.quote(step.what)))
            .collect(),
    }
}
