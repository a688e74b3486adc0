//! Tidying ranges: trimWhitespace and deleteDuplicates; and cells shifted in: insertRange and
//! deleteRange.

use std::collections::HashSet;

use lockstep_a1::Rect;
use serde_json::{Value, json};

use super::dimensions::Span;
use super::protect::check_merges;
use super::{Batch, no_reply};
use crate::book::{Axis, Remap, Shift};
use crate::grid::{Cell, Row, Scalar};
use crate::http::ApiError;
use crate::sheets::dimension;
use crate::sheets::ranges::Range;

fn target(batch: &mut Batch<'_, '_>, request: &Value) -> Result<(i32, Rect), ApiError> {
    let range = Range::of_object(&batch.book, request.get("range").unwrap_or(&json!({})))?;
    let rect = range.inside(batch.book.sheet_mut(range.sheet)?)?;
    Ok((range.sheet, rect))
}

/// Applies `trimWhitespace`: none at the ends of texts, single ones inside.
pub(super) fn trim(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let (sheet, rect) = target(batch, request)?;
    let grid = &mut batch.book.sheet_mut(sheet)?.grid;
    let mut changed = 0_u64;
    for row in rect.start_row..rect.end_row.min(grid.filled_rows()) {
        let cells = grid.row_mut(batch.session, row)?;
        for cell in cells.iter_mut().take(rect.end_column as usize).skip(rect.start_column as usize)
        {
            if let (Scalar::Text(text), None) = (&cell.value, &cell.formula) {
                let tidy = text.split_whitespace().collect::<Vec<_>>().join(" ");
                if tidy != **text {
                    cell.set_value(Scalar::text(tidy));
                    changed += 1;
                }
            }
        }
    }
    Ok(if changed > 0 {
        json!({"trimWhitespace": {"cellsChangedCount": changed}})
    } else {
        json!({"trimWhitespace": {}})
    })
}

/// Applies `deleteDuplicates`: of rows with equal values in the compared columns the first stays,
/// those below move up.
pub(super) fn deduplicate(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let (sheet, rect) = target(batch, request)?;
    let mut columns = Vec::new();
    for compared in request.get("comparisonColumns").and_then(Value::as_array).into_iter().flatten()
    {
        let span = Span::read(batch, Some(compared), "comparisonColumns")?;
        if span.axis != Axis::Columns {
            return Err(ApiError::invalid("comparisonColumns must be columns."));
        }
        columns.extend(span.start..span.end);
    }
    if columns.is_empty() {
        columns.extend(rect.start_column..rect.end_column);
    }
    let rows = slices(batch, sheet, rect)?;
    let mut seen = HashSet::new();
    let kept: Vec<Row> = rows
        .iter()
        .filter(|row| {
            let key: Vec<String> = columns
                .iter()
                .map(|column| {
                    let offset = column.saturating_sub(rect.start_column) as usize;
                    match row.get(offset).map(|cell| &cell.value) {
                        Some(Scalar::Text(text)) => format!("t{}", text.to_lowercase()),
                        Some(value) => format!("{value:?}"),
                        None => format!("{:?}", Scalar::Empty),
                    }
                })
                .collect();
            seen.insert(key)
        })
        .cloned()
        .collect();
    let removed = rows.len() - kept.len();
    put(batch, sheet, rect, &kept)?;
    Ok(if removed > 0 {
        json!({"deleteDuplicates": {"duplicatesRemovedCount": removed}})
    } else {
        json!({"deleteDuplicates": {}})
    })
}

/// Returns the cells of a rectangle, by row, from its left edge.
pub(super) fn slices(
    batch: &mut Batch<'_, '_>,
    sheet: i32,
    rect: Rect,
) -> Result<Vec<Row>, ApiError> {
    let grid = &batch.book.sheet_mut(sheet)?.grid;
    let rows = grid.copy_rows(batch.session, rect.start_row, rect.end_row)?;
    Ok(rows
        .into_iter()
        .map(|mut row| {
            row.truncate(rect.end_column as usize);
            row.split_off(row.len().min(rect.start_column as usize))
        })
        .collect())
}

/// Sets the cells of a rectangle; those that are not given become blank.
fn put(batch: &mut Batch<'_, '_>, sheet: i32, rect: Rect, rows: &[Row]) -> Result<(), ApiError> {
    let grid = &mut batch.book.sheet_mut(sheet)?.grid;
    for (offset, row) in (rect.start_row..rect.end_row).enumerate() {
        let given = rows.get(offset).map_or(&[] as &[Cell], Vec::as_slice);
        if given.is_empty() && row >= grid.filled_rows() {
            continue;
        }
        let cells = grid.row_mut(batch.session, row)?;
        let reach = rect.start_column as usize + given.len();
        if cells.len() < reach {
            cells.resize_with(reach, Cell::default);
        }
        let own = cells.iter_mut().take(rect.end_column as usize).skip(rect.start_column as usize);
        for (offset, cell) in own.enumerate() {
            *cell = given.get(offset).cloned().unwrap_or_default();
        }
    }
    Ok(())
}

