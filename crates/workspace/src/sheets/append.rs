//! Appending values after the table that a range falls in.

use axum::response::Response;
use lockstep_a1::{Cells, Rect};
use serde_json::{Map, Value};

use super::enter::{Enter, Mode};
use super::ranges::{Range, echo};
use super::write::{Echo, same_range, write};
use super::{Request, body_of, commit, dimension};
use crate::book::{Axis, Book};
use crate::grid::{CellView, Grid};
use crate::http::ApiError;
use crate::store::Session;

/// Answers `POST .../values/{range}:append`.
pub(crate) async fn append(request: Request, range: String) -> Result<Response, ApiError> {
    request.mask("AppendValuesResponse")?;
    let body = body_of(&request.call, "ValueRange", "data")?;
    let mode = Mode::parse(request.call.param("valueInputOption"))?;
    let insert = match request.call.param("insertDataOption") {
        None | Some("" | "OVERWRITE") => false,
        Some("INSERT_ROWS") => true,
        Some(other) => {
            let text = format!(
                "Invalid value at 'insert_data_option' (type.googleapis.com/google.apps.sheets.v4.AppendValuesRequest.InsertDataOption), \"{other}\""
            );
            return Err(ApiError::violation(text.clone(), "insert_data_option", text));
        }
    };
    let told = Echo::of(
        request.call.flag("includeValuesInResponse"),
        request.call.param("responseValueRenderOption"),
        request.call.param("responseDateTimeRenderOption"),
    )?;
    let (app, id) = (request.app.clone(), request.id.clone());
    let answer = request
        .app
        .store
        .write(move |session| {
            let mut book = Book::clone(&*session.book(&id)?);
            same_range(&book, &range, &body)?;
            let range = Range::of_text(&book, &range)?;
            let table = table(session, &book, &range)?;
            let at = place(session, &mut book, &range, table, &body, insert)?;
            let enter = Enter::new(&book, mode, app.now_ms());
            let written = write(session, &mut book, &enter, &at, &body)?;
            let book = commit(session, &app, book)?;
            let mut updates = written.json(&book);
            told.add(session, &book, &written, &mut updates)?;
            let mut answer = Map::new();
            answer.insert("spreadsheetId".to_owned(), id.into());
            if let (Some(table), Some(sheet)) = (table, book.sheet(range.sheet)) {
                answer.insert("tableRange".to_owned(), echo(sheet, table).into());
            }
            answer.insert("updates".to_owned(), Value::Object(updates));
            Ok(Value::Object(answer))
        })
        .await?;
    request.answer("AppendValuesResponse", answer)
}

/// Makes room after the table, or at the start of the range where there is none; returns where
/// the values go.
fn place(
    session: &mut Session<'_>,
    book: &mut Book,
    range: &Range,
    table: Option<Rect>,
    body: &Value,
    insert: bool,
) -> Result<Range, ApiError> {
    let lists = body.get("values").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
    let long = lists.iter().filter_map(Value::as_array).map(Vec::len).max().unwrap_or(0);
    let by_columns = body.get("majorDimension").and_then(Value::as_str) == Some("COLUMNS");
    let (height, width) = if by_columns { (long, lists.len()) } else { (lists.len(), long) };
    let size = |count: usize| u32::try_from(count).unwrap_or(u32::MAX / 4);
    let (height, width) = (size(height), size(width));
    let (row, column) = match table {
        Some(table) => (table.end_row, table.start_column),
        None => (range.cells.start_row, range.cells.start_column),
    };
    let sheet = book.sheet_mut(range.sheet)?;
    let (rows, columns) = (sheet.grid.rows(), sheet.grid.columns());
    if insert && table.is_some() && row < rows {
        dimension::insert(session, book, range.sheet, Axis::Rows, row, height, false)?;
    }
    let sheet = book.sheet_mut(range.sheet)?;
    let rows_missing = (row + height).saturating_sub(sheet.grid.rows());
    dimension::append(session, book, range.sheet, Axis::Rows, rows_missing)?;
    dimension::append(
        session,
        book,
        range.sheet,
        Axis::Columns,
        (column + width).saturating_sub(columns),
    )?;
    Ok(Range { sheet: range.sheet, cells: Cells::cell(row, column) })
}

/// Returns the table that a range falls in: the block of cells around the last one in the range
/// that shows something (google-wire 2.5).
fn table(session: &mut Session<'_>, book: &Book, range: &Range) -> Result<Option<Rect>, ApiError> {
    let sheet = book.sheet(range.sheet).ok_or_else(ApiError::not_found)?;
    let within = range.inside(sheet)?;
    let mut seed = None;
    // From the bottom up, a block at a time, so that a long sheet is not read whole.
    let mut end = sheet.grid.used_rows(session)?.min(within.end_row);
    while seed.is_none() && end > within.start_row {
        let start = end.saturating_sub(512).max(within.start_row);
        sheet.grid.window(session, start, end)?.each(&mut |number, line| {
            line.each(&mut |column, cell| {
                if !cell.is_empty() && column >= within.start_column && column < within.end_column {
                    seed = Some((start + number, column));
                }
            })
        })?;
        end = start;
    }
    seed.map(|(row, column)| block(session, &sheet.grid, Rect::cell(row, column))).transpose()
}

/// Widens a rectangle until no cell that shows something touches it, also by its corners.
fn block(session: &mut Session<'_>, grid: &Grid, seed: Rect) -> Result<Rect, ApiError> {
    let mut rect = seed;
    loop {
        // Whole runs of rows at once: a tall table would else cost one pass a row.
        let above = run(session, grid, rect, false)?;
        let below = run(session, grid, rect, true)?;
        let mut next =
            Rect { start_row: rect.start_row - above, end_row: rect.end_row + below, ..rect };
        let from = rect.start_column.saturating_sub(1);
        let to = rect.end_column + 1;
        let mut look = |column: u32, cell: CellView<'_>| {
            if !cell.is_empty() && column >= from && column < to {
                next.start_column = next.start_column.min(column);
                next.end_column = next.end_column.max(column + 1);
            }
        };
        grid.window(session, rect.start_row - above, rect.end_row + below)?
            .each(&mut |_, line| line.each(&mut look))?;
        if next == rect {
            return Ok(rect);
        }
        rect = next;
    }
}

/// Returns how many rows right above (or below) a rectangle show something in its columns or
/// beside them.
fn run(session: &mut Session<'_>, grid: &Grid, rect: Rect, down: bool) -> Result<u32, ApiError> {
    const STEP: u32 = 512;
    let mut total = 0;
    loop {
        let (first, last) = if down {
            let first = rect.end_row + total;
            (first, (first + STEP).min(grid.rows()))
        } else {
            let last = rect.start_row - total;
            (last.saturating_sub(STEP), last)
        };
        if first >= last {
            return Ok(total);
        }
        let mut shows = vec![false; (last - first) as usize];
        grid.window(session, first, last)?.each(&mut |number, line| {
            line.each(&mut |column, cell| {
                if !cell.is_empty()
                    && column + 1 >= rect.start_column
                    && column <= rect.end_column
                    && let Some(shown) = shows.get_mut(number as usize)
                {
                    *shown = true;
                }
            })
        })?;
        let length = if down {
            shows.iter().take_while(|shown| **shown).count()
        } else {
            shows.iter().rev().take_while(|shown| **shown).count()
        };
        total += u32::try_from(length).unwrap_or(0);
        if length < shows.len() {
            return Ok(total);
        }
    }
}
