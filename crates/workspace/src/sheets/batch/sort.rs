//! sortRange.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{Batch, no_reply};
use crate::book::Location;
use crate::grid::{Cell, Row, Scalar};
use crate::http::ApiError;
use crate::sheets::ranges::Range;

/// Applies `sortRange`: stable, blanks last in either order; row metadata goes with its row.
pub(super) fn sort(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let range = Range::of_object(&batch.book, request.get("range").unwrap_or(&json!({})))?;
    let sheet = batch.book.sheet_mut(range.sheet)?;
    let rect = range.inside(sheet)?;
    let mut specs = Vec::new();
    for spec in request.get("sortSpecs").and_then(Value::as_array).into_iter().flatten() {
        let column = super::index(spec, "dimensionIndex").unwrap_or(0);
        if column < rect.start_column || column >= rect.end_column {
            return Err(ApiError::invalid(format!(
                "sortSpecs.dimensionIndex[{column}] must be inside the range's columns [{}-{}]",
                rect.start_column,
                rect.end_column.saturating_sub(1)
            )));
        }
        let descending = spec.get("sortOrder").and_then(Value::as_str) == Some("DESCENDING");
        specs.push((column as usize, descending));
    }
    let vertical = sheet.list("merges").iter().any(|merge| {
        let number = |name: &str| super::index(merge, name).unwrap_or(0);
        number("startRowIndex") < rect.end_row
            && number("endRowIndex") > rect.start_row
            && number("startColumnIndex") < rect.end_column
            && number("endColumnIndex") > rect.start_column
    });
    if vertical {
        return Err(ApiError::invalid("You can't sort a range that contains merged cells."));
    }
    let rows = sheet.grid.copy_rows(batch.session, rect.start_row, rect.end_row)?;
    let blank = Cell::default();
    let mut order: Vec<(usize, &Row)> = rows.iter().enumerate().collect();
    order.sort_by(|(_, one), (_, two)| {
        specs
            .iter()
            .map(|(column, descending)| {
                let one = one.get(*column).unwrap_or(&blank);
                let two = two.get(*column).unwrap_or(&blank);
                compare(&one.value, &two.value, *descending)
            })
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    });
    let order: Vec<usize> = order.into_iter().map(|(index, _)| index).collect();
    let (left, right) = (rect.start_column as usize, rect.end_column as usize);
    let mut places = vec![0_u32; order.len()];
    for (to, from) in (0_u32..).zip(&order) {
        if let Some(place) = places.get_mut(*from) {
            *place = to;
        }
        if to as usize == *from {
            continue;
        }
        let moved = i64::from(to) - i64::try_from(*from).unwrap_or(0);
        let source = rows.get(*from).map_or(&[] as &[Cell], Vec::as_slice);
        let row = sheet.grid.row_mut(batch.session, rect.start_row + to)?;
        if row.len() < right {
            row.resize_with(right, Cell::default);
        }
        for (offset, cell) in row.iter_mut().enumerate().take(right).skip(left) {
            *cell = source.get(offset).cloned().unwrap_or_default();
            if let Some(formula) = &cell.formula {
                cell.formula = Some(crate::sheets::formulas::translate(formula, moved, 0).into());
            }
        }
    }
    for entry in &mut sheet.metadata {
        if let Location::Row(row) = &mut entry.location
            && *row >= rect.start_row
            && let Some(place) = places.get((*row - rect.start_row) as usize)
        {
            *row = rect.start_row + place;
        }
    }
    Ok(no_reply())
}

/// Returns the order of two values: numbers, texts, booleans, errors; blanks always come last.
fn compare(one: &Scalar, two: &Scalar, descending: bool) -> Ordering {
    let rank = |value: &Scalar| match value {
        Scalar::Number(_) => 0,
        Scalar::Text(_) => 1,
        Scalar::Bool(_) => 2,
        Scalar::Error(_) => 3,
        Scalar::Empty => 4,
    };
    match (one, two) {
        (Scalar::Empty, Scalar::Empty) => return Ordering::Equal,
        (Scalar::Empty, _) => return Ordering::Greater,
        (_, Scalar::Empty) => return Ordering::Less,
        _ => {}
    }
    let order = match (one, two) {
        (Scalar::Number(one), Scalar::Number(two)) => one.total_cmp(two),
        (Scalar::Text(one), Scalar::Text(two)) => one.to_lowercase().cmp(&two.to_lowercase()),
        (Scalar::Bool(one), Scalar::Bool(two)) => one.cmp(two),
        _ => rank(one).cmp(&rank(two)),
    };
    if descending { order.reverse() } else { order }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_order_as_sheets_orders_them() {
        let ascending = [
            Scalar::Number(-1.0),
            Scalar::Number(10.0),
            Scalar::text("apple"),
            Scalar::text("Banana"),
            Scalar::Bool(false),
            Scalar::Bool(true),
            Scalar::Empty,
        ];
        for (index, one) in ascending.iter().enumerate() {
            for two in ascending.iter().skip(index + 1) {
                assert_eq!(compare(one, two, false), Ordering::Less, "{one:?} {two:?}");
                let expected =
                    if *two == Scalar::Empty { Ordering::Less } else { Ordering::Greater };
                assert_eq!(compare(one, two, true), expected, "{one:?} {two:?}");
            }
        }
    }
}
