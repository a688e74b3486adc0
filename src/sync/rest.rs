//! The columns of a row that no dataset maps: kept when a row is deleted, so that taking it back brings all of it.
//!
//! The journal's rows have a column more for each of them, after those of the schema.

use std::collections::BTreeSet;

use lockstep_engine::{
    cell::Cell,
    reconcile::{BaseChange, Change, ChangeKind},
    schema::{Column, ColumnType, Schema},
    value::{Row, Value},
};

use super::prepare::{Member, Planned};
use crate::store::{Action, Moves};

/// Stands between a member's name and the header of its unmapped column.
const OF: &str = ": \u{1f}";

/// Returns the names of a schema's columns.
pub(super) fn names(schema: &Schema) -> Vec<String> {
    schema.columns.iter().map(|column| column.name.clone()).collect()
}

/// Returns the member that has an unmapped column, and its header there, by its name in the journal.
pub(super) fn header(name: &str) -> Option<(&str, &str)> {
    name.split_once(OF)
}

/// The columns of a run's journal.
pub(super) struct Wide {
    /// The names: those of the schema, then those that nobody mapped.
    pub(super) columns: Vec<String>,
    /// How many are the schema's.
    own: usize,
}

impl Wide {
    /// Returns the columns that the journal of a plan needs.
    pub(super) fn of(planned: &Planned) -> Self {
        let mut columns = names(&planned.plan.body().basis.schema);
        let own = columns.len();
        let mut rest = BTreeSet::new();
        for member in &planned.members {
            let headers = member.scan.snapshot.headers();
            for change in deletes(planned, member) {
                let cells = unmapped(member, change);
                let named = cells.filter(|(_, value)| !value.is_null());
                rest.extend(named.filter_map(|(at, _)| {
                    Some(format!("{}{OF}{}", member.name, headers.get(at)?))
                }));
            }
        }
        columns.extend(rest);
        Self { columns, own }
    }

    /// Returns what the journal keeps of a change.
    pub(super) fn action(&self, member: &Member, change: &Change) -> Action {
        let mut before = change.before.as_ref().map(|row| self.pad(row));
        if let Some(row) = before.as_mut().filter(|_| change.kind == ChangeKind::Delete) {
            let headers = member.scan.snapshot.headers();
            for (at, value) in unmapped(member, change) {
                let name = headers.get(at).map(|header| format!("{}{OF}{header}", member.name));
                let slot = self
                    .columns
                    .iter()
                    .skip(self.own)
                    .position(|known| Some(known) == name.as_ref());
                if let Some(slot) = slot.and_then(|slot| row.get_mut(self.own + slot)) {
                    *slot = value;
                }
            }
        }
        Action {
            key: change.key.clone(),
            kind: change.kind,
            before,
            after: change.after.as_ref().map(|row| self.pad(row)),
            cells: change.cells.clone(),
            left_out: None,
        }
    }

    /// Returns the moves of the bases in the journal's columns.
    pub(super) fn moves(&self, bases: &[Moves]) -> Vec<Moves> {
        let pad = |row: &Option<Row>| row.as_ref().map(|row| self.pad(row));
        let wide = |change: &BaseChange| BaseChange {
            key: change.key.clone(),
            before: pad(&change.before),
            after: pad(&change.after),
        };
        // A rollback's bases have fewer columns than its schema.
        let fits =
            |row: &Option<Row>| row.as_ref().is_none_or(|row| row.len() == self.columns.len());
        let fit = |moves: &Moves| {
            moves.changes.iter().all(|change| fits(&change.before) && fits(&change.after))
        };
        let all = |moves: &Moves| match fit(moves) {
            true => moves.clone(),
            false => Moves {
                spoke: moves.spoke.clone(),
                changes: moves.changes.iter().map(wide).collect(),
            },
        };
        bases.iter().map(all).collect()
    }

    fn pad(&self, row: &Row) -> Row {
        if row.len() == self.columns.len() {
            return row.clone();
        }
        let mut row = row.to_vec();
        row.resize(self.columns.len(), Value::Null);
        row.into()
    }
}

/// Cuts moves of bases in a journal's columns back to those of a schema; returns its names too.
pub(super) fn narrow(columns: &[String], mut bases: Vec<Moves>) -> (Vec<String>, Vec<Moves>) {
    let own = |name: &&String| header(name).is_none();
    let names: Vec<String> = columns.iter().take_while(own).cloned().collect();
    if names.len() == columns.len() {
        return (names, bases);
    }
    let cut = |row: &Option<Row>| -> Option<Row> {
        row.as_ref().map(|row| row.iter().take(names.len()).cloned().collect())
    };
    let narrow = |change: &BaseChange| BaseChange {
        key: change.key.clone(),
        before: cut(&change.before),
        after: cut(&change.after),
    };
    for moves in &mut bases {
        moves.changes = moves.changes.iter().map(narrow).collect();
    }
    (names, bases)
}

/// Returns the schema of a journal's columns: the saved one's, and for the others what their values are.
pub(super) fn schema(columns: &[String], saved: &Schema, images: &[&Action]) -> Schema {
    let known = |name: &String| saved.columns.iter().find(|column| column.name == *name).cloned();
    let guess = |at: usize| {
        let rows = images.iter().flat_map(|action| [action.before.as_ref(), action.after.as_ref()]);
        let mut kinds: Vec<ColumnType> =
            rows.flatten().filter_map(|row| kind(row.get(at)?)).collect();
        kinds.dedup();
        match kinds.as_slice() {
            [only] => *only,
            _ => ColumnType::Text,
        }
    };
    let all = columns
        .iter()
        .enumerate()
        .map(|(at, name)| known(name).unwrap_or_else(|| Column::new(name, guess(at))))
        .collect();
    let key = saved.key.iter().filter_map(|at| saved.columns.get(*at));
    let key = key.filter_map(|column| columns.iter().position(|name| *name == column.name));
    Schema { fold_key_case: saved.fold_key_case, ..Schema::new(all, key.collect()) }
}

fn kind(value: &Value) -> Option<ColumnType> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => ColumnType::Bool,
        Value::Number(_) => ColumnType::Number,
        Value::Text(_) => ColumnType::Text,
        Value::Date(_) => ColumnType::Date,
        Value::Time(_) => ColumnType::Time,
        Value::DateTime(_) => ColumnType::DateTime,
        Value::List(_) => ColumnType::List,
    })
}

fn deletes<'a>(planned: &'a Planned, member: &Member) -> impl Iterator<Item = &'a Change> {
    let writes = planned.plan.body().result.writes(&member.name);
    writes.iter().filter(|change| change.kind == ChangeKind::Delete)
}

/// Returns the cells of a change's row that stand under none of the mapped headers, by their place in the snapshot.
fn unmapped<'a>(member: &'a Member, change: &Change) -> impl Iterator<Item = (usize, Value)> + 'a {
    let snapshot = &member.scan.snapshot;
    let mapped = &member.headers;
    let cells = change.row.into_iter().flat_map(|row| snapshot.row(row).enumerate());
    cells
        .filter(move |(at, _)| {
            let header = snapshot.headers().get(*at);
            !mapped.iter().flatten().any(|known| Some(known) == header)
        })
        .map(|(at, cell)| (at, value(&cell)))
}

fn value(cell: &Cell<'_>) -> Value {
    let number = |text: &str| text.parse().map_or_else(|_| Value::text(text), Value::Number);
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => Value::Bool(*value),
        Cell::Float(value) => number(&value.to_string()),
        Cell::Number(text) => number(text),
        Cell::Text(text) => Value::text(*text),
    }
}
