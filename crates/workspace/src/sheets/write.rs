//! Writing values: update, batchUpdate and batchUpdateByDataFilter.

use std::collections::HashSet;

use axum::response::Response;
use lockstep_a1::{Cells, Rect, column_letters};
use serde_json::{Map, Value, json};

use super::enter::{Enter, Mode};
use super::filter;
use super::ranges::{Range, echo, exceeds};
use super::render::{Options, Style};
use super::values::Read;
use super::{Request, body_of, commit};
use crate::book::Book;
use crate::http::ApiError;
use crate::store::Session;

/// Is what one write touched.
pub(crate) struct Written {
    pub(crate) sheet: i32,
    pub(crate) rect: Rect,
    pub(crate) rows: HashSet<u32>,
    pub(crate) columns: HashSet<u32>,
    pub(crate) cells: u64,
}

impl Written {
    /// Returns the UpdateValuesResponse; counts of 0 are left out, as proto3 does.
    pub(crate) fn json(&self, book: &Book) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("spreadsheetId".to_owned(), book.id.clone().into());
        if let Some(sheet) = book.sheet(self.sheet) {
            out.insert("updatedRange".to_owned(), echo(sheet, self.rect).into());
        }
        for (name, count) in [
            ("updatedRows", self.rows.len() as u64),
            ("updatedColumns", self.columns.len() as u64),
            ("updatedCells", self.cells),
        ] {
            if count > 0 {
                out.insert(name.to_owned(), count.into());
            }
        }
        out
    }
}

/// Writes the lists of a ValueRange body at a range; the grid does not grow.
pub(crate) fn write(
    session: &mut Session<'_>,
    book: &mut Book,
    enter: &Enter,
    range: &Range,
    body: &Value,
) -> Result<Written, ApiError> {
    let lists = lists(body);
    let by_columns = body.get("majorDimension").and_then(Value::as_str) == Some("COLUMNS");
    let long = lists.iter().map(|list| list.len()).max().unwrap_or(0);
    let (height, width) = if by_columns { (long, lists.len()) } else { (lists.len(), long) };
    let sheet = book.sheet(range.sheet).ok_or_else(ApiError::not_found)?;
    let rect = target(sheet, range.cells, height, width)?;
    let Book { head, sheets, .. } = book;
    let formats = &mut std::sync::Arc::make_mut(head).formats;
    let grid = sheets
        .iter_mut()
        .find(|sheet| sheet.id == range.sheet)
        .map(|sheet| &mut std::sync::Arc::make_mut(sheet).grid)
        .ok_or_else(ApiError::not_found)?;
    let mut written = Written {
        sheet: range.sheet,
        rect,
        rows: HashSet::new(),
        columns: HashSet::new(),
        cells: 0,
    };
    for (major, list) in (0_u32..).zip(&lists) {
        for (minor, value) in (0_u32..).zip(*list) {
            let (down, right) = if by_columns { (minor, major) } else { (major, minor) };
            if value.is_null() {
                continue;
            }
            if value.is_array() || value.is_object() {
                return Err(ApiError::invalid(format!(
                    "Invalid values[{major}][{minor}]: {}",
                    proto_text(value, 0)
                )));
            }
            let (row, column) = (rect.start_row + down, rect.start_column + right);
            enter.put(formats, grid.cell_mut(session, row, column)?, value)?;
            written.rows.insert(row);
            written.columns.insert(column);
            written.cells += 1;
        }
    }
    Ok(written)
}

fn lists(body: &Value) -> Vec<&[Value]> {
    body.get("values")
        .and_then(Value::as_array)
        .map(|lists| {
            lists
                .iter()
                .map(|list| list.as_array().map_or(&[] as &[Value], Vec::as_slice))
                .collect()
        })
        .unwrap_or_default()
}

