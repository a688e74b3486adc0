//! Clearing values: clear, batchClear and batchClearByDataFilter. Formats, notes and validation stay.

use axum::response::Response;
use lockstep_a1::Rect;
use serde_json::{Map, Value};

use super::filter;
use super::ranges::{Range, echo};
use super::{Request, body_of, commit};
use crate::book::Book;
use crate::grid::Scalar;
use crate::http::ApiError;
use crate::store::Session;

/// Removes the values of a range; returns it closed.
pub(crate) fn clear_values(
    session: &mut Session<'_>,
    book: &mut Book,
    range: &Range,
) -> Result<Rect, ApiError> {
    let sheet = book.sheet_mut(range.sheet)?;
    let rect = range.inside(sheet)?;
    let last = sheet.grid.used_rows(session)?.min(rect.end_row);
    for row in rect.start_row..last {
        for cell in sheet
            .grid
            .row_mut(session, row)?
            .iter_mut()
            .take(rect.end_column as usize)
            .skip(rect.start_column as usize)
        {
            cell.set_value(Scalar::Empty);
        }
    }
    Ok(rect)
}

/// Answers `POST .../values/{range}:clear`.
pub(crate) async fn clear(request: Request, range: String) -> Result<Response, ApiError> {
    request.mask("ClearValuesResponse")?;
    body_of(&request.call, "ClearValuesRequest", "")?;
    let (app, id) = (request.app.clone(), request.id.clone());
    let answer = request
        .app
        .store
        .write(move |session| {
            let mut book = Book::clone(&*session.book(&id)?);
            let range = Range::of_text(&book, &range)?;
            let rect = clear_values(session, &mut book, &range)?;
            let book = commit(session, &app, book)?;
            let mut answer = Map::new();
            answer.insert("spreadsheetId".to_owned(), id.into());
            if let Some(sheet) = book.sheet(range.sheet) {
                answer.insert("clearedRange".to_owned(), echo(sheet, rect).into());
            }
            Ok(Value::Object(answer))
        })
        .await?;
    request.answer("ClearValuesResponse", answer)
}

/// Answers `POST .../values:batchClear`, and with data filters `:batchClearByDataFilter`.
pub(crate) async fn batch_clear(request: Request, by_filter: bool) -> Result<Response, ApiError> {
    let (kind, answer_kind) = if by_filter {
        ("BatchClearValuesByDataFilterRequest", "BatchClearValuesByDataFilterResponse")
    } else {
        ("BatchClearValuesRequest", "BatchClearValuesResponse")
    };
    request.mask(answer_kind)?;
    let body = body_of(&request.call, kind, "")?;
    let (app, id) = (request.app.clone(), request.id.clone());
    let answer = request
        .app
        .store
        .write(move |session| {
            let mut book = Book::clone(&*session.book(&id)?);
            let ranges = if by_filter {
                filter::ranges(&book, body.get("dataFilters").unwrap_or(&Value::Null))?
                    .into_iter()
                    .map(|matched| matched.range)
                    .collect()
            } else {
                texts(&book, &body)?
            };
            let mut cleared: Vec<Value> = Vec::new();
            for range in &ranges {
                let rect = clear_values(session, &mut book, range)?;
                if let Some(sheet) = book.sheet(range.sheet) {
                    cleared.push(echo(sheet, rect).into());
                }
            }
            commit(session, &app, book)?;
            let mut answer = Map::new();
            answer.insert("spreadsheetId".to_owned(), id.into());
            if !cleared.is_empty() {
                answer.insert("clearedRanges".to_owned(), cleared.into());
            }
            Ok(Value::Object(answer))
        })
        .await?;
    request.answer(answer_kind, answer)
}

fn texts(book: &Book, body: &Value) -> Result<Vec<Range>, ApiError> {
    body.get("ranges")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, text)| {
            Range::of_text(book, text.as_str().unwrap_or_default())
                .map_err(|error| error.prefixed(&format!("Invalid range[{index}]: ")))
        })
        .collect()
}
