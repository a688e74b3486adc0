//! How runs ended: rolled up by the hour and the day, and what is known of each dataset's health now.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::codec::{json, micros, parse};
use super::histogram::Histogram;
use super::{Conn, Store};
use crate::error::Result;

/// How an asked-for sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum EndState {
    /// There was nothing to do.
    InStep,
    /// Everything was written.
    Applied,
    /// Some members were left out, or some batches failed.
    Partial,
    /// A safety bound stopped it.
    Halted,
    /// It ended with an error.
    Failed,
}

/// The end of an asked-for sync.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunEnd {
    pub(crate) dataset: String,
    pub(crate) at: Timestamp,
    pub(crate) state: EndState,
    /// The kind of the error, and its text; for a halted run the halts.
    pub(crate) error: Option<(String, String)>,
    pub(crate) millis: u64,
    /// Rows written.
    pub(crate) rows: u64,
    /// Calls of the Google service.
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) retries: u64,
    /// Conflicts that wait for a person after it; nothing where that was not found out.
    pub(crate) conflicts: Option<u64>,
    /// How old changes were when they arrived, in seconds.
    pub(crate) lags: Histogram,
    /// Whether all rows were compared.
    pub(crate) whole: bool,
}

/// Ends of runs, added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Rollup {
    pub(crate) in_step: u64,
    pub(crate) applied: u64,
    pub(crate) partial: u64,
    pub(crate) halted: u64,
    pub(crate) failed: u64,
    pub(crate) rows: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) retries: u64,
    /// Durations in milliseconds.
    pub(crate) durations: Histogram,
    /// Lags in seconds.
    pub(crate) lags: Histogram,
    /// How many runs ended with each kind of error.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) errors: BTreeMap<String, u64>,
    /// Conflicts that were new.
    pub(crate) conflicts_opened: u64,
    /// Conflicts that were gone.
    pub(crate) conflicts_closed: u64,
}

impl Rollup {
    /// Returns how many runs there were.
    pub(crate) fn runs(&self) -> u64 {
        self.in_step + self.applied + self.partial + self.halted + self.failed
    }

    /// Adds another.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.in_step += other.in_step;
        self.applied += other.applied;
        self.partial += other.partial;
        self.halted += other.halted;
        self.failed += other.failed;
        self.rows += other.rows;
        self.reads += other.reads;
        self.writes += other.writes;
        self.retries += other.retries;
        self.durations.merge(&other.durations);
        self.lags.merge(&other.lags);
        for (kind, count) in &other.errors {
            *self.errors.entry(kind.clone()).or_default() += count;
        }
        self.conflicts_opened += other.conflicts_opened;
        self.conflicts_closed += other.conflicts_closed;
    }

    fn count(&mut self, end: &RunEnd, open_before: u64) {
        match end.state {
            EndState::InStep => self.in_step += 1,
            EndState::Applied => self.applied += 1,
            EndState::Partial => self.partial += 1,
            EndState::Halted => self.halted += 1,
            EndState::Failed => self.failed += 1,
        }
        self.rows += end.rows;
        self.reads += end.reads;
        self.writes += end.writes;
        self.retries += end.retries;
        if end.millis > 0 {
            self.durations.add(end.millis as f64);
        }
        self.lags.merge(&end.lags);
        if let Some((kind, _)) = &end.error {
            *self.errors.entry(kind.clone()).or_default() += 1;
        }
        if let Some(now) = end.conflicts {
            self.conflicts_opened += now.saturating_sub(open_before);
            self.conflicts_closed += open_before.saturating_sub(now);
        }
    }
}

