//! Reading a replica whole: its rows as an engine snapshot, and what is needed to write to it later.

use std::collections::{HashMap, HashSet};

use lockstep_engine::{
    cell::Cell,
    csv::{CsvOptions, sniff_delimiter},
    dataset::SideName,
    schema::ColumnType,
    snapshot::{self, Snapshot, SnapshotBuilder},
};
use serde_json::Value;

use super::{Source, files::Files, reach::Reach, sheet_table::SheetTable, sheet_types::Failed};
use crate::error::{Error, Kind, Result};

/// A replica as it was read.
#[derive(Debug)]
pub(crate) struct Scan {
    /// The rows.
    pub(crate) snapshot: Snapshot,
    /// Where and how to write.
    pub(crate) target: Target,
    /// Columns whose type the replica itself knows (dates by their number format), by name.
    pub(crate) types: HashMap<String, ColumnType>,
    /// Columns whose first filled cell is a formula, by name; found out for [`Role::Both`] alone.
    ///
    /// A plan should not write them: the port refuses to, whichever cell of a column holds the formula.
    pub(crate) formulas: HashSet<String>,
    /// Cells that show errors instead of values, by column.
    ///
    /// Their text is no value: a plan must not carry it.
    pub(crate) errors: HashMap<String, Vec<Failed>>,
    /// How much of the replica the rows are.
    pub(crate) extent: Extent,
    /// What proves at a later scan that nothing changed, or from where to read on; the adapter's own words.
    ///
    /// `None` where nothing can prove it: the next scan reads everything.
    pub(crate) stamp: Option<Value>,
}

/// How much of a replica was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All rows: what is not there is absent.
    #[default]
    Whole,
    /// None, because the stamp of an earlier scan proves that nothing changed since.
    Unchanged,
    /// The rows that were added or changed since the stamp; absence says nothing.
    Since,
}

impl Scan {
    /// Returns the scan of a replica that was read whole and knows nothing more of its columns.
    pub(crate) fn whole(snapshot: Snapshot, target: Target) -> Self {
        Self {
            snapshot,
            target,
            types: HashMap::new(),
            formulas: HashSet::new(),
            errors: HashMap::new(),
            extent: Extent::Whole,
            stamp: None,
        }
    }

    /// Returns the scan of a side that is not looked at.
    pub(crate) fn nothing() -> Self {
        Self::whole(Snapshot::default(), Target::ReadOnly)
    }
}

/// What is needed to write to a replica.
#[derive(Debug)]
pub(crate) enum Target {
    /// It can only be read.
    ReadOnly,
    /// A table on a sheet.
    Sheet(Box<SheetTable>),
    /// A delimited file.
    File(FileTable),
}

/// A delimited file as it was read; what is kept when it is written.
#[derive(Clone, Debug)]
pub(crate) struct FileTable {
    /// The path under the folder.
    pub(crate) path: String,
    /// The delimiter.
    pub(crate) delimiter: u8,
    /// Whether lines end with CR LF.
    pub(crate) crlf: bool,
    /// Whether the file begins with a byte order mark.
    pub(crate) bom: bool,
    /// BLAKE3 of the bytes that were read; `None` for a file that is not there yet.
    pub(crate) hash: Option<blake3::Hash>,
}

/// What a replica of a dataset is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is read, and must be there; the left side.
    Source,
    /// It is written; a file need not be there yet; the right side.
    Target,
    /// It is read and written; a file need not be there yet, a sheet may be blank.
    Both {
        /// Which side it is.
        side: SideName,
        /// Whether the types of its columns are known from an earlier run: a sheet then costs one read call, not two.
        typed: bool,
    },
}

impl Role {
    /// Returns the side that the replica is.
    fn side(self) -> SideName {
        match self {
            Self::Source => SideName::Left,
            Self::Target => SideName::Right,
            Self::Both { side, .. } => side,
        }
    }

    /// Returns whether it is written.
    pub(crate) fn writes(self) -> bool {
        self != Self::Source
    }
}

/// Reads a replica: whole, or, where it can, only what is new since the stamp of an earlier scan.
///
/// # Errors
/// A replica that is not there, is not allowed, or cannot be understood; says which side and where.
pub(crate) async fn scan(
    reach: &Reach,
    source: &Source,
    role: Role,
    _since: Option<&Value>,
) -> Result<Scan> {
    let scanned = match source {
        Source::File { path, encoding } => file(&reach.files, path, encoding.as_deref(), role),
        Source::Records { .. } if role.writes() => Err(Error::invalid("records can only be read")
            .next("name a spreadsheetId or a file to write to")),
        Source::Records { records } => self::records(records),
        Source::Sheet { spreadsheet, sheet, header_row, range } => {
            super::sheet_table::scan(
                &reach.google,
                spreadsheet,
                sheet.as_deref(),
                range.as_deref(),
                *header_row,
                role,
            )
            .await
        }
    };
    scanned.map_err(|error| error.context(role.side().as_str()))
}

