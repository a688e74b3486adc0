//! The Sheets v4 API: 17 methods below `/v4/spreadsheets`.

mod append;
mod batch;
mod clear;
mod create;
mod digits;
mod dimension;
pub(crate) mod enter;
mod filter;
mod formulas;
mod get;
mod grid_data;
mod metadata;
mod ranges;
mod render;
mod rows;
mod sink;
mod stream;
mod value_range;
mod values;
mod write;

use std::sync::Arc;

use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::app::App;
use crate::book::Book;
use crate::fields::Mask;
use crate::http::{ApiError, Call, decode, json, not_found};
use crate::schema::{self, Message};
use crate::store::Session;

/// Is one call of a method, with the spreadsheet it names.
pub(crate) struct Request {
    pub(crate) app: App,
    pub(crate) call: Call,
    /// The spreadsheet id; empty for `create`.
    pub(crate) id: String,
}

impl Request {
    /// Returns who calls, if it is somebody else than the owner.
    pub(crate) fn caller(&self) -> Option<String> {
        let user = &self.call.user;
        let other = !user.is_empty() && !user.eq_ignore_ascii_case(&self.app.options.owner);
        other.then(|| user.clone())
    }

    /// Returns the field mask of the answer, checked against its message type.
    pub(crate) fn mask(&self, message: &str) -> Result<Option<Mask>, ApiError> {
        match (self.call.fields(), schema::message(message)) {
            (Some(text), Some(message)) if !text.is_empty() => {
                Mask::of_answer(text, message).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Returns a 200 with the part of an answer that the field mask takes.
    pub(crate) fn answer(&self, message: &str, answer: Value) -> Result<Response, ApiError> {
        debug_assert!(fits(&answer, message), "not a {message}: {answer}");
        let answer = match self.mask(message)? {
            Some(mask) => mask.apply(answer),
            None => answer,
        };
        Ok(json(200, &answer, self.call.pretty()))
    }
}

/// Answers a call below `/v4/`.
pub(crate) async fn handle(app: App, call: Call) -> Response {
    // Masks of answers are checked before anything is written.
    route(app, call).await.unwrap_or_else(IntoResponse::into_response)
}

async fn route(app: App, call: Call) -> Result<Response, ApiError> {
    let method = call.method.clone();
    let path = call.path().trim_start_matches("/v4/").to_owned();
    let Some(rest) = path.strip_prefix("spreadsheets") else {
        return Ok(not_found(&call));
    };
    if rest.is_empty() || rest == "/" {
        return match method {
            Method::POST => create::create(request(app, call, "")).await,
            _ => Ok(not_found(&call)),
        };
    }
    let Some(rest) = rest.strip_prefix('/') else {
        return Ok(not_found(&call));
    };
    let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
    let (id, verb) = head.rsplit_once(':').unwrap_or((head, ""));
    let id = decode(id);
    if tail.is_empty() {
        let request = request(app, call, &id);
        return match (method.as_str(), verb) {
            ("GET", "") => get::get(request).await,
            ("POST", "batchUpdate") => batch::batch_update(request).await,
            ("POST", "getByDataFilter") => get::get_by_filter(request).await,
            _ => Ok(not_found(&request.call)),
        };
    }
    let request = request(app, call, &id);
    if let Some(range) = tail.strip_prefix("values/") {
        return values_route(request, &method, range).await;
    }
    let (name, verb) = tail.rsplit_once(':').unwrap_or((tail, ""));
    match (method.as_str(), name, verb) {
        ("GET", "values", "batchGet") => values::batch_get(request).await,
        ("POST", "values", "batchGetByDataFilter") => values::batch_get_by_filter(request).await,
        ("POST", "values", "batchUpdate") => write::batch_update(request, false).await,
        ("POST", "values", "batchUpdateByDataFilter") => write::batch_update(request, true).await,
        ("POST", "values", "batchClear") => clear::batch_clear(request, false).await,
        ("POST", "values", "batchClearByDataFilter") => clear::batch_clear(request, true).await,
        ("POST", "developerMetadata", "search") => metadata::search(request).await,
        ("GET", name, "") if name.starts_with("developerMetadata/") => {
            let wanted = decode(name.trim_start_matches("developerMetadata/"));
            metadata::get(request, wanted).await
        }
        ("POST", name, "copyTo") if name.starts_with("sheets/") => {
            let sheet = decode(name.trim_start_matches("sheets/"));
            create::copy_to(request, sheet).await
        }
        _ => Ok(not_found(&request.call)),
    }
}

async fn values_route(
    request: Request,
    method: &Method,
    range: &str,
) -> Result<Response, ApiError> {
    match method.as_str() {
        "GET" => values::get(request, decode(range)).await,
        "PUT" => write::update(request, decode(range)).await,
        "POST" => {
            // The verb comes after the last colon; one inside the range may stand raw before it.
            let (range, verb) = range.rsplit_once(':').unwrap_or((range, ""));
            match verb {
                "append" => append::append(request, decode(range)).await,
                "clear" => clear::clear(request, decode(range)).await,
                _ => Ok(not_found(&request.call)),
            }
        }
        _ => Ok(not_found(&request.call)),
    }
}

fn request(app: App, call: Call, id: &str) -> Request {
    Request { app, call, id: id.to_owned() }
}

/// Returns the body of a call, checked against a message type; an empty body is an empty message.
pub(crate) fn body_of(call: &Call, message: &str, root: &str) -> Result<Value, ApiError> {
    let message: &Message =
        schema::message(message).ok_or_else(|| ApiError::internal(format!("no type {message}")))?;
    let mut body: Value = if call.body.is_empty() {
        Value::Object(serde_json::Map::new())
    } else {
        serde_json::from_slice(&call.body)
            .map_err(|error| ApiError::invalid(format!("Invalid JSON payload received. {error}")))?
    };
    schema::check(&mut body, message, root)?;
    Ok(body)
}

/// Returns whether an answer is of its message type, as the discovery document has it; every
/// answer is held to that in debug builds, so by every test.
pub(crate) fn fits(answer: &Value, message: &str) -> bool {
    let found =
        schema::message(message).map(|message| schema::check(&mut answer.clone(), message, ""));
    if let Some(Err(error)) = &found {
        tracing::error!(%error.message, "workspace: an answer is not of its type");
    }
    matches!(found, Some(Ok(())))
}

/// Saves a changed book: formulas are computed again, the blocks written, Drive told.
pub(crate) fn commit(
    session: &mut Session<'_>,
    app: &App,
    book: Book,
) -> Result<Arc<Book>, ApiError> {
    let _ = app;
    session.save(book)
}
