//! Bearer tokens of API calls.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::scope;
use crate::app::App;
use crate::drive;
use crate::http::{ApiError, Call};

/// Returns the address of the caller, or the recorded 401 or 403.
///
/// With authentication off everyone is the owner, but for a caller whose bearer token is an e-mail address.
pub(crate) fn check(app: &App, call: &Call) -> Result<String, Box<Response>> {
    let path = call.path();
    let guarded =
        ["/v4/", "/drive/", "/upload/", "/resumable/"].iter().any(|start| path.starts_with(start));
    if !app.options.require_auth || !guarded {
        let named = bearer(call).filter(|token| token.contains('@'));
        return Ok(named.map_or_else(|| app.options.owner.clone(), str::to_owned));
    }
    let token = bearer(call);
    let state = app.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let grant = token.and_then(|token| state.bearer(token, app.now_ms() / 1000));
    match (token, grant) {
        (None, _) => Err(Box::new(unregistered(path))),
        (Some(_), None) => Err(Box::new(invalid(path))),
        (Some(_), Some(grant)) if !scope::allow(&grant.scope, call) => {
            Err(Box::new(insufficient(path)))
        }
        (Some(_), Some(grant)) => Ok(grant.user.clone()),
    }
}

fn bearer(call: &Call) -> Option<&str> {
    let header = call.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    header
        .and_then(|value| value.split_once(' '))
        .filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .or_else(|| call.param("access_token"))
}

fn is_sheets(path: &str) -> bool {
    path.starts_with("/v4/")
}

/// Returns the 403 of a call without any credentials.
fn unregistered(path: &str) -> Response {
    let message = "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.";
    let error = ApiError::new(403, "PERMISSION_DENIED", message);
    if is_sheets(path) { error.into_response() } else { drive::render_error(&error) }
}

/// Returns the 401 of a token that is not good, or not any more.
fn invalid(path: &str) -> Response {
    let mut response = if is_sheets(path) {
        ApiError::new(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
        )
        .into_response()
    } else {
        let mut error = ApiError::new(401, "", "Invalid Credentials");
        error.details.push(json!({
            "domain": "global",
            "reason": "authError",
            "message": "Invalid Credentials",
            "locationType": "header",
            "location": "Authorization",
        }));
        drive::render_error(&error)
    };
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(
            "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\"",
        ),
    );
    response
}

/// Returns the 403 of a token without a scope the call needs.
fn insufficient(path: &str) -> Response {
    let message = "Request had insufficient authentication scopes.";
    let mut response = if is_sheets(path) {
        let mut error = ApiError::new(403, "PERMISSION_DENIED", message);
        error.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "domain": "googleapis.com",
            "metadata": { "service": "sheets.googleapis.com" },
        }));
        error.into_response()
    } else {
        let mut error = ApiError::new(403, "", message);
        error.details.push(json!({
            "domain": "global",
            "reason": "insufficientPermissions",
            "message": "Insufficient Permission",
        }));
        drive::render_error(&error)
    };
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static(
            "Bearer realm=\"https://accounts.google.com/\", error=\"insufficient_scope\"",
        ),
    );
    response
}
