//! A table on a sheet: its header, its rows, and where they stand.

use std::collections::{HashMap, HashSet};

use lockstep_engine::{
    schema::ColumnType,
    snapshot::{Snapshot, SnapshotBuilder},
};
use lockstep_google::{CellValue, Google};

use super::{
    header::Header,
    scan::{Role, Scan, Target},
    sheet,
    sheet_area::{self, Area, Bounds},
    sheet_space,
    sheet_types::{self, Samples},
};
use crate::error::{Error, Result};

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
    /// Where it may stand, if it shares its sheet.
    pub(crate) bounds: Option<Bounds>,
}

/// Reads a table; one read call where the sheet is named and holds no dates to tell from numbers.
pub(crate) async fn scan(
    google: &Google,
    spreadsheet: &str,
    title: Option<&str>,
    range: Option<&str>,
    header_row: Option<u32>,
    role: Role,
) -> Result<Scan> {
    let id = sheet::id(spreadsheet)?;
    let area = sheet_area::read(google, &id, title, range).await?;
    understand(google, id, area, header_row, role).await
}

/// Makes a scan of cells that were read; rows of which nothing was read are blank ones.
///
/// # Errors
/// See [`scan`].
pub(super) async fn understand(
    google: &Google,
    id: String,
    area: Area,
    header_row: Option<u32>,
    role: Role,
) -> Result<Scan> {
    let Area { title, first_row, first_column, rows, bounds } = area;
    let place = |error: Error| error.context(format!("sheet \"{title}\""));
    let blank_target = role.writes() && rows.iter().flatten().all(|cell| *cell == CellValue::Empty);
    let header = match blank_target {
        true => Ok(None),
        false => Header::find_at(&rows, (first_row, first_column), header_row).map_err(place),
    };
    let header = match header {
        Ok(header) => header,
        Err(error) => return Err(merged(google, &id, &title, &rows, first_row, error).await),
    };
    if header.is_none() && role == Role::Source {
        return Err(place(
            Error::invalid("the sheet is empty: there is no header")
                .next("name the sheet with the data"),
        ));
    }
    let header_at = header.as_ref().map_or_else(
        || header_row.map_or(first_row, |row| row.saturating_sub(1)),
        |header| header.row,
    );
    let first = header_at.saturating_add(1);
    let above = usize::try_from(first.saturating_sub(first_row)).unwrap_or(usize::MAX);
    let data = rows.get(above..).unwrap_or_default();
    if let (Some(header), Role::Source) = (&header, role)
        && let Err(error) = header.check_named(first, data)
    {
        return Err(merged(google, &id, &title, &rows, first_row, place(error)).await);
    }
    let snapshot = snapshot(header.as_ref(), data);
    let mut formulas = HashSet::new();
    let types = match (&header, role) {
        (Some(header), Role::Source) => date_columns(google, &id, &title, header, data).await?,
        (Some(header), Role::Both { typed: false, .. }) => {
            let found = Samples::read(google, &id, &title, header, data, true).await?;
            formulas = found.formulas();
            found.types(header, data)
        }
        _ => HashMap::new(),
    };
    let errors = match (&header, role) {
        (Some(header), Role::Source | Role::Both { .. }) => sheet_types::errors(header, data),
        _ => HashMap::new(),
    };
    let table = SheetTable { spreadsheet: id, title, header, header_row: header_at, bounds };
    Ok(Scan { types, formulas, errors, ..Scan::whole(snapshot, Target::Sheet(Box::new(table))) })
}

/// Returns the rows under a header, by its names; blank rows are left out, row numbers are the sheet's.
pub(crate) fn snapshot(header: Option<&Header>, data: &[Vec<CellValue>]) -> Snapshot {
    let columns = header.map(|header| header.columns.as_slice()).unwrap_or_default();
    let first = header.map_or(0, |header| u64::from(header.row) + 2);
    let mut builder = SnapshotBuilder::new(columns.iter().map(|column| column.name.as_str()));
    for (number, row) in (first..).zip(data) {
        let cells: Vec<&CellValue> =
            columns.iter().filter_map(|column| Some(header?.cell(row, column.index))).collect();
        if cells.iter().any(|cell| **cell != CellValue::Empty) {
            builder.push_at(number, cells.into_iter().map(sheet::cell));
        }
    }
    builder.finish()
}

/// Returns the columns whose numbers are formatted as dates or times, by name.
///
/// A number of the values API cannot be told from a date; the number formats of some rows can. Costs one read call, and
/// none for tables without numbers.
pub(crate) async fn date_columns(
    google: &Google,
    id: &str,
    title: &str,
    header: &Header,
    data: &[Vec<CellValue>],
) -> Result<HashMap<String, ColumnType>> {
    Ok(Samples::read(google, id, title, header, data, false).await?.types(header, data))
}

/// Returns the error about a header with the merged cells that may be its cause; costs a read call.
async fn merged(
    google: &Google,
    id: &str,
    title: &str,
    rows: &[Vec<CellValue>],
    first_row: u32,
    error: Error,
) -> Error {
    let Ok((_, spreadsheet)) = sheet::open(google, id).await else { return error };
    let Ok(found) = sheet::find(&spreadsheet, Some(title)) else { return error };
    let filled = rows.iter().position(|row| row.iter().any(|cell| *cell != CellValue::Empty));
    let row = filled.and_then(|row| u32::try_from(row).ok()).unwrap_or(0).saturating_add(first_row);
    sheet_space::merged_header(&found.objects, row, |_| true)
        .map_or(error, |error| error.context(format!("sheet \"{title}\"")))
}
