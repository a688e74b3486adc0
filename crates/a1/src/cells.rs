//! Rectangles of cells: with open ends ([`Cells`]) and closed ([`Rect`]).

use std::fmt;

use crate::column_letters;

/// Is a rectangle whose ends may be open, as `A:C` or `2:2` or `A2:C`.
///
/// Zero-based; ends are exclusive; `None` means "to the edge of the sheet". A closed end is greater
/// than its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cells {
    /// The first row.
    pub start_row: u32,
    /// One past the last row; `None` is open.
    pub end_row: Option<u32>,
    /// The first column.
    pub start_column: u32,
    /// One past the last column; `None` is open.
    pub end_column: Option<u32>,
}

/// Is a closed rectangle: zero-based, ends exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rect {
    /// The first row.
    pub start_row: u32,
    /// One past the last row.
    pub end_row: u32,
    /// The first column.
    pub start_column: u32,
    /// One past the last column.
    pub end_column: u32,
}

impl Cells {
    /// Returns the rectangle of a whole sheet.
    pub const fn all() -> Self {
        Self { start_row: 0, end_row: None, start_column: 0, end_column: None }
    }

    /// Returns one cell.
    pub const fn cell(row: u32, column: u32) -> Self {
        Self {
            start_row: row,
            end_row: Some(row.saturating_add(1)),
            start_column: column,
            end_column: Some(column.saturating_add(1)),
        }
    }

    /// Returns whether it is exactly one cell.
    pub fn is_cell(&self) -> bool {
        self.end_row == Some(self.start_row.saturating_add(1))
            && self.end_column == Some(self.start_column.saturating_add(1))
    }

    /// Returns the rectangle with open ends set to the edge of a grid of that size.
    ///
    /// Ends that are already closed stay, also beyond the grid; a start beyond the grid gives an
    /// empty rectangle. Use [`Rect::clip`] to stay inside.
    pub fn close(&self, rows: u32, columns: u32) -> Rect {
        Rect {
            start_row: self.start_row,
            end_row: self.end_row.unwrap_or(rows).max(self.start_row),
            start_column: self.start_column,
            end_column: self.end_column.unwrap_or(columns).max(self.start_column),
        }
    }
}

impl Rect {
    /// Returns one cell.
    pub const fn cell(row: u32, column: u32) -> Self {
        Self {
            start_row: row,
            end_row: row.saturating_add(1),
            start_column: column,
            end_column: column.saturating_add(1),
        }
    }

    /// Returns the number of rows.
    pub const fn rows(&self) -> u32 {
        self.end_row.saturating_sub(self.start_row)
    }

    /// Returns the number of columns.
    pub const fn columns(&self) -> u32 {
        self.end_column.saturating_sub(self.start_column)
    }

    /// Returns the number of cells.
    pub const fn area(&self) -> u64 {
        self.rows() as u64 * self.columns() as u64
    }

    /// Returns whether it holds no cell.
    pub const fn is_empty(&self) -> bool {
        self.rows() == 0 || self.columns() == 0
    }

    /// Returns whether it holds that cell.
    pub const fn contains(&self, row: u32, column: u32) -> bool {
        row >= self.start_row
            && row < self.end_row
            && column >= self.start_column
            && column < self.end_column
    }

    /// Returns the cells that both hold, or `None`.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let both = Self {
            start_row: self.start_row.max(other.start_row),
            end_row: self.end_row.min(other.end_row),
            start_column: self.start_column.max(other.start_column),
            end_column: self.end_column.min(other.end_column),
        };
        (!both.is_empty()).then_some(both)
    }

    /// Returns the part inside a grid of that size, or `None` when all of it lies outside.
    pub fn clip(&self, rows: u32, columns: u32) -> Option<Self> {
        self.intersect(&Self { start_row: 0, end_row: rows, start_column: 0, end_column: columns })
    }
}

impl From<Rect> for Cells {
    fn from(rect: Rect) -> Self {
        Self {
            start_row: rect.start_row,
            end_row: Some(rect.end_row),
            start_column: rect.start_column,
            end_column: Some(rect.end_column),
        }
    }
}

/// Prints `D4`, `A1:B2`, `A:C`, `1:2`, `A2:C` or `B2:2`; the whole sheet prints as `A:ZZZ`, its only A1 form.
impl fmt::Display for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_cell() {
            return write!(
                f,
                "{}{}",
                column_letters(self.start_column),
                u64::from(self.start_row) + 1
            );
        }
        let rows_open = self.end_row.is_none();
        let columns_open = self.end_column.is_none();
        // A1 has no form for both ends open: the widest column range stands in.
        let end_column = match self.end_column {
            None if rows_open => Some(crate::MAX_COLUMNS),
            other => other,
        };
        let start_row = !(rows_open && self.start_row == 0);
        let start_column = !(columns_open && !rows_open && self.start_column == 0);
        if start_column {
            f.write_str(&column_letters(self.start_column))?;
        }
        if start_row {
            write!(f, "{}", u64::from(self.start_row) + 1)?;
        }
        f.write_str(":")?;
        if let Some(end) = end_column {
            f.write_str(&column_letters(end.saturating_sub(1)))?;
        }
        match self.end_row {
            Some(end) => write!(f, "{end}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Rect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Cells::from(*self).fmt(f)
    }
}
