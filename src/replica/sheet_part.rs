//! Reading a part of a table on a sheet: its header and the columns of the key, then some of its rows.

use lockstep_a1::{Area as Named, parse};
use lockstep_google::{CellValue, Google, GridRange};

use super::{
    Source,
    header::{Header, SEARCHED_ROWS},
    reach::Reach,
    scan::{Role, Scan},
    sheet,
    sheet_area::{Area, Bounds},
    sheet_recheck::neighbours,
    sheet_table::understand,
    sheet_window::Window,
};
use crate::error::{Error, Result};

/// Where a table is whose keys were read.
#[derive(Debug)]
pub(super) struct SheetKeys {
    spreadsheet: String,
    sheet: i32,
    title: String,
    bounds: Option<Bounds>,
    header_row: Option<u32>,
    /// The columns of the table, and one past the last.
    columns: (u32, u32),
    /// The row that everything is counted from.
    top: u32,
    /// The rows from `top` on down to the header.
    head: Vec<Vec<CellValue>>,
}

impl SheetKeys {
    /// Reads the header and the columns of the key; three read calls.
    ///
    /// `None` of a sheet that has no more rows than `few`, and of one whose header or key columns are not found: reading
    /// it whole says why.
    ///
    /// # Errors
    /// A spreadsheet or sheet that is not there.
    pub(super) async fn read(
        reach: &Reach,
        source: &Source,
        role: Role,
        headers: &[String],
        few: usize,
    ) -> Result<Option<(Scan, Self)>> {
        let Source::Sheet { spreadsheet, sheet, header_row, range } = source else {
            return Ok(None);
        };
        let google = &reach.google;
        let (id, found) = sheet::open(google, spreadsheet).await?;
        let (own, mut window) = Window::find(&found, sheet.as_deref(), range.as_deref())?;
        if usize::try_from(window.end.saturating_sub(window.top)).is_ok_and(|rows| rows <= few) {
            return Ok(None);
        }
        let searched = header_row.unwrap_or(window.top.saturating_add(SEARCHED_ROWS));
        let first = GridRange {
            sheet: own.id,
            start_row: Some(window.top),
            end_row: Some(searched.min(window.end)),
            start_column: Some(window.left),
            end_column: Some(window.right),
        };
        let top = values(google, &id, &[first], (window.top, window.left)).await?;
        let Ok(Some(header)) = window.header(own, &top, *header_row) else { return Ok(None) };
        let keys: Option<Vec<u32>> = headers.iter().map(|name| column(&header, name)).collect();
        let Some(keys) = keys else { return Ok(None) };
        let mut head = window.cut(&top).into_owned();
        head.truncate(usize::try_from(header.row - window.top).unwrap_or(usize::MAX) + 1);
        let table = Self {
            spreadsheet: id,
            sheet: own.id,
            title: own.title.clone(),
            bounds: window.bounds.clone(),
            header_row: *header_row,
            columns: (window.left, window.right),
            top: window.top,
            head,
        };
        let below = |column: &u32| table.range((header.row + 1, window.end), (*column, column + 1));
        let ranges: Vec<GridRange> = keys.iter().map(below).collect();
        let scan = table.understood(google, role, &ranges).await?;
        Ok(Some((scan, table)))
    }

    /// Reads the rows with these numbers, from 1 and ascending; one read call for up to 5,000 runs of neighbours.
    ///
    /// # Errors
    /// A sheet that is gone.
    pub(super) async fn rows(
        &self,
        google: &Google,
        role: Role,
        numbers: Vec<u64>,
    ) -> Result<Scan> {
        let index = |number: u64| u32::try_from(number.saturating_sub(1)).unwrap_or(u32::MAX);
        let mut ranges = Vec::new();
        for (start, end) in neighbours(numbers.into_iter().map(index)) {
            ranges.push(self.range((start, end), self.columns));
        }
        self.understood(google, role, &ranges).await
    }

    fn range(&self, rows: (u32, u32), columns: (u32, u32)) -> GridRange {
        GridRange {
            sheet: self.sheet,
            start_row: Some(rows.0),
            end_row: Some(rows.1),
            start_column: Some(columns.0),
            end_column: Some(columns.1),
        }
    }

    async fn understood(&self, google: &Google, role: Role, ranges: &[GridRange]) -> Result<Scan> {
        let mut rows =
            values(google, &self.spreadsheet, ranges, (self.top, self.columns.0)).await?;
        for (slot, row) in rows.iter_mut().zip(&self.head) {
            slot.clone_from(row);
        }
        if rows.len() < self.head.len() {
            rows.clone_from(&self.head);
        }
        let area = Area {
            title: self.title.clone(),
            first_row: self.top,
            first_column: self.columns.0,
            rows,
            bounds: self.bounds.clone(),
        };
        understand(google, self.spreadsheet.clone(), area, self.header_row, role).await
    }
}

fn column(header: &Header, name: &str) -> Option<u32> {
    header.columns.iter().find(|column| column.name == name).map(|column| column.index)
}

/// Reads ranges into rows that are counted from a cell; what was not read is blank.
async fn values(
    google: &Google,
    id: &str,
    ranges: &[GridRange],
    (top, left): (u32, u32),
) -> Result<Vec<Vec<CellValue>>> {
    let end = ranges.iter().filter_map(|range| range.end_row).max().unwrap_or(0);
    let mut rows: Vec<Vec<CellValue>> = Vec::new();
    for found in google.values_at(id, ranges).await? {
        let place = parse(&found.range).ok().and_then(|reference| match reference.area {
            Named::Cells(cells) => Some((cells.start_row, cells.start_column)),
            _ => None,
        });
        let place = place.filter(|(row, column)| *row < end && *row >= top && *column >= left);
        let (row, column) = place.ok_or_else(|| {
            Error::internal(format!("the service named a range {:?}", found.range))
        })?;
        let down = usize::try_from(row.saturating_sub(top)).unwrap_or(usize::MAX);
        let over = usize::try_from(column.saturating_sub(left)).unwrap_or(usize::MAX);
        if rows.len() < down.saturating_add(found.rows.len()) {
            rows.resize(down + found.rows.len(), Vec::new());
        }
        for (slot, cells) in rows.iter_mut().skip(down).zip(found.rows) {
            if slot.len() < over + cells.len() {
                slot.resize(over + cells.len(), CellValue::Empty);
            }
            for (cell, value) in slot.iter_mut().skip(over).zip(cells) {
                *cell = value;
            }
        }
    }
    Ok(rows)
}
