//! mergeCells and unmergeCells.

use lockstep_a1::Rect;
use serde_json::{Value, json};

use super::{Batch, no_reply};
use crate::grid::Scalar;
use crate::http::ApiError;
use crate::sheets::ranges::Range;

fn read(value: &Value) -> Rect {
    let number = |name: &str| super::index(value, name).unwrap_or(0);
    Rect {
        start_row: number("startRowIndex"),
        end_row: number("endRowIndex"),
        start_column: number("startColumnIndex"),
        end_column: number("endColumnIndex"),
    }
}

fn target(batch: &mut Batch<'_, '_>, request: &Value) -> Result<(i32, Rect), ApiError> {
    let range = Range::of_object(&batch.book, request.get("range").unwrap_or(&json!({})))?;
    let rect = range.inside(batch.book.sheet_mut(range.sheet)?)?;
    Ok((range.sheet, rect))
}

/// Takes out the merges inside a rectangle; refuses when one lies across its edge.
fn dissolve(batch: &mut Batch<'_, '_>, sheet: i32, rect: Rect) -> Result<(), ApiError> {
    let list = batch.book.sheet_mut(sheet)?.list_mut("merges");
    let across = list
        .iter()
        .map(read)
        .any(|merge| merge.intersect(&rect).is_some_and(|common| common != merge));
    if across {
        return Err(ApiError::invalid(
            "You must select all cells in a merged range to merge or unmerge them.",
        ));
    }
    list.retain(|merge| read(merge).intersect(&rect).is_none());
    Ok(())
}

/// Applies `mergeCells`; of the merged cells only the first keeps its value.
pub(super) fn merge(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let (sheet, rect) = target(batch, request)?;
    let parts: Vec<Rect> = match request.get("mergeType").and_then(Value::as_str) {
        Some("MERGE_COLUMNS") => (rect.start_column..rect.end_column)
            .map(|column| Rect { start_column: column, end_column: column + 1, ..rect })
            .collect(),
        Some("MERGE_ROWS") => (rect.start_row..rect.end_row)
            .map(|row| Rect { start_row: row, end_row: row + 1, ..rect })
            .collect(),
        _ => vec![rect],
    };
    dissolve(batch, sheet, rect)?;
    for part in parts.into_iter().filter(|part| part.area() > 1) {
        let range = Range { sheet, cells: part.into() };
        let target = batch.book.sheet_mut(sheet)?;
        target.list_mut("merges").push(range.object());
        let used = target.grid.filled_rows().min(part.end_row);
        for row in part.start_row..used {
            let cells = target.grid.row_mut(batch.session, row)?;
            let skip = part.start_column as usize + usize::from(row == part.start_row);
            for cell in cells.iter_mut().take(part.end_column as usize).skip(skip) {
                cell.set_value(Scalar::Empty);
            }
        }
    }
    Ok(no_reply())
}

/// Applies `unmergeCells`.
pub(super) fn unmerge(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let (sheet, rect) = target(batch, request)?;
    dissolve(batch, sheet, rect)?;
    Ok(no_reply())
}
