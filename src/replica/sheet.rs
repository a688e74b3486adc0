//! Cells and sheets of a spreadsheet, between Google's types and the engine's.

use lockstep_engine::{
    cell::Cell,
    encode::sheet::SheetCell,
    schema::{Column, ColumnType},
    value::Value,
};
use lockstep_google::{
    CellValue, CellWrite, Google, NumberFormat, NumberKind, Sheet, Spreadsheet, parse_id,
};

use super::header::list;
use crate::error::{Error, Result, did_you_mean};

/// Returns a spreadsheet's id from an id or a pasted URL.
///
/// # Errors
/// A text that is neither.
pub(crate) fn id(text: &str) -> Result<String> {
    id_of(text, "spreadsheetId")
}

/// Returns the id that an argument gives, as it is or in a pasted URL.
///
/// # Errors
/// A text that is neither; names the argument.
pub(crate) fn id_of(text: &str, argument: &str) -> Result<String> {
    parse_id(text).map_err(|error| Error::from(error).context(format!("argument {argument}")))
}

/// Returns a spreadsheet by its id or a pasted URL, without its cells; one read call.
///
/// # Errors
/// A text that is neither, or a spreadsheet that is not there; names it.
pub(crate) async fn open(google: &Google, text: &str) -> Result<(String, Spreadsheet)> {
    let id = id(text)?;
    match google.spreadsheet(&id).await {
        Ok(spreadsheet) => Ok((id, spreadsheet)),
        Err(error) => Err(named(error, &id)),
    }
}

/// Returns the error of a call about a spreadsheet, with the spreadsheet's id where it was not found.
pub(crate) fn named(error: lockstep_google::Error, id: &str) -> Error {
    if error.kind == lockstep_google::Kind::NotFound {
        return Error::not_found(format!(
            "there is no spreadsheet \"{id}\", or it is not shared with the account in use"
        ))
        .next("check the id, or look for it by name with findFiles")
        .with_source(error);
    }
    error.into()
}

/// Returns the named sheet, or the first that people see.
///
/// # Errors
/// A title that is not there (the nearest are offered), or a sheet without cells.
pub(crate) fn find<'a>(spreadsheet: &'a Spreadsheet, title: Option<&str>) -> Result<&'a Sheet> {
    let found = match title {
        // Titles are unique without regard to case, and ranges find them so.
        Some(title) => {
            let lower = title.to_lowercase();
            spreadsheet.sheets.iter().find(|sheet| sheet.title.to_lowercase() == lower)
        }
        None => spreadsheet
            .sheets
            .iter()
            .find(|sheet| !sheet.hidden && sheet.has_grid)
            .or(spreadsheet.sheets.first()),
    };
    let titles = || spreadsheet.sheets.iter().map(|sheet| sheet.title.as_str());
    let sheet = found.ok_or_else(|| {
        let title = title.unwrap_or_default();
        Error::not_found(format!(
            "there is no sheet \"{title}\" in the spreadsheet \"{}\".{}",
            spreadsheet.title,
            did_you_mean(title, titles())
        ))
        .next(format!("its sheets are {}", list(titles())))
    })?;
    if !sheet.has_grid {
        return Err(Error::invalid(format!(
            "the sheet \"{}\" has no cells (a chart?)",
            sheet.title
        ))
        .next("name another sheet"));
    }
    Ok(sheet)
}

/// Returns the cell of a row in a column; empty beyond the row's end, where the service leaves cells out.
pub(crate) fn at(row: &[CellValue], column: u32) -> &CellValue {
    usize::try_from(column).ok().and_then(|column| row.get(column)).unwrap_or(&CellValue::Empty)
}

/// Returns a cell as the engine sees it before it has a type.
pub(crate) fn cell(value: &CellValue) -> Cell<'_> {
    match value {
        CellValue::Empty => Cell::Null,
        CellValue::Number(number) => Cell::Float(*number),
        CellValue::Bool(value) => Cell::Bool(*value),
        CellValue::Text(text) | CellValue::Error(text) => Cell::Text(text),
    }
}

/// Reads a cell by a column type.
pub(crate) fn decode(value: &CellValue, ty: ColumnType) -> Value {
    Column::new("", ty).value(&cell(value))
}

/// Turns the engine's lossless encoding into a write.
pub(crate) fn to_write(cell: &SheetCell) -> CellWrite {
    match cell {
        SheetCell::Empty => CellWrite::empty(),
        SheetCell::Bool(value) => CellWrite::bool(*value),
        SheetCell::Text(text) => CellWrite::text(text.clone()),
        SheetCell::Number { value, pattern } => {
            let write = CellWrite::number(*value);
            match pattern {
                Some(pattern) => write.with_format(format_of(pattern)),
                None => write,
            }
        }
    }
}

/// Returns the number format of a date, time or date-time pattern.
fn format_of(pattern: &str) -> NumberFormat {
    let kind = match (pattern.contains('y'), pattern.contains("ss")) {
        (true, true) => NumberKind::DateTime,
        (true, false) => NumberKind::Date,
        (false, _) => NumberKind::Time,
    };
    NumberFormat::new(kind, pattern)
}