/// What is known of a dataset's health now; times are microseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Facts {
    /// When its last run ended, and how.
    pub(crate) last_run: Option<i64>,
    pub(crate) last_state: Option<EndState>,
    /// The kind and text of the last run's error.
    pub(crate) last_error: Option<(String, String)>,
    /// When a run last brought everything together.
    pub(crate) last_success: Option<i64>,
    /// When all members were last compared, by a run, a verification or a measurement.
    pub(crate) compared: Option<i64>,
    /// Conflicts that wait, and since when there have been any.
    pub(crate) conflicts: u64,
    pub(crate) conflicts_since: Option<i64>,
    /// Disagreements that nobody who may change things explains, at the last comparison.
    pub(crate) unexplained: u64,
    /// The dashboard's spreadsheet; of the blank name alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dashboard: Option<String>,
    /// The last measurement of the data's quality; opaque here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quality: Option<Json>,
}

impl Facts {
    fn learn(&mut self, end: &RunEnd) {
        let at = micros(end.at);
        self.last_run = Some(at);
        self.last_state = Some(end.state);
        self.last_error = end.error.clone();
        if end.whole && matches!(end.state, EndState::InStep | EndState::Applied) {
            (self.last_success, self.compared) = (Some(at), Some(at));
            self.unexplained = 0;
        }
        if let Some(conflicts) = end.conflicts {
            self.conflicts = conflicts;
            self.conflicts_since = (conflicts > 0).then(|| self.conflicts_since.unwrap_or(at));
        }
    }
}

pub(super) const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const SECOND: i64 = 1_000_000;

/// Returns the beginning of the hour of a moment, both in microseconds since 1970.
pub(super) fn hour_of(at: i64) -> i64 {
    at - at.rem_euclid(HOUR * SECOND)
}

/// How many days hours are kept apart.
const HOURS_FOR: i64 = 40 * DAY * SECOND;

/// Records the end of a run within the transaction that closes it.
pub(super) async fn record(conn: &mut Conn, end: &RunEnd) -> Result<()> {
    let mut facts = facts(conn, &end.dataset).await?;
    for grain in [HOUR, DAY] {
        let at = micros(end.at);
        let bucket = at - at.rem_euclid(grain * SECOND);
        let found: Option<String> = sqlx::query_scalar(
            "SELECT data FROM run_rollups WHERE grain = $1 AND bucket = $2 AND dataset = $3",
        )
        .bind(grain)
        .bind(bucket)
        .bind(&end.dataset)
        .fetch_optional(&mut *conn)
        .await?;
        let mut rollup: Rollup = found.map(|data| parse(&data)).transpose()?.unwrap_or_default();
        rollup.count(end, facts.conflicts);
        sqlx::query(
            "INSERT INTO run_rollups (grain, bucket, dataset, data) VALUES ($1, $2, $3, $4)
             ON CONFLICT (grain, bucket, dataset) DO UPDATE SET data = excluded.data",
        )
        .bind(grain)
        .bind(bucket)
        .bind(&end.dataset)
        .bind(json(&rollup)?)
        .execute(&mut *conn)
        .await?;
    }
    facts.learn(end);
    save(conn, &end.dataset, &facts).await
}

async fn facts(conn: &mut Conn, dataset: &str) -> Result<Facts> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT facts FROM dataset_health WHERE dataset = $1")
            .bind(dataset)
            .fetch_optional(conn)
            .await?;
    Ok(found.map(|facts| parse(&facts)).transpose()?.unwrap_or_default())
}

async fn save(conn: &mut Conn, dataset: &str, facts: &Facts) -> Result<()> {
    sqlx::query(
        "INSERT INTO dataset_health (dataset, facts) VALUES ($1, $2)
         ON CONFLICT (dataset) DO UPDATE SET facts = excluded.facts",
    )
    .bind(dataset)
    .bind(conn.seal.text("facts", json(facts)?)?)
    .execute(conn)
    .await?;
    Ok(())
}

