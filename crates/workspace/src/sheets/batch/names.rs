//! Named ranges.

use rand::RngExt as _;
use serde_json::{Map, Value, json};

use super::{Batch, no_reply, update_mask};
use crate::book::{Book, normalize};
use crate::http::ApiError;
use crate::schema;
use crate::sheets::ranges::Range;

/// Applies `addNamedRange`.
pub(super) fn add(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mut given = request.get("namedRange").cloned().unwrap_or_else(|| json!({}));
    if let Some(message) = schema::message("NamedRange") {
        normalize(&mut given, message);
    }
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text("name");
    check_name(&batch.book, &name, None)?;
    let range = own_range(&batch.book, given.get("range"))?;
    let mut id = text("namedRangeId");
    if id.is_empty() {
        id = rand::rng().random_range(1_000_000..2_147_483_647_u32).to_string();
    }
    if find(&batch.book, &id).is_some() {
        return Err(ApiError::invalid(format!("A named range with id {id} already exists.")));
    }
    let stored = json!({"namedRangeId": id, "name": name, "range": range});
    batch.book.head_mut().named_ranges.push(stored.clone());
    Ok(json!({"addNamedRange": {"namedRange": stored}}))
}

fn own_range(book: &Book, range: Option<&Value>) -> Result<Value, ApiError> {
    let range = range.ok_or_else(|| ApiError::invalid("namedRange.range must be specified."))?;
    let found = Range::of_object(book, range)?;
    let sheet = book.sheet(found.sheet).ok_or_else(ApiError::not_found)?;
    found.inside(sheet)?;
    Ok(range.clone())
}

fn check_name(book: &Book, name: &str, own: Option<&str>) -> Result<(), ApiError> {
    let word = !name.is_empty()
        && name.chars().count() <= 250
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        && !matches!(name.to_ascii_lowercase().as_str(), "true" | "false")
        && lockstep_a1::parse_cells(name).is_none();
    if !word {
        return Err(ApiError::invalid(format!(
            "The name \"{name}\" is not valid for a named range."
        )));
    }
    let taken = book.head.named_ranges.iter().any(|range| {
        let text = |field: &str| range.get(field).and_then(Value::as_str).unwrap_or_default();
        text("name").eq_ignore_ascii_case(name) && Some(text("namedRangeId")) != own
    });
    if taken {
        return Err(ApiError::invalid(format!(
            "A named range with the name \"{name}\" already exists. Please enter another name."
        )));
    }
    Ok(())
}

fn find(book: &Book, id: &str) -> Option<usize> {
    book.head
        .named_ranges
        .iter()
        .position(|range| range.get("namedRangeId").and_then(Value::as_str) == Some(id))
}

fn missing(id: &str) -> ApiError {
    ApiError::invalid(format!("No named range with id: {id}"))
}

/// Applies `updateNamedRange`.
pub(super) fn update(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mask = update_mask(request, "NamedRange")?;
    let mut given = request.get("namedRange").cloned().unwrap_or_else(|| json!({}));
    if let Some(message) = schema::message("NamedRange") {
        normalize(&mut given, message);
    }
    let id = given.get("namedRangeId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let at = find(&batch.book, &id).ok_or_else(|| missing(&id))?;
    if mask.child("name").is_some() {
        let name = given.get("name").and_then(Value::as_str).unwrap_or_default();
        check_name(&batch.book, name, Some(&id))?;
    }
    if mask.child("range").is_some_and(crate::fields::Mask::is_all) {
        own_range(&batch.book, given.get("range"))?;
    }
    if let (Some(Value::Object(stored)), Value::Object(given)) =
        (batch.book.head_mut().named_ranges.get_mut(at), &given)
    {
        let mut next: Map<String, Value> = stored.clone();
        mask.update(&mut next, given);
        next.insert("namedRangeId".to_owned(), id.into());
        *stored = next;
    }
    Ok(no_reply())
}

/// Applies `deleteNamedRange`.
pub(super) fn delete(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let id = request.get("namedRangeId").and_then(Value::as_str).unwrap_or_default();
    let at = find(&batch.book, id).ok_or_else(|| missing(id))?;
    batch.book.head_mut().named_ranges.remove(at);
    Ok(no_reply())
}
