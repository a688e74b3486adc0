//! New spreadsheets: blank, or a copy of another.

use std::sync::Arc;

use rand::RngExt as _;
use serde_json::Map;

use super::{Book, Head, Sheet};
use crate::http::ApiError;
use crate::store::Session;

/// Is the size of a new sheet, as recorded.
pub(crate) const ROWS: u32 = 1000;
/// Is the width of a new sheet, as recorded.
pub(crate) const COLUMNS: u32 = 26;

/// Returns a spreadsheet with one blank sheet, named as the locale does (recorded: `Sheet1`).
pub(crate) fn blank(id: &str, title: &str, locale: &str, time_zone: &str) -> Book {
    let mut properties = Map::new();
    properties.insert("title".to_owned(), title.into());
    properties.insert("locale".to_owned(), locale.into());
    properties.insert("autoRecalc".to_owned(), "ON_CHANGE".into());
    properties.insert("timeZone".to_owned(), time_zone.into());
    let mut book = Book {
        id: id.to_owned(),
        head: Arc::new(Head { properties, ..Head::default() }),
        sheets: vec![Arc::new(Sheet::new(0, &sheet_title(locale, 1), ROWS, COLUMNS))],
    };
    book.note_order();
    book
}

/// Returns a copy of a spreadsheet under a new id, to be saved.
pub(crate) fn copy(session: &mut Session<'_>, book: &Book, id: &str) -> Result<Book, ApiError> {
    let mut sheets = Vec::with_capacity(book.sheets.len());
    for sheet in &book.sheets {
        let mut copy = Sheet::clone(sheet);
        copy.grid = sheet.grid.duplicate(session)?;
        sheets.push(Arc::new(copy));
    }
    Ok(Book { id: id.to_owned(), head: Arc::clone(&book.head), sheets })
}

/// Returns the title that the service gives the n-th sheet in a locale.
pub(crate) fn sheet_title(locale: &str, number: usize) -> String {
    let language = locale.split(['_', '-']).next().unwrap_or_default();
    match language {
        "de" => format!("Tabellenblatt{number}"),
        "fr" => format!("Feuille {number}"),
        "es" => format!("Hoja {number}"),
        "it" => format!("Foglio{number}"),
        "nl" => format!("Blad{number}"),
        "pt" => format!("Página{number}"),
        _ => format!("Sheet{number}"),
    }
}

/// Returns a file id as Google makes them: `1`, then letters, digits, `-` and `_`; 44 in all.
pub(crate) fn new_id() -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut random = rand::rng();
    std::iter::once('1')
        .chain((0..43).map(|_| {
            let index = random.random_range(0..ALPHABET.len());
            ALPHABET.get(index).map_or('A', |byte| char::from(*byte))
        }))
        .collect()
}

/// Returns a sheet id that the book does not use.
pub(crate) fn new_sheet_id(book: &Book) -> i32 {
    let mut random = rand::rng();
    loop {
        let id = random.random_range(1_000..i32::MAX);
        if book.sheet(id).is_none() {
            return id;
        }
    }
}
