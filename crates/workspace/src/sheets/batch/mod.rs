//! spreadsheets.batchUpdate: requests in order, all of them or none.

mod body;
mod borders;
pub(crate) mod cells;
mod dimensions;
mod find;
mod groups;
mod merges;
mod metadata;
mod names;
mod objects;
mod paste;
pub(crate) mod protect;
mod rules;
pub(crate) mod sheet;
mod sort;
mod tidy;

use std::collections::HashMap;

use axum::response::Response;
use serde_json::{Map, Value, json};

pub(crate) use self::body::Rows;
use self::body::{Body, Read};
use super::get::{View, tell};
use super::ranges::Range;
use super::{Request, commit};
use crate::app::App;
use crate::book::{Book, Sheet};
use crate::fields::Mask;
use crate::grid::Row;
use crate::http::ApiError;
use crate::schema;
use crate::store::Session;

/// Is how many requests one batch takes at most (google-wire 2.6).
const MAX_REQUESTS: usize = 100_000;

/// Is a batch at work: a working copy of a book inside a transaction.
pub(crate) struct Batch<'a, 'b> {
    pub(crate) session: &'a mut Session<'b>,
    pub(crate) book: Book,
    /// Milliseconds since 1970 UTC.
    pub(crate) now_ms: i64,
    pub(crate) owner: String,
    /// Who calls; `None` is the owner, who may edit everything.
    pub(crate) caller: Option<String>,
}

impl<'a, 'b> Batch<'a, 'b> {
    /// Starts a batch on a copy of a book.
    pub(crate) fn new(session: &'a mut Session<'b>, book: Book, app: &App) -> Self {
        Self { session, now_ms: app.now_ms(), book, owner: app.options.owner.clone(), caller: None }
    }

    /// Applies one request of a kind and returns its reply, `{}` where it has none.
    pub(crate) fn run(&mut self, kind: &str, request: &Value) -> Result<Value, ApiError> {
        match kind {
            "updateCells" => cells::update(self, request, &Rows::of(request)),
            "appendCells" => cells::append(self, request, &Rows::of(request)),
            "repeatCell" => cells::repeat(self, request),
            "addSheet" => sheet::add(self, request),
            "deleteSheet" => sheet::delete(self, request),
            "duplicateSheet" => sheet::duplicate(self, request),
            "updateSheetProperties" => sheet::update(self, request),
            "updateSpreadsheetProperties" => sheet::update_spreadsheet(self, request),
            "appendDimension" => dimensions::append(self, request),
            "insertDimension" => dimensions::insert(self, request),
            "deleteDimension" => dimensions::delete(self, request),
            "moveDimension" => dimensions::shift(self, request),
            "updateDimensionProperties" => dimensions::update(self, request),
            "autoResizeDimensions" => dimensions::auto_resize(self, request),
            "createDeveloperMetadata" => metadata::create(self, request),
            "updateDeveloperMetadata" => metadata::update(self, request),
            "deleteDeveloperMetadata" => metadata::delete(self, request),
            "addNamedRange" => names::add(self, request),
            "updateNamedRange" => names::update(self, request),
            "deleteNamedRange" => names::delete(self, request),
            "mergeCells" => merges::merge(self, request),
            "unmergeCells" => merges::unmerge(self, request),
            "sortRange" => sort::sort(self, request),
            "copyPaste" => paste::copy(self, request),
            "cutPaste" => paste::cut(self, request),
            "findReplace" => find::replace(self, request),
            "trimWhitespace" => tidy::trim(self, request),
            "deleteDuplicates" => tidy::deduplicate(self, request),
            "insertRange" => tidy::insert_range(self, request),
            "deleteRange" => tidy::delete_range(self, request),
            "addDimensionGroup" => groups::add(self, request),
            "deleteDimensionGroup" => groups::delete(self, request),
            "updateDimensionGroup" => groups::update(self, request),
            "addProtectedRange" => objects::protect(self, request),
            "updateProtectedRange" => objects::PROTECTED.update(self, request),
            "deleteProtectedRange" => {
                objects::PROTECTED.delete(self, request.get("protectedRangeId"))
            }
            "addFilterView" => objects::FILTER_VIEW.add(self, kind, request),
            "updateFilterView" => objects::FILTER_VIEW.update(self, request),
            "deleteFilterView" => objects::FILTER_VIEW.delete(self, request.get("filterId")),
            "addChart" => objects::CHART.add(self, kind, request),
            "updateChartSpec" => objects::update_spec(&objects::CHART, self, request),
            "addSlicer" => objects::SLICER.add(self, kind, request),
            "updateSlicerSpec" => objects::update_spec(&objects::SLICER, self, request),
            "deleteEmbeddedObject" => objects::delete_embedded(self, request),
            "addBanding" => objects::BANDING.add(self, kind, request),
            "updateBanding" => objects::BANDING.update(self, request),
            "deleteBanding" => objects::BANDING.delete(self, request.get("bandedRangeId")),
            "addTable" => objects::TABLE.add(self, kind, request),
            "updateTable" => objects::TABLE.update(self, request),
            "deleteTable" => objects::delete_table(self, request),
            "updateBorders" => borders::update(self, request),
            "setDataValidation" => rules::validate(self, request),
            "setBasicFilter" => rules::set_filter(self, request),
            "clearBasicFilter" => rules::clear_filter(self, request),
            "addConditionalFormatRule" => rules::add_format(self, request),
            "updateConditionalFormatRule" => rules::update_format(self, request),
            "deleteConditionalFormatRule" => rules::delete_format(self, request),
            _ => Err(ApiError::invalid(format!(
                "{kind} is not supported by the embedded workspace."
            ))),
        }
    }
}

