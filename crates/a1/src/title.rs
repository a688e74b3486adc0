//! Quoting of sheet titles.

use crate::parse::reads_as_cells;

/// Returns the title in quotes, with inner quotes doubled: always safe to put before a `!`.
///
/// Clients should send this form: an unquoted title that looks like a cell (`Q1`, `CRM26`) is read
/// as that cell.
pub fn quote_always(title: &str) -> String {
    format!("'{}'", title.replace('\'', "''"))
}

/// Returns the title as the Sheets API echoes it: quoted only where it would not read back bare.
///
/// Recorded: `Sheet1` is bare, titles with spaces and emoji are quoted. Titles that start with a
/// digit, look like cells or hold anything but ASCII letters, digits and `_` are quoted too.
pub fn quote_if_needed(title: &str) -> String {
    let word = title.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let starts_well = title.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    if word && starts_well && !reads_as_cells(title) {
        title.to_owned()
    } else {
        quote_always(title)
    }
}

/// Returns the title inside quotes; a lone inner quote, which the service forgives, stays one.
pub(crate) fn unescape(inner: &str) -> String {
    inner.replace("''", "'")
}
