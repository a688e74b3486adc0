//! Groups of rows and columns.

use serde_json::{Map, Value, json};

use super::dimensions::Span;
use super::{Batch, no_reply, update_mask};
use crate::book::{Axis, Sheet};
use crate::http::ApiError;

fn list(axis: Axis) -> &'static str {
    match axis {
        Axis::Rows => "rowGroups",
        Axis::Columns => "columnGroups",
    }
}

/// Returns how deep each position lies in groups.
fn depths(sheet: &Sheet, axis: Axis) -> Vec<u32> {
    let length = crate::sheets::dimension::length(sheet, axis) as usize;
    let mut depths = vec![0; length];
    for group in sheet.list(list(axis)) {
        let range = group.get("range").unwrap_or(&Value::Null);
        let start = super::index(range, "startIndex").unwrap_or(0) as usize;
        let end = super::index(range, "endIndex").unwrap_or(0) as usize;
        depths.iter_mut().take(end).skip(start).for_each(|depth| *depth += 1);
    }
    depths
}

/// Returns the groups that depths make: the longest runs at least that deep, for every depth.
fn groups(sheet: &Sheet, axis: Axis, depths: &[u32]) -> Vec<Value> {
    let name = match axis {
        Axis::Rows => "ROWS",
        Axis::Columns => "COLUMNS",
    };
    let mut all = Vec::new();
    for depth in 1..=depths.iter().copied().max().unwrap_or(0) {
        let mut start = None;
        for (index, own) in depths.iter().chain(std::iter::once(&0)).enumerate() {
            match (start, *own >= depth) {
                (None, true) => start = Some(index),
                (Some(from), false) => {
                    let mut range = Map::new();
                    if sheet.id != 0 {
                        range.insert("sheetId".to_owned(), sheet.id.into());
                    }
                    range.insert("dimension".to_owned(), name.into());
                    range.insert("startIndex".to_owned(), from.into());
                    range.insert("endIndex".to_owned(), index.into());
                    let range = Value::Object(range);
                    let collapsed = sheet.list(list(axis)).iter().any(|group| {
                        group.get("range") == Some(&range)
                            && group.get("collapsed") == Some(&Value::Bool(true))
                    });
                    let mut group = json!({"range": range, "depth": depth});
                    if let (true, Value::Object(map)) = (collapsed, &mut group) {
                        map.insert("collapsed".to_owned(), true.into());
                    }
                    all.push(group);
                    start = None;
                }
                _ => {}
            }
        }
    }
    all
}

fn change(
    batch: &mut Batch<'_, '_>,
    request: &Value,
    deeper: bool,
) -> Result<Vec<Value>, ApiError> {
    let span = Span::read(batch, request.get("range"), "range")?;
    let sheet = batch.book.sheet_mut(span.sheet)?;
    let mut depths = depths(sheet, span.axis);
    let within = depths.iter_mut().take(span.end as usize).skip(span.start as usize);
    let mut any = false;
    for depth in within {
        if deeper {
            *depth += 1;
        } else if *depth > 0 {
            *depth -= 1;
            any = true;
        }
    }
    if deeper {
        // Recorded: the first group makes the controls appear after the group, for good.
        let name = match span.axis {
            Axis::Rows => "rowGroupControlAfter",
            Axis::Columns => "columnGroupControlAfter",
        };
        if let Value::Object(grid) =
            sheet.properties.entry("gridProperties").or_insert_with(|| Value::Object(Map::new()))
        {
            grid.insert(name.to_owned(), true.into());
        }
        if depths.iter().any(|depth| *depth > 8) {
            return Err(ApiError::invalid("Cannot add a group with a depth of more than 8."));
        }
    } else if !any {
        return Err(ApiError::invalid("There is no dimension group at the specified range."));
    }
    let all = groups(sheet, span.axis, &depths);
    sheet.lists.insert(list(span.axis).to_owned(), all.clone());
    sheet.lists.retain(|_, list| !list.is_empty());
    Ok(all)
}

/// Applies `addDimensionGroup`.
pub(super) fn add(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let all = change(batch, request, true)?;
    Ok(json!({"addDimensionGroup": {"dimensionGroups": all}}))
}

/// Applies `deleteDimensionGroup`; its reply is told even when empty (recorded).
pub(super) fn delete(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let all = change(batch, request, false)?;
    if all.is_empty() {
        return Ok(json!({"deleteDimensionGroup": {}}));
    }
    Ok(json!({"deleteDimensionGroup": {"dimensionGroups": all}}))
}

/// Applies `updateDimensionGroup`: collapse or expand.
pub(super) fn update(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    update_mask(request, "DimensionGroup")?;
    let given = request.get("dimensionGroup").cloned().unwrap_or_else(|| json!({}));
    let span = Span::read(batch, given.get("range"), "dimensionGroup.range")?;
    let collapsed = given.get("collapsed") == Some(&Value::Bool(true));
    let sheet = batch.book.sheet_mut(span.sheet)?;
    let found = sheet.list_mut(list(span.axis)).iter_mut().find(|group| {
        let range = group.get("range").unwrap_or(&Value::Null);
        super::index(range, "startIndex").unwrap_or(0) == span.start
            && super::index(range, "endIndex") == Some(span.end)
            && (given.get("depth").is_none() || group.get("depth") == given.get("depth"))
    });
    let Some(Value::Object(group)) = found else {
        return Err(ApiError::invalid("There is no dimension group at the specified range."));
    };
    if collapsed {
        group.insert("collapsed".to_owned(), true.into());
    } else {
        group.shift_remove("collapsed");
    }
    let dimensions = match span.axis {
        Axis::Rows => &mut sheet.rows,
        Axis::Columns => &mut sheet.columns,
    };
    for index in span.start..span.end {
        let set = dimensions.entry(index).or_default();
        if collapsed {
            set.insert("hiddenByUser".to_owned(), true.into());
        } else {
            set.shift_remove("hiddenByUser");
        }
    }
    dimensions.retain(|_, set| !set.is_empty());
    Ok(no_reply())
}
