//! Formulas: a parser, a small evaluator, and the rewriting of references.
//!
//! The functions of [`functions`] are known; any other name gives `#NAME?`. Values are computed in
//! the order of their dependencies; a formula that needs itself gives `#REF!`.

mod cells;
mod criteria;
mod evaluate;
mod format;
mod functions;
mod parse;
mod recalculate;
mod reference;
mod rewrite;
mod token;
mod value;

pub(crate) use recalculate::recalculate;
pub(crate) use rewrite::{follow, rename_sheet, translate};

#[cfg(test)]
mod tests;
