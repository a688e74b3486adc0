//! Areas of cells, as the workbook's XML writes them.

use lockstep_a1::{column_letters, parse_cells};

/// A rectangle of cells; rows from 1, columns from 0, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) top: u32,
    pub(super) bottom: u32,
    pub(super) left: u32,
    pub(super) right: u32,
}

/// The last row of a sheet.
pub(super) const LAST_ROW: u32 = 1_048_576;

/// The number of columns of a sheet.
pub(super) const COLUMNS: u32 = 16_384;

impl Area {
    /// Reads `A1` or `A1:B2`, also with dollar signs and whole rows or columns.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let cells = parse_cells(&text.replace('$', ""))?;
        Some(Self {
            top: cells.start_row + 1,
            bottom: cells.end_row.unwrap_or(LAST_ROW),
            left: cells.start_column,
            right: cells.end_column.unwrap_or(COLUMNS).saturating_sub(1),
        })
    }

    /// Reads a list of areas with spaces between.
    pub(super) fn list(text: &str) -> Vec<Self> {
        text.split_whitespace().filter_map(Self::parse).collect()
    }

    pub(super) fn holds(&self, row: u32, column: u32) -> bool {
        (self.top..=self.bottom).contains(&row) && (self.left..=self.right).contains(&column)
    }

    /// Returns the form in XML.
    pub(super) fn name(&self) -> String {
        let first = name(self.top, self.left);
        match (self.top, self.left) == (self.bottom, self.right) {
            true => first,
            false => format!("{first}:{}", name(self.bottom, self.right)),
        }
    }
}

/// Returns a cell's name; the row from 1, the column from 0.
pub(super) fn name(row: u32, column: u32) -> String {
    format!("{}{row}", column_letters(column))
}

/// Reads a cell's name: row from 1, column from 0.
pub(super) fn cell(text: &str) -> Option<(u32, u32)> {
    let split = text.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = text.split_at_checked(split)?;
    let row = digits.parse::<u32>().ok().filter(|row| (1..=LAST_ROW).contains(row))?;
    let column = lockstep_a1::column_index(letters).filter(|column| *column < COLUMNS)?;
    Some((row, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_read_and_named() {
        for (text, named) in [("B2", "B2"), ("$A$1:C3", "A1:C3"), ("A:B", "A1:B1048576")] {
            assert_eq!(Area::parse(text).unwrap().name(), named, "{text}");
        }
        assert_eq!(cell("XFD1048576"), Some((LAST_ROW, COLUMNS - 1)));
        for text in ["", "A", "1", "A0", "XFE1", "A1048577", "A-1"] {
            assert_eq!(cell(text), None, "{text}");
        }
        assert!(Area::parse("A1:B2").unwrap().holds(2, 1));
        assert_eq!(Area::list("A1 B2:C3 ?").len(), 2);
    }
}
