//! copyPaste and cutPaste.

use std::sync::Arc;

use lockstep_a1::Rect;
use serde_json::{Map, Value, json};

use super::tidy::slices;
use super::{Batch, no_reply, sheet_id};
use crate::book::Formats;
use crate::grid::{Cell, Row};
use crate::http::ApiError;
use crate::sheets::enter::change_format;
use crate::sheets::formulas::{relocated, translate};
use crate::sheets::ranges::{Range, exceeds};

/// Says which parts of a cell a paste sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Paste {
    All,
    NoBorders,
    Values,
    Formulas,
    Format,
    Validation,
}

impl Paste {
    fn read(request: &Value) -> Result<Self, ApiError> {
        match request.get("pasteType").and_then(Value::as_str).unwrap_or("PASTE_NORMAL") {
            "PASTE_NORMAL" => Ok(Self::All),
            "PASTE_NO_BORDERS" => Ok(Self::NoBorders),
            "PASTE_VALUES" => Ok(Self::Values),
            "PASTE_FORMULA" => Ok(Self::Formulas),
            "PASTE_FORMAT" => Ok(Self::Format),
            "PASTE_DATA_VALIDATION" => Ok(Self::Validation),
            other => Err(ApiError::invalid(format!(
                "pasteType {other} is not supported by the embedded workspace."
            ))),
        }
    }

    /// Puts a copied cell over another; `moved` is how far it moved, for relative references.
    fn put(self, formats: &mut Formats, cell: &mut Cell, copied: &Cell, moved: Option<(i64, i64)>) {
        let formula = || {
            copied.formula.as_ref().map(|formula| match moved {
                Some((down, right)) => translate(formula, down, right).into(),
                None => formula.clone(),
            })
        };
        match self {
            Self::All | Self::NoBorders => {
                *cell = copied.clone();
                cell.formula = formula();
                if self == Self::NoBorders && cell.format != 0 {
                    change_format(formats, cell, |format| {
                        format.shift_remove("borders");
                    });
                }
            }
            Self::Values => cell.set_value(copied.value.clone()),
            Self::Formulas => {
                cell.set_value(copied.value.clone());
                cell.formula = formula();
            }
            // Without data validation, as the discovery document says.
            Self::Format => cell.format = copied.format,
            Self::Validation => {
                cell.set_field("dataValidation", copied.field("dataValidation").cloned());
            }
        }
    }
}

fn read_range(
    batch: &mut Batch<'_, '_>,
    request: &Value,
    name: &str,
) -> Result<(i32, Rect), ApiError> {
    let range = Range::of_object(&batch.book, request.get(name).unwrap_or(&json!({})))?;
    let rect = range.inside(batch.book.sheet_mut(range.sheet)?)?;
    Ok((range.sheet, rect))
}

/// Applies `copyPaste`: a destination that holds the source several times is filled with it.
pub(super) fn copy(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let paste = Paste::read(request)?;
    let (from, source) = read_range(batch, request, "source")?;
    let (to, target) = read_range(batch, request, "destination")?;
    let across = request.get("pasteOrientation").and_then(Value::as_str) == Some("TRANSPOSE");
    let rows = slices(batch, from, source)?;
    let (height, width) =
        if across { (source.columns(), source.rows()) } else { (source.rows(), source.columns()) };
    let times = |room: u32, size: u32| if room.is_multiple_of(size) { room } else { size };
    let area = Rect {
        end_row: target.start_row + times(target.rows(), height),
        end_column: target.start_column + times(target.columns(), width),
        ..target
    };
    fill(
        batch,
        to,
        area,
        |down, right| {
            let (down, right) = (down % height, right % width);
            if across { (right, down) } else { (down, right) }
        },
        &rows,
        source,
        paste,
        true,
    )?;
    Ok(no_reply())
}

