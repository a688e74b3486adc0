//! The header of a table on a sheet: which row it is, and which column each name stands in.

use lockstep_a1::column_letters;
use lockstep_google::CellValue;

use crate::error::{Error, Result, did_you_mean};

/// How many rows from the top are searched for the header when none is named.
pub(crate) const SEARCHED_ROWS: u32 = 50;

/// A named column of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderColumn {
    /// The name, without spaces around it.
    pub(crate) name: String,
    /// The column's position on the sheet, from 0.
    pub(crate) index: u32,
}

/// The header row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The row's position on the sheet, from 0.
    pub(crate) row: u32,
    /// The column that the rows under it begin with, from 0.
    pub(crate) first_column: u32,
    /// The named columns, from left to right.
    pub(crate) columns: Vec<HeaderColumn>,
}

/// Returns the text that a header cell names its column by.
pub(crate) fn label(cell: &CellValue) -> String {
    match cell {
        CellValue::Empty => String::new(),
        CellValue::Number(number) => number.to_string(),
        CellValue::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        CellValue::Text(text) | CellValue::Error(text) => text.trim().to_owned(),
    }
}

impl Header {
    /// Finds the header in a sheet's top rows: the row named (from 1), or the first that is not blank.
    ///
    /// Returns `None` for a sheet whose top rows are all blank.
    ///
    /// # Errors
    /// A named row that is blank or beyond what was read, and names that stand in two columns.
    pub(crate) fn find(top: &[Vec<CellValue>], named: Option<u32>) -> Result<Option<Self>> {
        Self::find_at(top, (0, 0), named)
    }

    /// Finds the header in rows that begin at a row and a column of the sheet; see [`find`](Self::find).
    ///
    /// # Errors
    /// See [`find`](Self::find).
    pub(crate) fn find_at(
        top: &[Vec<CellValue>],
        (first_row, first_column): (u32, u32),
        named: Option<u32>,
    ) -> Result<Option<Self>> {
        let blank = |row: &Vec<CellValue>| row.iter().all(|cell| label(cell).is_empty());
        let row = match named {
            Some(0) => {
                return Err(Error::invalid("argument headerRow: rows are counted from 1")
                    .next("leave headerRow out to take the first row that is not blank"));
            }
            Some(number) if number <= first_row => {
                return Err(Error::invalid(format!(
                    "argument headerRow: row {number} is above the range, which begins at row {}",
                    first_row + 1
                ))
                .next("leave headerRow out, or widen the range"));
            }
            Some(number) => number - 1 - first_row,
            None => match top.iter().position(|row| !blank(row)) {
                Some(index) => u32::try_from(index).unwrap_or(u32::MAX),
                None => return Ok(None),
            },
        };
        match usize::try_from(row).ok().and_then(|index| top.get(index)).filter(|row| !blank(row)) {
            Some(cells) => Self::of(row.saturating_add(first_row), first_column, cells).map(Some),
            None => Err(Error::invalid(format!(
                "row {} is blank, so it is no header",
                row + first_row + 1
            ))
            .next("name the row of the header with headerRow")),
        }
    }

    fn of(row: u32, first_column: u32, cells: &[CellValue]) -> Result<Self> {
        let mut columns: Vec<HeaderColumn> = Vec::new();
        for (index, cell) in (first_column..).zip(cells) {
            let name = label(cell);
            if name.is_empty() {
                continue;
            }
            if let Some(twin) = columns.iter().find(|column| column.name == name) {
                return Err(Error::invalid(format!(
                    "row {}: the header \"{name}\" stands in column {} and in column {}",
                    row + 1,
                    column_letters(twin.index),
                    column_letters(index)
                ))
                .next("give each column a name of its own, or, if these are two tables, name one with range, e.g. \"A1:D\""));
            }
            columns.push(HeaderColumn { name, index });
        }
        Ok(Self { row, first_column, columns })
    }

    /// Returns the cell of a row under the header in a column of the sheet.
    pub(crate) fn cell<'c>(&self, row: &'c [CellValue], column: u32) -> &'c CellValue {
        super::sheet::at(row, column.saturating_sub(self.first_column))
    }

    /// Returns the column with this name.
    ///
    /// # Errors
    /// A name that is not in the header; the nearest are offered.
    pub(crate) fn column(&self, name: &str) -> Result<&HeaderColumn> {
        self.columns.iter().find(|column| column.name == name.trim()).ok_or_else(|| {
            let near = did_you_mean(name, self.names());
            Error::not_found(format!(
                "there is no column \"{name}\" in row {}.{near}",
                self.row + 1
            ))
            .next(format!("the columns are {}", list(self.names())))
        })
    }

    /// Returns the names, from left to right.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Returns an error if a row has data in a column that has no name.
    ///
    /// # Errors
    /// The first such cell, by row and column.
    pub(crate) fn check_named(&self, first_row: u32, rows: &[Vec<CellValue>]) -> Result<()> {
        for (row, cells) in (first_row..).zip(rows) {
            for (index, cell) in (self.first_column..).zip(cells) {
                let empty = matches!(cell, CellValue::Empty)
                    || matches!(cell, CellValue::Text(text) if text.trim().is_empty());
                if !empty && !self.columns.iter().any(|column| column.index == index) {
                    let letters = column_letters(index);
                    return Err(Error::invalid(format!(
                        "column {letters} has data (row {}) but no header in row {}",
                        row + 1,
                        self.row + 1
                    ))
                    .next(format!(
                        "name column {letters} in row {}; if it is not of this table, name the table with range, e.g. \"A{}:D\"",
                        self.row + 1,
                        self.row + 1
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Lists names for a message, at most 30 of them.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    let more = names.len().saturating_sub(30);
    names.truncate(30);
    let mut text = names.join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<CellValue> {
        cells
            .iter()
            .map(|text| match *text {
                "" => CellValue::Empty,
                text => CellValue::Text(text.into()),
            })
            .collect()
    }

    #[test]
    fn the_first_row_that_is_not_blank_is_the_header() {
        let top = [row(&[]), row(&["", " "]), row(&["", "id ", "name"])];
        let header = Header::find(&top, None).unwrap().unwrap();
        assert_eq!(header.row, 2);
        assert_eq!(header.column("id").unwrap().index, 1);
        assert_eq!(Header::find(&[], None).unwrap(), None);
    }

    #[test]
    fn a_name_in_two_columns_is_refused_with_both() {
        let error = Header::find(&[row(&["a", "b", "", "a"])], None).unwrap_err().to_string();
        assert!(error.contains("column A") && error.contains("column D"), "{error}");
    }

    #[test]
    fn a_wrong_row_and_a_wrong_name_are_refused() {
        let top = [row(&["id"]), row(&[])];
        for number in [0, 2, 9] {
            assert!(Header::find(&top, Some(number)).is_err(), "{number}");
        }
        let header = Header::find(&top, None).unwrap().unwrap();
        let error = header.column("di").unwrap_err().to_string();
        assert!(error.contains("\"id\""), "{error}");
    }

    #[test]
    fn data_under_no_header_is_refused_by_cell() {
        let header = Header::find(&[row(&["id", "", "name"])], None).unwrap().unwrap();
        assert!(header.check_named(1, &[row(&["1", "", "x"]), row(&["2"])]).is_ok());
        let error =
            header.check_named(1, &[row(&["1"]), row(&["2", "y"])]).unwrap_err().to_string();
        assert!(error.contains("column B") && error.contains("row 3"), "{error}");
    }
}
