//! updateCells, appendCells and repeatCell.

use std::collections::HashMap;
use std::sync::Arc;

use lockstep_a1::Rect;
use serde_json::{Map, Value};

use super::{Batch, Rows, no_reply, sheet_id, update_mask};
use crate::book::{Axis, Formats, normalize};
use crate::fields::Mask;
use crate::grid::{Cell, CellError, Scalar};
use crate::http::ApiError;
use crate::schema;
use crate::sheets::dimension;
use crate::sheets::enter::check_length;
use crate::sheets::ranges::Range;

/// Are the fields of CellData that a write can set, beside value and format.
const FIELDS: [&str; 6] =
    ["note", "dataValidation", "textFormatRuns", "pivotTable", "chipRuns", "dataSourceTable"];

/// Says which parts of a cell a write sets; a part that is not given is cleared.
pub(crate) struct CellMask {
    value: bool,
    format: Option<Mask>,
    fields: Vec<&'static str>,
}

impl CellMask {
    /// Returns the parts that a mask over CellData takes.
    pub(crate) fn new(mask: &Mask) -> Self {
        Self {
            value: mask.child("userEnteredValue").is_some(),
            format: mask.child("userEnteredFormat").cloned(),
            fields: FIELDS.into_iter().filter(|name| mask.child(name).is_some()).collect(),
        }
    }

    /// Sets the parts of a cell from a CellData object.
    pub(crate) fn set(
        &self,
        formats: &mut Formats,
        cell: &mut Cell,
        data: &Value,
    ) -> Result<(), ApiError> {
        if self.value {
            set_value(cell, data.get("userEnteredValue"))?;
        }
        if let Some(mask) = &self.format {
            set_format(formats, cell, mask, data.get("userEnteredFormat"));
        }
        for name in &self.fields {
            let value = data.get(*name).filter(|value| !is_blank(value)).cloned();
            cell.set_field(name, value);
        }
        Ok(())
    }
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => value.is_null(),
    }
}

fn set_value(cell: &mut Cell, value: Option<&Value>) -> Result<(), ApiError> {
    let mut arms = value.and_then(Value::as_object).into_iter().flatten();
    let Some((arm, value)) = arms.next() else {
        cell.set_value(Scalar::Empty);
        return Ok(());
    };
    match (arm.as_str(), value) {
        ("formulaValue", Value::String(formula)) => {
            check_length(formula)?;
            cell.set_value(Scalar::Empty);
            if formula.starts_with('=') {
                cell.formula = Some(formula.as_str().into());
            } else {
                return Err(ApiError::invalid(format!(
                    "Invalid formula: it must begin with =: {formula}"
                )));
            }
        }
        ("numberValue", number) => cell.set_value(Scalar::Number(number.as_f64().unwrap_or(0.0))),
        ("boolValue", flag) => cell.set_value(Scalar::Bool(flag.as_bool().unwrap_or(false))),
        ("stringValue", Value::String(text)) => {
            check_length(text)?;
            cell.set_value(Scalar::text(text.as_str()));
        }
        ("errorValue", error) => {
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            cell.set_value(Scalar::Error(Box::new(CellError {
                shown: "#ERROR!".into(),
                message: message.into(),
            })));
        }
        _ => cell.set_value(Scalar::Empty),
    }
    Ok(())
}

/// Sets the part of a cell's format that a mask takes.
fn set_format(formats: &mut Formats, cell: &mut Cell, mask: &Mask, given: Option<&Value>) {
    let mut given = given.cloned().unwrap_or_else(|| Value::Object(Map::new()));
    if let Some(message) = schema::message("CellFormat") {
        normalize(&mut given, message);
    }
    let Value::Object(given) = given else {
        return;
    };
    let mut format = match formats.get(cell.format) {
        Some(Value::Object(format)) => format.clone(),
        _ => Map::new(),
    };
    mask.update(&mut format, &given);
    cell.format = formats.number(Value::Object(format));
}

/// Applies `updateCells`.
pub(super) fn update(
    batch: &mut Batch<'_, '_>,
    request: &Value,
    rows: &Rows<'_>,
) -> Result<Value, ApiError> {
    let mask = CellMask::new(&update_mask(request, "CellData")?);
    if let Some(start) = request.get("start") {
        let id = sheet_id(start);
        let at = (
            super::index(start, "rowIndex").unwrap_or(0),
            super::index(start, "columnIndex").unwrap_or(0),
        );
        batch.book.sheet_mut(id)?;
        set_rows(batch, id, at, rows, &mask, None)?;
        return Ok(no_reply());
    }
    let Some(range) = request.get("range") else {
        return Err(ApiError::invalid("An updateCells request must have a start or a range."));
    };
    let range = Range::of_object(&batch.book, range)?;
    let rect = range.inside(batch.book.sheet_mut(range.sheet)?)?;
    set_rows(batch, range.sheet, (rect.start_row, rect.start_column), rows, &mask, Some(rect))?;
    Ok(no_reply())
}

/// Sets cells from RowData objects with every field, for a new spreadsheet.
pub(crate) fn update_rows(
    batch: &mut Batch<'_, '_>,
    id: i32,
    at: (u32, u32),
    rows: &[Value],
) -> Result<(), ApiError> {
    set_rows(batch, id, at, &Rows::Values(rows), &CellMask::new(&Mask::default()), None)
}

