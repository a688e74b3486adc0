//! The bodies of faults, as recorded.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::quota::Exceeded;
use crate::drive;
use crate::http::ApiError;

/// Returns an error in the form of the API that a path belongs to.
pub(super) fn error(path: &str, error: ApiError) -> Response {
    if path.starts_with("/v4/") { error.into_response() } else { drive::render_error(&error) }
}

/// Returns a 500.
pub(super) fn internal(path: &str) -> Response {
    error(path, ApiError::new(500, "INTERNAL", "Internal error encountered."))
}

/// Returns a 503.
pub(super) fn unavailable(path: &str) -> Response {
    error(path, ApiError::new(503, "UNAVAILABLE", "The service is currently unavailable."))
}

/// Returns the 429 of a Sheets quota, as recorded (google-wire 2.9), or the 403 of Drive.
pub(super) fn rate_limit(path: &str, exceeded: Exceeded) -> Response {
    if !path.starts_with("/v4/") {
        let message = "User Rate Limit Exceeded";
        let entry = json!({ "domain": "usageLimits", "reason": "userRateLimitExceeded", "message": message });
        let mut error = ApiError::new(403, "", message);
        error.details.push(entry);
        return drive::render_error(&error);
    }
    let (kind, name, metric) = if exceeded.write {
        ("Write", "write", "write_requests")
    } else {
        ("Read", "read", "read_requests")
    };
    let (words, suffix, unit) = if exceeded.per_user {
        ("per minute per user", "PerMinutePerUser", "1/min/{project}/{user}")
    } else {
        ("per minute", "PerMinutePerProject", "1/min/{project}")
    };
    let message = format!(
        "Quota exceeded for quota metric '{kind} requests' and limit '{kind} requests {words}' of service \
         'sheets.googleapis.com' for consumer 'project_number:603366585132'."
    );
    tracing::debug!(quota = name, limit = exceeded.limit, "workspace: quota exceeded");
    let mut error = ApiError::new(429, "RESOURCE_EXHAUSTED", message);
    error.details = vec![
        json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "RATE_LIMIT_EXCEEDED",
            "domain": "googleapis.com",
            "metadata": {
                "quota_limit_value": exceeded.limit.to_string(),
                "service": "sheets.googleapis.com",
                "consumer": "projects/603366585132",
                "quota_unit": unit,
                "quota_location": "global",
                "quota_metric": format!("sheets.googleapis.com/{metric}"),
                "quota_limit": format!("{kind}Requests{suffix}"),
            },
        }),
        json!({
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{
                "description": "Request a higher quota limit.",
                "url": "https://cloud.google.com/docs/quotas/help/request_increase",
            }],
        }),
    ];
    error.into_response()
}

/// Returns a page as Google's front end answers when what is behind it is gone.
pub(super) fn html(status: u16) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error {status} (Server Error)!!1</title>\n  \
         <p><b>{status}.</b> <ins>That's an error.</ins>\n  <p>The server encountered a temporary error and could not \
         complete your request.<p>Please try again in 30 seconds.  <ins>That's all we know.</ins>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    response
}
