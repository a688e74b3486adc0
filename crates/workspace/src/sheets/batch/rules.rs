//! Rules on cells: data validation, conditional formats, the basic filter.

use serde_json::{Value, json};

use super::{Batch, no_reply, sheet_id};
use crate::book::normalize;
use crate::http::ApiError;
use crate::schema;
use crate::sheets::ranges::Range;

fn normal(value: Option<&Value>, message: &str) -> Value {
    let mut value = value.cloned().unwrap_or_else(|| json!({}));
    if let Some(message) = schema::message(message) {
        normalize(&mut value, message);
    }
    value
}

/// Applies `setDataValidation`; without a rule the validation is removed.
pub(super) fn validate(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let range = Range::of_object(&batch.book, request.get("range").unwrap_or(&json!({})))?;
    let rule = request.get("rule").map(|rule| normal(Some(rule), "DataValidationRule"));
    if let Some(rule) = &rule
        && rule.get("condition").and_then(|condition| condition.get("type")).is_none()
    {
        return Err(ApiError::invalid("A condition type must be specified."));
    }
    let sheet = batch.book.sheet_mut(range.sheet)?;
    let rect = range.inside(sheet)?;
    let end =
        if rule.is_some() { rect.end_row } else { rect.end_row.min(sheet.grid.filled_rows()) };
    for row in rect.start_row..end {
        let cells = sheet.grid.row_mut(batch.session, row)?;
        if rule.is_some() && cells.len() < rect.end_column as usize {
            cells.resize_with(rect.end_column as usize, Default::default);
        }
        for cell in cells.iter_mut().take(rect.end_column as usize).skip(rect.start_column as usize)
        {
            cell.set_field("dataValidation", rule.clone());
        }
    }
    Ok(no_reply())
}

/// Applies `setBasicFilter`.
pub(super) fn set_filter(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mut filter = normal(request.get("filter"), "BasicFilter");
    let range =
        filter.get("range").ok_or_else(|| ApiError::invalid("filter.range must be specified."))?;
    let range = Range::of_object(&batch.book, range)?;
    let sheet = batch.book.sheet_mut(range.sheet)?;
    // The service closes an open range against the grid.
    let closed = Range { sheet: range.sheet, cells: range.inside(sheet)?.into() };
    if let Value::Object(map) = &mut filter {
        map.insert("range".to_owned(), closed.object());
    }
    sheet.basic_filter = Some(filter);
    Ok(no_reply())
}

/// Applies `clearBasicFilter`.
pub(super) fn clear_filter(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    batch.book.sheet_mut(sheet_id(request))?.basic_filter = None;
    Ok(no_reply())
}

const FORMATS: &str = "conditionalFormats";

fn rule_sheet(batch: &Batch<'_, '_>, rule: &Value) -> Result<i32, ApiError> {
    let ranges =
        rule.get("ranges").and_then(Value::as_array).map_or(&[] as &[Value], Vec::as_slice);
    let first = ranges.first().ok_or_else(|| {
        ApiError::invalid("A conditional format rule must have at least one range.")
    })?;
    let sheet = Range::of_object(&batch.book, first)?.sheet;
    for range in ranges {
        if Range::of_object(&batch.book, range)?.sheet != sheet {
            return Err(ApiError::invalid(
                "All ranges of a conditional format rule must be on the same sheet.",
            ));
        }
    }
    if rule.get("booleanRule").is_none() && rule.get("gradientRule").is_none() {
        return Err(ApiError::invalid(
            "A conditional format rule must have a booleanRule or a gradientRule.",
        ));
    }
    Ok(sheet)
}

fn no_rule(sheet: i32, index: usize) -> ApiError {
    ApiError::invalid(format!("No conditional format on sheet: {sheet} at index: {index}"))
}

/// Applies `addConditionalFormatRule`.
pub(super) fn add_format(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let rule = normal(request.get("rule"), "ConditionalFormatRule");
    let sheet = rule_sheet(batch, &rule)?;
    let list = batch.book.sheet_mut(sheet)?.list_mut(FORMATS);
    let index = super::index(request, "index").map_or(0, |index| index as usize);
    if index > list.len() {
        return Err(no_rule(sheet, index));
    }
    list.insert(index, rule);
    Ok(no_reply())
}

/// Applies `updateConditionalFormatRule`: another rule at an index, or another index for a rule.
pub(super) fn update_format(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let index = super::index(request, "index").map_or(0, |index| index as usize);
    if let Some(rule) = request.get("rule") {
        let rule = normal(Some(rule), "ConditionalFormatRule");
        let sheet = rule_sheet(batch, &rule)?;
        let list = batch.book.sheet_mut(sheet)?.list_mut(FORMATS);
        let place = list.get_mut(index).ok_or_else(|| no_rule(sheet, index))?;
        let old = std::mem::replace(place, rule.clone());
        return Ok(json!({"updateConditionalFormatRule": {
            "newRule": rule, "newIndex": index, "oldRule": old, "oldIndex": index
        }}));
    }
    let sheet = sheet_id(request);
    let list = batch.book.sheet_mut(sheet)?.list_mut(FORMATS);
    let new = super::index(request, "newIndex").map_or(0, |index| index as usize);
    if index >= list.len() || new >= list.len() {
        return Err(no_rule(sheet, index.max(new)));
    }
    let rule = list.remove(index);
    list.insert(new, rule.clone());
    Ok(
        json!({"updateConditionalFormatRule": {"newRule": rule, "newIndex": new, "oldIndex": index}}),
    )
}

/// Applies `deleteConditionalFormatRule`; it tells the rule that went.
pub(super) fn delete_format(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let index = super::index(request, "index").map_or(0, |index| index as usize);
    let id = sheet_id(request);
    let sheet = batch.book.sheet_mut(id)?;
    if index >= sheet.list(FORMATS).len() {
        return Err(no_rule(id, index));
    }
    let rule = sheet.list_mut(FORMATS).remove(index);
    sheet.lists.retain(|_, list| !list.is_empty());
    Ok(json!({"deleteConditionalFormatRule": {"rule": rule}}))
}
