//! Protected ranges against callers who are none of their editors.
//!
//! Held against the requests of a batch that write cells or move them; `values.*` and requests that only look after objects
//! are not.

use lockstep_a1::{Cells, Rect};
use serde_json::Value;

use super::dimensions::Span;
use super::{Batch, Rows, index, sheet_id};
use crate::book::{Axis, Book, Sheet};
use crate::http::ApiError;
use crate::sheets::ranges::Range;

const REFUSAL: &str = "You are trying to edit a protected cell or object. Please contact the spreadsheet owner to remove protection if you need to edit.";

/// Returns whether a caller may edit a protected range: its editors and the owner, whom `None` stands for.
pub(crate) fn may_edit(protected: &Value, caller: Option<&str>) -> bool {
    let Some(caller) = caller else { return true };
    let users = protected.get("editors").and_then(|editors| editors.get("users"));
    protected.get("warningOnly") == Some(&Value::Bool(true))
        || users
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|user| user.as_str().is_some_and(|user| user.eq_ignore_ascii_case(caller)))
}

/// Refuses a request that writes to cells which its caller may not edit (recorded text).
pub(super) fn check(
    batch: &mut Batch<'_, '_>,
    kind: &str,
    request: &Value,
    rows: Option<&Rows<'_>>,
) -> Result<(), ApiError> {
    let Some(caller) = batch.caller.clone() else { return Ok(()) };
    let closed: Vec<(Range, Vec<Range>)> = protections(&batch.book, &caller)?;
    if closed.is_empty() {
        return Ok(());
    }
    let Some((sheet, rect)) = touched(batch, kind, request, rows)? else { return Ok(()) };
    let hits = |range: &Range| {
        range.sheet == sheet && range.cells.close(u32::MAX, u32::MAX).intersect(&rect).is_some()
    };
    let inside = |range: &Range| {
        let cells = range.cells.close(u32::MAX, u32::MAX);
        range.sheet == sheet && cells.intersect(&rect) == Some(rect)
    };
    match closed.iter().any(|(range, open)| hits(range) && !open.iter().any(inside)) {
        true => Err(ApiError::invalid(REFUSAL)),
        false => Ok(()),
    }
}

/// Returns what a caller may not edit, each with what of it he may.
fn protections(book: &Book, caller: &str) -> Result<Vec<(Range, Vec<Range>)>, ApiError> {
    let mut found = Vec::new();
    for sheet in &book.sheets {
        for protected in sheet.list("protectedRanges") {
            let Some(range) = protected.get("range").filter(|_| !may_edit(protected, Some(caller)))
            else {
                continue;
            };
            let open = protected.get("unprotectedRanges").and_then(Value::as_array);
            let open: Result<_, _> =
                open.into_iter().flatten().map(|range| Range::of_object(book, range)).collect();
            found.push((Range::of_object(book, range)?, open?));
        }
    }
    Ok(found)
}

/// Returns the cells that a request writes to or moves.
fn touched(
    batch: &mut Batch<'_, '_>,
    kind: &str,
    request: &Value,
    rows: Option<&Rows<'_>>,
) -> Result<Option<(i32, Rect)>, ApiError> {
    let rows_at = |top: u32, left: u32| -> Result<Rect, ApiError> {
        let own = Rows::of(request);
        let rows = rows.unwrap_or(&own);
        let mut width = 0;
        for at in 0..rows.len() {
            let row = rows.get(usize::try_from(at).unwrap_or(usize::MAX))?;
            width = width.max(row.get("values").and_then(Value::as_array).map_or(0, Vec::len));
        }
        let end_column = left.saturating_add(u32::try_from(width).unwrap_or(u32::MAX));
        let end_row = top.saturating_add(rows.len());
        Ok(Rect { start_row: top, end_row, start_column: left, end_column })
    };
    let of = |batch: &Batch<'_, '_>, range: Option<&Value>| -> Result<(i32, Rect), ApiError> {
        let range = Range::of_object(&batch.book, range.unwrap_or(&Value::Null))?;
        Ok((range.sheet, range.cells.close(u32::MAX, u32::MAX)))
    };
    let below = |(sheet, rect): (i32, Rect)| (sheet, Rect { end_row: u32::MAX, ..rect });
    Ok(Some(match kind {
        "updateCells" => match request.get("start") {
            Some(start) => {
                let at = |name: &str| index(start, name).unwrap_or(0);
                (sheet_id(start), rows_at(at("rowIndex"), at("columnIndex"))?)
            }
            None => of(batch, request.get("range"))?,
        },
        "appendCells" => {
            let id = sheet_id(request);
            let top = batch.book.sheet_mut(id)?.grid.used_rows(batch.session)?;
            (id, rows_at(top, 0)?)
        }
        "repeatCell" | "setDataValidation" | "sortRange" | "mergeCells" | "unmergeCells"
        | "updateBorders" | "trimWhitespace" | "deleteDuplicates" => {
            of(batch, request.get("range"))?
        }
        "insertRange" | "deleteRange" => below(of(batch, request.get("range"))?),
        "copyPaste" => of(batch, request.get("destination"))?,
        "cutPaste" => of(batch, request.get("source"))?,
        "deleteDimension" | "moveDimension" => {
            let name = if kind == "moveDimension" { "source" } else { "range" };
            let span = Span::read(batch, request.get(name), name)?;
            (span.sheet, lines(&span))
        }
        "deleteSheet" => (sheet_id(request), Cells::all().close(u32::MAX, u32::MAX)),
        _ => return Ok(None),
    }))
}

fn lines(span: &Span) -> Rect {
    let all = Rect { start_row: 0, end_row: u32::MAX, start_column: 0, end_column: u32::MAX };
    match span.axis {
        Axis::Rows => Rect { start_row: span.start, end_row: span.end, ..all },
        Axis::Columns => Rect { start_column: span.start, end_column: span.end, ..all },
    }
}

/// Refuses to shift cells through the edge of merged ones [BELIEF: that the service does, not in which words].
pub(super) fn check_merges(sheet: &Sheet, moving: Rect) -> Result<(), ApiError> {
    let number = |value: &Value, name: &str| index(value, name).unwrap_or(0);
    let torn = sheet.list("merges").iter().any(|merge| {
        let merge = Rect {
            start_row: number(merge, "startRowIndex"),
            end_row: number(merge, "endRowIndex"),
            start_column: number(merge, "startColumnIndex"),
            end_column: number(merge, "endColumnIndex"),
        };
        merge.intersect(&moving).is_some_and(|common| common != merge)
    });
    match torn {
        true => Err(ApiError::invalid("You can't shift cells that are part of a merged range.")),
        false => Ok(()),
    }
}
