//! The cells of a sheet that a tool looks at: all of it, or those that a range names.

use std::borrow::Cow;

use lockstep_a1::{Area as Named, Cells, column_letters, parse};
use lockstep_google::{CellValue, Sheet, Spreadsheet};

use super::{
    header::{Header, HeaderColumn, label, list},
    sheet,
    sheet_area::{Bounds, Holder, blank_cell, cells, same_sheet, wrong},
    sheet_space::merged_header,
};
use crate::error::{Error, Result, did_you_mean};

/// A rectangle of a sheet, closed against its grid.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// The first column.
    pub(crate) left: u32,
    /// One past the last column.
    pub(crate) right: u32,
    /// The first row.
    pub(crate) top: u32,
    /// One past the last row.
    pub(crate) end: u32,
    /// Where the table may stand; `None` if no range was named.
    pub(crate) bounds: Option<Bounds>,
    /// The column of the cell that was named instead of a range.
    cell: Option<u32>,
    /// Whether the columns became fewer when the header was found.
    narrowed: bool,
}

impl Window {
    /// Returns the sheet that title and range name, and the window.
    ///
    /// # Errors
    /// A sheet, range or table that is not there, or a range of another sheet than the one named.
    pub(crate) fn find<'s>(
        spreadsheet: &'s Spreadsheet,
        title: Option<&str>,
        range: Option<&str>,
    ) -> Result<(&'s Sheet, Self)> {
        let Some(range) = range else {
            let found = sheet::find(spreadsheet, title)?;
            return Ok((found, Self::whole(found)));
        };
        let reference = parse(range.trim()).map_err(|_| wrong(range))?;
        let (found, area, holder) = match reference.area {
            Named::Cells(area) => {
                let own = reference.sheet.as_deref();
                if let Some(own) = own {
                    same_sheet(range, own, title)?;
                }
                (sheet::find(spreadsheet, own.or(title))?, area, Holder::Fixed)
            }
            Named::Name(name) => by_name(spreadsheet, title, &name)?,
            Named::Whole => return Err(wrong(range)),
        };
        let mut window = Self::whole(found);
        let is_cell = area.is_cell() && holder == Holder::Fixed;
        window.top = area.start_row;
        if is_cell {
            window.cell = Some(area.start_column);
        } else {
            window.left = area.start_column;
            window.right = window.right.min(area.end_column.unwrap_or(u32::MAX));
            window.end = window.end.min(area.end_row.unwrap_or(u32::MAX));
        }
        if window.left >= window.right || window.top >= window.end {
            return Err(Error::invalid(format!(
                "argument range: {area} is outside of the sheet \"{}\", which has {} rows and {} columns",
                found.title, found.rows, found.columns
            ))
            .next("name a range on the sheet"));
        }
        let end = area.end_row.filter(|_| !is_cell);
        let columns = (window.left, window.right);
        window.bounds = Some(Bounds { columns, top: window.top, end, holder });
        Ok((found, window))
    }

    /// Returns the window of a whole sheet.
    pub(crate) fn whole(sheet: &Sheet) -> Self {
        Self {
            left: 0,
            right: sheet.columns,
            top: 0,
            end: sheet.rows,
            bounds: None,
            cell: None,
            narrowed: false,
        }
    }

    /// Returns the header in the window's first rows: only the names around the cell that was named, if one was.
    ///
    /// # Errors
    /// See [`Header::find`]; a named cell that is blank; merged cells.
    pub(crate) fn header(
        &mut self,
        sheet: &Sheet,
        top: &[Vec<CellValue>],
        named: Option<u32>,
    ) -> Result<Option<Header>> {
        let Some(header) = self.named(top, named)? else { return Ok(None) };
        let own = |column| header.columns.iter().any(|own| own.index == column);
        match merged_header(&sheet.objects, header.row, own) {
            Some(error) => Err(error),
            None => Ok(Some(header)),
        }
    }

    fn named(&mut self, top: &[Vec<CellValue>], named: Option<u32>) -> Result<Option<Header>> {
        let Some(cell) = self.cell else {
            return Header::find_at(top, (self.top, self.left), named);
        };
        let row = top.first().map(Vec::as_slice).unwrap_or_default();
        let (start, end) =
            block(row, cell).ok_or_else(|| blank_cell(&Cells::cell(self.top, cell)))?;
        let own: Vec<CellValue> =
            (start..end).map(|column| sheet::at(row, column).clone()).collect();
        (self.left, self.right, self.cell, self.narrowed) = (start, end, None, true);
        if let Some(bounds) = &mut self.bounds {
            bounds.columns = (start, end);
        }
        Header::find_at(&[own], (self.top, start), named)
    }

    /// Returns its first rows, in A1 notation.
    pub(crate) fn first_rows(&self, most: u32) -> Cells {
        let end_row = self.end.min(self.top.saturating_add(most));
        Cells {
            start_row: self.top,
            end_row: Some(end_row),
            start_column: self.left,
            end_column: Some(self.right),
        }
    }

    /// Returns rows that were read from its first column on before a header showed where the table begins, from there on.
    pub(crate) fn cut<'r>(&self, rows: &'r [Vec<CellValue>]) -> Cow<'r, [Vec<CellValue>]> {
        if !self.narrowed {
            return Cow::Borrowed(rows);
        }
        let cut = |row: &Vec<CellValue>| {
            (self.left..self.right).map(|column| sheet::at(row, column).clone()).collect()
        };
        Cow::Owned(rows.iter().map(cut).collect())
    }

    /// Returns the window's columns, named by their letters.
    pub(crate) fn letters(&self) -> Vec<HeaderColumn> {
        let column = |index| HeaderColumn { name: column_letters(index), index };
        (self.left..self.right).map(column).collect()
    }
}