fn set_rows(
    batch: &mut Batch<'_, '_>,
    id: i32,
    (top, left): (u32, u32),
    rows: &Rows<'_>,
    mask: &CellMask,
    within: Option<Rect>,
) -> Result<(), ApiError> {
    let Batch { session, book, .. } = batch;
    let formats = &mut Arc::make_mut(&mut book.head).formats;
    let grid = book
        .sheets
        .iter_mut()
        .find(|sheet| sheet.id == id)
        .map(|sheet| &mut Arc::make_mut(sheet).grid)
        .ok_or_else(|| ApiError::invalid(format!("No grid with id: {id}")))?;
    let end_row = within.map_or(grid.rows(), |rect| rect.end_row);
    let end_column = within.map_or(grid.columns(), |rect| rect.end_column);
    let blank = Value::Object(Map::new());
    for down in 0..rows.len() {
        let number = top.saturating_add(down);
        let row = rows.get(down as usize)?;
        let cells =
            row.get("values").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
        if number >= end_row {
            return Err(beyond("row", number, end_row));
        }
        if cells.is_empty() && within.is_none() {
            continue;
        }
        let width = u32::try_from(cells.len()).unwrap_or(u32::MAX);
        if width > end_column.saturating_sub(left) {
            return Err(beyond("column", left.max(end_column), end_column));
        }
        let reach = if within.is_some() { end_column } else { left + width };
        let line = grid.row_mut(*session, number)?;
        if line.len() < (left + width) as usize {
            line.resize_with((left + width) as usize, Cell::default);
        }
        // Cells of the range that are not given are cleared; those past the end are clear already.
        let values = cells.iter().chain(std::iter::repeat(&blank));
        for (cell, value) in line.iter_mut().take(reach as usize).skip(left as usize).zip(values) {
            mask.set(formats, cell, value)?;
        }
    }
    if let Some(rect) = within {
        let given = top.saturating_add(rows.len());
        let filled = grid.filled_rows();
        for number in given..rect.end_row.min(filled) {
            for cell in grid
                .row_mut(*session, number)?
                .iter_mut()
                .take(rect.end_column as usize)
                .skip(rect.start_column as usize)
            {
                mask.set(formats, cell, &blank)?;
            }
        }
    }
    Ok(())
}

/// Returns the recorded error for cells beyond the grid or the range.
fn beyond(kind: &str, index: u32, end: u32) -> ApiError {
    ApiError::invalid(format!(
        "Attempting to write {kind}: {index}, beyond the last requested {kind} of: {}",
        end.saturating_sub(1)
    ))
}

/// Applies `appendCells`: after the last row with data; the grid grows downwards.
pub(super) fn append(
    batch: &mut Batch<'_, '_>,
    request: &Value,
    rows: &Rows<'_>,
) -> Result<Value, ApiError> {
    let mask = CellMask::new(&update_mask(request, "CellData")?);
    if request.get("tableId").is_some() {
        return Err(ApiError::invalid(
            "appendCells with a tableId is not supported by the embedded workspace; use a sheetId.",
        ));
    }
    let id = sheet_id(request);
    let grid = &batch.book.sheet_mut(id)?.grid;
    let at = grid.used_rows(batch.session)?;
    let needed = at.saturating_add(rows.len());
    let missing = needed.saturating_sub(grid.rows());
    dimension::append(batch.session, &mut batch.book, id, Axis::Rows, missing)?;
    set_rows(batch, id, (at, 0), rows, &mask, None)?;
    Ok(no_reply())
}

/// Applies `repeatCell`: clipped to the grid, refused when it starts beyond it.
pub(super) fn repeat(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mask = CellMask::new(&update_mask(request, "CellData")?);
    let data = request.get("cell").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let range = Range::of_object(&batch.book, request.get("range").unwrap_or(&Value::Null))?;
    let rect = range.inside(batch.book.sheet_mut(range.sheet)?)?;
    let Batch { session, book, .. } = batch;
    let formats = &mut Arc::make_mut(&mut book.head).formats;
    let grid = book
        .sheets
        .iter_mut()
        .find(|sheet| sheet.id == range.sheet)
        .map(|sheet| &mut Arc::make_mut(sheet).grid)
        .ok_or_else(ApiError::not_found)?;
    // Formats repeat: what a mask makes of one is worked out once.
    let mut seen: HashMap<u32, u32> = HashMap::new();
    let rest = CellMask { value: mask.value, format: None, fields: mask.fields.clone() };
    let formula = data
        .get("userEnteredValue")
        .and_then(|value| value.get("formulaValue"))
        .and_then(Value::as_str)
        .map(str::to_owned);
    for row in rect.start_row..rect.end_row {
        let line = grid.row_mut(*session, row)?;
        if line.len() < rect.end_column as usize {
            line.resize_with(rect.end_column as usize, Cell::default);
        }
        let cells = line.iter_mut().take(rect.end_column as usize).skip(rect.start_column as usize);
        for (column, cell) in (rect.start_column..).zip(cells) {
            rest.set(formats, cell, &data)?;
            if let Some(formula) = formula.as_deref().filter(|_| mask.value) {
                let moved = crate::sheets::formulas::translate(
                    formula,
                    i64::from(row - rect.start_row),
                    i64::from(column - rect.start_column),
                );
                cell.formula = Some(moved.into());
            }
            if let Some(format) = &mask.format {
                cell.format = match seen.get(&cell.format) {
                    Some(number) => *number,
                    None => {
                        let before = cell.format;
                        set_format(formats, cell, format, data.get("userEnteredFormat"));
                        seen.insert(before, cell.format);
                        cell.format
                    }
                };
            }
        }
        while line.last().is_some_and(Cell::is_blank) {
            line.pop();
        }
    }
    Ok(no_reply())
}