/// Answers `POST /v4/spreadsheets/{id}:batchUpdate`.
pub(crate) async fn batch_update(request: Request) -> Result<Response, ApiError> {
    let mask = request.mask("BatchUpdateSpreadsheetResponse")?;
    let pretty = request.call.pretty();
    let caller = request.caller();
    let Request { app, call, id } = request;
    let store = app.store.clone();
    let answer = store
        .write(move |session| {
            let body = Body::read(&call)?;
            let count = body.requests.len();
            let bounds = if count == 0 {
                Err(ApiError::invalid("Must specify at least one request."))
            } else if count > MAX_REQUESTS {
                Err(ApiError::invalid(format!(
                    "Cannot exceed {MAX_REQUESTS} requests in a single batch."
                )))
            } else {
                session.book(&id)
            };
            // A fault in the form of any request comes before all else.
            let book = bounds.map_err(|error| body.faults(0).unwrap_or(error))?;
            let (book, replies) = apply(session, Book::clone(&book), &app, &body, caller)?;
            let mut answer = Map::new();
            answer.insert("spreadsheetId".to_owned(), id.into());
            answer.insert("replies".to_owned(), Value::Array(replies));
            let book = commit(session, &app, book)?;
            if body.rest.get("includeSpreadsheetInResponse") == Some(&Value::Bool(true)) {
                let view = response_view(&book, &body.rest, mask.as_ref())?;
                answer.insert("updatedSpreadsheet".to_owned(), tell(session, &book, &view)?);
            }
            let answer = Value::Object(answer);
            debug_assert!(
                super::fits(&answer, "BatchUpdateSpreadsheetResponse"),
                "not a BatchUpdateSpreadsheetResponse: {answer}"
            );
            Ok(match mask {
                Some(mask) => mask.apply(answer),
                None => answer,
            })
        })
        .await?;
    Ok(crate::http::json(200, &answer, pretty))
}

fn apply(
    session: &mut Session<'_>,
    book: Book,
    app: &App,
    body: &Body<'_>,
    caller: Option<String>,
) -> Result<(Book, Vec<Value>), ApiError> {
    let mut batch = Batch { caller, ..Batch::new(session, book, app) };
    let mut replies = Vec::with_capacity(body.requests.len());
    for index in 0..body.requests.len() {
        match one(&mut batch, body, index) {
            Ok(reply) => replies.push(reply),
            // All of it is taken back; the form of what comes after was not looked at yet.
            Err(error) => return Err(body.faults(index).unwrap_or(error)),
        }
    }
    Ok((batch.book, replies))
}

/// Reads and applies one request; returns its reply.
fn one(batch: &mut Batch<'_, '_>, body: &Body<'_>, index: usize) -> Result<Value, ApiError> {
    let Read { request, rows } = body.request(index)?;
    let mut kinds = request.as_object().into_iter().flatten();
    let (kind, inner) = match (kinds.next(), kinds.next()) {
        (Some(one), None) => one,
        (None, _) => {
            return Err(ApiError::invalid(format!("Invalid requests[{index}]: No request set.")));
        }
        (Some((first, _)), Some((second, _))) => {
            return Err(ApiError::invalid(format!(
                "Invalid JSON payload received. Oneof field '{second}' is already set. Cannot set '{first}' at 'requests[{index}]'"
            )));
        }
    };
    protect::check(batch, kind, inner, rows.as_ref())
        .and_then(|()| match (kind.as_str(), &rows) {
            ("updateCells", Some(rows)) => cells::update(batch, inner, rows),
            ("appendCells", Some(rows)) => cells::append(batch, inner, rows),
            _ => batch.run(kind, inner),
        })
        .map_err(|error| error.prefixed(&format!("Invalid requests[{index}].{kind}: ")))
}

