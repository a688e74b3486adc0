//! Formulas of a book: they follow moved cells and renamed sheets. The store computes
//! them again when it saves a book.

use crate::book::{Axis, Book, Remap};
use crate::formula;
use crate::http::ApiError;
use crate::store::Session;

pub(crate) use crate::formula::translate;

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

/// Rewrites formulas that name a sheet by its old title.
pub(crate) fn renamed(
    session: &mut Session<'_>,
    book: &mut Book,
    old: &str,
    new: &str,
) -> Result<(), ApiError> {
    rewrite(session, book, |_, text| formula::rename_sheet(text, old, new))
}

fn rewrite(
    session: &mut Session<'_>,
    book: &mut Book,
    change: impl Fn(i32, &str) -> Option<String>,
) -> Result<(), ApiError> {
    let ids: Vec<i32> = book.sheets.iter().map(|sheet| sheet.id).collect();
    for id in ids {
        let Some(sheet) = book.sheet(id).filter(|sheet| sheet.grid.has_formulas()) else {
            continue;
        };
        let changed: Vec<(u32, u32, String)> = sheet
            .grid
            .formulas(session)?
            .into_iter()
            .filter_map(|(row, column, text)| Some((row, column, change(id, &text)?)))
            .collect();
        for (row, column, text) in changed {
            let grid = &mut book.sheet_mut(id)?.grid;
            grid.cell_mut(session, row, column)?.formula = Some(text.into());
        }
    }
    Ok(())
}
