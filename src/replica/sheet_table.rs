//! A table on a sheet: its header, its rows, and where they stand.

use std::collections::HashMap;

use lockstep_a1::{column_letters, quote_always};
use lockstep_engine::{
    schema::ColumnType,
    snapshot::{Snapshot, SnapshotBuilder},
};
use lockstep_google::{CellValue, Google, GridParts, NumberKind, Render};

use super::{
    header::Header,
    scan::{Role, Scan, Target},
    sheet,
};
use crate::error::{Error, Kind, Result};

/// A table on a sheet as it was read.
#[derive(Debug)]
pub(crate) struct SheetTable {
    /// The spreadsheet's id.
    pub(crate) spreadsheet: String,
    /// The sheet's title.
    pub(crate) title: String,
    /// The header; `None` for an empty sheet.
    pub(crate) header: Option<Header>,
    /// The row the header is, or will be, in; from 0.
    pub(crate) header_row: u32,
    /// The values of the whole sheet, from its first row on.
    pub(crate) rows: Vec<Vec<CellValue>>,
}

impl SheetTable {
    /// Returns the first row after the data, from 0.
    pub(crate) fn end_row(&self) -> u32 {
        let rows = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        rows.max(self.header_row.saturating_add(1))
    }

    /// Returns the first column after every column that has a name or data, from 0.
    pub(crate) fn end_column(&self) -> u32 {
        let widest = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        u32::try_from(widest).unwrap_or(u32::MAX)
    }
}

/// Reads a table; one read call where the sheet is named and holds no dates to tell from numbers.
pub(crate) async fn scan(
    google: &Google,
    spreadsheet: &str,
    title: Option<&str>,
    header_row: Option<u32>,
    role: Role,
) -> Result<Scan> {
    let id = sheet::id(spreadsheet)?;
    let title = match title {
        Some(title) => title.to_owned(),
        None => sheet::find(&sheet::open(google, &id).await?.1, None)?.title.clone(),
    };
    let rows = match google.values(&id, &[quote_always(&title)], Render::Unformatted).await {
        Ok(ranges) => ranges.into_iter().next().map(|range| range.rows).unwrap_or_default(),
        Err(error) => {
            // The service calls a sheet that is not there a range that it cannot parse.
            if error.kind == lockstep_google::Kind::Invalid {
                sheet::find(&sheet::open(google, &id).await?.1, Some(&title))?;
            }
            return Err(sheet::named(error, &id));
        }
    };
    let place = |error: Error| error.context(format!("sheet \"{title}\""));
    let blank_target =
        role == Role::Target && rows.iter().flatten().all(|cell| *cell == CellValue::Empty);
    let header =
        if blank_target { None } else { Header::find(&rows, header_row).map_err(place)? };
    if header.is_none() && role == Role::Source {
        return Err(place(
            Error::invalid("the sheet is empty: there is no header")
                .next("name the sheet with the data"),
        ));
    }
    let header_at =
        header.as_ref().map_or(header_row.unwrap_or(1).saturating_sub(1), |header| header.row);
    let first = header_at.saturating_add(1);
    let data = rows.get(usize::try_from(first).unwrap_or(usize::MAX)..).unwrap_or_default();
    if let (Some(header), Role::Source) = (&header, role) {
        header.check_named(first, data).map_err(place)?;
    }
    let snapshot = snapshot(header.as_ref(), data);
    let types = match (&header, role) {
        (Some(header), Role::Source) => date_columns(google, &id, &title, header, data).await?,
        _ => HashMap::new(),
    };
    let table = SheetTable { spreadsheet: id, title, header, header_row: header_at, rows };
    Ok(Scan { snapshot, target: Target::Sheet(Box::new(table)), types })
}