/// Applies `cutPaste`; what is left behind is blank.
pub(super) fn cut(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let paste = Paste::read(request)?;
    let (from, source) = read_range(batch, request, "source")?;
    let target = request.get("destination").cloned().unwrap_or_else(|| json!({}));
    let to = sheet_id(&target);
    let row = super::index(&target, "rowIndex").unwrap_or(0);
    let column = super::index(&target, "columnIndex").unwrap_or(0);
    let rows = slices(batch, from, source)?;
    let sheet = batch.book.sheet_mut(from)?;
    for row in source.start_row..source.end_row.min(sheet.grid.filled_rows()) {
        let cells = sheet.grid.row_mut(batch.session, row)?;
        for cell in
            cells.iter_mut().take(source.end_column as usize).skip(source.start_column as usize)
        {
            *cell = Cell::default();
        }
    }
    let area = Rect {
        start_row: row,
        end_row: row + source.rows(),
        start_column: column,
        end_column: column + source.columns(),
    };
    fill(batch, to, area, |down, right| (down, right), &rows, source, paste, false)?;
    if matches!(paste, Paste::All | Paste::NoBorders | Paste::Formulas) {
        let place = (to, row, column);
        for named in &mut batch.book.head_mut().named_ranges {
            if let Some(Value::Object(range)) = named.get_mut("range") {
                move_range(range, (from, source), place);
            }
        }
        relocated(batch.session, &mut batch.book, (from, source), place)?;
    }
    Ok(no_reply())
}

/// Moves a named range that lies in cut cells to where they were pasted.
fn move_range(
    range: &mut Map<String, Value>,
    (from, source): (i32, Rect),
    (to, row, column): (i32, u32, u32),
) {
    let edge = |name: &str| {
        range.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
    };
    let sheet = range.get("sheetId").and_then(Value::as_i64).unwrap_or(0);
    let (Some(end_row), Some(end_column)) = (edge("endRowIndex"), edge("endColumnIndex")) else {
        return;
    };
    let start_row = edge("startRowIndex").unwrap_or(0);
    let start_column = edge("startColumnIndex").unwrap_or(0);
    let inside = sheet == i64::from(from)
        && start_row >= source.start_row
        && end_row <= source.end_row
        && start_column >= source.start_column
        && end_column <= source.end_column;
    if inside {
        for (name, at) in [
            ("startRowIndex", start_row - source.start_row + row),
            ("endRowIndex", end_row - source.start_row + row),
            ("startColumnIndex", start_column - source.start_column + column),
            ("endColumnIndex", end_column - source.start_column + column),
        ] {
            range.insert(name.to_owned(), at.into());
        }
        range.shift_remove("sheetId");
        if to != 0 {
            range.insert("sheetId".to_owned(), to.into());
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "one private function for both ways to paste")]
fn fill(
    batch: &mut Batch<'_, '_>,
    sheet: i32,
    area: Rect,
    place: impl Fn(u32, u32) -> (u32, u32),
    rows: &[Row],
    source: Rect,
    paste: Paste,
    relative: bool,
) -> Result<(), ApiError> {
    let target = batch.book.sheet_mut(sheet)?;
    if area.end_row > target.grid.rows() || area.end_column > target.grid.columns() {
        return Err(exceeds(target, area.into()));
    }
    let blank = Cell::default();
    let book = &mut batch.book;
    let formats = &mut Arc::make_mut(&mut book.head).formats;
    let grid = book
        .sheets
        .iter_mut()
        .find(|own| own.id == sheet)
        .map(|own| &mut Arc::make_mut(own).grid)
        .ok_or_else(ApiError::not_found)?;
    for row in area.start_row..area.end_row {
        let cells = grid.row_mut(batch.session, row)?;
        if cells.len() < area.end_column as usize {
            cells.resize_with(area.end_column as usize, Cell::default);
        }
        let own = cells.iter_mut().take(area.end_column as usize).skip(area.start_column as usize);
        for (column, cell) in (area.start_column..).zip(own) {
            let (down, right) = place(row - area.start_row, column - area.start_column);
            let copied =
                rows.get(down as usize).and_then(|row| row.get(right as usize)).unwrap_or(&blank);
            let moved = (
                i64::from(row) - i64::from(source.start_row + down),
                i64::from(column) - i64::from(source.start_column + right),
            );
            paste.put(formats, cell, copied, relative.then_some(moved));
        }
    }
    Ok(())
}
