//! The quality of the data, measured on the members as they are now.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lockstep_engine::{
    schema::ColumnType,
    value::{Row, Value},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    estimate::{Estimate, Unit, estimate},
    expected,
};
use crate::{
    error::Result,
    sync::{
        Shell,
        definition::Definition,
        drift::{Cause, Drift, Kind},
        hidden::Hidden,
        inspect::{Inspected, Seen, Which, inspect},
    },
};

/// How much of completeness is filled cells; the rest is rows that are there.
const FILLED: f64 = 0.5;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Quality {
    /// When, by the clock of this machine.
    pub(crate) at: String,
    /// Keys drawn, of all, and the seed of the draw.
    pub(crate) sampled: u64,
    pub(crate) of: u64,
    pub(crate) seed: u64,
    /// Rows read, all members together.
    pub(crate) rows_read: u64,
    /// completeness, consistency, validity, uniqueness, accuracy: null where there was nothing to measure.
    pub(crate) shares: BTreeMap<String, Option<Estimate>>,
    /// Cells that differ by cause; those that the next run carries in time are pending.
    pub(crate) drift: BTreeMap<String, u64>,
    pub(crate) pending: u64,
    pub(crate) unexplained: u64,
    /// Where what is wrong was found, most first: dimension, column and member, with how often.
    pub(crate) places: Vec<(String, u64)>,
    /// Expectations that the rows that were read do not meet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failed: Vec<String>,
    /// Expectations of which a sample cannot tell whether they are met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) untold: Vec<String>,
    /// What a person has to correct. It names rows: it is told, and never kept.
    #[serde(skip)]
    pub(crate) to_correct: Vec<ToCorrect>,
}

/// A cell or a row that no call can correct, because nobody but a person knows what it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToCorrect {
    pub(crate) key: String,
    pub(crate) side: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<String>,
    /// completeness, validity or uniqueness.
    pub(crate) what: String,
}

impl Quality {
    /// Returns a share.
    pub(crate) fn share(&self, name: &str) -> Option<f64> {
        self.shares.get(name)?.as_ref().map(|share| share.value)
    }
}

/// How many cells and rows to correct are listed.
const LISTED: usize = 100;

/// How many places are named.
const PLACES: usize = 8;

/// What is measured, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) keys: usize,
    pub(super) seed: u64,
    /// Whether the last good run is so young that what flows may still be under way.
    pub(super) in_time: bool,
}

/// Measures a dataset.
///
/// # Errors
/// A member that cannot be read or understood.
pub(super) async fn measure(shell: &Shell, definition: &Definition, ask: Ask) -> Result<Quality> {
    let which = Which::Sample { keys: ask.keys, seed: ask.seed };
    let seen = inspect(shell, definition, which).await?;
    let now = shell.reach.clock.now();
    let mut found = judge(&seen, ask, now);
    let hidden = Hidden::of(definition);
    for one in &mut found.to_correct {
        one.key = hidden.key(std::mem::take(&mut one.key));
    }
    (found.failed, found.untold) = expected::judge(&seen, found.sampled >= found.of, now);
    Ok(found)
}

#[derive(Default)]
struct Tally {
    filled: Vec<Unit>,
    present: Vec<Unit>,
    equal: Vec<Unit>,
    valid: Vec<Unit>,
    unique: Vec<Unit>,
    accurate: Vec<Unit>,
    places: BTreeMap<String, u64>,
    to_correct: Vec<ToCorrect>,
    drift: BTreeMap<String, u64>,
    pending: u64,
    unexplained: u64,
}

