//! Somebody else at work in the same spreadsheet.

use axum::http::{Method, Request};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::http::{ApiError, Call, decode};
use crate::sheets;

/// Says what the other editor does, below the header row of the first sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Edit {
    /// Types something into a cell.
    EditCell,
    /// Inserts a blank row.
    InsertRow,
    /// Deletes a row.
    DeleteRow,
    /// Sorts the rows by a column.
    Sort,
}

/// Returns the spreadsheet that a path names.
pub(super) fn spreadsheet_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/v4/spreadsheets/")?;
    let end = rest.find(['/', ':']).unwrap_or(rest.len());
    rest.get(..end).filter(|id| !id.is_empty()).map(decode)
}

/// Makes an edit; a spreadsheet that cannot take it stays as it is.
pub(super) async fn edit(app: &App, id: &str, edit: Edit, seed: u64) {
    let book = id.to_owned();
    let shape = app
        .store
        .read(move |session| {
            let book = session.book(&book)?;
            let Some(sheet) = book.sheets.iter().find(|sheet| sheet.is_grid()) else {
                return Err(ApiError::not_found());
            };
            Ok((sheet.id, sheet.grid.used_rows(session)?, sheet.grid.columns()))
        })
        .await;
    let Ok((sheet, rows, columns)) = shape else { return };
    if rows < 2 {
        return;
    }
    let mut random = StdRng::seed_from_u64(seed);
    let row = random.random_range(1..rows);
    let column = random.random_range(0..columns.clamp(1, 8));
    let rows_at = |start: u32, end: u32| json!({ "sheetId": sheet, "dimension": "ROWS", "startIndex": start, "endIndex": end });
    let request = match edit {
        Edit::EditCell => json!({ "updateCells": {
            "start": { "sheetId": sheet, "rowIndex": row, "columnIndex": column },
            "rows": [{ "values": [{ "userEnteredValue": { "stringValue": format!("edited {}", seed % 10_000) } }] }],
            "fields": "userEnteredValue",
        }}),
        Edit::InsertRow => json!({ "insertDimension": { "range": rows_at(row, row + 1) } }),
        Edit::DeleteRow => json!({ "deleteDimension": { "range": rows_at(row, row + 1) } }),
        Edit::Sort => json!({ "sortRange": {
            "range": { "sheetId": sheet, "startRowIndex": 1, "endRowIndex": rows, "startColumnIndex": 0, "endColumnIndex": columns },
            "sortSpecs": [{
                "dimensionIndex": column,
                "sortOrder": if random.random_bool(0.5) { "ASCENDING" } else { "DESCENDING" },
            }],
        }}),
    };
    send(app, id, vec![request]).await;
}

/// Sends requests of a batch update to a spreadsheet, past the faults.
pub(super) async fn send(app: &App, id: &str, requests: Vec<Value>) {
    let path = format!("/v4/spreadsheets/{id}:batchUpdate");
    let Ok(request) = Request::builder().method(Method::POST).uri(&path).body(()) else { return };
    let body = Bytes::from(json!({ "requests": requests }).to_string());
    let (parts, ()) = request.into_parts();
    let response = sheets::handle(app.clone(), Call::new(parts, body)).await;
    if !response.status().is_success() {
        tracing::warn!(status = %response.status(), path, "workspace: the other editor's change was refused");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_spreadsheets() {
        for (path, id) in [
            ("/v4/spreadsheets/abc:batchUpdate", Some("abc")),
            ("/v4/spreadsheets/abc/values/A1", Some("abc")),
            ("/v4/spreadsheets/abc", Some("abc")),
            ("/v4/spreadsheets", None),
            ("/v4/spreadsheets/", None),
            ("/drive/v3/files", None),
        ] {
            assert_eq!(spreadsheet_of(path).as_deref(), id, "{path}");
        }
    }
}