/// Returns the rows under a header, by its names; blank rows are left out, row numbers are the sheet's.
pub(crate) fn snapshot(header: Option<&Header>, data: &[Vec<CellValue>]) -> Snapshot {
    let columns = header.map(|header| header.columns.as_slice()).unwrap_or_default();
    let first = header.map_or(0, |header| u64::from(header.row) + 2);
    let mut builder = SnapshotBuilder::new(columns.iter().map(|column| column.name.as_str()));
    for (number, row) in (first..).zip(data) {
        let cells: Vec<&CellValue> =
            columns.iter().map(|column| sheet::at(row, column.index)).collect();
        if cells.iter().any(|cell| **cell != CellValue::Empty) {
            builder.push_at(number, cells.into_iter().map(sheet::cell));
        }
    }
    builder.finish()
}

/// Returns the columns whose numbers are formatted as dates or times, by name.
///
/// A number of the values API cannot be told from a date; the number formats of the first rows can. Costs one
/// read call, and none for tables without numbers.
pub(crate) async fn date_columns(
    google: &Google,
    id: &str,
    title: &str,
    header: &Header,
    data: &[Vec<CellValue>],
) -> Result<HashMap<String, ColumnType>> {
    let mut wanted: HashMap<(u32, u32), &str> = HashMap::new();
    let mut ranges = Vec::new();
    for column in &header.columns {
        let index = usize::try_from(column.index).unwrap_or(usize::MAX);
        let first = data
            .iter()
            .position(|row| matches!(row.get(index), Some(CellValue::Number(_))))
            .and_then(|offset| u32::try_from(offset).ok());
        if let Some(offset) = first {
            let row = header.row.saturating_add(1).saturating_add(offset);
            wanted.insert((row, column.index), &column.name);
            let letters = column_letters(column.index);
            ranges.push(format!("{}!{letters}{}", quote_always(title), row + 1));
        }
    }
    let mut types = HashMap::new();
    if ranges.is_empty() {
        return Ok(types);
    }
    let parts = GridParts { format: true, ..GridParts::default() };
    for block in google.grid(id, &ranges, parts).await? {
        let cell = block.rows.first().and_then(|row| row.first());
        let ty = match cell.and_then(|cell| cell.format.as_ref()).map(|format| format.kind) {
            Some(NumberKind::Date) => ColumnType::Date,
            Some(NumberKind::DateTime) => ColumnType::DateTime,
            Some(NumberKind::Time) => ColumnType::Time,
            _ => continue,
        };
        if let Some(name) = wanted.get(&(block.row, block.column)) {
            types.insert((*name).to_owned(), ty);
        }
    }
    Ok(types)
}

/// Returns an error if the sheet is not what it was when it was scanned, else where formulas stand.
///
/// One read call just before the write: a sheet has no precondition, so this narrows the window in which someone
/// else's edit could be overwritten to the time between two calls. A formula cell's value may change by itself, so it
/// is not compared; formulas are never overwritten.
pub(crate) async fn guard(
    google: &Google,
    table: &SheetTable,
) -> Result<HashMap<(u32, u32), String>> {
    let range = quote_always(&table.title);
    let now = google.values(&table.spreadsheet, &[range], Render::Formula).await?;
    let now = now.into_iter().next().map(|range| range.rows).unwrap_or_default();
    let mut formulas = HashMap::new();
    let height = now.len().max(table.rows.len());
    for row in 0..height {
        let (old, new) = (table.rows.get(row), now.get(row));
        let width = old.map_or(0, Vec::len).max(new.map_or(0, Vec::len));
        for column in 0..width {
            let cell = |row: Option<&Vec<CellValue>>| {
                row.and_then(|row| row.get(column)).cloned().unwrap_or_default()
            };
            let (before, after) = (cell(old), cell(new));
            if before == after {
                continue;
            }
            let at =
                (u32::try_from(row).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX));
            match after {
                CellValue::Text(text) if text.starts_with('=') => {
                    formulas.insert(at, text);
                }
                _ => {
                    return Err(Error::new(
                        Kind::Changed,
                        format!(
                            "the sheet \"{}\" changed while it was compared (cell {}{}); nothing was written",
                            table.title,
                            column_letters(at.1),
                            u64::from(at.0) + 1
                        ),
                    )
                    .next("call syncDataset again: it compares afresh"));
                }
            }
        }
    }
    Ok(formulas)
}
