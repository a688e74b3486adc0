//! The changes that one `spreadsheets.batchUpdate` can carry.

mod wire;

use crate::{CellWrite, Error, NumberFormat, Result};

/// The most bytes of JSON that one batch should have: Google recommends 2 MB (google-wire 2.8).
pub const MAX_BATCH_BYTES: usize = 2_000_000;

/// The most requests that one batch may have: Google refuses more.
pub const MAX_BATCH_REQUESTS: usize = 100_000;

/// One change of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Writes cells; rows may differ in length, cells that are not named stay as they are.
    UpdateCells {
        /// Sheet id.
        sheet: i32,
        /// First row.
        row: u32,
        /// First column.
        column: u32,
        /// The cells, row by row.
        rows: Vec<Vec<CellWrite>>,
        /// What of the cells is written.
        fields: CellFields,
    },
    /// Writes cells after the last row with data, from the first column on; the grid grows as needed.
    AppendCells {
        /// Sheet id.
        sheet: i32,
        /// The cells, row by row.
        rows: Vec<Vec<CellWrite>>,
        /// What of the cells is written.
        fields: CellFields,
    },
    /// Adds empty rows or columns at the end of a sheet.
    AppendDimension {
        /// Sheet id.
        sheet: i32,
        /// Rows or columns.
        dimension: Dimension,
        /// How many.
        length: u32,
    },
    /// Inserts empty rows or columns before `start`.
    InsertDimension {
        /// Sheet id.
        sheet: i32,
        /// Rows or columns.
        dimension: Dimension,
        /// Where the first new one will be.
        start: u32,
        /// Where the last new one will end.
        end: u32,
        /// Whether formats come from the row or column before (else from the one after).
        inherit_from_before: bool,
    },
    /// Deletes rows or columns.
    DeleteDimension {
        /// Sheet id.
        sheet: i32,
        /// Rows or columns.
        dimension: Dimension,
        /// First to go.
        start: u32,
        /// End of those to go.
        end: u32,
    },
    /// Inserts blank cells; those there, and all below them in these columns, move down.
    InsertRange {
        /// The new cells; closed on all sides.
        range: GridRange,
    },
    /// Deletes cells; those below them in these columns move up.
    DeleteRange {
        /// The cells; closed on all sides.
        range: GridRange,
    },
    /// Copies cells to others, as often as they fit; relative references of formulas follow.
    CopyPaste {
        /// The cells to copy.
        source: GridRange,
        /// Where they go.
        target: GridRange,
        /// What of them.
        paste: Paste,
    },
    /// Gives a named range another range.
    MoveNamedRange {
        /// Its id.
        id: String,
        /// The range.
        range: GridRange,
    },
    /// Gives a table another range.
    MoveTable {
        /// Its id.
        id: String,
        /// The range, with header and footer.
        range: GridRange,
    },
    /// Adds a sheet.
    AddSheet(NewSheet),
    /// Deletes a sheet.
    DeleteSheet {
        /// Sheet id.
        sheet: i32,
    },
    /// Changes properties of a sheet; what is `None` stays.
    UpdateSheet {
        /// Sheet id.
        sheet: i32,
        /// The changes, at least one.
        change: SheetChange,
    },
    /// Sets the number format of a range.
    RepeatFormat {
        /// The cells.
        range: GridRange,
        /// The format.
        format: NumberFormat,
    },
    /// Sorts the rows of a range.
    SortRange {
        /// The rows to sort, without the header.
        range: GridRange,
        /// The sort keys, most significant first.
        keys: Vec<SortKey>,
    },
    /// Attaches metadata. The id, if given, is unique within the spreadsheet: a second create
    /// with the same id fails the whole batch.
    CreateMetadata {
        /// The id, or `None` to have one chosen.
        id: Option<i32>,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it is attached to.
        place: MetadataPlace,
    },
    /// Removes all metadata that match.
    DeleteMetadata(MetadataQuery),
    /// A change for looks alone (a chart, a conditional format), in the service's own words: an object with one member.
    Dress(serde_json::Value),
}

impl Request {
    /// Returns the size of the change as JSON, in bytes: the exact number that is sent.
    ///
    /// A batch of requests has their sum, a comma each, and under 1,000 bytes around them.
    pub fn wire_size(&self) -> usize {
        wire::size(self)
    }

    /// Tells what is wrong with the change, before it is sent.
    pub fn check(&self) -> Result<()> {
        match self.problem() {
            None => Ok(()),
            Some(problem) => Err(Error::invalid("sheets.spreadsheets.batchUpdate", problem)),
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::UpdateCells { row, column, rows, fields, .. } => {
                problem_of_cells(*row, *column, rows, *fields)
            }
            Self::AppendCells { rows, fields, .. } => problem_of_cells(0, 0, rows, *fields),
            Self::InsertDimension { start, end, dimension, .. }
            | Self::DeleteDimension { start, end, dimension, .. }
                if start >= end =>
            {
                Some(format!("the {} {start}..{end} are empty", dimension.plural()))
            }
            Self::AppendDimension { length: 0, dimension, .. } => {
                Some(format!("no {} to append", dimension.plural()))
            }
            Self::UpdateSheet { change, .. } if *change == SheetChange::default() => {
                Some("the sheet change names nothing to change".into())
            }
            Self::InsertRange { range } | Self::DeleteRange { range } if !range.is_closed() => {
                Some("cells that shift need a range that is closed on all sides".into())
            }
            Self::SortRange { keys, .. } if keys.is_empty() => {
                Some("the sort names no column".into())
            }
            Self::CreateMetadata { key, .. } if key.is_empty() => {
                Some("the metadata key is empty".into())
            }
            Self::DeleteMetadata(query) if *query == MetadataQuery::default() => Some(
                "an empty metadata query would delete all metadata, those of other tools too"
                    .into(),
            ),
            _ => None,
        }
    }
}

