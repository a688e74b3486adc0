//! Formulas of a book: they follow moved cells and renamed sheets.

use crate::book::{Axis, Book, Remap};
use crate::formula;
use crate::http::ApiError;
use crate::store::Session;

/// Rewrites the references of every formula after positions of a sheet changed.
pub(crate) fn follow(
    session: &mut Session<'_>,
    book: &mut Book,
    id: i32,
    axis: Axis,
    remap: Remap,
) -> Result<(), ApiError> {
    let title = book.sheet(id).map(|sheet| sheet.title().to_owned()).unwrap_or_default();
    rewrite(session, book, |sheet, text| formula::follow(text, sheet == id, &title, axis, remap))
}

/// Returns a formula as if it was copied down and to the right.
pub(crate) fn translate(formula: &str, down: i64, right: i64) -> String {
    formula::translate(formula, down, right)
}

/// Rewrites formulas that name a sheet by its old title.
pub(crate) fn renamed(
    session: &mut Session<'_>,
    book: &mut Book,
    old: &str,
    new: &str,
) -> Result<(), ApiError> {
    rewrite(session, book, |_, text| formula::rename_sheet(text, old, new))
}

/// Replaces formulas by what a closure makes of them; it is given the id of their sheet.
fn rewrite(
    session: &mut Session<'_>,
    book: &mut Book,
    change: impl Fn(i32, &str) -> Option<String>,
) -> Result<(), ApiError> {
    let mut changed = Vec::new();
    for sheet in &book.sheets {
        for (row, column, text) in sheet.grid.formulas(session)? {
            if let Some(new) = change(sheet.id, &text) {
                changed.push((sheet.id, row, column, new));
            }
        }
    }
    for (sheet, row, column, new) in changed {
        book.sheet_mut(sheet)?.grid.cell_mut(session, row, column)?.formula = Some(new.into());
    }
    Ok(())
}
