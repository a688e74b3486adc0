//! Rows and columns that come, go and move, with everything that is anchored to them.

use std::sync::Arc;

use serde_json::Value;

use crate::book::{Axis, Book, Location, Remap, Sheet, Shift, remap_ranges};
use crate::http::ApiError;
use crate::store::Session;

/// Is how many cells a spreadsheet holds at most (documented).
const MAX_CELLS: u64 = 10_000_000;

/// Refuses a grid that would pass the limits of the service.
pub(crate) fn check_size(book: &Book, more_cells: u64, columns: u32) -> Result<(), ApiError> {
    if columns > lockstep_a1::MAX_COLUMNS {
        return Err(ApiError::invalid(format!(
            "This action would increase the number of columns in the sheet above the limit of {} columns.",
            lockstep_a1::MAX_COLUMNS
        )));
    }
    if book.cell_count() + more_cells > MAX_CELLS {
        return Err(ApiError::invalid(format!(
            "This action would increase the number of cells in the workbook above the limit of {MAX_CELLS} cells."
        )));
    }
    Ok(())
}

/// Adds blank rows or columns at the end.
pub(crate) fn append(
    session: &mut Session<'_>,
    book: &mut Book,
    id: i32,
    axis: Axis,
    count: u32,
) -> Result<(), ApiError> {
    let sheet = book.sheet_mut(id)?;
    let at = length(sheet, axis);
    insert(session, book, id, axis, at, count, at > 0)
}

/// Returns the number of rows or columns.
pub(crate) fn length(sheet: &Sheet, axis: Axis) -> u32 {
    match axis {
        Axis::Rows => sheet.grid.rows(),
        Axis::Columns => sheet.grid.columns(),
    }
}

/// Inserts rows or columns; they look like the one before, or like the one after.
pub(crate) fn insert(
    session: &mut Session<'_>,
    book: &mut Book,
    id: i32,
    axis: Axis,
    at: u32,
    count: u32,
    like_before: bool,
) -> Result<(), ApiError> {
    if count == 0 {
        return Ok(());
    }
    let sheet = book.sheet_mut(id)?;
    let (rows, columns) = (sheet.grid.rows(), sheet.grid.columns());
    let (more, wide) = match axis {
        Axis::Rows => (u64::from(count) * u64::from(columns), columns),
        Axis::Columns => (u64::from(count) * u64::from(rows), columns.saturating_add(count)),
    };
    check_size(book, more, wide)?;
    let sheet = book.sheet_mut(id)?;
    let like = if like_before {
        at.checked_sub(1)
    } else {
        Some(at).filter(|at| *at < length(sheet, axis))
    };
    match axis {
        Axis::Rows => {
            let formats: Vec<(u32, u32)> = match like {
                Some(like) => row_formats(session, sheet, like)?,
                None => Vec::new(),
            };
            sheet.grid.insert_rows(session, at, count)?;
            if !formats.is_empty() {
                for row in at..at + count {
                    for (column, format) in &formats {
                        sheet.grid.cell_mut(session, row, *column)?.format = *format;
                    }
                }
            }
        }
        Axis::Columns => sheet.grid.insert_columns(session, at, count, like)?,
    }
    let dimensions = match axis {
        Axis::Rows => &sheet.rows,
        Axis::Columns => &sheet.columns,
    };
    let inherited = like.and_then(|like| dimensions.get(&like)).cloned();
    follow(session, book, id, Shift::whole(axis, Remap::Insert { at, count }))?;
    if let Some(inherited) = inherited {
        let sheet = book.sheet_mut(id)?;
        let dimensions = match axis {
            Axis::Rows => &mut sheet.rows,
            Axis::Columns => &mut sheet.columns,
        };
        for index in at..at + count {
            dimensions.insert(index, inherited.clone());
        }
    }
    Ok(())
}

fn row_formats(
    session: &mut Session<'_>,
    sheet: &Sheet,
    row: u32,
) -> Result<Vec<(u32, u32)>, ApiError> {
    let mut formats = Vec::new();
    sheet.grid.window(session, row, row + 1)?.each(&mut |_, line| {
        line.each(&mut |column, cell| {
            if cell.format != 0 {
                formats.push((column, cell.format));
            }
        })
    })?;
    Ok(formats)
}

/// Deletes rows or columns `start..end`, which lie in the grid and are not all of it.
pub(crate) fn delete(
    session: &mut Session<'_>,
    book: &mut Book,
    id: i32,
    axis: Axis,
    start: u32,
    end: u32,
) -> Result<(), ApiError> {
    let sheet = book.sheet_mut(id)?;
    match axis {
        Axis::Rows => sheet.grid.delete_rows(session, start, end)?,
        Axis::Columns => sheet.grid.delete_columns(session, start, end)?,
    }
    follow(session, book, id, Shift::whole(axis, Remap::Delete { start, end }))
}

/// Moves rows or columns `start..end` before `to`, counted before they are taken out.
pub(crate) fn shift(
    session: &mut Session<'_>,
    book: &mut Book,
    id: i32,
    axis: Axis,
    (start, end): (u32, u32),
    to: u32,
) -> Result<(), ApiError> {
    let sheet = book.sheet_mut(id)?;
    match axis {
        Axis::Rows => sheet.grid.move_rows(session, start, end, to)?,
        Axis::Columns => sheet.grid.move_columns(session, start, end, to)?,
    }
    follow(session, book, id, Shift::whole(axis, Remap::Move { start, end, to }))
}

/// Lets everything that names positions of a sheet follow a change of them.
pub(crate) fn follow(
    session: &mut Session<'_>,
    book: &mut Book,
    id: i32,
    shift: Shift,
) -> Result<(), ApiError> {
    let Shift { axis, remap, lanes } = shift;
    let mut ranges = std::mem::take(&mut book.head_mut().named_ranges);
    ranges.retain_mut(|range| remap_ranges(range, id, shift));
    book.head_mut().named_ranges = ranges;
    for sheet in &mut book.sheets {
        if sheet.id != id && sheet.lists.is_empty() && sheet.basic_filter.is_none() {
            continue;
        }
        let sheet = Arc::make_mut(sheet);
        for (name, list) in &mut sheet.lists {
            list.retain_mut(|item| {
                remap_ranges(item, id, shift) && !(name == "merges" && is_one_cell(item))
            });
        }
        sheet.lists.retain(|_, list| !list.is_empty());
        if let Some(filter) = &mut sheet.basic_filter
            && !remap_ranges(filter, id, shift)
        {
            sheet.basic_filter = None;
        }
        // Rows and columns themselves stay when only cells are shifted.
        if sheet.id == id && lanes.is_none() {
            let dimensions = match axis {
                Axis::Rows => &mut sheet.rows,
                Axis::Columns => &mut sheet.columns,
            };
            remap.map(dimensions);
            sheet.metadata.retain_mut(|entry| match (&mut entry.location, axis) {
                (Location::Row(index), Axis::Rows) | (Location::Column(index), Axis::Columns) => {
                    match remap.point(*index) {
                        Some(position) => {
                            *index = position;
                            true
                        }
                        None => false,
                    }
                }
                _ => true,
            });
        }
    }
    super::formulas::follow(session, book, id, shift)
}

fn is_one_cell(range: &Value) -> bool {
    let number = |name: &str| range.get(name).and_then(Value::as_u64).unwrap_or(0);
    number("endRowIndex") == number("startRowIndex") + 1
        && number("endColumnIndex") == number("startColumnIndex") + 1
}
