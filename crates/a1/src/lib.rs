//! A1 notation of Google Sheets: parsing, printing and arithmetic of ranges.
//!
//! Pure text and integers: no network, no grid. Whether a sheet exists, and whether a bare name is
//! a named range or a sheet title, is for the caller to decide.
//!
//! Indexes inside are zero-based and half-open, as in the `GridRange` of the Sheets API; only the
//! text form counts from one.
//!
//! ```
//! use lockstep_a1::{Area, parse};
//!
//! let reference = parse("'Jon''s Data'!B2:D")?;
//! assert_eq!(reference.sheet.as_deref(), Some("Jon's Data"));
//! let Area::Cells(cells) = reference.area else { unreachable!() };
//! assert_eq!(cells.close(100, 26).to_string(), "B2:D100");
//! # Ok::<(), lockstep_a1::ParseError>(())
//! ```

mod cells;
mod column;
mod parse;
mod title;

pub use cells::{Cells, Rect};
pub use column::{MAX_COLUMNS, column_index, column_letters};
pub use parse::{ParseError, parse, parse_cells};
pub use title::{quote_always, quote_if_needed};

use std::fmt;

/// Names a range the way a user or the Sheets API writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// The sheet title, without quotes; `None` when the text names no sheet.
    pub sheet: Option<String>,
    /// The part of the sheet.
    pub area: Area,
}

/// Says which part of a sheet a [`Reference`] means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Area {
    /// A rectangle, possibly open at its ends.
    Cells(Cells),
    /// The whole sheet: a quoted title alone (`'Q1'`).
    Whole,
    /// A bare name, which the Sheets API resolves first as a named range and then as a sheet title.
    Name(String),
}

impl Reference {
    /// Returns a reference to cells of a named sheet.
    pub fn cells(sheet: impl Into<String>, cells: impl Into<Cells>) -> Self {
        Self { sheet: Some(sheet.into()), area: Area::Cells(cells.into()) }
    }
}

/// Prints the form that the Sheets API echoes: titles are quoted only where needed.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.sheet, &self.area) {
            (Some(sheet), Area::Whole) => f.write_str(&quote_always(sheet)),
            (Some(sheet), Area::Cells(cells)) => write!(f, "{}!{cells}", quote_if_needed(sheet)),
            (Some(sheet), Area::Name(name)) => write!(f, "{}!{name}", quote_if_needed(sheet)),
            (None, Area::Cells(cells)) => cells.fmt(f),
            (None, Area::Name(name)) => f.write_str(name),
            (None, Area::Whole) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
