//! The cells that a range names, and where the table in them may stand.

use lockstep_a1::{Area as Named, Cells, MAX_COLUMNS, parse, quote_always};
use lockstep_google::{CellValue, Google, GridRange, Kind as GoogleKind, Render, ValueRange};

use super::{sheet, sheet_window};
use crate::error::{Error, Result};

/// Where a table may stand on its sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Its first column, and one past the last.
    pub(crate) columns: (u32, u32),
    /// The row from which on its header is looked for.
    pub(crate) top: u32,
    /// One past its last row; `None` is the end of the data.
    pub(crate) end: Option<u32>,
    /// What says so.
    pub(crate) holder: Holder,
}

/// What says where a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A range in A1 notation, which stays as it is.
    Fixed,
    /// A named range, which follows its cells and grows with new rows.
    Name(String),
    /// A table of the spreadsheet, which does the same.
    Table(String),
}

/// Cells as they were read.
#[derive(Debug, Default)]
pub(crate) struct Area {
    /// The sheet's title.
    pub(crate) title: String,
    /// The first row, from 0.
    pub(crate) first_row: u32,
    /// The first column, from 0.
    pub(crate) first_column: u32,
    /// The rows.
    pub(crate) rows: Vec<Vec<CellValue>>,
    /// Where the table may stand; `None` if it has the sheet for itself.
    pub(crate) bounds: Option<Bounds>,
}

/// Reads the cells that may hold the table: of a range, or of the whole sheet.
///
/// One read call where the sheet is named or the range is a named one; two more for a table of the spreadsheet.
///
/// # Errors
/// A range that is none, or whose sheet is not there or is another than the one named.
pub(crate) async fn read(
    google: &Google,
    id: &str,
    title: Option<&str>,
    range: Option<&str>,
) -> Result<Area> {
    let Some(range) = range else {
        let title = match title {
            Some(title) => title.to_owned(),
            None => first(google, id).await?,
        };
        let rows = values(google, id, &title, quote_always(&title)).await?.rows;
        return Ok(Area { title, rows, ..Area::default() });
    };
    let reference = parse(range.trim()).map_err(|_| wrong(range))?;
    let title = match (reference.sheet, title) {
        (Some(one), Some(other)) if one.to_lowercase() != other.to_lowercase() => {
            return Err(Error::invalid(format!(
                "argument range: it names the sheet \"{one}\", and argument sheet \"{other}\""
            ))
            .next("leave one of them out"));
        }
        (one, other) => one.or_else(|| other.map(str::to_owned)),
    };
    match reference.area {
        Named::Cells(cells) => {
            let title = match title {
                Some(title) => title,
                None => first(google, id).await?,
            };
            match cells.is_cell() {
                true => around(google, id, title, cells).await,
                false => of_cells(google, id, title, cells, Holder::Fixed).await,
            }
        }
        Named::Name(name) => of_name(google, id, title.as_deref(), &name).await,
        Named::Whole => Err(wrong(range)),
    }
}

/// Returns the error of a text that is no range.
pub(crate) fn wrong(range: &str) -> Error {
    Error::invalid(format!("argument range: \"{range}\" is no range of cells")).next(
        "give columns and rows (\"F3:K\" or \"F3:K200\"), a cell of the header (\"F3\"), or the name of a range or table",
    )
}

async fn first(google: &Google, id: &str) -> Result<String> {
    Ok(sheet::find(&sheet::open(google, id).await?.1, None)?.title.clone())
}

async fn values(google: &Google, id: &str, title: &str, range: String) -> Result<ValueRange> {
    match google.values(id, &[range], Render::Unformatted).await {
        Ok(ranges) => Ok(ranges.into_iter().next().unwrap_or_default()),
        Err(error) => {
            // The service calls a sheet that is not there a range that it cannot parse.
            if error.kind == GoogleKind::Invalid {
                sheet::find(&sheet::open(google, id).await?.1, Some(title))?;
            }
            Err(sheet::named(error, id))
        }
    }
}