fn response_view(book: &Book, body: &Value, mask: Option<&Mask>) -> Result<View, ApiError> {
    let ranges: Vec<Range> = body
        .get("responseRanges")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|text| Range::of_text(book, text.as_str().unwrap_or_default()))
        .collect::<Result<_, _>>()?;
    Ok(View {
        ranges: (!ranges.is_empty()).then_some(ranges),
        grid: body.get("responseIncludeGridData") == Some(&Value::Bool(true)),
        mask: mask.and_then(|mask| mask.child("updatedSpreadsheet").cloned()),
        caller: None,
    })
}

/// Returns the `fields` mask of an update request, checked against the message it updates.
///
/// # Errors
/// The recorded text when it is missing; an unknown field is named.
pub(crate) fn update_mask(request: &Value, message: &str) -> Result<Mask, ApiError> {
    let text = request.get("fields").and_then(Value::as_str).unwrap_or_default();
    if text.trim().is_empty() {
        return Err(ApiError::invalid(
            "At least one field must be listed in 'fields'. (Use '*' to indicate all fields.)",
        ));
    }
    let invalid = |path: &str| ApiError::invalid(format!("Invalid field: {path}"));
    let mask = Mask::parse(text).ok_or_else(|| invalid(text))?;
    let message =
        schema::message(message).ok_or_else(|| ApiError::internal(format!("no type {message}")))?;
    // The service takes masks that start at the request too: `properties.title`.
    match mask.unknown(message, "") {
        Some(path) => Err(invalid(&path)),
        None => Ok(mask.with_color_twins()),
    }
}

/// Returns a field as an index of rows or columns.
pub(crate) fn index(request: &Value, name: &str) -> Option<u32> {
    request.get(name).and_then(Value::as_i64).and_then(|number| u32::try_from(number).ok())
}

/// Returns the sheet id of a request; absent is 0.
pub(crate) fn sheet_id(request: &Value) -> i32 {
    request
        .get("sheetId")
        .and_then(Value::as_i64)
        .and_then(|id| i32::try_from(id).ok())
        .unwrap_or(0)
}

/// Returns the empty reply.
pub(crate) fn no_reply() -> Value {
    json!({})
}

/// Renumbers the formats of a sheet that comes from another book.
pub(crate) fn own_formats(
    source: &Book,
    target: &mut Book,
    sheet: &mut Sheet,
    session: &mut Session<'_>,
) -> Result<(), ApiError> {
    let mut numbers: HashMap<u32, u32> = HashMap::new();
    let formats = &mut target.head_mut().formats;
    sheet.grid.each_row_mut(session, &mut |row: &mut Row| {
        for cell in row.iter_mut().filter(|cell| cell.format != 0) {
            cell.format = *numbers.entry(cell.format).or_insert_with(|| {
                source
                    .head
                    .formats
                    .get(cell.format)
                    .map_or(0, |format| formats.number(format.clone()))
            });
        }
    })
}

/// Points every range of a copied sheet that named its original to the copy.
pub(crate) fn retarget(sheet: &mut Sheet, from: i32) {
    let to = sheet.id;
    for list in sheet.lists.values_mut() {
        list.iter_mut().for_each(|item| point(item, from, to));
    }
    if let Some(filter) = &mut sheet.basic_filter {
        point(filter, from, to);
    }
}

fn point(value: &mut Value, from: i32, to: i32) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| point(item, from, to)),
        Value::Object(map) => {
            let ranged = map.keys().any(|key| {
                matches!(
                    key.as_str(),
                    "startRowIndex"
                        | "endRowIndex"
                        | "startColumnIndex"
                        | "endColumnIndex"
                        | "dimension"
                        | "sheetId"
                )
            });
            let id = map.get("sheetId").and_then(Value::as_i64).unwrap_or(0);
            if ranged && id == i64::from(from) {
                map.insert("sheetId".to_owned(), to.into());
            }
            map.iter_mut().for_each(|(_, inner)| point(inner, from, to));
        }
        _ => {}
    }
}
