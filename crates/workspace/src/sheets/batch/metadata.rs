//! Developer metadata: create, update, delete.

use rand::RngExt as _;
use serde_json::{Value, json};

use super::{Batch, sheet_id, update_mask};
use crate::book::{Book, Location, Metadata};
use crate::http::ApiError;
use crate::sheets::dimension;
use crate::sheets::filter;

/// Is how many characters keys and values take at most, for the spreadsheet and for each sheet.
const MAX_CHARACTERS: usize = 30_000;

/// Applies `createDeveloperMetadata`.
///
/// An id that the caller chooses is unique within the spreadsheet: a second create with it fails
/// the whole batch (DESIGN section 6 builds its marker on that; the text is ours, no recording of
/// this error was found).
pub(super) fn create(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let given = request
        .get("developerMetadata")
        .ok_or_else(|| ApiError::invalid("developerMetadata must be specified."))?;
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = text("metadataKey");
    if key.is_empty() {
        return Err(ApiError::invalid("DeveloperMetadata.metadataKey must be specified."));
    }
    let visibility = text("visibility");
    if visibility.is_empty() || visibility == "DEVELOPER_METADATA_VISIBILITY_UNSPECIFIED" {
        return Err(ApiError::invalid("DeveloperMetadata.visibility must be specified."));
    }
    let book = &mut batch.book;
    let location = given
        .get("location")
        .ok_or_else(|| ApiError::invalid("DeveloperMetadata.location must be specified."))?;
    let (sheet, location) = read_location(book, location)?;
    let id = match given.get("metadataId").and_then(Value::as_i64) {
        None => free_id(book),
        Some(id) => {
            let id = i32::try_from(id).unwrap_or(-1);
            if id < 0 {
                return Err(ApiError::invalid(format!(
                    "DeveloperMetadata.metadataId[{id}] must be at least 0"
                )));
            }
            if known(book, id) {
                return Err(ApiError::invalid(format!(
                    "Developer metadata with ID {id} already exists."
                )));
            }
            id
        }
    };
    let entry = Metadata { id, key, value: text("metadataValue"), visibility, location };
    let told = entry.json(sheet.unwrap_or(0));
    entries_mut(book, sheet)?.push(entry);
    check_budget(book, sheet)?;
    Ok(json!({"createDeveloperMetadata": {"developerMetadata": told}}))
}

fn known(book: &Book, id: i32) -> bool {
    filter::entries(book).any(|(_, entry)| entry.id == id)
}

fn free_id(book: &Book) -> i32 {
    let mut random = rand::rng();
    loop {
        let id = random.random_range(1_000..i32::MAX);
        if !known(book, id) {
            return id;
        }
    }
}

fn entries_mut(book: &mut Book, sheet: Option<i32>) -> Result<&mut Vec<Metadata>, ApiError> {
    match sheet {
        None => Ok(&mut book.head_mut().metadata),
        Some(id) => Ok(&mut book.sheet_mut(id)?.metadata),
    }
}

fn check_budget(book: &mut Book, sheet: Option<i32>) -> Result<(), ApiError> {
    let used: usize = entries_mut(book, sheet)?
        .iter()
        .map(|entry| entry.key.chars().count() + entry.value.chars().count())
        .sum();
    if used > MAX_CHARACTERS {
        let place = if sheet.is_some() { "sheet" } else { "spreadsheet" };
        return Err(ApiError::invalid(format!(
            "Developer metadata of this {place} would exceed the limit of {MAX_CHARACTERS} characters."
        )));
    }
    Ok(())
}

