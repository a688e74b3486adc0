//! Formulas of a book: they follow moved cells and renamed sheets. The store computes
//! them again when it saves a book.

use lockstep_a1::Rect;

use crate::book::{Book, Shift};
use crate::formula;
use crate::http::ApiError;
use crate::store::Session;

pub(crate) use crate::formula::translate;

/// Rewrites the references of every formula after positions of a sheet changed.
pub(crate) fn follow(
    session: &mut Session<'_>,
    book: &mut Book,
    id: i32,
    shift: Shift,
) -> Result<(), ApiError> {
    let title = book.sheet(id).map(|sheet| sheet.title().to_owned()).unwrap_or_default();
    rewrite(session, book, |(sheet, ..), text| formula::follow(text, sheet == id, &title, shift))
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

/// Rewrites formulas after cells were cut at a rectangle and pasted at a row and column.
pub(crate) fn relocated(
    session: &mut Session<'_>,
    book: &mut Book,
    (from, source): (i32, Rect),
    (to, row, column): (i32, u32, u32),
) -> Result<(), ApiError> {
    let titles: Vec<(i32, String)> =
        book.sheets.iter().map(|sheet| (sheet.id, sheet.title().to_owned())).collect();
    let moved = formula::Moved {
        from,
        source,
        to,
        by: (
            i64::from(row) - i64::from(source.start_row),
            i64::from(column) - i64::from(source.start_column),
        ),
        sheet_of: &|title| {
            let lower = title.to_lowercase();
            titles.iter().find(|(_, own)| own.to_lowercase() == lower).map(|(id, _)| *id)
        },
        title_of: &|id| {
            titles
                .iter()
                .find(|(own, _)| *own == id)
                .map(|(_, title)| title.clone())
                .unwrap_or_default()
        },
    };
    let rows = row..row + source.rows();
    let columns = column..column + source.columns();
    rewrite(session, book, |(sheet, row, column), text| {
        // A formula that was moved read from where it stood.
        let was = if sheet == to && rows.contains(&row) && columns.contains(&column) {
            from
        } else {
            sheet
        };
        moved.relocate(text, was, sheet)
    })
}

fn rewrite(
    session: &mut Session<'_>,
    book: &mut Book,
    change: impl Fn((i32, u32, u32), &str) -> Option<String>,
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
            .filter_map(|(row, column, text)| {
                Some((row, column, change((id, row, column), &text)?))
            })
            .collect();
        for (row, column, text) in changed {
            let grid = &mut book.sheet_mut(id)?.grid;
            grid.cell_mut(session, row, column)?.formula = Some(text.into());
        }
    }
    Ok(())
}