fn file(files: &Files, path: &str, encoding: Option<&str>, role: Role) -> Result<Scan> {
    if role.writes() {
        files.check_writable(path)?;
        if !files.exists(path)? {
            let delimiter = if path.to_lowercase().ends_with(".tsv") { b'\t' } else { b',' };
            let table =
                FileTable { path: path.into(), delimiter, crlf: false, bom: false, hash: None };
            return Ok(Scan::whole(
                SnapshotBuilder::new(Vec::<String>::new()).finish(),
                Target::File(table),
            ));
        }
    }
    let bytes = files.read(path)?;
    let options = CsvOptions { encoding: encoding.map(str::to_owned), ..CsvOptions::default() };
    let snapshot =
        snapshot::csv::read(&bytes, &options).map_err(|error| csv_error(path, &error))?;
    let head = bytes.get(..bytes.len().min(64 * 1024)).unwrap_or_default();
    let utf16 = head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]);
    let other = encoding.is_some_and(|name| !name.eq_ignore_ascii_case("utf-8"));
    if (utf16 || other) && role.writes() {
        return Err(Error::invalid(format!(
            "\"{path}\" is not UTF-8: it can be read, not written"
        ))
        .next("save it as UTF-8, or name another file"));
    }
    let bom = head.starts_with(b"\xef\xbb\xbf");
    let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let table = FileTable {
        path: path.into(),
        delimiter: sniff_delimiter(if bom { head.get(3..).unwrap_or_default() } else { head }),
        crlf: first_line.ends_with(b"\r"),
        bom,
        hash: Some(blake3::hash(&bytes)),
    };
    Ok(Scan::whole(snapshot, Target::File(table)))
}

fn csv_error(path: &str, error: &lockstep_engine::csv::CsvError) -> Error {
    Error::invalid(error.to_string())
        .context(format!("\"{path}\""))
        .next("correct the file; nothing was written")
}

/// The most rows that may come with a call.
const MAX_RECORDS: usize = 10_000;

fn records(records: &[serde_json::Map<String, Value>]) -> Result<Scan> {
    if records.is_empty() {
        return Err(Error::invalid("records: there are none")
            .next("give at least one record; an empty source would remove every row"));
    }
    if records.len() > MAX_RECORDS {
        return Err(Error::new(
            Kind::TooLarge,
            format!("records: {} are more than {MAX_RECORDS}", records.len()),
        )
        .next("put them into a CSV file and name it with file"));
    }
    let mut headers: Vec<&str> = Vec::new();
    let mut known = HashSet::new();
    for name in records.iter().flat_map(|record| record.keys()) {
        if known.insert(name.as_str()) {
            headers.push(name);
        }
    }
    if let Some(blank) = headers.iter().find(|name| name.trim().is_empty() || name.trim() != **name)
    {
        return Err(Error::invalid(format!("records: \"{blank}\" is no column name"))
            .next("name columns without spaces around them"));
    }
    let mut builder = SnapshotBuilder::new(headers.iter().copied());
    for (number, record) in records.iter().enumerate() {
        let texts: Vec<(&str, String)> = record
            .iter()
            .filter_map(|(name, value)| match value {
                Value::Number(number) => Some((name.as_str(), number.to_string())),
                _ => None,
            })
            .collect();
        let cells = headers
            .iter()
            .map(|name| match record.get(*name) {
                None | Some(Value::Null) => Ok(Cell::Null),
                Some(Value::Bool(value)) => Ok(Cell::Bool(*value)),
                Some(Value::String(text)) => Ok(Cell::Text(text)),
                Some(Value::Number(_)) => Ok(texts
                    .iter()
                    .find(|(at, _)| at == name)
                    .map_or(Cell::Null, |(_, text)| Cell::Number(text))),
                Some(_) => Err(Error::invalid(format!(
                    "records[{number}], column \"{name}\": a list or object is no cell"
                ))
                .next("give text, a number, a boolean or null")),
            })
            .collect::<Result<Vec<_>>>()?;
        builder.push(cells);
    }
    Ok(Scan::whole(builder.finish(), Target::ReadOnly))
}
