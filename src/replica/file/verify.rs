//! The last look before a file is replaced: the new content, read back, is the old one with exactly the planned changes.

use lockstep_engine::{cell::Cell, snapshot::Snapshot, value::Value};

use super::edits::{Edit, Edits};
use crate::error::{Error, Result};

/// Compares the rows of the new content with those of the old and the planned changes.
///
/// # Errors
/// The first row that is not as it was to be. It is a defect of the writer, or a value that the format does not hold;
/// either way nothing was written.
pub(super) fn check(before: &Snapshot, after: &Snapshot, edits: &Edits<'_>) -> Result<()> {
    let at = |name: &str| after.headers().iter().position(|header| header == name);
    let kept: Vec<Option<usize>> = before.headers().iter().map(|name| at(name)).collect();
    let old = edits.mapped(before.headers());
    let written: Vec<(usize, Option<usize>)> =
        edits.columns.iter().map(|column| (*column, at(edits.header(*column)))).collect();
    let cells = |row: usize| -> Vec<Cell<'_>> { after.row(row).collect() };
    let cell = |cells: &[Cell<'_>], at: Option<usize>, column: usize| -> Value {
        let found = at.and_then(|at| cells.get(at)).copied().unwrap_or(Cell::Null);
        edits.column(column).map_or(Value::Null, |column| column.value(&found))
    };
    let mut next = 0;
    for row in 0..before.len() {
        let change = match edits.row(row) {
            Edit::Delete => continue,
            Edit::Keep => None,
            Edit::Update(change) => Some(change),
        };
        let now = cells(next);
        for (index, was) in before.row(row).enumerate() {
            let touched = match (change, old.get(index).copied().flatten()) {
                (Some(change), Some(column)) => change.cells.contains(&column),
                _ => false,
            };
            let found = kept.get(index).copied().flatten().and_then(|at| now.get(at));
            if !touched && found.copied().unwrap_or(Cell::Null) != was && next < after.len() {
                return Err(wrong(before, row, before.headers().get(index).map(String::as_str)));
            }
        }
        for (column, place) in &written {
            if let Some(change) = change.filter(|change| change.cells.contains(column))
                && !same(&cell(&now, *place, *column), Edits::value(change, *column))
            {
                return Err(wrong(before, row, Some(edits.header(*column))));
            }
        }
        next += 1;
    }
    for change in edits.inserts() {
        let now = cells(next);
        for (column, place) in &written {
            if !same(&cell(&now, *place, *column), Edits::value(change, *column)) {
                return Err(unfit(
                    &format!("the new row {}", change.key),
                    Some(edits.header(*column)),
                ));
            }
        }
        next += 1;
    }
    match next == after.len() {
        true => Ok(()),
        false => Err(unfit(&format!("{next} rows were expected and {}", after.len()), None)),
    }
}

/// Text formats have one nothing: null and blank are written alike.
fn same(found: &Value, wanted: &Value) -> bool {
    let blank = |value: &Value| value.as_text().map_or(value.is_null(), str::is_empty);
    found == wanted || (blank(found) && blank(wanted))
}

fn wrong(before: &Snapshot, row: usize, header: Option<&str>) -> Error {
    unfit(&format!("row {}", before.origin(row)), header)
}

fn unfit(what: &str, header: Option<&str>) -> Error {
    let place = header.map(|name| format!(", column \"{name}\",")).unwrap_or_default();
    Error::internal(format!("{what}{place} would not read back as planned; nothing was written"))
        .next("leave the row or column out, and report this with the file's format")
}