/// Returns where an array lands: a single cell or open end grows to it, a closed end bounds it.
fn target(
    sheet: &crate::book::Sheet,
    cells: Cells,
    height: usize,
    width: usize,
) -> Result<Rect, ApiError> {
    let size = |count: usize| u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let rect = Rect {
        start_row: cells.start_row,
        end_row: cells.start_row.saturating_add(size(height)),
        start_column: cells.start_column,
        end_column: cells.start_column.saturating_add(size(width)),
    };
    if !cells.is_cell() {
        let within = || {
            let (rows, columns) = (sheet.grid.rows(), sheet.grid.columns());
            format!(
                "Requested writing within range [{}!{}], but tried writing to",
                lockstep_a1::quote_always(sheet.title()),
                cells.close(rows, columns)
            )
        };
        if cells.end_column.is_some_and(|end| rect.end_column > end) {
            let column = cells.end_column.map(column_letters).unwrap_or_default();
            return Err(ApiError::invalid(format!("{} column [{column}]", within())));
        }
        if let Some(end) = cells.end_row.filter(|end| rect.end_row > *end) {
            return Err(ApiError::invalid(format!("{} row [{}]", within(), end + 1)));
        }
    }
    if rect.end_row > sheet.grid.rows() || rect.end_column > sheet.grid.columns() {
        // Named by the cell or range that does not fit, as recorded: `Range (Sheet1!Y1) exceeds ...`.
        return Err(exceeds(sheet, Cells::from(rect)));
    }
    Ok(rect)
}

/// Returns a list or object in the text form of protocol buffers, as the error tells it.
fn proto_text(value: &Value, depth: usize) -> String {
    let pad = "  ".repeat(depth);
    match value {
        Value::Array(items) => {
            let inner: String = items
                .iter()
                .map(|item| {
                    format!("{pad}  values {{\n{pad}    {}{pad}  }}\n", proto_text(item, depth + 2))
                })
                .collect();
            format!("list_value {{\n{inner}{pad}}}\n")
        }
        Value::Object(map) => {
            let inner: String = map
                .iter()
                .map(|(key, item)| {
                    format!(
                        "{pad}  fields {{\n{pad}    key: {}\n{pad}    value {{\n{pad}      {}{pad}    }}\n{pad}  }}\n",
                        Value::from(key.as_str()),
                        proto_text(item, depth + 3)
                    )
                })
                .collect();
            format!("struct_value {{\n{inner}{pad}}}\n")
        }
        Value::String(_) => format!("string_value: {value}\n"),
        Value::Bool(_) => format!("bool_value: {value}\n"),
        Value::Number(_) => format!("number_value: {value}\n"),
        Value::Null => "null_value: NULL_VALUE\n".to_owned(),
    }
}

/// Says whether and how written values are told back.
#[derive(Clone, Copy)]
pub(crate) struct Echo(Option<Options>);

impl Echo {
    /// Returns what the parameters of a write ask for.
    pub(crate) fn of(
        include: bool,
        render: Option<&str>,
        dates: Option<&str>,
    ) -> Result<Self, ApiError> {
        let options = Options::of(render, dates, None)?;
        Ok(Self(include.then_some(options)))
    }

    /// Adds `updatedData` to an answer where it was asked for.
    pub(crate) fn add(
        self,
        session: &mut Session<'_>,
        book: &Book,
        written: &Written,
        answer: &mut Map<String, Value>,
    ) -> Result<(), ApiError> {
        if let Some(options) = self.0 {
            let range = Range { sheet: written.sheet, cells: written.rect.into() };
            let read = Read::of(session, book, &range)?;
            answer.insert("updatedData".to_owned(), read.value(&mut Style::new(book, options))?);
        }
        Ok(())
    }
}

/// Answers `PUT .../values/{range}`.
pub(crate) async fn update(request: Request, range: String) -> Result<Response, ApiError> {
    request.mask("UpdateValuesResponse")?;
    let body = body_of(&request.call, "ValueRange", "data")?;
    let mode = Mode::parse(request.call.param("valueInputOption"))?;
    let echo = Echo::of(
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
            let enter = Enter::new(&book, mode, app.now_ms());
            let written = write(session, &mut book, &enter, &range, &body)?;
            let book = commit(session, &app, book)?;
            let mut answer = written.json(&book);
            echo.add(session, &book, &written, &mut answer)?;
            Ok(Value::Object(answer))
        })
        .await?;
    request.answer("UpdateValuesResponse", answer)
}

