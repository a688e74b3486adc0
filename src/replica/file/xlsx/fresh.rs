//! A new workbook.

use lockstep_engine::{
    encode::sheet::{SheetCell, encode},
    schema::ColumnType,
};
use rust_xlsxwriter::{Format, Workbook, XlsxError};

use super::super::{FileSource, edits::Edits};
use crate::error::{Error, Result};

/// The first serial that every program reads as the same day.
const FIRST_COMMON: f64 = 61.0;

fn failed(error: &XlsxError) -> Error {
    Error::invalid(format!("the workbook cannot be made: {error}"))
        .next("correct the values or the sheet's name; nothing was written")
}

/// Returns a workbook with one sheet and the new rows on it.
pub(in super::super) fn create(source: &FileSource, edits: &Edits<'_>) -> Result<Vec<u8>> {
    make(source, edits).map_err(|error| failed(&error))
}

fn make(source: &FileSource, edits: &Edits<'_>) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    if let Some(name) = &source.sheet {
        sheet.set_name(name)?;
    }
    let headers = edits.missing(&[]);
    let columns = edits.mapped(&headers);
    let mut row = source.header_row.unwrap_or(1).saturating_sub(1);
    let at = |column: usize| u16::try_from(column).map_err(|_| XlsxError::RowColumnLimitError);
    for (column, name) in headers.iter().enumerate() {
        sheet.write_string(row, at(column)?, *name)?;
    }
    for change in edits.inserts() {
        row += 1;
        for (place, column) in columns.iter().enumerate() {
            let Some(column) = column else { continue };
            let (value, ty, place) = (Edits::value(change, *column), edits.ty(*column), at(place)?);
            match encode(value, &ty) {
                SheetCell::Empty => {}
                SheetCell::Bool(value) => {
                    sheet.write_boolean(row, place, value)?;
                }
                SheetCell::Number { value: number, pattern: None } => {
                    sheet.write_number(row, place, number)?;
                }
                SheetCell::Number { value: number, pattern: Some(pattern) }
                    if number >= FIRST_COMMON || ty == ColumnType::Time =>
                {
                    sheet.write_number_with_format(
                        row,
                        place,
                        number,
                        &Format::new().set_num_format(pattern),
                    )?;
                }
                SheetCell::Number { .. } => {
                    sheet.write_string(row, place, value.to_string())?;
                }
                SheetCell::Text(text) => {
                    sheet.write_string(row, place, text)?;
                }
            }
        }
    }
    book.save_to_buffer()
}