fn judge(seen: &Inspected, ask: Ask, now: Timestamp) -> Quality {
    let mut tally = Tally::default();
    for key in &seen.keys {
        tally.see(seen, key, ask.in_time);
    }
    let population = seen.population.max(seen.keys.len() as u64);
    let share = |units: Vec<Unit>| estimate(&[(1.0, units)], population);
    let completeness =
        estimate(&[(FILLED, tally.filled), (1.0 - FILLED, tally.present)], population);
    let mut places: Vec<(String, u64)> = tally.places.into_iter().collect();
    places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    places.truncate(PLACES);
    Quality {
        at: now.to_string(),
        sampled: seen.keys.len() as u64,
        of: population,
        seed: ask.seed,
        rows_read: seen.rows_read.values().sum(),
        shares: BTreeMap::from([
            ("completeness".to_owned(), completeness),
            ("consistency".to_owned(), share(tally.equal)),
            ("validity".to_owned(), share(tally.valid)),
            ("uniqueness".to_owned(), share(tally.unique)),
            ("accuracy".to_owned(), share(tally.accurate)),
        ]),
        drift: tally.drift,
        pending: tally.pending,
        unexplained: tally.unexplained,
        places,
        to_correct: tally.to_correct,
        ..Quality::default()
    }
}

impl Tally {
    fn see(&mut self, seen: &Inspected, key: &Seen, in_time: bool) {
        let drifts = seen.drifts(key);
        self.rows(seen, key);
        self.presence(seen, key, &drifts);
        self.agreement(seen, key, &drifts, in_time);
        self.truth(seen, key);
    }

    fn place(&mut self, dimension: &str, seen: &Inspected, member: usize, column: Option<usize>) {
        let name = column.and_then(|at| Some(seen.schema.columns.get(at)?.name.as_str()));
        let member = seen.members.get(member).map_or("", |member| &member.name);
        let place = format!("{dimension}: {} of {member}", name.unwrap_or("rows"));
        *self.places.entry(place).or_default() += 1;
    }

    /// Counts something that a person has to correct, and lists it.
    fn wrong(
        &mut self,
        dimension: &str,
        seen: &Inspected,
        (key, member): (&Seen, usize),
        column: Option<usize>,
    ) {
        self.place(dimension, seen, member, column);
        if self.to_correct.len() < LISTED {
            let named = column.and_then(|at| Some(seen.schema.columns.get(at)?.name.clone()));
            self.to_correct.push(ToCorrect {
                key: key.key.to_string(),
                side: seen.members.get(member).map_or_else(String::new, |one| one.name.clone()),
                column: named,
                what: dimension.to_owned(),
            });
        }
    }

    /// Cells that must be filled and valid, and rows that must be alone with their key.
    fn rows(&mut self, seen: &Inspected, key: &Seen) {
        let required = seen.checks.required();
        let (mut filled, mut valid, mut unique) =
            (Unit::default(), Unit::default(), Unit::default());
        for (member, rows) in key.rows.iter().enumerate() {
            unique.of += rows.len() as f64;
            if rows.len() == 1 {
                unique.good += 1.0;
            } else if rows.len() > 1 {
                self.wrong("uniqueness", seen, (key, member), seen.schema.key.first().copied());
            }
            for row in rows {
                let invalid = seen.checks.invalid(row, &seen.references);
                for at in (0..seen.schema.columns.len()).filter(|at| seen.has(member, *at)) {
                    let value = row.get(at).unwrap_or(&Value::Null);
                    if required.contains(&at) {
                        filled.of += 1.0;
                        match value.is_null() {
                            true => self.wrong("completeness", seen, (key, member), Some(at)),
                            false => filled.good += 1.0,
                        }
                    }
                    if !value.is_null() && is_checked(seen, at) {
                        valid.of += 1.0;
                        match invalid.contains(&at) || is_mistyped(seen, at, value) {
                            true => self.wrong("validity", seen, (key, member), Some(at)),
                            false => valid.good += 1.0,
                        }
                    }
                }
            }
        }
        self.filled.push(filled);
        self.valid.push(valid);
        self.unique.push(unique);
    }

