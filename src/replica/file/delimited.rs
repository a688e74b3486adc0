//! Delimited text: CSV, TSV and their relatives.
//!
//! A writer copies the bytes of every record that it does not change, and of every field that it does not change in one
//! that it does: quotes, spaces, line ends, empty lines and a byte order mark stay as somebody put them.

use lockstep_engine::{
    csv::{CsvError, CsvOptions, Span, sniff_delimiter, spans},
    encode,
    reconcile::Change,
    snapshot,
};

use super::{
    FileSource, broken,
    edits::{Edit, Edits},
    format::Rows,
};
use crate::error::{Error, Result};

/// Bytes at the beginning that the delimiter is found from, as the engine does.
pub(super) const HEAD: usize = 1 << 16;

pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

pub(super) fn read(bytes: &[u8], source: &FileSource, delimiter: Option<char>) -> Result<Rows> {
    let encoding = source.encoding.clone();
    let options = CsvOptions { delimiter, encoding, ..CsvOptions::default() };
    snapshot::csv::read(bytes, &options).map(Rows::from).map_err(malformed)
}

pub(super) fn malformed(error: CsvError) -> Error {
    broken(error.to_string())
}

/// How a file writes its records.
struct Dialect {
    delimiter: u8,
    newline: Vec<u8>,
    /// For each column, whether the last row has it in quotes; new rows do as it does.
    quoted: Vec<bool>,
}

impl Dialect {
    /// Appends a field; one in quotes stays so.
    fn put(&self, out: &mut Vec<u8>, text: &str, quoted: bool) {
        let special = |byte: u8| byte == self.delimiter || matches!(byte, b'"' | b'\r' | b'\n');
        if quoted || text.bytes().any(special) {
            out.push(b'"');
            out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }

    /// Appends a record and a line end.
    fn record<'t>(
        &self,
        out: &mut Vec<u8>,
        texts: impl Iterator<Item = std::borrow::Cow<'t, str>>,
    ) {
        let start = out.len();
        for (index, text) in texts.enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            self.put(out, &text, self.quoted.get(index).copied().unwrap_or(false));
        }
        if out.len() == start {
            // A line without anything is no record.
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(&self.newline);
    }
}

pub(super) fn edit(bytes: &[u8], delimiter: Option<char>, edits: &Edits<'_>) -> Result<Vec<u8>> {
    let bom = if bytes.starts_with(BOM) { BOM } else { &[] };
    let text = bytes.get(bom.len()..).unwrap_or_default();
    let head = text.get(..text.len().min(HEAD)).unwrap_or_default();
    let delimiter = delimiter
        .and_then(|delimiter| u8::try_from(delimiter).ok())
        .unwrap_or_else(|| sniff_delimiter(head));
    let mut records = spans(text, delimiter);
    let header = records.next().ok_or_else(|| malformed(CsvError::Empty))?.map_err(malformed)?;
    let mut headers: Vec<String> =
        header.fields.iter().map(|field| unquoted(text, field)).collect();
    let newline = match text.get(header.record.end..header.next) {
        Some(newline) if !newline.is_empty() => newline.to_vec(),
        _ => b"\n".to_vec(),
    };
    let added = edits.missing(&headers);
    headers.extend(added.iter().map(|name| (*name).to_owned()));
    let columns = edits.mapped(&headers);

    let mut dialect = Dialect { delimiter, newline, quoted: Vec::new() };
    let mut out = bom.to_vec();
    out.reserve(text.len() + text.len() / 8);
    let copy = |out: &mut Vec<u8>, from: usize, to: usize| {
        out.extend_from_slice(text.get(from..to).unwrap_or_default());
    };
    copy(&mut out, 0, header.record.end);
    for name in &added {
        out.push(delimiter);
        dialect.put(&mut out, name, false);
    }
    copy(&mut out, header.record.end, header.next);
    let (mut position, mut last) = (header.next, header);
    for (row, record) in records.enumerate() {
        let record = record.map_err(malformed)?;
        // Empty lines before a record stay, also where it goes.
        copy(&mut out, position, record.record.start);
        position = record.next;
        let change = match edits.row(row) {
            Edit::Delete => {
                last = record;
                continue;
            }
            Edit::Keep => None,
            Edit::Update(change) => Some(change),
        };
        if change.is_none() && added.is_empty() {
            copy(&mut out, record.record.start, record.next);
        } else {
            changed(&mut out, text, &record, change, &columns, edits, &dialect);
            copy(&mut out, record.record.end, record.next);
        }
        last = record;
    }
    copy(&mut out, position, text.len());
    dialect.quoted = last.fields.iter().map(|field| text.get(field.start) == Some(&b'"')).collect();
    let ended = last.next > last.record.end;
    if !out.ends_with(b"\n") && !out.ends_with(b"\r") {
        out.extend_from_slice(&dialect.newline);
    }
    for change in edits.inserts() {
        dialect.record(&mut out, texts(change, &columns, edits));
    }
    if !ended {
        strip_newline(&mut out);
    }
    Ok(out)
}

/// Appends a record of which some fields change.
fn changed(
    out: &mut Vec<u8>,
    text: &[u8],
    record: &Span,
    change: Option<&Change>,
    columns: &[Option<usize>],
    edits: &Edits<'_>,
    dialect: &Dialect,
) {
    let start = out.len();
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.push(dialect.delimiter);
        }
        let field = record.fields.get(index);
        let raw = field.and_then(|field| text.get(field.clone())).unwrap_or_default();
        let touched = column
            .and_then(|column| Some((column, change?)))
            .filter(|(column, change)| change.cells.contains(column));
        match touched {
            Some((column, change)) => {
                let written = encode::csv::encode(Edits::value(change, column), &edits.ty(column));
                dialect.put(out, &written, raw.starts_with(b"\""));
            }
            None => out.extend_from_slice(raw),
        }
    }
    if out.len() == start {
        out.extend_from_slice(b"\"\"");
    }
}

/// Returns the text of a field.
fn unquoted(text: &[u8], field: &std::ops::Range<usize>) -> String {
    let raw = String::from_utf8_lossy(text.get(field.clone()).unwrap_or_default());
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => raw.into_owned(),
    }
}

fn texts<'t>(
    change: &'t Change,
    columns: &'t [Option<usize>],
    edits: &'t Edits<'_>,
) -> impl Iterator<Item = std::borrow::Cow<'t, str>> {
    columns.iter().map(move |column| match column {
        Some(column) => {
            encode::csv::encode(Edits::value(change, *column), &edits.ty(*column)).into()
        }
        None => "".into(),
    })
}

fn strip_newline(out: &mut Vec<u8>) {
    if out.ends_with(b"\n") {
        out.pop();
    }
    if out.ends_with(b"\r") {
        out.pop();
    }
}

pub(super) fn create(delimiter: Option<char>, edits: &Edits<'_>) -> Result<Vec<u8>> {
    let delimiter = delimiter.and_then(|delimiter| u8::try_from(delimiter).ok()).unwrap_or(b',');
    let dialect = Dialect { delimiter, newline: b"\n".to_vec(), quoted: Vec::new() };
    let headers = edits.missing(&[]);
    let columns = edits.mapped(&headers);
    let mut out = Vec::new();
    dialect.record(&mut out, headers.iter().map(|name| (*name).into()));
    for change in edits.inserts() {
        dialect.record(&mut out, texts(change, &columns, edits));
    }
    Ok(out)
}

#[cfg(test)]
#[path = "delimited_tests.rs"]
mod tests;
