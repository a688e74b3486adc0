//! JSON Lines: one object a line; lines that do not change keep their bytes.

use super::{
    super::{
        FileSource, broken,
        edits::{Edit, Edits},
        format::Rows,
    },
    item::{self, Pattern},
    mark,
    members::{Members, kind},
    rows::Table,
    style::Style,
    text,
};
use crate::error::{Error, Result};

/// Reads an object from each line; blank lines are passed over.
pub(in super::super) fn read(bytes: &[u8], source: &FileSource) -> Result<Rows> {
    let text = text(bytes, source)?;
    table(&text)?.finish(line_name)
}

fn line_name(number: u64) -> String {
    format!("line {number}")
}

fn table(text: &str) -> Result<Table<'_>> {
    let mut table = Table::default();
    for (number, line) in (1..).zip(text.split('\n')) {
        let line = line.trim();
        if !line.is_empty() {
            let place = line_name(number);
            table.push(
                number,
                &place,
                object(line).map_err(|error| error.context(place.clone()))?,
            )?;
        }
    }
    Ok(table)
}

fn object(line: &str) -> Result<Members<'_>> {
    if serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok() && !line.starts_with('{') {
        return Err(broken(format!("it is {}, not an object", kind(line))));
    }
    serde_json::from_str(line).map_err(|error: serde_json::Error| {
        // The parser counts lines within this one.
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        broken(format!("it is no JSON: {what} at column {}", error.column()))
    })
}

/// Returns the file with the changes made.
pub(in super::super) fn edit(
    bytes: &[u8],
    source: &FileSource,
    edits: &Edits<'_>,
) -> Result<Vec<u8>> {
    let text = text(bytes, source)?;
    let mut headers = table(&text)?.finish(line_name)?.snapshot.headers().to_vec();
    headers.extend(edits.missing(&headers).into_iter().map(str::to_owned));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let last = lines.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
    let pattern = Pattern::of(last.unwrap_or_default(), Style::tight());
    let newline =
        if lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut out = String::from(mark(bytes));
    let mut row = 0;
    for line in &lines {
        let item = line.trim();
        if item.is_empty() {
            out.push_str(line);
            continue;
        }
        match edits.row(row) {
            Edit::Keep => out.push_str(line),
            Edit::Delete => {}
            Edit::Update(change) => {
                let place = super::place(line, item);
                out.push_str(line.get(..place.start).unwrap_or_default());
                out.push_str(&item::edit(item, change, &headers, edits, &pattern)?);
                out.push_str(line.get(place.end..).unwrap_or_default());
            }
        }
        row += 1;
    }
    let ended = text.is_empty() || text.ends_with('\n');
    for change in edits.inserts() {
        if !out.is_empty() && !out.ends_with('\n') && !out.ends_with('\u{feff}') {
            out.push_str(newline);
        }
        out.push_str(&pattern.object(change, &headers, edits));
        out.push_str(newline);
    }
    if !ended {
        let body = out.trim_end_matches(['\n', '\r']).len();
        out.truncate(body);
    }
    Ok(out.into_bytes())
}

/// Returns a new file.
pub(in super::super) fn create(edits: &Edits<'_>) -> Result<Vec<u8>, Error> {
    edit(b"", &FileSource::default(), edits)
}