    /// Whether the key is on every member that should have it.
    fn presence(&mut self, seen: &Inspected, key: &Seen, drifts: &[Drift]) {
        let mut unit = Unit::default();
        let up = seen.members.iter().enumerate().filter(|(_, member)| member.down.is_none());
        for (member, _) in up {
            let there = key.rows.get(member).is_some_and(|rows| !rows.is_empty());
            let excused = drifts.iter().any(|drift| {
                let away = match drift.kind {
                    Kind::Missing => drift.member == member,
                    Kind::Extra => member == 0,
                    Kind::Cell => false,
                };
                away && drift.cause == Cause::Policy
            });
            if there || !excused {
                unit.of += 1.0;
                unit.good += f64::from(u8::from(there));
                if !there {
                    self.place("completeness", seen, member, None);
                }
            }
        }
        self.present.push(unit);
    }

    /// Whether the members agree on the key's cells; a row on one side alone agrees on none.
    fn agreement(&mut self, seen: &Inspected, key: &Seen, drifts: &[Drift], in_time: bool) {
        let mut unit = Unit::default();
        let columns = |member: usize| {
            let shared = (0..seen.schema.columns.len())
                .filter(|at| seen.has(0, *at) && seen.has(member, *at))
                .filter(|at| !seen.schema.key.contains(at));
            shared.count() as f64
        };
        if key.rows.iter().any(|rows| rows.len() > 1) {
            // Rows that cannot be told apart are compared with nothing; uniqueness counts them.
            self.equal.push(unit);
            return;
        }
        for (member, _) in seen.members.iter().enumerate().skip(1) {
            let own: Vec<&Drift> = drifts.iter().filter(|drift| drift.member == member).collect();
            let there = |member: usize| key.rows.get(member).is_some_and(|rows| !rows.is_empty());
            if !there(0) && !there(member) {
                continue;
            }
            let cells = columns(member).max(1.0);
            let (mut of, mut wrong) = (cells, 0.0);
            for drift in own {
                let size = if drift.kind == Kind::Cell { 1.0 } else { cells };
                *self.drift.entry(drift.cause.name()).or_default() += 1;
                if drift.cause == Cause::Policy {
                    of -= size;
                } else if in_time && seen.flows(drift) {
                    self.pending += 1;
                    of -= size;
                } else {
                    wrong += size;
                    self.unexplained += u64::from(seen.is_unexplained(drift));
                    self.place("consistency", seen, drift.member, drift.column);
                }
            }
            unit.of += of;
            unit.good += of - wrong;
        }
        self.equal.push(unit);
    }

    /// Whether the key's cells are those of the system of record.
    fn truth(&mut self, seen: &Inspected, key: &Seen) {
        let mut unit = Unit::default();
        let record = seen.definition.health.system_of_record.as_deref();
        let source = seen.members.iter().position(|member| Some(member.name.as_str()) == record);
        let single = |member: usize| match key.rows.get(member).map(Vec::as_slice) {
            Some([row]) => Some(row),
            _ => None,
        };
        if let Some((source, truth)) = source.and_then(|at| Some((at, single(at)?))) {
            for member in (0..seen.members.len()).filter(|member| *member != source) {
                let Some(row) = single(member) else { continue };
                for at in (0..seen.schema.columns.len())
                    .filter(|at| seen.has(source, *at) && seen.has(member, *at))
                    .filter(|at| !seen.schema.key.contains(at))
                {
                    let cell = |row: &Row| row.get(at).cloned().unwrap_or(Value::Null);
                    unit.of += 1.0;
                    unit.good += f64::from(u8::from(cell(row) == cell(truth)));
                }
            }
        }
        self.accurate.push(unit);
    }
}

/// Returns whether anything is asked of a column's values.
fn is_checked(seen: &Inspected, at: usize) -> bool {
    let column = seen.schema.columns.get(at);
    let typed = column.is_some_and(|column| column.ty != ColumnType::Text);
    typed
        || seen
            .definition
            .expectations
            .iter()
            .any(|one| Some(one.column.as_str()) == column.map(|column| column.name.as_str()))
}

/// Returns whether a value is not of its column's type: it is kept as text then.
fn is_mistyped(seen: &Inspected, at: usize, value: &Value) -> bool {
    let text = matches!(value, Value::Text(_));
    text && seen.schema.columns.get(at).is_some_and(|column| column.ty != ColumnType::Text)
}
