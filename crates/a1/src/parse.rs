//! The grammar.
//!
//! `[title!]range` where a title is bare or in quotes and a range is `A1`, `A1:B2`, `A:C`, `1:2`,
//! `A2:C`, `A2:2`, any of them with `$` marks and with the corners in either order, or
//! `R1C1[:R2C2]`. Text that is none of these and names no sheet is a bare name.

use crate::title::unescape;
use crate::{Area, Cells, Reference, column_index};

/// Says that a text is not A1 notation, in the words of the Sheets API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Unable to parse range: {text}")]
pub struct ParseError {
    /// The whole text that was given.
    pub text: String,
}

impl ParseError {
    /// Returns the error for a text; also for texts that parse but name no sheet or range.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }
}

/// Returns the reference that a text writes.
///
/// # Errors
/// [`ParseError`] when the text is empty, a quote is not closed, or what follows `!` is no range.
pub fn parse(text: &str) -> Result<Reference, ParseError> {
    reference(text).ok_or_else(|| ParseError::new(text))
}

/// Returns the cells that a text without a sheet title writes, or `None`.
pub fn parse_cells(text: &str) -> Option<Cells> {
    match text.split_once(':') {
        None => Corner::read(text).filter(Corner::is_full).map(|corner| corner.to(corner)),
        Some((first, second)) => {
            let (first, second) = (Corner::read(first)?, Corner::read(second)?);
            // `A:2` names a column and a row that never meet in a corner.
            let crossed = (first.row.is_none() && second.column.is_none())
                || (first.column.is_none() && second.row.is_none());
            (!crossed).then(|| first.to(second))
        }
    }
}

/// Returns whether a bare text would be read as cells rather than as a title.
pub(crate) fn reads_as_cells(text: &str) -> bool {
    parse_cells(text).is_some() || is_r1c1_word(text)
}

fn reference(text: &str) -> Option<Reference> {
    if text.starts_with('\'') {
        return quoted(text);
    }
    match text.rsplit_once('!') {
        Some((title, range)) if !title.is_empty() => Some(Reference {
            sheet: Some(title.to_owned()),
            area: Area::Cells(parse_cells(range)?),
        }),
        Some(_) => None,
        None if text.is_empty() => None,
        None => Some(Reference {
            sheet: None,
            area: parse_cells(text).map_or_else(|| Area::Name(text.to_owned()), Area::Cells),
        }),
    }
}

/// Reads `'title'` and `'title'!range`. The closing quote is the last one that can be it, so a title
/// with a lone inner quote is read as the service reads it.
fn quoted(text: &str) -> Option<Reference> {
    let (title, area) = match text.rsplit_once("'!") {
        Some((title, range)) if parse_cells(range).is_some() => {
            (title, Area::Cells(parse_cells(range)?))
        }
        _ => (text.strip_suffix('\'')?, Area::Whole),
    };
    let title = title.strip_prefix('\'').filter(|title| !title.is_empty())?;
    Some(Reference { sheet: Some(unescape(title)), area })
}

/// Is one end of a range: a column, a row, or both.
#[derive(Clone, Copy)]
struct Corner {
    row: Option<u32>,
    column: Option<u32>,
}

impl Corner {
    fn read(text: &str) -> Option<Self> {
        Self::read_a1(text).or_else(|| Self::read_r1c1(text))
    }

    fn read_a1(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('$').unwrap_or(text);
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (column, rest) = rest.split_at_checked(letters)?;
        let (column, digits) = if column.is_empty() {
            // The only mark of a row alone has been taken already.
            (None, rest)
        } else {
            (Some(column_index(column)?), rest.strip_prefix('$').unwrap_or(rest))
        };
        if digits.is_empty() && rest.is_empty() {
            return column.map(|_| Self { row: None, column });
        }
        Some(Self { row: Some(number(digits)?), column })
    }

    fn read_r1c1(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(['R', 'r'])?;
        let (row, column) = rest.split_once(['C', 'c'])?;
        let column = number(column)?;
        (column < crate::MAX_COLUMNS).then_some(())?;
        Some(Self { row: Some(number(row)?), column: Some(column) })
    }

    const fn is_full(&self) -> bool {
        self.row.is_some() && self.column.is_some()
    }

    /// Returns the range between two corners, in whichever order they were given. A side that only
    /// one corner names starts there and is open.
    fn to(self, other: Self) -> Cells {
        let (start_row, end_row) = span(self.row, other.row);
        let (start_column, end_column) = span(self.column, other.column);
        Cells { start_row, end_row, start_column, end_column }
    }
}

fn span(first: Option<u32>, second: Option<u32>) -> (u32, Option<u32>) {
    match (first, second) {
        (Some(a), Some(b)) => (a.min(b), Some(a.max(b).saturating_add(1))),
        (Some(start), None) | (None, Some(start)) => (start, None),
        (None, None) => (0, None),
    }
}

/// Reads a one-based number and returns it zero-based; rows end at 2^31, as the int32 of the API.
fn number(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let one_based: u32 = digits.parse().ok()?;
    (i32::try_from(one_based).is_ok()).then_some(())?;
    one_based.checked_sub(1)
}

/// Returns whether a word could be taken for R1C1 notation (`R`, `C`, `R1C1`).
fn is_r1c1_word(text: &str) -> bool {
    text.eq_ignore_ascii_case("r")
        || text.eq_ignore_ascii_case("c")
        || text.eq_ignore_ascii_case("rc")
}