/// Returns the columns around one whose names in a row are not blank; `None` if its own is.
pub(crate) fn block(row: &[CellValue], column: u32) -> Option<(u32, u32)> {
    let named = |column: &u32| !label(sheet::at(row, *column)).is_empty();
    let start = (0..=column).rev().take_while(named).last()?;
    Some((start, (column..).find(|column| !named(column))?))
}

/// Returns the sheet and the cells of a named range or a table of the spreadsheet.
///
/// # Errors
/// A name that is neither, or is on another sheet.
pub(crate) fn by_name<'s>(
    spreadsheet: &'s Spreadsheet,
    title: Option<&str>,
    name: &str,
) -> Result<(&'s Sheet, Cells, Holder)> {
    let wanted = name.to_lowercase();
    let ranges = spreadsheet.named_ranges.iter().filter_map(|named| {
        let sheet = spreadsheet.sheets.iter().find(|sheet| sheet.id == named.range.sheet)?;
        Some((sheet, named.name.as_str(), cells(&named.range), Holder::Name(named.name.clone())))
    });
    let tables = spreadsheet.sheets.iter().flat_map(|sheet| {
        sheet.objects.tables.iter().map(move |table| {
            let mut area = cells(&table.range);
            if table.footer {
                area.end_row = area.end_row.map(|end| end.saturating_sub(1));
            }
            (sheet, table.name.as_str(), area, Holder::Table(table.name.clone()))
        })
    });
    let all: Vec<_> = ranges.chain(tables).collect();
    let names = || all.iter().map(|(_, name, ..)| *name);
    let Some((found, _, area, holder)) =
        all.iter().find(|(_, name, ..)| name.to_lowercase() == wanted)
    else {
        return Err(Error::not_found(format!(
            "argument range: there is no range or table \"{name}\".{}",
            did_you_mean(name, names())
        ))
        .next(match all.is_empty() {
            true => "the spreadsheet has none: give columns and rows, e.g. \"F3:K\"".to_owned(),
            false => format!("there are {}", list(names())),
        }));
    };
    same_sheet(name, &found.title, title)?;
    Ok((found, *area, holder.clone()))
}
