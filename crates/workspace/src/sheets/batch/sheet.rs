//! Sheets as wholes: add, delete, duplicate, properties; and the properties of the spreadsheet.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Batch, no_reply, retarget, sheet_id, update_mask};
use crate::book::{Axis, Book, COLUMNS, ROWS, Sheet, new_sheet_id, normalize, sheet_title};
use crate::http::ApiError;
use crate::schema;
use crate::sheets::dimension;

/// Is how many sheets a spreadsheet holds at most (documented).
const MAX_SHEETS: usize = 200;

/// Applies `addSheet`.
pub(super) fn add(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let properties = request.get("properties").cloned().unwrap_or_else(|| json!({}));
    let id = add_sheet(batch, &properties)?;
    Ok(json!({"addSheet": {"properties": told(&batch.book, id)}}))
}

fn told(book: &Book, id: i32) -> Value {
    let index = place(book, id);
    book.sheet(id).map(|sheet| sheet.properties_json(index)).unwrap_or_default()
}

fn place(book: &Book, id: i32) -> usize {
    book.sheets.iter().position(|sheet| sheet.id == id).unwrap_or(0)
}

/// Adds a sheet from SheetProperties; returns its id.
pub(crate) fn add_sheet(batch: &mut Batch<'_, '_>, properties: &Value) -> Result<i32, ApiError> {
    let mut properties = properties.clone();
    if let Some(message) = schema::message("SheetProperties") {
        normalize(&mut properties, message);
    }
    let Value::Object(mut properties) = properties else {
        return Err(ApiError::invalid("SheetProperties must be an object."));
    };
    let book = &mut batch.book;
    if book.sheets.len() >= MAX_SHEETS {
        return Err(ApiError::invalid(format!(
            "This action would increase the number of sheets in the workbook above the limit of {MAX_SHEETS} sheets."
        )));
    }
    let id = match properties.shift_remove("sheetId").and_then(|id| id.as_i64()) {
        Some(id) => i32::try_from(id).unwrap_or(-1),
        None => new_sheet_id(book),
    };
    if id < 0 {
        return Err(ApiError::invalid("sheetId must be non-negative."));
    }
    if book.sheet(id).is_some() {
        return Err(ApiError::invalid(format!("Sheet with id {id} already exists.")));
    }
    let title =
        match properties.get("title").and_then(Value::as_str).filter(|title| !title.is_empty()) {
            Some(title) => title.to_owned(),
            None => free_title(book),
        };
    check_title(book, &title, None)?;
    let kind = properties.get("sheetType").and_then(Value::as_str).unwrap_or("GRID");
    if kind == "DATA_SOURCE" || kind == "OBJECT" {
        return Err(ApiError::invalid(format!(
            "sheetType {kind} is not supported by the embedded workspace; use GRID."
        )));
    }
    let mut grid = match properties.shift_remove("gridProperties") {
        Some(Value::Object(grid)) => grid,
        _ => Map::new(),
    };
    let size = |grid: &mut Map<String, Value>, name: &str, default: u32| -> Result<u32, ApiError> {
        match grid.shift_remove(name).and_then(|size| size.as_i64()) {
            None | Some(0) => Ok(default),
            Some(size) => u32::try_from(size).map_err(|_| {
                ApiError::invalid(format!("gridProperties.{name}[{size}] must be at least 1"))
            }),
        }
    };
    let rows = size(&mut grid, "rowCount", ROWS)?;
    let columns = size(&mut grid, "columnCount", COLUMNS)?;
    dimension::check_size(book, u64::from(rows) * u64::from(columns), columns)?;
    check_frozen(&grid, rows, columns)?;
    let index = properties.shift_remove("index").and_then(|index| index.as_u64());
    let mut sheet = Sheet::new(id, &title, rows, columns);
    set_grid(&mut sheet, grid);
    drop_defaults(&mut properties);
    properties.insert("title".to_owned(), title.into());
    properties.insert("sheetType".to_owned(), "GRID".into());
    let kept = sheet.properties.shift_remove("gridProperties");
    sheet.properties = properties;
    if let Some(kept) = kept {
        sheet.properties.insert("gridProperties".to_owned(), kept);
    }
    let count = book.sheets.len();
    let index = index.and_then(|index| usize::try_from(index).ok()).unwrap_or(count);
    if index > count {
        return Err(ApiError::invalid(format!(
            "sheet index[{index}] is after last sheet[{count}]"
        )));
    }
    book.sheets.insert(index, Arc::new(sheet));
    book.note_order();
    Ok(id)
}

fn set_grid(sheet: &mut Sheet, mut grid: Map<String, Value>) {
    grid.retain(|name, value| {
        name != "rowCount"
            && name != "columnCount"
            && *value != Value::Bool(false)
            && value.as_i64() != Some(0)
    });
    if grid.is_empty() {
        sheet.properties.shift_remove("gridProperties");
    } else {
        sheet.properties.insert("gridProperties".to_owned(), Value::Object(grid));
    }
}