fn read_location(book: &Book, location: &Value) -> Result<(Option<i32>, Location), ApiError> {
    if location.get("spreadsheet") == Some(&Value::Bool(true)) {
        return Ok((None, Location::Spreadsheet));
    }
    if let Some(range) = location.get("dimensionRange") {
        let id = sheet_id(range);
        let sheet =
            book.sheet(id).ok_or_else(|| ApiError::invalid(format!("No grid with id: {id}")))?;
        let axis = range
            .get("dimension")
            .and_then(Value::as_str)
            .and_then(crate::book::Axis::parse)
            .ok_or_else(|| ApiError::invalid("No dimension specified."))?;
        let start = super::index(range, "startIndex").unwrap_or(0);
        if super::index(range, "endIndex") != Some(start + 1) {
            return Err(ApiError::invalid("DimensionRange must represent a single row or column"));
        }
        let length = dimension::length(sheet, axis);
        if start >= length {
            return Err(ApiError::invalid(format!(
                "DimensionRange.startIndex[{start}] is beyond the grid, whose length is {length}"
            )));
        }
        let place = match axis {
            crate::book::Axis::Rows => Location::Row(start),
            crate::book::Axis::Columns => Location::Column(start),
        };
        return Ok((Some(id), place));
    }
    if location.get("sheetId").is_some() {
        let id = sheet_id(location);
        if book.sheet(id).is_none() {
            return Err(ApiError::invalid(format!("No grid with id: {id}")));
        }
        return Ok((Some(id), Location::Sheet));
    }
    Err(ApiError::invalid("DeveloperMetadata.location must be specified."))
}

fn chosen(book: &Book, request: &Value) -> Result<Vec<i32>, ApiError> {
    let filters: Vec<&Value> = match (request.get("dataFilter"), request.get("dataFilters")) {
        (Some(one), _) => vec![one],
        (None, Some(many)) => many.as_array().into_iter().flatten().collect(),
        (None, None) => return Err(ApiError::invalid("A data filter must be specified.")),
    };
    let mut ids = Vec::new();
    for filter in filters {
        for (_, entry) in filter::metadata(book, filter)? {
            if !ids.contains(&entry.id) {
                ids.push(entry.id);
            }
        }
    }
    Ok(ids)
}

/// Applies `deleteDeveloperMetadata`; it tells what it deleted.
pub(super) fn delete(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mut deleted = Vec::new();
    for id in chosen(&batch.book, request)? {
        if let Some((sheet, entry)) = take(&mut batch.book, id)? {
            deleted.push(entry.json(sheet.unwrap_or(0)));
        }
    }
    if deleted.is_empty() {
        return Ok(json!({"deleteDeveloperMetadata": {}}));
    }
    Ok(json!({"deleteDeveloperMetadata": {"deletedDeveloperMetadata": deleted}}))
}

fn take(book: &mut Book, id: i32) -> Result<Option<(Option<i32>, Metadata)>, ApiError> {
    let Some((sheet, entry)) = filter::entries(book)
        .find(|(_, entry)| entry.id == id)
        .map(|(sheet, entry)| (sheet, entry.clone()))
    else {
        return Ok(None);
    };
    entries_mut(book, sheet)?.retain(|entry| entry.id != id);
    Ok(Some((sheet, entry)))
}

/// Applies `updateDeveloperMetadata`.
pub(super) fn update(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mask = update_mask(request, "DeveloperMetadata")?;
    let given = request.get("developerMetadata").cloned().unwrap_or_else(|| json!({}));
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut updated = Vec::new();
    for id in chosen(&batch.book, request)? {
        let Some((mut sheet, mut entry)) = take(&mut batch.book, id)? else {
            continue;
        };
        if mask.child("metadataKey").is_some() && !text("metadataKey").is_empty() {
            entry.key = text("metadataKey");
        }
        if mask.child("metadataValue").is_some() {
            entry.value = text("metadataValue");
        }
        if mask.child("visibility").is_some() && !text("visibility").is_empty() {
            entry.visibility = text("visibility");
        }
        if mask.child("location").is_some()
            && let Some(location) = given.get("location")
        {
            (sheet, entry.location) = read_location(&batch.book, location)?;
        }
        updated.push(entry.json(sheet.unwrap_or(0)));
        entries_mut(&mut batch.book, sheet)?.push(entry);
        check_budget(&mut batch.book, sheet)?;
    }
    if updated.is_empty() {
        return Ok(json!({"updateDeveloperMetadata": {}}));
    }
    Ok(json!({"updateDeveloperMetadata": {"developerMetadata": updated}}))
}
