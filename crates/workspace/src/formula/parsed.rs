//! The formulas of a block, parsed once and kept with it.

use super::parse::{Expression, parse};
use crate::grid::FormulaAt;

/// Is one parsed formula.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// Its row, counted from the first of its block.
    pub(super) row: u32,
    pub(super) column: u32,
    /// `None` when it does not parse.
    pub(super) tree: Option<Expression>,
    /// Whether its value changes with time.
    pub(super) volatile: bool,
}

impl Parsed {
    /// Returns the formulas of a block, parsed; `decimal` is the decimal sign of the book.
    pub(crate) fn all(formulas: &[FormulaAt], decimal: char) -> Vec<Self> {
        formulas
            .iter()
            .map(|FormulaAt { row, column, text }| Self {
                row: *row,
                column: *column,
                tree: parse(text, decimal),
                volatile: super::is_volatile(text),
            })
            .collect()
    }
}
