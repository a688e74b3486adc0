//! Appending values after the table that a range falls in.

use axum::response::Response;
use lockstep_a1::{Cells, Rect};
use serde_json::{Map, Value};

use super::enter::{Enter, Mode};
use super::ranges::{Range, echo};
use super::write::{Echo, same_range, write};
use super::{Request, body_of, commit, dimension};
use crate::book::{Axis, Book};
use crate::grid::Grid;
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
    let rows = within.start_row..within.end_row;
    let seed = sheet.grid.last_shown(session, &rows, &(within.start_column..within.end_column))?;
    seed.map(|(row, column)| block(session, &sheet.grid, Rect::cell(row, column))).transpose()
}

/// Widens a rectangle until no cell that shows something touches it, also by its corners.
fn block(session: &mut Session<'_>, grid: &Grid, seed: Rect) -> Result<Rect, ApiError> {
    let mut rect = seed;
    loop {
        let beside = rect.start_column.saturating_sub(1)..rect.end_column + 1;
        let above = grid.run_length(session, rect.start_row, false, &beside)?;
        let below = grid.run_length(session, rect.end_row, true, &beside)?;
        let rows = rect.start_row - above..rect.end_row + below;
        let mut next = Rect { start_row: rows.start, end_row: rows.end, ..rect };
        for (start, end) in grid.shown_columns(session, &rows)? {
            if start <= rect.end_column && end >= rect.start_column {
                next.start_column = next.start_column.min(start);
                next.end_column = next.end_column.max(end);
            }
        }
        if next == rect {
            return Ok(rect);
        }
        rect = next;
    }
}
