//! Text tables become spreadsheets.

use std::sync::Arc;

use super::Context;
use super::error::{error, unsupported};
use crate::book::{self, Book};
use crate::grid::Cell;
use crate::http::ApiError;
use crate::sheets::enter::{Enter, Mode};

/// Is the most bytes that are converted, as Google documents for spreadsheets: 100 MB.
const MOST: usize = 100 * 1024 * 1024;

/// Is the most cells of a workbook.
const MOST_CELLS: u64 = 10_000_000;

/// Returns a book of one sheet made from CSV or TSV, to be saved; each field is taken as a user
/// would type it (`007` is 7).
///
/// As recorded, the sheet takes the name of the file, a new id and at least 1000 x 26 cells.
pub(super) fn book(
    context: &mut Context<'_, '_>,
    id: &str,
    name: &str,
    mime: &str,
    data: &[u8],
) -> Result<Book, ApiError> {
    let kind = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let separator = match kind.as_str() {
        "text/tab-separated-values" => b'\t',
        // Recorded: gspread's v2 upload says text/csv; a plain text table is read the same way.
        "text/csv" | "application/csv" | "text/plain" | "application/vnd.ms-excel" => b',',
        _ => {
            return Err(unsupported(&format!(
                "Converting {kind} to a spreadsheet (CSV and TSV are)"
            )));
        }
    };
    if data.len() > MOST {
        return Err(error(
            413,
            "uploadTooLarge",
            "The file is too large to be converted to a spreadsheet.",
        ));
    }
    let rows = read(data, separator)?;
    let mut book = book::blank(id, name, context.locale, context.time_zone);
    let enter = Enter::new(&book, Mode::UserEntered, context.now);
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (height, width) = (count(rows.len())?.max(book::ROWS), count(width)?.max(book::COLUMNS));
    if u64::from(height) * u64::from(width) > MOST_CELLS || width > lockstep_a1::MAX_COLUMNS {
        return Err(error(
            400,
            "invalid",
            "The file has more cells than a spreadsheet can hold (10,000,000).",
        ));
    }
    let mut sheet = book::Sheet::new(book::new_sheet_id(&book), name, height, width);
    let head = book.head_mut();
    for (number, fields) in (0_u32..).zip(rows) {
        let mut cells = Vec::with_capacity(fields.len());
        for field in fields {
            let mut cell = Cell::default();
            enter.put_text(&mut head.formats, &mut cell, &field)?;
            cells.push(cell);
        }
        *sheet.grid.row_mut(context.session, number)? = cells;
    }
    // Recorded: a converted file is in this zone, whatever the account's.
    head.properties.insert("timeZone".to_owned(), "America/Los_Angeles".into());
    book.sheets = vec![Arc::new(sheet)];
    book.note_order();
    Ok(book)
}

fn count(number: usize) -> Result<u32, ApiError> {
    u32::try_from(number)
        .map_err(|_| error(400, "invalid", "The file has too many rows or columns."))
}

/// Reads the fields; rows may differ in length, bytes that are no UTF-8 become U+FFFD.
fn read(data: &[u8], separator: u8) -> Result<Vec<Vec<String>>, ApiError> {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .from_reader(data);
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => {
                rows.push(
                    record
                        .iter()
                        .map(|field| String::from_utf8_lossy(field).into_owned())
                        .collect(),
                );
            }
            Ok(false) => return Ok(rows),
            Err(failure) => {
                return Err(error(
                    400,
                    "badRequest",
                    format!("The text table cannot be read: {failure}"),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let rows = read(b"\xef\xbb\xbfa,\"b,\"\"c\"\"\"\r\n1\n\n2,3,4", b',').unwrap();
        assert_eq!(rows, [vec!["a", "b,\"c\""], vec!["1"], vec!["2", "3", "4"]]);
        assert_eq!(read(b"a\tb,c", b'\t').unwrap(), [vec!["a", "b,c"]]);
        assert!(read(b"", b',').unwrap().is_empty());
    }
}
