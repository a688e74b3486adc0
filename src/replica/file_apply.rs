//! Writing a delimited file: the whole content aside, flushed, renamed over.

use std::collections::HashMap;

use csv::{Terminator, WriterBuilder};
use lockstep_engine::{
    cell::Cell,
    encode,
    reconcile::{Change, ChangeKind},
    value::Value,
};

use super::{
    apply::{Place, Settled, Writes},
    files::Files,
    scan::FileTable,
};
use crate::error::{Error, Kind, Result};

/// A file and what it will hold.
#[derive(Debug)]
pub(crate) struct FilePlan {
    path: String,
    before: Option<blake3::Hash>,
    content: Vec<u8>,
    run: String,
    /// The positions of all changes: a file is replaced as a whole.
    pub(crate) changes: Vec<usize>,
}

impl FilePlan {
    /// Writes the content that the file will have, in memory.
    pub(crate) fn new(
        files: &Files,
        table: &FileTable,
        writes: &Writes<'_>,
        run: &str,
    ) -> Result<Self> {
        files.check_writable(&table.path)?;
        if hash(files, &table.path)? != table.hash {
            return Err(changed(&table.path));
        }
        Ok(Self {
            path: table.path.clone(),
            before: table.hash,
            content: content(table, writes)?,
            run: run.to_owned(),
            changes: (0..writes.changes.len()).collect(),
        })
    }

    /// Returns what settling needs.
    pub(crate) fn place(&self) -> Place {
        Place::File {
            path: self.path.clone(),
            before: self.before.map(|hash| hash.to_hex().to_string()),
            after: blake3::hash(&self.content).to_hex().to_string(),
        }
    }

    /// Replaces the file if it still is as it was when it was read.
    pub(crate) fn send(&self, files: &Files) -> Result<()> {
        let same = || Ok(hash(files, &self.path)? == self.before);
        if files.replace_if(&self.path, &self.content, &self.run, same)? {
            return Ok(());
        }
        Err(changed(&self.path))
    }
}

fn changed(path: &str) -> Error {
    Error::new(
        Kind::Changed,
        format!("the file \"{path}\" changed while it was compared; nothing was written"),
    )
    .next("call syncDataset again: it compares afresh")
}

/// Returns the hash of a file's bytes, or `None` if it is not there.
fn hash(files: &Files, path: &str) -> Result<Option<blake3::Hash>> {
    if !files.exists(path)? {
        return Ok(None);
    }
    Ok(Some(blake3::hash(&files.read(path)?)))
}

/// Tells what became of a file whose writer died.
///
/// What the writer had put aside is removed, so that a writer that was only asleep cannot rename it into place.
pub(crate) fn settle(
    files: &Files,
    path: &str,
    before: Option<&str>,
    after: &str,
) -> Result<Settled> {
    files.remove_asides(path)?;
    let now = hash(files, path)?.map(|hash| hash.to_hex().to_string());
    Ok(match now.as_deref() {
        Some(now) if now == after => Settled::Applied,
        now if now == before => Settled::Void,
        _ => Settled::Changed,
    })
}

fn content(table: &FileTable, writes: &Writes<'_>) -> Result<Vec<u8>> {
    let snapshot = writes.snapshot;
    let mut headers: Vec<String> = if table.hash.is_some() {
        // Columns that are only in the dataset were added to the snapshot as empty ones: they come back below.
        snapshot.headers().to_vec()
    } else {
        Vec::new()
    };
    let needed = writes.needed();
    headers.retain(|name| {
        let column = writes.headers.iter().position(|header| header.as_deref() == Some(name));
        column.is_none_or(|column| needed.contains(&column) || !writes.optional.contains(&column))
    });
    for column in &needed {
        let name = writes.header(*column);
        if !headers.iter().any(|header| header == name) {
            headers.push(name.to_owned());
        }
    }
    let columns: HashMap<&str, usize> =
        needed.iter().map(|column| (writes.header(*column), *column)).collect();
    let by_row: HashMap<usize, &Change> =
        writes.changes.iter().filter_map(|change| Some((change.row?, *change))).collect();

    let mut content = if table.bom { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
    let terminator = if table.crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
    let mut writer = WriterBuilder::new()
        .delimiter(table.delimiter)
        .terminator(terminator)
        .from_writer(&mut content);
    let failed =
        |error: csv::Error| Error::internal(format!("the file cannot be written: {error}"));
    writer.write_record(&headers).map_err(failed)?;
    let typed = |change: &Change, column: usize| {
        let value = change.after.as_ref().and_then(|row| row.get(column)).unwrap_or(&Value::Null);
        let ty = writes.schema.columns.get(column).map(|column| column.ty).unwrap_or_default();
        encode::csv::encode(value, &ty)
    };
    for row in 0..snapshot.len() {
        let change = by_row.get(&row);
        if change.is_some_and(|change| change.kind == ChangeKind::Delete) {
            continue;
        }
        let cells: Vec<Cell<'_>> = snapshot.row(row).collect();
        let record = headers.iter().map(|name| {
            if let (Some(change), Some(column)) = (change, columns.get(name.as_str()))
                && change.cells.contains(column)
            {
                return typed(change, *column);
            }
            let at = snapshot.headers().iter().position(|header| header == name);
            text(at.and_then(|at| cells.get(at)).unwrap_or(&Cell::Null))
        });
        writer.write_record(record).map_err(failed)?;
    }
    for change in writes.changes.iter().filter(|change| change.kind == ChangeKind::Insert) {
        let record = headers.iter().map(|name| {
            columns.get(name.as_str()).map_or_else(String::new, |column| typed(change, *column))
        });
        writer.write_record(record).map_err(failed)?;
    }
    writer
        .flush()
        .map_err(|error| Error::internal(format!("the file cannot be written: {error}")))?;
    drop(writer);
    Ok(content)
}

fn text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
        Cell::Number(text) | Cell::Text(text) => (*text).to_owned(),
    }
}
