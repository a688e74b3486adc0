//! Spreadsheets as files: every saved book is a file, and a change of it a change of the file.

use rusqlite::Connection;

use super::file::{File, SPREADSHEET};
use super::table::{self, Event, ROOT};
use crate::http::ApiError;

/// Notes that a book was saved: a new one becomes a file in the root folder; one that is known
/// gets its title, a later version and the time.
pub(crate) fn book_saved(
    sql: &Connection,
    id: &str,
    title: &str,
    now: i64,
) -> Result<(), ApiError> {
    match table::find(sql, id)? {
        Some(mut file) => {
            let changed = if file.name == title { "content" } else { "content,properties" };
            title.clone_into(&mut file.name);
            file.modified = now;
            file.version += 1;
            table::put(sql, &file, Event::Update, changed, now)
        }
        None => table::put(sql, &new(id, title, now), Event::Add, "", now),
    }
}

/// Returns the file of a new spreadsheet.
pub(super) fn new(id: &str, title: &str, now: i64) -> File {
    File {
        id: id.to_owned(),
        name: title.to_owned(),
        mime_type: SPREADSHEET.to_owned(),
        created: now,
        modified: now,
        version: 1,
        parents: vec![ROOT.to_owned()],
        writers_can_share: true,
        ..File::default()
    }
}
