//! New spreadsheets, and sheets copied between them.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Map, Value};

use super::batch::cells::update_rows;
use super::batch::{Batch, sheet::add_sheet};
use super::get::{View, tell};
use super::{Request, body_of, commit};
use crate::book::{Book, Sheet, blank, new_id, new_sheet_id, normalize, sheet_title};
use crate::http::ApiError;
use crate::schema;

/// Answers `POST /v4/spreadsheets`.
pub(crate) async fn create(request: Request) -> Result<Response, ApiError> {
    let mask = request.mask("Spreadsheet")?;
    let mut body = body_of(&request.call, "Spreadsheet", "spreadsheet")?;
    if let Some(message) = schema::message("Spreadsheet") {
        normalize(&mut body, message);
    }
    let app = request.app.clone();
    let answer = request
        .app
        .store
        .write(move |session| {
            let given =
                body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            let text = |name: &str, or: &str| {
                given.get(name).and_then(Value::as_str).unwrap_or(or).to_owned()
            };
            let title = text("title", "Untitled spreadsheet");
            let mut book = blank(
                &new_id(),
                &title,
                &text("locale", &app.options.locale),
                &text("timeZone", &app.options.time_zone),
            );
            for (name, value) in given {
                book.head_mut().properties.insert(name, value);
            }
            let sheets = body.get("sheets").and_then(Value::as_array).cloned().unwrap_or_default();
            let mut batch = Batch::new(session, book, &app);
            if !sheets.is_empty() {
                batch.book.sheets.clear();
                for sheet in &sheets {
                    fill(&mut batch, sheet)?;
                }
            }
            for range in body.get("namedRanges").and_then(Value::as_array).into_iter().flatten() {
                batch.run("addNamedRange", &serde_json::json!({ "namedRange": range }))?;
            }
            for entry in
                body.get("developerMetadata").and_then(Value::as_array).into_iter().flatten()
            {
                batch.run(
                    "createDeveloperMetadata",
                    &serde_json::json!({ "developerMetadata": entry }),
                )?;
            }
            let Batch { session, mut book, .. } = batch;
            book.note_order();
            let book = commit(session, &app, book)?;
            tell(session, &book, &View { mask, ..View::default() })
        })
        .await?;
    Ok(crate::http::json(200, &answer, request.call.pretty()))
}

/// Adds one sheet of a create request, with its cells and objects.
fn fill(batch: &mut Batch<'_, '_>, sheet: &Value) -> Result<(), ApiError> {
    let number = batch.book.sheets.len() + 1;
    let mut properties =
        sheet.get("properties").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    if let Value::Object(map) = &mut properties {
        let default = sheet_title(batch.book.locale(), number);
        map.entry("title").or_insert_with(|| default.into());
        if number == 1 {
            map.entry("sheetId").or_insert_with(|| 0.into());
        }
    }
    let id = add_sheet(batch, &properties)?;
    for data in sheet.get("data").and_then(Value::as_array).into_iter().flatten() {
        let number = |name: &str| {
            data.get(name)
                .and_then(Value::as_u64)
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(0)
        };
        let rows = data.get("rowData").and_then(Value::as_array).cloned().unwrap_or_default();
        update_rows(batch, id, (number("startRow"), number("startColumn")), &rows)?;
    }
    let target = batch.book.sheet_mut(id)?;
    for name in crate::book::LISTS {
        if let Some(list) =
            sheet.get(name).and_then(Value::as_array).filter(|list| !list.is_empty())
        {
            *target.list_mut(name) = list.clone();
        }
    }
    target.basic_filter = sheet.get("basicFilter").cloned();
    for entry in sheet.get("developerMetadata").and_then(Value::as_array).into_iter().flatten() {
        batch.run("createDeveloperMetadata", &serde_json::json!({ "developerMetadata": entry }))?;
    }
    Ok(())
}

/// Answers `POST .../sheets/{sheetId}:copyTo`.
pub(crate) async fn copy_to(request: Request, sheet: String) -> Result<Response, ApiError> {
    request.mask("SheetProperties")?;
    let body = body_of(&request.call, "CopySheetToAnotherSpreadsheetRequest", "")?;
    let (app, id) = (request.app.clone(), request.id.clone());
    let answer = request
        .app
        .store
        .write(move |session| {
            let source = session.book(&id)?;
            let sheet =
                sheet.parse().ok().and_then(|sheet| source.sheet_arc(sheet)).ok_or_else(|| {
                    ApiError::invalid(format!("The sheet ({sheet}) cannot be found."))
                })?;
            let target =
                body.get("destinationSpreadsheetId").and_then(Value::as_str).unwrap_or_default();
            let mut book = Book::clone(&*session.book(target)?);
            let mut copy = Sheet::clone(sheet);
            copy.grid = sheet.grid.duplicate(session)?;
            copy.id = new_sheet_id(&book);
            let base = format!("Copy of {}", sheet.title());
            let mut title = base.clone();
            let mut number = 1;
            while book.sheet_titled(&title).is_some() {
                number += 1;
                title = format!("{base} {number}");
            }
            copy.properties.insert("title".to_owned(), title.into());
            super::batch::own_formats(&source, &mut book, &mut copy, session)?;
            super::batch::retarget(&mut copy, sheet.id);
            copy.metadata.clear();
            super::dimension::check_size(
                &book,
                u64::from(copy.grid.rows()) * u64::from(copy.grid.columns()),
                copy.grid.columns(),
            )?;
            let new = copy.id;
            book.sheets.push(Arc::new(copy));
            book.note_order();
            let book = commit(session, &app, book)?;
            let index = book.sheets.len().saturating_sub(1);
            Ok(book.sheet(new).map(|sheet| sheet.properties_json(index)).unwrap_or_default())
        })
        .await?;
    request.answer("SheetProperties", answer)
}
