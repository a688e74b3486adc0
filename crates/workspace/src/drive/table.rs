//! The tables of the drive: files, their bytes, the change log and the notification channels.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::channel;
use super::error::no_file;
use super::file::{FOLDER, File};
use crate::http::ApiError;

/// Creates the tables; part of the file format.
pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS files(
    id TEXT NOT NULL PRIMARY KEY,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS contents(
    file TEXT NOT NULL PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS changes(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    file TEXT NOT NULL UNIQUE,
    removed INTEGER NOT NULL,
    time INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS channels(
    id TEXT NOT NULL PRIMARY KEY,
    file TEXT,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads(
    id TEXT NOT NULL PRIMARY KEY,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS upload_parts(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    upload TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS outbox(
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    record BLOB NOT NULL
);
";

/// Is the id of the folder "My Drive", which the alias `root` stands for.
pub(super) const ROOT: &str = "0ALocal0Lockstep0Uk9PVA";

/// Says what happened to a file, in the words of `X-Goog-Resource-State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Add,
    Update,
    Trash,
    Untrash,
    Remove,
}

impl Event {
    /// Returns the resource state of a notification.
    pub(super) const fn state(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Update => "update",
            Self::Trash => "trash",
            Self::Untrash => "untrash",
            Self::Remove => "remove",
        }
    }
}

/// Returns a file by id (`root` included), or `None`; the marks of trashed folders above count.
pub(super) fn find(sql: &Connection, id: &str) -> Result<Option<File>, ApiError> {
    let Some(mut file) = load(sql, id)? else {
        return Ok(None);
    };
    if !file.trashed {
        let mut seen = HashSet::new();
        let mut above = file.parents.clone();
        while let Some(parent) = above.pop() {
            if seen.insert(parent.clone())
                && let Some(folder) = load(sql, &parent)?
            {
                file.trashed_by_folder |= folder.trashed;
                above.extend(folder.parents);
            }
        }
        file.trashed = file.trashed_by_folder;
    }
    Ok(Some(file))
}

/// Returns a file by id, or the recorded 404.
pub(super) fn get(sql: &Connection, id: &str) -> Result<File, ApiError> {
    find(sql, id)?.ok_or_else(|| no_file(id))
}

fn load(sql: &Connection, id: &str) -> Result<Option<File>, ApiError> {
    if id == "root" || id == ROOT {
        return Ok(Some(root()));
    }
    let record: Option<Vec<u8>> = sql
        .prepare_cached("SELECT record FROM files WHERE id = ?1")?
        .query_row(params![id], |row| row.get(0))
        .optional()?;
    Ok(record.map(|record| serde_json::from_slice(&record)).transpose()?)
}

/// Returns the folder that everything lies in.
fn root() -> File {
    File {
        id: ROOT.to_owned(),
        name: "My Drive".to_owned(),
        mime_type: FOLDER.to_owned(),
        version: 1,
        ..File::default()
    }
}

/// Returns every file.
pub(super) fn all(sql: &Connection) -> Result<Vec<File>, ApiError> {
    let mut statement = sql.prepare_cached("SELECT record FROM files")?;
    let records = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let mut files = Vec::new();
    for record in records {
        files.push(serde_json::from_slice::<File>(&record?)?);
    }
    mark_trashed_by_folder(&mut files);
    Ok(files)
}

fn mark_trashed_by_folder(files: &mut [File]) {
    let folders: HashMap<String, (bool, Vec<String>)> = files
        .iter()
        .filter(|file| file.mime_type == FOLDER)
        .map(|file| (file.id.clone(), (file.trashed, file.parents.clone())))
        .collect();
    if !folders.values().any(|(trashed, _)| *trashed) {
        return;
    }
    for file in files.iter_mut().filter(|file| !file.trashed) {
        let mut seen = HashSet::new();
        let mut above = file.parents.clone();
        while let Some(parent) = above.pop() {
            if seen.insert(parent.clone())
                && let Some((trashed, parents)) = folders.get(&parent)
            {
                file.trashed_by_folder |= trashed;
                above.extend(parents.iter().cloned());
            }
        }
        file.trashed = file.trashed_by_folder;
    }
}

/// Returns the ids of a folder's descendants, the folder itself last.
pub(super) fn descendants(sql: &Connection, id: &str) -> Result<Vec<String>, ApiError> {
    let files = all(sql)?;
    let mut found = vec![id.to_owned()];
    let mut next = 0;
    while let Some(folder) = found.get(next).cloned() {
        for file in &files {
            if file.parents.contains(&folder) && !found.contains(&file.id) {
                found.push(file.id.clone());
            }
        }
        next += 1;
    }
    found.reverse();
    Ok(found)
}

/// Writes a file, and notes what happened to it for the change log and the channels.
pub(super) fn put(
    sql: &Connection,
    file: &File,
    event: Event,
    changed: &str,
    now: i64,
) -> Result<(), ApiError> {
    let mut stored = file.clone();
    stored.trashed &= !stored.trashed_by_folder;
    sql.prepare_cached("INSERT INTO files(id, record) VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE SET record = excluded.record")?
        .execute(params![stored.id, serde_json::to_vec(&stored)?])?;
    note(sql, file, event, changed, now)
}

/// Removes a file and its bytes; the book of a spreadsheet is the caller's to remove.
pub(super) fn remove(sql: &Connection, file: &File, now: i64) -> Result<(), ApiError> {
    sql.execute("DELETE FROM files WHERE id = ?1", params![file.id])?;
    sql.execute("DELETE FROM contents WHERE file = ?1", params![file.id])?;
    note(sql, file, Event::Remove, "", now)
}

/// Keeps only the last change of a file in the log, as the real feed does.
fn note(
    sql: &Connection,
    file: &File,
    event: Event,
    changed: &str,
    now: i64,
) -> Result<(), ApiError> {
    sql.prepare_cached("DELETE FROM changes WHERE file = ?1")?.execute(params![file.id])?;
    sql.prepare_cached("INSERT INTO changes(file, removed, time) VALUES(?1, ?2, ?3)")?
        .execute(params![file.id, event == Event::Remove, now])?;
    channel::notify(sql, file, event, changed, now)
}

/// Writes the bytes of a file.
pub(super) fn put_content(sql: &Connection, id: &str, data: &[u8]) -> Result<(), ApiError> {
    sql.execute(
        "INSERT INTO contents(file, data) VALUES(?1, ?2) ON CONFLICT(file) DO UPDATE SET data = excluded.data",
        params![id, data],
    )?;
    Ok(())
}

/// Returns the bytes of a file; none are no bytes.
pub(super) fn content(sql: &Connection, id: &str) -> Result<Vec<u8>, ApiError> {
    let data = sql
        .query_row("SELECT data FROM contents WHERE file = ?1", params![id], |row| row.get(0))
        .optional()?;
    Ok(data.unwrap_or_default())
}

/// Is one entry of the change log.
pub(super) struct Logged {
    pub(super) number: i64,
    pub(super) file: String,
    pub(super) removed: bool,
    pub(super) time: i64,
}

/// Returns up to `limit` changes with a number of at least `from`, oldest first.
pub(super) fn changes(sql: &Connection, from: i64, limit: usize) -> Result<Vec<Logged>, ApiError> {
    let mut statement =
        sql.prepare_cached("SELECT number, file, removed, time FROM changes WHERE number >= ?1 ORDER BY number LIMIT ?2")?;
    let rows =
        statement.query_map(params![from, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(Logged {
                number: row.get(0)?,
                file: row.get(1)?,
                removed: row.get(2)?,
                time: row.get(3)?,
            })
        })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Returns the number that the next change will have.
pub(super) fn next_change(sql: &Connection) -> Result<i64, ApiError> {
    // AUTOINCREMENT never goes back, also after rows are deleted.
    let last: Option<i64> = sql
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'changes'", [], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or(0) + 1)
}
