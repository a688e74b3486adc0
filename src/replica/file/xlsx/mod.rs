//! XLSX workbooks (ECMA-376, SpreadsheetML).
//!
//! Reading is by an own reader of the sheet's XML, because writing needs to know where every cell's bytes are. A writer
//! changes one sheet's XML: it replaces cells, adds and removes rows, and copies everything else, and every other part of
//! the package is copied as it lies in the zip. What could not be kept is refused by its name ([`guard`]).

mod area;
mod book;
mod cell;
mod date;
mod formula;
mod fresh;
mod grid;
mod guard;
mod lists;
mod package;
mod patch;
mod recalc;
mod row;
mod strings;
mod styles;
mod table;
mod xml;

pub(super) use fresh::create;

use super::{FileSource, edits::Edits, format::Rows};
use crate::{error::Result, replica::scan::Role};
use book::Book;
use package::Package;

/// Reads the table of a sheet.
pub(super) fn read(bytes: &[u8], source: &FileSource, role: Role) -> Result<Rows> {
    let mut package = Package::open(bytes)?;
    let book = Book::read(&mut package)?;
    let sheet = book.sheet(source.sheet.as_deref())?;
    let text = package.text(&sheet.part)?;
    let grid = grid::Grid::parse(&text)?;
    let strings = strings::Strings::read(&mut package, &book)?;
    let styles = styles::Styles::read(&mut package, &book)?;
    let table = table::Table::find(&grid, &strings, &styles, source.header_row, role)
        .map_err(|error| error.context(format!("sheet \"{}\"", sheet.name)))?;
    table.rows(&grid, &strings, &styles, book.date1904)
}

/// Returns the workbook with the changes made on one sheet.
pub(super) fn edit(bytes: &[u8], source: &FileSource, edits: &Edits<'_>) -> Result<Vec<u8>> {
    let mut package = Package::open(bytes)?;
    let book = Book::read(&mut package)?;
    let sheet = book.sheet(source.sheet.as_deref())?;
    let place = |error: crate::error::Error| error.context(format!("sheet \"{}\"", sheet.name));
    let parts = patch::patch(&mut package, &book, sheet, source, edits).map_err(place)?;
    package.with(bytes, &parts)
}

#[cfg(test)]
mod tests;