impl Store {
    /// Records the end of a run that was never journaled: there was nothing to do, or it did not come so far.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn record_end(&self, end: &RunEnd) -> Result<()> {
        let mut tx = self.write().await?;
        record(&mut tx, end).await?;
        Ok(tx.commit().await?)
    }

    /// Returns the ends of the runs between two moments by dataset, to the hour.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn window(
        &self,
        (from, to): (Timestamp, Timestamp),
        dataset: Option<&str>,
    ) -> Result<BTreeMap<String, Rollup>> {
        let floor = |at: i64, grain: i64| at - at.rem_euclid(grain * SECOND);
        let (from, to) = (floor(micros(from), HOUR), micros(to));
        // Whole days, and the hours before and after them.
        let day = floor(from + DAY * SECOND - 1, DAY).min(to);
        let last = floor(to, DAY).max(day);
        let parts = [(HOUR, from, day), (DAY, day, last), (HOUR, last, to)];
        let mut all: BTreeMap<String, Rollup> = BTreeMap::new();
        for (grain, from, to) in parts.into_iter().filter(|(_, from, to)| from < to) {
            let mut query =
                super::Statement::new("SELECT dataset, data FROM run_rollups WHERE grain = ");
            query.push_bind(grain).push(" AND bucket >= ").push_bind(from);
            query.push(" AND bucket < ").push_bind(to);
            if let Some(dataset) = dataset {
                query.push(" AND dataset = ").push_bind(dataset.to_owned());
            }
            let found: Vec<(String, String)> =
                query.build_query_as().fetch_all(&self.reads).await?;
            for (dataset, data) in found {
                all.entry(dataset).or_default().merge(&parse(&data)?);
            }
        }
        Ok(all)
    }

    /// Returns what is known of the health of every dataset that ever ran.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn all_facts(&self) -> Result<BTreeMap<String, Facts>> {
        let found: Vec<(String, String)> =
            sqlx::query_as("SELECT dataset, facts FROM dataset_health WHERE dataset <> ''")
                .fetch_all(&self.reads)
                .await?;
        found.into_iter().map(|(dataset, facts)| Ok((dataset, parse(&facts)?))).collect()
    }

    /// Returns what is known of the health of a dataset; the blank name is all of them together.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn facts(&self, dataset: &str) -> Result<Facts> {
        facts(&mut *self.read().await?, dataset).await
    }

    /// Changes what is known of the health of a dataset.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn learn(
        &self,
        dataset: &str,
        change: impl FnOnce(&mut Facts),
    ) -> Result<Facts> {
        let mut tx = self.write().await?;
        let mut known = facts(&mut tx, dataset).await?;
        change(&mut known);
        save(&mut tx, dataset, &known).await?;
        tx.commit().await?;
        Ok(known)
    }

    /// Keeps scores, one an hour for each dataset; the blank name is all together.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub(crate) async fn keep_scores(&self, now: Timestamp, scores: &[(&str, f64)]) -> Result<()> {
        let at = micros(now);
        let hour = hour_of(at);
        let mut tx = self.write().await?;
        for (dataset, score) in scores {
            sqlx::query(
                "INSERT INTO health_history (dataset, at, score) VALUES ($1, $2, $3)
                 ON CONFLICT (dataset, at) DO UPDATE SET score = excluded.score",
            )
            .bind(dataset)
            .bind(hour)
            .bind(score)
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query("DELETE FROM run_rollups WHERE grain = $1 AND bucket < $2")
            .bind(HOUR)
            .bind(at - HOURS_FOR)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Returns the kept scores of a dataset since a moment, oldest first; the blank name is all together.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub(crate) async fn scores(
        &self,
        dataset: &str,
        from: Timestamp,
    ) -> Result<Vec<(Timestamp, f64)>> {
        let found: Vec<(i64, f64)> = sqlx::query_as(
            "SELECT at, score FROM health_history WHERE dataset = $1 AND at >= $2 ORDER BY at",
        )
        .bind(dataset)
        .bind(micros(from))
        .fetch_all(&self.reads)
        .await?;
        found.into_iter().map(|(at, score)| Ok((super::codec::time(at)?, score))).collect()
    }
}
