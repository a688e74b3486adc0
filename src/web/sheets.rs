//! The spreadsheets of the embedded workspace, and their sheets as grids.

use maud::html;
use serde_json::{Value, json};

use super::{
    Query, Viewer,
    frame::{self, Place, encode, page, scroll},
    words::moment_text,
};
use crate::{
    error::{Error, Kind, Result},
    sync::hidden::refuse_sheet,
    tools::{self, Context},
};

/// How many spreadsheets, rows and columns a page shows.
const FILES: u32 = 50;
const ROWS: u32 = 200;
const COLUMNS: usize = 60;

pub(super) async fn list(context: &Context, viewer: &Viewer, query: &Query) -> Result<String> {
    let mut arguments = json!({"type": "spreadsheet", "limit": FILES});
    put(&mut arguments, "cursor", query.get("after"));
    let found = call(context, "findFiles", arguments).await?;
    let text = |file: &Value, name: &str| {
        file.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let files: Vec<&Value> = all(&found, "files").collect();
    let table = html! {
        table {
            thead { tr { th scope="col" { "Name" } th scope="col" { "Changed" } th scope="col" { "Id" } } }
            tbody { @for file in &files { tr {
                th scope="row" { a href={ "/sheets/" (encode(&text(file, "id"))) } { (text(file, "name")) } }
                td.w { (moment_text(&text(file, "modified"))) }
                td { code { (text(file, "id")) } }
            } } }
        }
    };
    let body = html! {
        p.soft { "What the embedded workspace holds, read-only." }
        @if files.is_empty() { p.note { "There is no spreadsheet yet. One that a sync or a client creates appears here." } }
        @else { (scroll("Spreadsheets", &table)) }
        @if let Some(next) = found.get("nextCursor").and_then(Value::as_str) {
            nav aria-label="Pages" { ul { li { a rel="next" href=(frame::address("/sheets", &[("after", next)])) { "More" } } } }
        }
    };
    Ok(page(Some(viewer), Place::Sheets, "Sheets", &body))
}

pub(super) async fn grid(
    context: &Context,
    viewer: &Viewer,
    id: &str,
    query: &Query,
) -> Result<String> {
    refuse_sheet(&context.store, id).await?;
    let book = context.google.spreadsheet(id).await?;
    let tabs: Vec<&str> = book
        .sheets
        .iter()
        .filter(|sheet| sheet.has_grid)
        .map(|sheet| sheet.title.as_str())
        .collect();
    let wanted = query.get("sheet");
    let Some(sheet) = wanted.or_else(|| tabs.first().copied()) else {
        return Err(Error::not_found("the spreadsheet has no sheet with cells"));
    };
    let mut arguments = json!({"spreadsheetId": id, "sheet": sheet, "as": "rows", "limit": ROWS});
    put(&mut arguments, "cursor", query.get("row"));
    let found = match call(context, "readSheet", arguments).await {
        Ok(found) => found,
        // A sheet without any cell.
        Err(error) if error.kind() == Kind::NotFound && tabs.contains(&sheet) => json!({}),
        Err(error) => return Err(error),
    };
    let rows: Vec<&Value> = all(&found, "rows").collect();
    let cells =
        |row: &Value| row.get("cells").and_then(Value::as_array).cloned().unwrap_or_default();
    let width = rows.iter().map(|row| cells(row).len()).max().unwrap_or(0).min(COLUMNS);
    let columns: Vec<&Value> = all(&found, "columns").take(width).collect();
    let path = format!("/sheets/{}", encode(id));
    let table = html! {
        table.grid {
            thead { tr { th.n scope="col" { "Row" }
                @for column in &columns { th scope="col" { (column.as_str().unwrap_or_default()) } } } }
            tbody { @for row in &rows { tr {
                th scope="row" { (row.get("row").and_then(Value::as_u64).unwrap_or_default()) }
                @for cell in cells(row).iter().take(width) {
                    @match cell {
                        Value::String(text) => td.cell { (text) },
                        Value::Null => td {},
                        other => td.n { (other) },
                    }
                }
            } } }
        }
    };
    let body = html! {
        p { a href="/sheets" { "All spreadsheets" } }
        nav aria-label="Sheets" { ul { @for tab in tabs.iter().take(COLUMNS) {
            li { a href=(frame::address(&path, &[("sheet", tab)])) aria-current=[(*tab == sheet).then_some("true")] { (tab) } }
        } } }
        @if rows.is_empty() { p.soft { "No cells." } }
        @else { (scroll(&format!("Cells of {sheet}"), &table)) }
        @if let Some(next) = found.get("nextCursor").and_then(Value::as_str) {
            nav aria-label="Rows" { ul { li { a rel="next" href=(frame::address(&path, &[("sheet", sheet), ("row", next)])) { "Rows after" } } } }
        }
    };
    Ok(page(Some(viewer), Place::Sheets, &book.title, &body))
}

/// Returns the items of a list in an answer.
fn all<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn put(arguments: &mut Value, name: &str, value: Option<&str>) {
    if let (Some(arguments), Some(value)) = (arguments.as_object_mut(), value) {
        arguments.insert(name.to_owned(), json!(value));
    }
}

/// Calls a tool that only reads.
async fn call(context: &Context, name: &str, arguments: Value) -> Result<Value> {
    let tool = tools::find(name);
    let (Some(tool), Value::Object(arguments)) = (tool, arguments) else {
        return Err(Error::internal(format!("there is no tool {name}")));
    };
    tool.call(context, arguments).await
}
