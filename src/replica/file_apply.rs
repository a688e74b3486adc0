//! Writing a delimited file: the whole content aside, flushed, renamed over.

use std::collections::HashMap;

use csv::{Terminator, WriterBuilder};
use lockstep_engine::{
    cell::Cell,
    encode,
    reconcile::{Change, ChangeKind},
    value::Value,
};

use super::{apply::Writes, files::Files, scan::FileTable};
use crate::error::{Error, Kind, Result};

pub(crate) fn apply(files: &Files, table: &FileTable, writes: &Writes<'_>) -> Result<()> {
    let content = content(table, writes)?;
    let now = if files.exists(&table.path)? {
        Some(blake3::hash(&files.read(&table.path)?))
    } else {
        None
    };
    if now != table.hash {
        return Err(Error::new(
            Kind::Changed,
            format!(
                "the file \"{}\" changed while it was compared; nothing was written",
                table.path
            ),
        )
        .next("call syncDataset again: it compares afresh"));
    }
    files.replace(&table.path, &content)
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
