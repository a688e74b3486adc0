//! The Sheets v4 API.

use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::http::{ApiError, Call};

/// Answers a call below `/v4/`.
pub(crate) async fn handle(_app: App, _call: Call) -> Response {
    ApiError::new(
        501,
        "UNIMPLEMENTED",
        "Operation is not implemented, or supported, or enabled.",
    )
    .into_response()
}