fn drop_defaults(properties: &mut Map<String, Value>) {
    properties.retain(|name, value| {
        !(matches!(name.as_str(), "hidden" | "rightToLeft") && *value == Value::Bool(false))
    });
}

fn free_title(book: &Book) -> String {
    let mut number = book.sheets.len() + 1;
    loop {
        let title = sheet_title(book.locale(), number);
        if book.sheet_titled(&title).is_none() {
            return title;
        }
        number += 1;
    }
}

fn check_title(book: &Book, title: &str, own: Option<i32>) -> Result<(), ApiError> {
    if title.chars().count() > 100 {
        return Err(ApiError::invalid(
            "Sheet title is too long. A sheet title may not exceed 100 characters.",
        ));
    }
    let lower = title.to_lowercase();
    let taken = book
        .sheets
        .iter()
        .any(|sheet| Some(sheet.id) != own && sheet.title().to_lowercase() == lower);
    if taken {
        return Err(ApiError::invalid(format!(
            "A sheet with the name \"{title}\" already exists. Please enter another name."
        )));
    }
    Ok(())
}

fn check_frozen(grid: &Map<String, Value>, rows: u32, columns: u32) -> Result<(), ApiError> {
    for (name, size, noun) in
        [("frozenRowCount", rows, "rows"), ("frozenColumnCount", columns, "columns")]
    {
        let frozen = grid.get(name).and_then(Value::as_i64).unwrap_or(0);
        if frozen >= i64::from(size) {
            return Err(ApiError::invalid(format!(
                "You can't freeze all visible {noun} on the sheet."
            )));
        }
    }
    Ok(())
}

/// Applies `deleteSheet`.
pub(super) fn delete(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let id = sheet_id(request);
    let book = &mut batch.book;
    book.sheet_mut(id)?;
    if !book.sheets.iter().any(|sheet| sheet.id != id && !sheet.is_hidden()) {
        return Err(ApiError::invalid("You can't remove all the sheets in a document."));
    }
    book.sheets.retain(|sheet| sheet.id != id);
    book.note_order();
    book.head_mut().named_ranges.retain(|range| range.get("range").map(sheet_id) != Some(id));
    Ok(no_reply())
}

/// Applies `duplicateSheet`.
pub(super) fn duplicate(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let source =
        super::index(request, "sourceSheetId").map_or(0, |id| i32::try_from(id).unwrap_or(-1));
    let original = Arc::clone(
        batch
            .book
            .sheet_arc(source)
            .ok_or_else(|| ApiError::invalid(format!("No grid with id: {source}")))?,
    );
    let id = match request.get("newSheetId").and_then(Value::as_i64) {
        Some(id) => i32::try_from(id).unwrap_or(-1),
        None => new_sheet_id(&batch.book),
    };
    if id < 0 || batch.book.sheet(id).is_some() {
        return Err(ApiError::invalid(format!("Sheet with id {id} already exists.")));
    }
    let title = match request.get("newSheetName").and_then(Value::as_str) {
        Some(title) => title.to_owned(),
        None => copy_title(&batch.book, original.title()),
    };
    check_title(&batch.book, &title, None)?;
    let cells = u64::from(original.grid.rows()) * u64::from(original.grid.columns());
    dimension::check_size(&batch.book, cells, original.grid.columns())?;
    let mut copy = Sheet::clone(&original);
    copy.grid = original.grid.duplicate(batch.session)?;
    copy.id = id;
    copy.properties.insert("title".to_owned(), title.into());
    // Metadata ids are unique in the spreadsheet, so the copy starts without.
    copy.metadata.clear();
    retarget(&mut copy, source);
    let count = batch.book.sheets.len();
    let index = super::index(request, "insertSheetIndex").map_or(0, |index| index as usize);
    batch.book.sheets.insert(index.min(count), Arc::new(copy));
    batch.book.note_order();
    Ok(json!({"duplicateSheet": {"properties": told(&batch.book, id)}}))
}

fn copy_title(book: &Book, title: &str) -> String {
    let base = format!("Copy of {title}");
    let mut free = base.clone();
    let mut number = 1;
    while book.sheet_titled(&free).is_some() {
        number += 1;
        free = format!("{base} {number}");
    }
    free
}

