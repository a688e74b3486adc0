//! updateBorders.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Batch, no_reply};
use crate::book::normalize;
use crate::grid::Cell;
use crate::http::ApiError;
use crate::schema;
use crate::sheets::enter::change_format;
use crate::sheets::ranges::Range;

/// Applies `updateBorders`: the outer sides to the cells along the edges, the inner ones between
/// cells; a border of style NONE is removed.
pub(super) fn update(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mut request = request.clone();
    if let Some(message) = schema::message("UpdateBordersRequest") {
        normalize(&mut request, message);
    }
    let range = Range::of_object(&batch.book, request.get("range").unwrap_or(&json!({})))?;
    let rect = range.inside(batch.book.sheet_mut(range.sheet)?)?;
    let side = |name: &str| request.get(name);
    let Batch { session, book, .. } = batch;
    let formats = &mut Arc::make_mut(&mut book.head).formats;
    let grid = book
        .sheets
        .iter_mut()
        .find(|sheet| sheet.id == range.sheet)
        .map(|sheet| &mut Arc::make_mut(sheet).grid)
        .ok_or_else(ApiError::not_found)?;
    for row in rect.start_row..rect.end_row {
        let line = grid.row_mut(*session, row)?;
        if line.len() < rect.end_column as usize {
            line.resize_with(rect.end_column as usize, Cell::default);
        }
        let cells = line.iter_mut().take(rect.end_column as usize).skip(rect.start_column as usize);
        for (column, cell) in (rect.start_column..).zip(cells) {
            let pick =
                |edge: bool, outer: &str, inner: &str| side(if edge { outer } else { inner });
            let sides = [
                ("top", pick(row == rect.start_row, "top", "innerHorizontal")),
                ("bottom", pick(row + 1 == rect.end_row, "bottom", "innerHorizontal")),
                ("left", pick(column == rect.start_column, "left", "innerVertical")),
                ("right", pick(column + 1 == rect.end_column, "right", "innerVertical")),
            ];
            if sides.iter().any(|(_, border)| border.is_some()) {
                change_format(formats, cell, |format| set(format, &sides));
            }
        }
    }
    Ok(no_reply())
}

fn set(format: &mut Map<String, Value>, sides: &[(&str, Option<&Value>)]) {
    let borders = format.entry("borders").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(borders) = borders else {
        return;
    };
    for (name, border) in sides {
        match border {
            Some(border) if border.get("style").and_then(Value::as_str) == Some("NONE") => {
                borders.shift_remove(*name);
            }
            Some(border) => {
                borders.insert((*name).to_owned(), (*border).clone());
            }
            None => {}
        }
    }
    if borders.is_empty() {
        format.shift_remove("borders");
    }
}