fn problem_of_cells(
    row: u32,
    column: u32,
    rows: &[Vec<CellWrite>],
    fields: CellFields,
) -> Option<String> {
    rows.iter().zip(row..).find_map(|(cells, row)| {
        cells.iter().zip(column..).find_map(|(cell, column)| {
            let problem = if fields == CellFields::Values && cell.format.is_some() {
                Some("the cell has a number format, but the request writes values only".into())
            } else {
                cell.problem()
            };
            problem.map(|problem| {
                format!(
                    "cell {}{} (row {}, column {}): {problem}",
                    lockstep_a1::column_letters(column),
                    u64::from(row) + 1,
                    u64::from(row) + 1,
                    u64::from(column) + 1,
                )
            })
        })
    })
}

/// What an [`Request::UpdateCells`] writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CellFields {
    /// Values; number formats stay.
    Values,
    /// Values and number formats: a cell without a format loses the one it had.
    ValuesAndFormats,
}

/// What of copied cells is pasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Paste {
    /// Formulas; the value of a cell that has none.
    Formulas,
    /// Formats, without data validation.
    Formats,
    /// Data validation.
    Validation,
}

/// Rows or columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// Rows.
    Rows,
    /// Columns.
    Columns,
}

impl Dimension {
    fn plural(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Columns => "columns",
        }
    }
}

/// A rectangle of a sheet; a bound that is `None` is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct GridRange {
    /// Sheet id.
    pub sheet: i32,
    /// First row.
    pub start_row: Option<u32>,
    /// End of the rows.
    pub end_row: Option<u32>,
    /// First column.
    pub start_column: Option<u32>,
    /// End of the columns.
    pub end_column: Option<u32>,
}

impl GridRange {
    /// Returns whether no bound is open, and there are cells in it.
    pub fn is_closed(&self) -> bool {
        let span =
            |start: Option<u32>, end: Option<u32>| start.zip(end).is_some_and(|(a, b)| a < b);
        span(self.start_row, self.end_row) && span(self.start_column, self.end_column)
    }

    /// Returns whether both have cells in common.
    pub fn meets(&self, other: &Self) -> bool {
        let apart =
            |end: Option<u32>, start: Option<u32>| end.is_some_and(|end| end <= start.unwrap_or(0));
        self.sheet == other.sheet
            && !apart(self.end_row, other.start_row)
            && !apart(other.end_row, self.start_row)
            && !apart(self.end_column, other.start_column)
            && !apart(other.end_column, self.start_column)
    }
}

/// A sheet to add.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewSheet {
    /// Title, unique within the spreadsheet.
    pub title: String,
    /// Sheet id, or `None` to have one chosen.
    pub id: Option<i32>,
    /// Rows; the service's default (1000) if `None`.
    pub rows: Option<u32>,
    /// Columns; the service's default (26) if `None`.
    pub columns: Option<u32>,
    /// Rows that stay in view, 0 for none.
    pub frozen_rows: u32,
}

/// Changes of a sheet's properties; `None` leaves a property as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SheetChange {
    /// New title.
    pub title: Option<String>,
    /// New position among the sheets, counted before the move.
    pub index: Option<u32>,
    /// Whether the sheet is hidden.
    pub hidden: Option<bool>,
    /// New number of rows; rows beyond it are deleted.
    pub rows: Option<u32>,
    /// New number of columns; columns beyond it are deleted.
    pub columns: Option<u32>,
    /// Rows that stay in view.
    pub frozen_rows: Option<u32>,
}

/// A column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// Column of the sheet (not of the range).
    pub column: u32,
    /// Whether the greatest comes first.
    pub descending: bool,
}

/// What a piece of metadata is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetadataPlace {
    /// The spreadsheet.
    Spreadsheet,
    /// A sheet.
    Sheet {
        /// Sheet id.
        sheet: i32,
    },
    /// A row, which it follows when rows move.
    Row {
        /// Sheet id.
        sheet: i32,
        /// The row.
        index: u32,
    },
    /// A column, which it follows when columns move.
    Column {
        /// Sheet id.
        sheet: i32,
        /// The column.
        index: u32,
    },
}

/// Selects metadata; all members that are given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetadataQuery {
    /// The id.
    pub id: Option<i32>,
    /// The key.
    pub key: Option<String>,
    /// The value.
    pub value: Option<String>,
    /// What it is attached to, exactly.
    pub place: Option<MetadataPlace>,
}

#[cfg(test)]
#[path = "request/request_tests.rs"]
mod request_tests;