/// Applies `updateSheetProperties`.
pub(super) fn update(batch: &mut Batch<'_, '_>, request: &Value) -> Result<Value, ApiError> {
    let mask = update_mask(request, "SheetProperties")?;
    let mut given = request.get("properties").cloned().unwrap_or_else(|| json!({}));
    if let Some(message) = schema::message("SheetProperties") {
        normalize(&mut given, message);
    }
    let id = sheet_id(&given);
    batch.book.sheet_mut(id)?;
    let Value::Object(given) = given else {
        return Err(ApiError::invalid("SheetProperties must be an object."));
    };
    let title = mask.child("title").and_then(|_| given.get("title")).and_then(Value::as_str);
    if let Some(title) = title {
        if title.is_empty() {
            return Err(ApiError::invalid("Sheet title may not be empty."));
        }
        check_title(&batch.book, title, Some(id))?;
        rename(batch, id, title)?;
    }
    if let Some(shape) = mask.child("gridProperties") {
        let new =
            given.get("gridProperties").and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, axis) in [("rowCount", Axis::Rows), ("columnCount", Axis::Columns)] {
            if shape.child(name).is_some()
                && let Some(count) = new.get(name).and_then(Value::as_i64)
            {
                resize(batch, id, axis, count, name)?;
            } else if shape.child(name).is_some() && !shape.is_all() {
                return Err(ApiError::invalid(format!("gridProperties.{name} must be set.")));
            }
        }
        let sheet = batch.book.sheet_mut(id)?;
        let mut grid = match sheet.properties.get("gridProperties") {
            Some(Value::Object(grid)) => grid.clone(),
            _ => Map::new(),
        };
        shape.update(&mut grid, &new);
        check_frozen(&grid, sheet.grid.rows(), sheet.grid.columns())?;
        set_grid(sheet, grid);
    }
    let sheet = batch.book.sheet_mut(id)?;
    for name in ["hidden", "rightToLeft", "tabColor", "tabColorStyle"] {
        if mask.child(name).is_some() {
            match given.get(name) {
                Some(value) => sheet.properties.insert(name.to_owned(), value.clone()),
                None => sheet.properties.shift_remove(name),
            };
        }
    }
    drop_defaults(&mut sheet.properties);
    if batch.book.sheets.iter().all(|sheet| sheet.is_hidden()) {
        return Err(ApiError::invalid("You can't hide all the sheets in a document."));
    }
    if mask.child("index").is_some()
        && let Some(index) = given.get("index").and_then(Value::as_u64)
    {
        reorder(&mut batch.book, id, index)?;
    }
    Ok(no_reply())
}

/// Moves a tab before the one at an index, which is counted before the tab is taken out.
fn reorder(book: &mut Book, id: i32, index: u64) -> Result<(), ApiError> {
    let count = book.sheets.len();
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    if index > count {
        return Err(ApiError::invalid(format!(
            "sheet index[{index}] is after last sheet[{count}]"
        )));
    }
    let from = place(book, id);
    let to = if index > from { index - 1 } else { index };
    let sheet = book.sheets.remove(from);
    book.sheets.insert(to.min(count - 1), sheet);
    book.note_order();
    Ok(())
}

fn rename(batch: &mut Batch<'_, '_>, id: i32, title: &str) -> Result<(), ApiError> {
    let sheet = batch.book.sheet_mut(id)?;
    let old = sheet.title().to_owned();
    sheet.properties.insert("title".to_owned(), title.into());
    crate::sheets::formulas::renamed(batch.session, &mut batch.book, &old, title)
}

fn resize(
    batch: &mut Batch<'_, '_>,
    id: i32,
    axis: Axis,
    count: i64,
    name: &str,
) -> Result<(), ApiError> {
    let count = u32::try_from(count).ok().filter(|count| *count > 0).ok_or_else(|| {
        ApiError::invalid(format!("gridProperties.{name}[{count}] must be at least 1"))
    })?;
    let now = dimension::length(batch.book.sheet_mut(id)?, axis);
    if count > now {
        dimension::append(batch.session, &mut batch.book, id, axis, count - now)
    } else if count < now {
        dimension::delete(batch.session, &mut batch.book, id, axis, count, now)
    } else {
        Ok(())
    }
}

/// Applies `updateSpreadsheetProperties`.
pub(super) fn update_spreadsheet(
    batch: &mut Batch<'_, '_>,
    request: &Value,
) -> Result<Value, ApiError> {
    let mask = update_mask(request, "SpreadsheetProperties")?;
    let mut given = request.get("properties").cloned().unwrap_or_else(|| json!({}));
    if let Some(message) = schema::message("SpreadsheetProperties") {
        normalize(&mut given, message);
    }
    let Value::Object(given) = given else {
        return Err(ApiError::invalid("SpreadsheetProperties must be an object."));
    };
    let text = |name: &str| mask.child(name).and_then(|_| given.get(name)).and_then(Value::as_str);
    if let Some(zone) = text("timeZone")
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        return Err(ApiError::invalid(format!("Invalid time zone: {zone}")));
    }
    if mask.child("title").is_some() && text("title").is_none_or(str::is_empty) && !mask.is_all() {
        return Err(ApiError::invalid("Spreadsheet title may not be empty."));
    }
    let head = batch.book.head_mut();
    let required: Vec<(&str, Value)> = ["title", "locale", "autoRecalc", "timeZone"]
        .into_iter()
        .filter_map(|name| Some((name, head.properties.get(name)?.clone())))
        .collect();
    mask.update(&mut head.properties, &given);
    for (name, value) in required {
        head.properties.entry(name).or_insert(value);
    }
    Ok(no_reply())
}
