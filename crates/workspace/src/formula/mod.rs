//! Formulas: a parser, a small evaluator, and the rewriting of references.
//!
//! The functions of [`functions`] are known; any other name gives `#NAME?`. Values are computed in
//! the order of their dependencies; a formula that needs itself gives `#REF!`.

mod affected;
mod cells;
mod criteria;
mod evaluate;
mod format;
mod functions;
mod parse;
mod parsed;
mod recalculate;
mod reference;
mod rewrite;
mod token;
mod value;

pub(crate) use parsed::Parsed;
pub(crate) use recalculate::recalculate;
pub(crate) use rewrite::{Moved, follow, rename_sheet, translate};

/// Returns whether the value of a formula changes with time.
///
/// A name in a text counts too: the formula is then computed more often than it has to be.
pub(crate) fn is_volatile(formula: &str) -> bool {
    let upper = formula.to_ascii_uppercase();
    upper.contains("TODAY") || upper.contains("NOW")
}

#[cfg(test)]
mod rewrite_tests;
#[cfg(test)]
mod tests;
