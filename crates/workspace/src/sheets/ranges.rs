//! Ranges of requests: A1 text, GridRange objects, and their places in the grid.

use lockstep_a1::{Area, Cells, Rect, parse, quote_if_needed};
use serde_json::{Map, Value};

use crate::book::{Book, Sheet};
use crate::http::ApiError;

/// Is a range of one sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range {
    /// The id of the sheet.
    pub(crate) sheet: i32,
    /// The cells, as asked for: ends may be open or lie beyond the grid.
    pub(crate) cells: Cells,
}

impl Range {
    /// Returns the range that an A1 text means in a book.
    ///
    /// # Errors
    /// The recorded `Unable to parse range` when it is malformed or names no sheet or range.
    pub(crate) fn of_text(book: &Book, text: &str) -> Result<Self, ApiError> {
        let unknown = || ApiError::invalid(format!("Unable to parse range: {text}"));
        let reference = parse(text)?;
        let titled = |title: &str| book.sheet_titled(title).ok_or_else(unknown);
        let (sheet, cells) = match (&reference.sheet, &reference.area) {
            (Some(title), Area::Cells(cells)) => (titled(title)?, *cells),
            (Some(title), Area::Whole) => (titled(title)?, Cells::all()),
            (Some(_), Area::Name(_)) | (None, Area::Whole) => return Err(unknown()),
            (None, Area::Cells(cells)) => (first_visible(book).ok_or_else(unknown)?, *cells),
            (None, Area::Name(name)) => {
                if let Some(range) = named(book, name) {
                    return Self::of_object(book, range);
                }
                (titled(name)?, Cells::all())
            }
        };
        if !sheet.is_grid() {
            return Err(unknown());
        }
        Ok(Self { sheet: sheet.id, cells })
    }

    /// Returns the range of a GridRange object; absent ends are open.
    pub(crate) fn of_object(book: &Book, object: &Value) -> Result<Self, ApiError> {
        let number = |name: &str| object.get(name).and_then(Value::as_i64);
        let id = number("sheetId").unwrap_or(0);
        let sheet = i32::try_from(id)
            .ok()
            .and_then(|id| book.sheet(id))
            .ok_or_else(|| ApiError::invalid(format!("No grid with id: {id}")))?;
        let span = |start: &str, end: &str| -> Result<(u32, Option<u32>), ApiError> {
            let from = number(start).unwrap_or(0);
            let to = number(end);
            let negative = |name: &str, value: i64| {
                ApiError::invalid(format!("GridRange.{name}[{value}] must be at least 0"))
            };
            let first = u32::try_from(from).map_err(|_| negative(start, from))?;
            let last = to.map(|to| u32::try_from(to).map_err(|_| negative(end, to))).transpose()?;
            if last.is_some_and(|last| last <= first) {
                return Err(ApiError::invalid(format!(
                    "GridRange.{end}[{}] must be after {start}[{first}]",
                    last.unwrap_or(0)
                )));
            }
            Ok((first, last))
        };
        let (start_row, end_row) = span("startRowIndex", "endRowIndex")?;
        let (start_column, end_column) = span("startColumnIndex", "endColumnIndex")?;
        Ok(Self { sheet: sheet.id, cells: Cells { start_row, end_row, start_column, end_column } })
    }

    /// Returns the part of the range inside the grid.
    ///
    /// # Errors
    /// The recorded 400 when it starts beyond the grid.
    pub(crate) fn inside(&self, sheet: &Sheet) -> Result<Rect, ApiError> {
        let (rows, columns) = (sheet.grid.rows(), sheet.grid.columns());
        self.cells
            .close(rows, columns)
            .clip(rows, columns)
            .ok_or_else(|| exceeds(sheet, self.cells))
    }

    /// Returns the range as a GridRange object.
    pub(crate) fn object(&self) -> Value {
        let mut map = Map::new();
        if self.sheet != 0 {
            map.insert("sheetId".to_owned(), self.sheet.into());
        }
        let cells = &self.cells;
        for (start, end, from, to) in [
            ("startRowIndex", "endRowIndex", cells.start_row, cells.end_row),
            ("startColumnIndex", "endColumnIndex", cells.start_column, cells.end_column),
        ] {
            if from > 0 || to.is_some() {
                map.insert(start.to_owned(), from.into());
            }
            if let Some(to) = to {
                map.insert(end.to_owned(), to.into());
            }
        }
        Value::Object(map)
    }
}

/// Returns the recorded error for a range that reaches beyond the grid.
pub(crate) fn exceeds(sheet: &Sheet, cells: Cells) -> ApiError {
    ApiError::invalid(format!(
        "Range ({}!{cells}) exceeds grid limits. Max rows: {}, max columns: {}",
        quote_if_needed(sheet.title()),
        sheet.grid.rows(),
        sheet.grid.columns()
    ))
}

/// Returns a rectangle of a sheet as the service echoes it.
pub(crate) fn echo(sheet: &Sheet, rect: Rect) -> String {
    format!("{}!{rect}", quote_if_needed(sheet.title()))
}

fn first_visible(book: &Book) -> Option<&Sheet> {
    book.sheets.iter().find(|sheet| !sheet.is_hidden() && sheet.is_grid()).map(|sheet| &**sheet)
}

fn named<'a>(book: &'a Book, name: &str) -> Option<&'a Value> {
    book.head
        .named_ranges
        .iter()
        .find(|range| {
            range
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        })?
        .get("range")
}
