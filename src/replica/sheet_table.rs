//! A table on a sheet: its header, its rows, and where they stand.

use std::collections::{HashMap, HashSet};

use lockstep_a1::{column_letters, quote_always};
use lockstep_engine::{
    schema::ColumnType,
    snapshot::{Snapshot, SnapshotBuilder},
};
use lockstep_google::{CellValue, Google, GridCell, GridParts, Input, NumberKind, Render};

use super::{
    header::Header,
    scan::{Role, Scan, Target},
    sheet,
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
    let blank_target = role.writes() && rows.iter().flatten().all(|cell| *cell == CellValue::Empty);
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
    let mut formulas = HashSet::new();
    let types = match (&header, role) {
        (Some(header), Role::Source) => date_columns(google, &id, &title, header, data).await?,
        (Some(header), Role::Both { typed: false, .. }) => {
            let found = first_cells(google, &id, &title, header, data, true).await?;
            let formula = |(name, cell): &(&str, GridCell)| {
                matches!(cell.entered, Input::Formula(_)).then(|| (*name).to_owned())
            };
            formulas = found.iter().filter_map(formula).collect();
            types(&found)
        }
        _ => HashMap::new(),
    };
    let table = SheetTable { spreadsheet: id, title, header, header_row: header_at };
    Ok(Scan { types, formulas, ..Scan::whole(snapshot, Target::Sheet(Box::new(table))) })
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
    Ok(types(&first_cells(google, id, title, header, data, false).await?))
}

/// Returns for each column its first number under the header as the grid has it; with `texts` the first cell that is not
/// empty, where there is no number.
///
/// Costs one read call, and none if there are no such cells.
async fn first_cells<'h>(
    google: &Google,
    id: &str,
    title: &str,
    header: &'h Header,
    data: &[Vec<CellValue>],
    texts: bool,
) -> Result<Vec<(&'h str, GridCell)>> {
    let mut places: HashMap<(u32, u32), &str> = HashMap::new();
    let mut ranges = Vec::new();
    for column in &header.columns {
        let mut cells = data.iter().map(|row| sheet::at(row, column.index));
        let number = cells.clone().position(|cell| matches!(cell, CellValue::Number(_)));
        let first = number
            .or_else(|| cells.position(|cell| *cell != CellValue::Empty).filter(|_| texts))
            .and_then(|offset| u32::try_from(offset).ok());
        if let Some(offset) = first {
            let row = header.row.saturating_add(1).saturating_add(offset);
            places.insert((row, column.index), &column.name);
            let letters = column_letters(column.index);
            ranges.push(format!("{}!{letters}{}", quote_always(title), row + 1));
        }
    }
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let parts = GridParts { format: true, entered: true, value: false };
    let blocks = google.grid(id, &ranges, parts).await?;
    let found = blocks.into_iter().filter_map(|block| {
        let name = places.get(&(block.row, block.column))?;
        let cell = block.rows.into_iter().next()?.into_iter().next()?;
        Some((*name, cell))
    });
    Ok(found.collect())
}

/// Returns the types of the columns whose cells are formatted as dates or times.
fn types(cells: &[(&str, GridCell)]) -> HashMap<String, ColumnType> {
    let ty = |cell: &GridCell| match cell.format.as_ref()?.kind {
        NumberKind::Date => Some(ColumnType::Date),
        NumberKind::DateTime => Some(ColumnType::DateTime),
        NumberKind::Time => Some(ColumnType::Time),
        _ => None,
    };
    cells.iter().filter_map(|(name, cell)| Some(((*name).to_owned(), ty(cell)?))).collect()
}
