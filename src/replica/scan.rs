//! Reading a replica whole: its rows as an engine snapshot, and what is needed to write to it later.

use std::collections::{HashMap, HashSet};

use lockstep_engine::{
    cell::Cell,
    dataset::SideName,
    schema::ColumnType,
    snapshot::{Snapshot, SnapshotBuilder},
};
use serde_json::Value;

use super::{
    Source,
    file::FileTable,
    http::{self, ApiTable},
    reach::Reach,
    sheet_table::SheetTable,
    sheet_types::Failed,
    sql::{
        self,
        scan::{Ask, SqlTable},
    },
};
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
    /// What a replica with a schema of its own says of its columns; its types are then certain.
    pub(crate) catalogue: Option<Catalogue>,
}

/// What the schema of a replica says of its columns, beside their types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalogue {
    /// Columns of moments: a date-time without an offset is in UTC there, by name.
    pub(crate) instants: HashSet<String>,
    /// Columns that cannot be read, and why, by name.
    pub(crate) refused: HashMap<String, String>,
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
            catalogue: None,
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
    /// A file.
    File(FileTable),
    /// A table of a database.
    Sql(Box<SqlTable>),
    /// Items of an API.
    Api(Box<ApiTable>),
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
    /// Returns whether it is written.
    pub(crate) fn writes(self) -> bool {
        self != Self::Source
    }
}

/// Reads a replica: whole, or, where it can, only what is new since the stamp of an earlier scan.
///
/// # Errors
/// A replica that is not there, is not allowed, or cannot be understood; says where.
pub(crate) async fn scan(
    reach: &Reach,
    source: &Source,
    role: Role,
    since: Option<&Value>,
) -> Result<Scan> {
    match source {
        Source::File(source) => super::file::scan(reach, source, role, since).await,
        Source::Records { .. } if role.writes() => Err(Error::invalid("records can only be read")
            .next("name a spreadsheetId or a file to write to")),
        Source::Records { records } => self::records(records),
        Source::Table { connection, table, query, cursor, on_error } => {
            let ask = Ask {
                cursor: cursor.as_deref(),
                on_error: *on_error,
                ..Ask::new(connection, table.as_deref(), query.as_deref())
            };
            sql::scan::scan(reach, ask, role, since).await
        }
        Source::Api { connection, resource } => match reach.connections.api(connection) {
            Ok(api) => http::scan(api, resource, role, since, &reach.progress).await,
            Err(error) => Err(error),
        },
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
    }
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