fn by_rows(request: &Value) -> Result<bool, ApiError> {
    request
        .get("shiftDimension")
        .and_then(Value::as_str)
        .and_then(Axis::parse)
        .map(|axis| axis == Axis::Rows)
        .ok_or_else(|| ApiError::invalid("No dimension specified."))
}

/// Applies `insertRange`: the cells at and after the range move down or to the right; the grid
/// grows by what would fall off its edge.
pub(super) fn insert_range(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let down = by_rows(request)?;
    let (sheet, rect) = target(batch, request)?;
    let grid = &batch.book.sheet_mut(sheet)?.grid;
    let area = if down {
        Rect { end_row: grid.filled_rows().max(rect.start_row), ..rect }
    } else {
        Rect { end_column: grid.columns(), ..rect }
    };
    check_merges(batch.book.sheet_mut(sheet)?, reach(rect, down))?;
    let rows = slices(batch, sheet, area)?;
    let mut moved: Vec<Row> = Vec::new();
    if down {
        moved.resize(rect.rows() as usize, Row::new());
        moved.extend(rows);
    } else {
        for row in rows {
            let mut longer = vec![Cell::default(); rect.columns() as usize];
            longer.extend(row);
            while longer.last().is_some_and(Cell::is_blank) {
                longer.pop();
            }
            moved.push(longer);
        }
    }
    let size = |count: usize| u32::try_from(count).unwrap_or(u32::MAX / 4);
    let height = rect.start_row + size(moved.len());
    let width = rect.start_column + size(moved.iter().map(Vec::len).max().unwrap_or(0));
    let grid = &batch.book.sheet_mut(sheet)?.grid;
    let (more_rows, more_columns) =
        (height.saturating_sub(grid.rows()), width.saturating_sub(grid.columns()));
    dimension::append(batch.session, &mut batch.book, sheet, Axis::Rows, more_rows)?;
    dimension::append(batch.session, &mut batch.book, sheet, Axis::Columns, more_columns)?;
    let area = if down {
        Rect { end_row: height, ..rect }
    } else {
        Rect { end_column: area.end_column.max(width), ..rect }
    };
    put(batch, sheet, area, &moved)?;
    let remap = if down {
        Remap::Insert { at: rect.start_row, count: rect.rows() }
    } else {
        Remap::Insert { at: rect.start_column, count: rect.columns() }
    };
    follow(batch, sheet, rect, down, remap)
}

/// Returns all cells that a shift of a rectangle moves or takes.
fn reach(rect: Rect, by_rows: bool) -> Rect {
    match by_rows {
        true => Rect { end_row: u32::MAX, ..rect },
        false => Rect { end_column: u32::MAX, ..rect },
    }
}

/// Lets everything that names shifted cells follow them.
fn follow(
    batch: &mut Batch<'_, '_>,
    sheet: i32,
    rect: Rect,
    by_rows: bool,
    remap: Remap,
) -> Result<Value, ApiError> {
    let shift = if by_rows {
        Shift { axis: Axis::Rows, remap, lanes: Some((rect.start_column, rect.end_column)) }
    } else {
        Shift { axis: Axis::Columns, remap, lanes: Some((rect.start_row, rect.end_row)) }
    };
    dimension::follow(batch.session, &mut batch.book, sheet, shift)?;
    Ok(no_reply())
}

/// Applies `deleteRange`: the cells after the range move up or to the left.
pub(super) fn delete_range(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let up = by_rows(request)?;
    let (sheet, rect) = target(batch, request)?;
    let grid = &batch.book.sheet_mut(sheet)?.grid;
    let area = if up {
        Rect { end_row: grid.filled_rows().max(rect.end_row), ..rect }
    } else {
        Rect { end_column: grid.columns(), ..rect }
    };
    check_merges(batch.book.sheet_mut(sheet)?, reach(rect, up))?;
    let mut rows = slices(batch, sheet, area)?;
    if up {
        rows.drain(..(rect.rows() as usize).min(rows.len()));
    } else {
        for row in &mut rows {
            row.drain(..(rect.columns() as usize).min(row.len()));
        }
    }
    put(batch, sheet, area, &rows)?;
    let remap = if up {
        Remap::Delete { start: rect.start_row, end: rect.end_row }
    } else {
        Remap::Delete { start: rect.start_column, end: rect.end_column }
    };
    follow(batch, sheet, rect, up, remap)
}
