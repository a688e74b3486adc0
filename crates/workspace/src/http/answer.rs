//! Answers: pretty JSON as Google prints it, and the error body of google.rpc.Status.

use std::fmt;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json as value};

/// Is an error answer: HTTP code, canonical status, message and details.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) code: u16,
    pub(crate) status: &'static str,
    pub(crate) message: String,
    /// The `details` list of google.rpc.Status; left out when empty.
    pub(crate) details: Vec<Value>,
}

impl ApiError {
    /// Returns an error with a code, its canonical status and a message.
    pub(crate) fn new(code: u16, status: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into(), details: Vec::new() }
    }

    /// Returns a 400 INVALID_ARGUMENT.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// Returns a 400 whose details carry one field violation (google.rpc.BadRequest).
    pub(crate) fn violation(
        message: impl Into<String>,
        field: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        let mut violation = serde_json::Map::new();
        let field = field.into();
        if !field.is_empty() {
            violation.insert("field".to_owned(), Value::String(field));
        }
        violation.insert("description".to_owned(), Value::String(description.into()));
        let mut error = Self::invalid(message);
        error.details.push(value!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [violation],
        }));
        error
    }

    /// Returns the recorded 404 of Sheets.
    pub(crate) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "Requested entity was not found.")
    }

    /// Returns a 500, after writing the cause to the log: it is ours to read, not the caller's.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "workspace: internal error");
        Self::new(500, "INTERNAL", "Internal error encountered.")
    }

    /// Returns the same error with words before its message.
    pub(crate) fn prefixed(mut self, prefix: &str) -> Self {
        if self.code == 400 {
            self.message = format!("{prefix}{}", self.message);
        }
        self
    }

    /// Returns the JSON body.
    pub(crate) fn body(&self) -> Value {
        let mut error = value!({
            "code": self.code,
            "message": self.message,
            "status": self.status,
        });
        if let Some(map) = error.as_object_mut()
            && !self.details.is_empty()
        {
            map.insert("details".to_owned(), Value::Array(self.details.clone()));
        }
        value!({ "error": error })
    }
}

impl From<rusqlite::Error> for ApiError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                Self::new(503, "UNAVAILABLE", "The service is currently unavailable.")
            }
            _ => Self::internal(error),
        }
    }
}

impl From<serde_json::Error> for ApiError {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}

impl From<lockstep_a1::ParseError> for ApiError {
    fn from(error: lockstep_a1::ParseError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        json(self.code, &self.body(), true)
    }
}

/// Returns a JSON answer; pretty means two spaces and a final newline, as recorded.
pub(crate) fn json(status: u16, body: &Value, pretty: bool) -> Response {
    let text = if pretty {
        serde_json::to_vec_pretty(body).map(|mut text| {
            text.push(b'\n');
            text
        })
    } else {
        serde_json::to_vec(body)
    };
    match text {
        Ok(text) => raw_json(status, text),
        Err(error) => {
            tracing::error!(%error, "workspace: an answer could not be written");
            raw_json(500, Vec::new())
        }
    }
}

/// Returns an answer of JSON text that is already written.
pub(crate) fn raw_json(status: u16, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin, X-Origin, Referer"));
    headers.insert(header::SERVER, HeaderValue::from_static("ESF"));
    response
}
