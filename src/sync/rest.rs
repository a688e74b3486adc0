//! The columns of a row that no dataset maps: kept when a row is deleted, so that taking it back brings all of it.

use std::collections::BTreeMap;

use lockstep_engine::{
    cell::Cell,
    dataset::SideName,
    schema::{Column, ColumnType, Schema},
    snapshot::Snapshot,
    value::{Row, Value},
};
use serde_json::Value as Json;

use crate::store::journal::Action;

/// Stands before the name of an unmapped column of the left in the schema of a rollback.
const LEFT: &str = "left \u{1f}";
/// Stands before the name of an unmapped column of the right.
const RIGHT: &str = "right \u{1f}";

fn prefix(side: SideName) -> &'static str {
    match side {
        SideName::Left => LEFT,
        SideName::Right => RIGHT,
    }
}

/// Returns the header on a side of an unmapped column by its name in the schema.
pub(super) fn header(name: &str, side: SideName) -> Option<&str> {
    name.strip_prefix(prefix(side))
}

/// Returns the cells of a row that stand under none of the mapped headers.
pub(super) fn of_row(snapshot: &Snapshot, row: usize, mapped: &[Option<String>]) -> Option<Json> {
    let cells: serde_json::Map<String, Json> = snapshot
        .headers()
        .iter()
        .zip(snapshot.row(row))
        .filter(|(header, _)| !mapped.iter().flatten().any(|known| known == *header))
        .filter_map(|(header, cell)| Some((header.clone(), json(&cell)?)))
        .collect();
    (!cells.is_empty()).then_some(Json::Object(cells))
}

fn json(cell: &Cell<'_>) -> Option<Json> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Bool(value) => Json::Bool(*value),
        Cell::Float(value) => serde_json::json!({ "number": value.to_string() }),
        Cell::Number(text) => serde_json::json!({ "number": text }),
        Cell::Text(text) => Json::String((*text).to_owned()),
    })
}

fn value(json: &Json) -> Value {
    match json {
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::text(text.as_str()),
        Json::Object(number) => {
            let text = number.get("number").and_then(Json::as_str).unwrap_or_default();
            text.parse().map(Value::Number).unwrap_or_else(|_| Value::text(text))
        }
        _ => Value::Null,
    }
}

/// Adds a column for each unmapped one that a deleted row of the side had.
pub(super) fn extend(schema: &mut Schema, actions: &[Action], side: SideName) {
    let mut kinds: BTreeMap<&str, Option<ColumnType>> = BTreeMap::new();
    for (header, kept) in actions.iter().filter_map(|a| a.rest.as_ref()?.as_object()).flatten() {
        let kind = match kept {
            Json::Bool(_) => ColumnType::Bool,
            Json::Object(_) => ColumnType::Number,
            _ => ColumnType::Text,
        };
        let known = kinds.entry(header).or_insert(Some(kind));
        // Values of several kinds under one header: text holds them all.
        *known = known.filter(|known| *known == kind);
    }
    for (header, kind) in kinds {
        let name = format!("{}{header}", prefix(side));
        schema.columns.push(Column::new(name, kind.unwrap_or(ColumnType::Text)));
    }
}

/// Fills the unmapped columns of rows from what was kept of them.
pub(super) struct Rest {
    columns: BTreeMap<String, usize>,
    width: usize,
}

impl Rest {
    /// Looks the unmapped columns of a side up in a schema.
    pub(super) fn of(schema: &Schema, side: SideName) -> Self {
        let columns = schema.columns.iter().enumerate();
        let columns = columns
            .filter_map(|(at, column)| Some((header(&column.name, side)?.to_owned(), at)))
            .collect();
        Self { columns, width: schema.columns.len() }
    }

    /// Returns the row in the width of the schema, with what was kept of its unmapped columns.
    pub(super) fn widen(&self, row: &Row, action: &Action) -> Row {
        let mut row = row.to_vec();
        row.resize(self.width, Value::Null);
        for (header, kept) in action.rest.as_ref().and_then(Json::as_object).into_iter().flatten() {
            if let Some(slot) = self.columns.get(header).and_then(|at| row.get_mut(*at)) {
                *slot = value(kept);
            }
        }
        row.into()
    }
}
