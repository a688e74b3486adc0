//! Developer metadata: get and search.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::filter::{entries, metadata};
use super::{Request, body_of};
use crate::http::ApiError;

/// Answers `GET .../developerMetadata/{metadataId}`.
pub(crate) async fn get(request: Request, metadata_id: String) -> Result<Response, ApiError> {
    let id = request.id.clone();
    let answer = request
        .app
        .store
        .read(move |session| {
            let book = session.book(&id)?;
            let wanted: Option<i32> = metadata_id.parse().ok();
            let Some(wanted) = wanted else {
                let text =
                    format!("Invalid value at 'metadata_id' (TYPE_INT32), \"{metadata_id}\"");
                return Err(ApiError::violation(text.clone(), "metadata_id", text));
            };
            entries(&book)
                .find(|(_, entry)| entry.id == wanted)
                .map(|(sheet, entry)| entry.json(sheet.unwrap_or(0)))
                .ok_or_else(|| {
                    ApiError::new(
                        404,
                        "NOT_FOUND",
                        format!("No developer metadata with ID {wanted}"),
                    )
                })
        })
        .await?;
    request.answer("DeveloperMetadata", answer)
}

/// Answers `POST .../developerMetadata:search`.
pub(crate) async fn search(request: Request) -> Result<Response, ApiError> {
    let body = body_of(&request.call, "SearchDeveloperMetadataRequest", "")?;
    let id = request.id.clone();
    let answer = request
        .app
        .store
        .read(move |session| {
            let book = session.book(&id)?;
            let mut found: Vec<(i32, Value, Vec<Value>)> = Vec::new();
            for filter in body.get("dataFilters").and_then(Value::as_array).into_iter().flatten() {
                for (sheet, entry) in metadata(&book, filter)? {
                    match found.iter_mut().find(|(id, _, _)| *id == entry.id) {
                        Some((_, _, filters)) => filters.push(filter.clone()),
                        None => found.push((entry.id, entry.json(sheet.unwrap_or(0)), vec![filter.clone()])),
                    }
                }
            }
            let mut answer = Map::new();
            if !found.is_empty() {
                let all: Vec<Value> = found
                    .into_iter()
                    .map(|(_, entry, filters)| json!({"developerMetadata": entry, "dataFilters": filters}))
                    .collect();
                answer.insert("matchedDeveloperMetadata".to_owned(), all.into());
            }
            Ok(Value::Object(answer))
        })
        .await?;
    request.answer("SearchDeveloperMetadataResponse", answer)
}