/// Refuses a body whose own range is another than that of the path.
pub(crate) fn same_range(book: &Book, path: &str, body: &Value) -> Result<(), ApiError> {
    let Some(own) = body.get("range").and_then(Value::as_str).filter(|own| !own.is_empty()) else {
        return Ok(());
    };
    if own == path || Range::of_text(book, own)? == Range::of_text(book, path)? {
        return Ok(());
    }
    Err(ApiError::invalid(format!("Request range[{path}] does not match value's range[{own}]")))
}

/// Answers `POST .../values:batchUpdate`, and with data filters `:batchUpdateByDataFilter`.
pub(crate) async fn batch_update(request: Request, by_filter: bool) -> Result<Response, ApiError> {
    let (kind, answer_kind) = if by_filter {
        ("BatchUpdateValuesByDataFilterRequest", "BatchUpdateValuesByDataFilterResponse")
    } else {
        ("BatchUpdateValuesRequest", "BatchUpdateValuesResponse")
    };
    request.mask(answer_kind)?;
    let body = body_of(&request.call, kind, "")?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let mode = Mode::parse(text("valueInputOption"))?;
    let include = body.get("includeValuesInResponse") == Some(&Value::Bool(true));
    let echo =
        Echo::of(include, text("responseValueRenderOption"), text("responseDateTimeRenderOption"))?;
    let (app, id) = (request.app.clone(), request.id.clone());
    let answer = request
        .app
        .store
        .write(move |session| {
            let mut book = Book::clone(&*session.book(&id)?);
            let enter = Enter::new(&book, mode, app.now_ms());
            let data = body.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
            let mut all = Vec::new();
            for (index, item) in data.iter().enumerate() {
                let prefix = format!("Invalid data[{index}]: ");
                let targets =
                    targets(&book, item, by_filter).map_err(|error| error.prefixed(&prefix))?;
                for range in targets {
                    let written = write(session, &mut book, &enter, &range, item)
                        .map_err(|error| error.prefixed(&prefix))?;
                    all.push((written, item.get("dataFilter").cloned()));
                }
            }
            let book = commit(session, &app, book)?;
            batch_answer(session, &book, &all, echo)
        })
        .await?;
    request.answer(answer_kind, answer)
}

fn targets(book: &Book, item: &Value, by_filter: bool) -> Result<Vec<Range>, ApiError> {
    if by_filter {
        let filters = Value::Array(item.get("dataFilter").cloned().into_iter().collect());
        return Ok(filter::ranges(book, &filters)?
            .into_iter()
            .map(|matched| matched.range)
            .collect());
    }
    let text = item.get("range").and_then(Value::as_str).unwrap_or_default();
    Ok(vec![Range::of_text(book, text)?])
}

fn batch_answer(
    session: &mut Session<'_>,
    book: &Book,
    all: &[(Written, Option<Value>)],
    echo: Echo,
) -> Result<Value, ApiError> {
    let mut rows = HashSet::new();
    let mut columns = HashSet::new();
    let mut sheets = HashSet::new();
    let mut cells = 0;
    let mut responses = Vec::new();
    for (written, filter) in all {
        rows.extend(written.rows.iter().map(|row| (written.sheet, *row)));
        columns.extend(written.columns.iter().map(|column| (written.sheet, *column)));
        if written.cells > 0 {
            sheets.insert(written.sheet);
        }
        cells += written.cells;
        let mut response = written.json(book);
        if let Some(filter) = filter {
            response.shift_remove("spreadsheetId");
            response.insert("dataFilter".to_owned(), filter.clone());
        }
        echo.add(session, book, written, &mut response)?;
        responses.push(Value::Object(response));
    }
    let mut answer = Map::new();
    answer.insert("spreadsheetId".to_owned(), book.id.clone().into());
    for (name, count) in [
        ("totalUpdatedRows", rows.len() as u64),
        ("totalUpdatedColumns", columns.len() as u64),
        ("totalUpdatedCells", cells),
        ("totalUpdatedSheets", sheets.len() as u64),
    ] {
        if count > 0 {
            answer.insert(name.to_owned(), count.into());
        }
    }
    if !responses.is_empty() {
        answer.insert("responses".to_owned(), json!(responses));
    }
    Ok(Value::Object(answer))
}
