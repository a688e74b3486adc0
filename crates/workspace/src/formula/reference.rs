//! References as they stand in a formula, with their `$` marks.

use std::fmt;

use lockstep_a1::{Cells, column_index, column_letters, quote_if_needed};

/// Is one reference: `A1`, `$A$1:B2`, `Sheet2!A:A`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reference {
    pub(super) sheet: Option<String>,
    pub(super) first: Corner,
    pub(super) last: Option<Corner>,
}

/// Is one end of a reference; a mark says that it stays when the formula is copied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Corner {
    pub(super) column: Option<Edge>,
    pub(super) row: Option<Edge>,
}

/// Is a row or column of a corner, zero-based.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    pub(super) at: u32,
    pub(super) fixed: bool,
}

impl Corner {
    /// Reads `A1`, `$A`, `3`, ... ; `None` when the text is no corner.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (column_fixed, rest) = mark(text);
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (letters, rest) = rest.split_at_checked(letters)?;
        if letters.is_empty() {
            let row = row(rest)?;
            return Some(Self { column: None, row: Some(Edge { at: row, fixed: column_fixed }) });
        }
        let column = Some(Edge { at: column_index(letters)?, fixed: column_fixed });
        if rest.is_empty() {
            return Some(Self { column, row: None });
        }
        let (fixed, digits) = mark(rest);
        Some(Self { column, row: Some(Edge { at: row(digits)?, fixed }) })
    }

    /// Returns whether it names one cell.
    pub(super) const fn is_cell(&self) -> bool {
        self.column.is_some() && self.row.is_some()
    }
}

fn mark(text: &str) -> (bool, &str) {
    text.strip_prefix('$').map_or((false, text), |rest| (true, rest))
}

fn row(digits: &str) -> Option<u32> {
    let plain =
        !digits.is_empty() && digits.len() < 9 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse::<u32>().ok()).flatten()?.checked_sub(1)
}

impl Reference {
    /// Returns the cells it means; ends that are not named are open.
    pub(super) fn cells(&self) -> Cells {
        let last = self.last.unwrap_or(self.first);
        let (start_row, end_row) = span(self.first.row, last.row);
        let (start_column, end_column) = span(self.first.column, last.column);
        Cells { start_row, end_row, start_column, end_column }
    }
}

fn span(first: Option<Edge>, last: Option<Edge>) -> (u32, Option<u32>) {
    match (first, last) {
        (Some(a), Some(b)) => (a.at.min(b.at), Some(a.at.max(b.at) + 1)),
        (Some(only), None) | (None, Some(only)) => (only.at, None),
        (None, None) => (0, None),
    }
}

impl fmt::Display for Corner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollar = |edge: &Edge| if edge.fixed { "$" } else { "" };
        if let Some(column) = &self.column {
            write!(f, "{}{}", dollar(column), column_letters(column.at))?;
        }
        if let Some(row) = &self.row {
            write!(f, "{}{}", dollar(row), row.at + 1)?;
        }
        Ok(())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(sheet) = &self.sheet {
            write!(f, "{}!", quote_if_needed(sheet))?;
        }
        self.first.fmt(f)?;
        match &self.last {
            Some(last) => write!(f, ":{last}"),
            None => Ok(()),
        }
    }
}
