//! Errors in the form of Drive v3: `{"error": {"errors": [...], "code", "message"}}`.
//!
//! Inside, they are [`ApiError`]s whose one detail is the entry of `errors[]`, so that they roll a
//! transaction back like any other error; [`render`] writes them.

use axum::response::Response;
use serde_json::{Value, json};

use crate::http::{ApiError, json as answer};

/// Returns an error with one entry.
pub(super) fn error(code: u16, reason: &str, message: impl Into<String>) -> ApiError {
    entry(code, reason, message.into(), None)
}

/// Returns an error that points at a parameter.
pub(super) fn parameter(
    code: u16,
    reason: &str,
    message: impl Into<String>,
    location: &str,
) -> ApiError {
    entry(code, reason, message.into(), Some(location))
}

/// Returns the recorded 404 of a file.
pub(super) fn no_file(id: &str) -> ApiError {
    parameter(404, "notFound", format!("File not found: {id}."), "fileId")
}

/// Returns the 400 of a parameter that has no such value.
pub(super) fn invalid_value(location: &str) -> ApiError {
    parameter(400, "invalid", "Invalid Value", location)
}

/// Returns an honest 400 for what this workspace does not do.
pub(super) fn unsupported(what: &str) -> ApiError {
    error(400, "unsupported", format!("{what} is not supported by the embedded workspace."))
}

fn entry(code: u16, reason: &str, message: String, location: Option<&str>) -> ApiError {
    let mut entry = json!({ "domain": "global", "reason": reason, "message": message });
    if let (Some(location), Some(map)) = (location, entry.as_object_mut()) {
        map.insert("locationType".to_owned(), "parameter".into());
        map.insert("location".to_owned(), location.into());
    }
    ApiError { code, status: "", message, details: vec![entry] }
}

/// Returns the answer of an error; one that did not come from Drive code gets an entry by its code.
pub(crate) fn render(error: &ApiError) -> Response {
    let is_entry = error.details.first().is_some_and(|detail| detail.get("reason").is_some());
    let errors: Vec<Value> = if is_entry {
        error.details.clone()
    } else {
        let reason = match error.code {
            400 => "badRequest",
            401 => "authError",
            403 => "forbidden",
            404 => "notFound",
            503 => "backendError",
            _ => "internalError",
        };
        vec![json!({ "domain": "global", "reason": reason, "message": error.message })]
    };
    let body =
        json!({ "error": { "errors": errors, "code": error.code, "message": error.message } });
    answer(error.code, &body, true)
}
