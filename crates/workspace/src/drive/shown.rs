//! Spreadsheets for the page that lists them.

use rusqlite::Connection;

use super::file::{SPREADSHEET, time};
use super::{order, table};
use crate::http::ApiError;

/// Is a spreadsheet as a page lists it.
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) name: String,
    /// When it was changed last, in RFC 3339.
    pub(crate) modified: String,
}

/// Returns the spreadsheets that are not in the trash, the last changed first.
pub(crate) fn spreadsheets(sql: &Connection) -> Result<Vec<Shown>, ApiError> {
    let mut files = table::all(sql)?;
    files.retain(|file| file.mime_type == SPREADSHEET && !file.trashed);
    order::sort(&mut files, None)?;
    Ok(files
        .into_iter()
        .map(|file| Shown {
            modified: time(file.modified).as_str().unwrap_or_default().to_owned(),
            id: file.id,
            name: file.name,
        })
        .collect())
}