async fn of_cells(
    google: &Google,
    id: &str,
    title: String,
    cells: Cells,
    holder: Holder,
) -> Result<Area> {
    let range = format!("{}!{cells}", quote_always(&title));
    let rows = values(google, id, &title, range).await?.rows;
    let columns = (cells.start_column, cells.end_column.unwrap_or(MAX_COLUMNS));
    let bounds = Bounds { columns, top: cells.start_row, end: cells.end_row, holder };
    Ok(Area {
        title,
        first_row: cells.start_row,
        first_column: cells.start_column,
        rows,
        bounds: Some(bounds),
    })
}

/// Reads the table whose header a cell is in: the names beside it, up to the next blank one.
async fn around(google: &Google, id: &str, title: String, cell: Cells) -> Result<Area> {
    let (top, place) = (cell.start_row, cell.start_column);
    let mut rows = values(google, id, &title, quote_always(&title)).await?.rows;
    let above = usize::try_from(top).unwrap_or(usize::MAX).min(rows.len());
    rows.drain(..above);
    let header = rows.first().map(Vec::as_slice).unwrap_or_default();
    let (start, end) = sheet_window::block(header, place)
        .ok_or_else(|| blank_cell(&cell).context(format!("sheet \"{title}\"")))?;
    for row in &mut rows {
        row.truncate(usize::try_from(end).unwrap_or(usize::MAX));
        let before = usize::try_from(start).unwrap_or(usize::MAX).min(row.len());
        row.drain(..before);
    }
    let bounds = Bounds { columns: (start, end), top, end: None, holder: Holder::Fixed };
    Ok(Area { title, first_row: top, first_column: start, rows, bounds: Some(bounds) })
}

/// Returns the error of a cell that was named, and names no column.
pub(crate) fn blank_cell(cell: &Cells) -> Error {
    Error::invalid(format!("argument range: the cell {cell} is blank, so it is in no header"))
        .next("name a cell of the table's header, or its columns and rows, e.g. \"F3:K\"")
}

async fn of_name(google: &Google, id: &str, title: Option<&str>, name: &str) -> Result<Area> {
    let found = match google.values(id, &[name.to_owned()], Render::Unformatted).await {
        Ok(found) => found.into_iter().next().unwrap_or_default(),
        Err(error) if error.kind == GoogleKind::Invalid => {
            return of_table(google, id, title, name).await;
        }
        Err(error) => return Err(sheet::named(error, id)),
    };
    let reference = parse(&found.range).ok();
    let (Some(own), Named::Cells(cells)) =
        reference.map_or((None, Named::Whole), |reference| (reference.sheet, reference.area))
    else {
        return Err(Error::internal(format!("the service named a range {:?}", found.range)));
    };
    same_sheet(name, &own, title)?;
    let columns = (cells.start_column, cells.end_column.unwrap_or(MAX_COLUMNS));
    let holder = Holder::Name(name.to_owned());
    let bounds = Bounds { columns, top: cells.start_row, end: cells.end_row, holder };
    Ok(Area {
        title: own,
        first_row: cells.start_row,
        first_column: cells.start_column,
        rows: found.rows,
        bounds: Some(bounds),
    })
}

async fn of_table(google: &Google, id: &str, title: Option<&str>, name: &str) -> Result<Area> {
    let (_, spreadsheet) = sheet::open(google, id).await?;
    let (found, area, holder) = sheet_window::by_name(&spreadsheet, title, name)?;
    of_cells(google, id, found.title.clone(), area, holder).await
}

/// Checks that a range is on the sheet that was named, if one was.
///
/// # Errors
/// Another sheet.
pub(crate) fn same_sheet(name: &str, own: &str, title: Option<&str>) -> Result<()> {
    match title.filter(|title| title.to_lowercase() != own.to_lowercase()) {
        None => Ok(()),
        Some(title) => Err(Error::invalid(format!(
            "argument range: \"{name}\" is on the sheet \"{own}\", not on \"{title}\""
        ))
        .next("leave sheet out, or name the other")),
    }
}

/// Returns a range as cells.
pub(crate) fn cells(range: &GridRange) -> Cells {
    Cells {
        start_row: range.start_row.unwrap_or(0),
        end_row: range.end_row,
        start_column: range.start_column.unwrap_or(0),
        end_column: range.end_column,
    }
}
