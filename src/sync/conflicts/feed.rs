//! What the engine is told: what people decided, and when values that are still pending were first seen.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use lockstep_engine::{
    dataset::SideName,
    decision::{CellChoice, Choice, Decision, Decisions},
    hub::{HUB, HubCellChoice, HubChoice, HubDecision},
    key::Key,
    schema::Schema,
    snapshot::View,
    times::Times,
    value::{Row, Value},
};

use super::super::known::Known;
use crate::store::conflicts::{self, Observed, State, Stored};

/// Returns the decisions about a pair, in the columns of a schema.
pub(in super::super) fn decisions(known: &Known, schema: &Schema) -> Decisions {
    let mut all = Decisions::new();
    for (key, stored) in decided(known) {
        let Some(first) = stored.first() else { continue };
        let digest: Box<str> = first.digest.as_str().into();
        let choice = if first.column.is_empty() {
            match &first.choice {
                Some(conflicts::Choice::Take(who)) => side(who).map(Choice::Take),
                _ => None,
            }
        } else {
            let cell = |one: &&Stored| {
                let at = schema.position(&one.column)?;
                Some((at, cell_choice(one.choice.as_ref()?, schema, at)?))
            };
            Some(Choice::Cells(stored.iter().filter_map(cell).collect()))
        };
        if let Some(choice) = choice {
            all.insert(key.clone(), Decision { digest, choice });
        }
    }
    all
}

/// Returns the decisions about a hub, in the columns of a schema.
pub(in super::super) fn hub_decisions(
    known: &Known,
    schema: &Schema,
) -> BTreeMap<Key, HubDecision> {
    let mut all = BTreeMap::new();
    for (key, stored) in decided(known) {
        let Some(first) = stored.first() else { continue };
        let digest: Box<str> = first.digest.as_str().into();
        let choice = if first.column.is_empty() {
            match &first.choice {
                Some(conflicts::Choice::Take(who)) => Some(HubChoice::Take(who.as_str().into())),
                _ => None,
            }
        } else {
            let cell = |one: &&Stored| {
                let at = schema.position(&one.column)?;
                let choice = match one.choice.as_ref()? {
                    conflicts::Choice::Take(who) => HubCellChoice::Take(who.as_str().into()),
                    conflicts::Choice::Base => HubCellChoice::Base,
                    conflicts::Choice::Value(value) => {
                        HubCellChoice::Value(fit(value, schema, at)?)
                    }
                };
                Some((at, choice))
            };
            Some(HubChoice::Cells(stored.iter().filter_map(cell).collect()))
        };
        if let Some(choice) = choice {
            all.insert(key.clone(), HubDecision { digest, choice });
        }
    }
    all
}

/// Returns what is decided, by key.
fn decided(known: &Known) -> BTreeMap<&Key, Vec<&Stored>> {
    let mut all: BTreeMap<&Key, Vec<&Stored>> = BTreeMap::new();
    for stored in known.conflicts().iter().filter(|stored| stored.state == State::Decided) {
        all.entry(&stored.key).or_default().push(stored);
    }
    all
}

fn side(who: &str) -> Option<SideName> {
    SideName::BOTH.into_iter().find(|side| side.as_str() == who)
}

fn cell_choice(choice: &conflicts::Choice, schema: &Schema, at: usize) -> Option<CellChoice> {
    Some(match choice {
        conflicts::Choice::Take(who) => CellChoice::Take(side(who)?),
        conflicts::Choice::Base => CellChoice::Base,
        conflicts::Choice::Value(value) => CellChoice::Value(fit(value, schema, at)?),
    })
}

/// Returns a value as its column has it now: the column may have got another type since it was decided.
fn fit(value: &Value, schema: &Schema, at: usize) -> Option<Value> {
    let column = schema.columns.get(at)?;
    if value.is_null() {
        return Some(Value::Null);
    }
    column.ty.parse(&value.to_string()).ok()
}

/// Where pending values may be looked up: what a member has, and what it last agreed on.
pub(in super::super) struct Present<'a> {
    pub(in super::super) name: &'a str,
    pub(in super::super) rows: BTreeMap<Key, Row>,
    pub(in super::super) bases: Vec<BTreeMap<Key, Row>>,
}

/// Returns the rows of some keys.
pub(in super::super) fn rows_of(view: &View<'_>, keys: &BTreeSet<&Key>) -> BTreeMap<Key, Row> {
    if keys.is_empty() {
        return BTreeMap::new();
    }
    let rows = (0..view.len()).map(|row| (row, view.key(row)));
    rows.filter(|(_, key)| keys.contains(key)).map(|(row, key)| (key, view.row(row))).collect()
}

/// Returns when pending values were first seen, of the members of a pair, or of a hub (the first) and one spoke.
///
/// Values that were first seen by the same run have no order: no time is given for them, so that a strategy that asks
/// for the later one leaves the cell to a person instead of guessing.
pub(in super::super) fn times(
    known: &Known,
    schema: &Schema,
    members: &[Present<'_>],
    spoke: &str,
    now: Timestamp,
) -> Times {
    let mut times = Times::default();
    times.now = Some(now);
    let places: BTreeSet<(&Key, &str)> =
        known.times().map(|one| (&one.key, one.column.as_str())).collect();
    for (key, column) in places {
        let all: Vec<(&Present<'_>, Option<Value>, Timestamp)> = members
            .iter()
            .filter_map(|member| said(known, schema, member, key, column, now))
            .collect();
        let Some(last) = all.iter().map(|(.., at)| *at).max() else { continue };
        let mut latest = all.iter().filter(|(.., at)| *at == last).map(|(_, value, _)| value);
        let first = latest.next();
        if latest.any(|other| Some(other) != first) {
            continue;
        }
        // Nor has a deletion an order with changes that the same run saw first.
        let edited = |one: &Observed| {
            let member = members.iter().find(|member| member.name == one.member)?;
            said(known, schema, member, key, &one.column, now).map(|(.., at)| at)
        };
        let edits = known.times_of(key).filter(|one| column.is_empty() && !one.column.is_empty());
        if edits.filter_map(edited).max() == Some(last) {
            continue;
        }
        for (member, value, at) in all {
            let side = match member.name {
                HUB | "left" => SideName::Left,
                name if name == spoke => SideName::Right,
                _ => continue,
            };
            let origins = times.entry(key.clone(), side);
            match (schema.position(column), value) {
                (Some(index), Some(_)) => origins.cells.entry(index).or_default().at = Some(at),
                (None, None) => origins.row.at = Some(at),
                _ => {}
            }
        }
    }
    times
}

/// Returns what a member says of a cell that it changed, and since when; of a row: that it deleted or changed it.
fn said<'a, 'b>(
    known: &Known,
    schema: &Schema,
    member: &'a Present<'b>,
    key: &Key,
    column: &str,
    now: Timestamp,
) -> Option<(&'a Present<'b>, Option<Value>, Timestamp)> {
    let value = if column.is_empty() {
        // The time of an edit is that of its cells.
        (!member.rows.contains_key(key)).then_some(None)?
    } else {
        let at = schema.position(column)?;
        let value = member.rows.get(key)?.get(at)?;
        let same =
            |base: &BTreeMap<Key, Row>| base.get(key).and_then(|row| row.get(at)) == Some(value);
        if !member.bases.is_empty() && member.bases.iter().all(same) {
            return None;
        }
        Some(value.clone())
    };
    let digest = Observed::digest(value.as_ref());
    let seen = known.time(key, column, member.name).filter(|seen| seen.value == digest);
    Some((member, value, seen.map_or(now, |seen| seen.at)))
}
