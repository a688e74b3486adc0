//! HTTP: one entry that routes on the raw path, because titles may hold `%2F` and the custom verb
//! of a Google path comes after its last colon.

mod answer;
mod call;
mod origin;

pub(crate) use answer::{ApiError, json, raw_json};
pub(crate) use call::{Call, decode, parse_query};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::{auth, drive, faults, sheets, web};

/// Is the largest request body taken, in bytes. Google documents no hard limit for Sheets (2 MB is
/// recommended) and 5 TB for Drive; this bounds the memory of one request.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// Returns the router of a workspace.
pub(crate) fn router(app: App) -> Router {
    Router::new().fallback(entry).with_state(app)
}

async fn entry(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let cut = parts.extensions.get::<ConnectInfo<faults::Cut>>().map(|info| info.0.clone());
    match to_bytes(body, MAX_BODY).await {
        Ok(bytes) => admit(app, Call::new(parts, bytes), cut).await,
        Err(_) => ApiError::new(
            413,
            "INVALID_ARGUMENT",
            format!("Request payload size exceeds the limit: {MAX_BODY} bytes."),
        )
        .into_response(),
    }
}

/// Answers admin calls at once; the others go through the faults.
async fn admit(app: App, mut call: Call, cut: Option<faults::Cut>) -> Response {
    if !app.options.require_auth
        && let Some(refusal) = origin::refuse(&call)
    {
        return refusal.into_response();
    }
    // With authentication on, nobody sets faults or makes themselves known over the network.
    if app.options.require_auth && call.path().starts_with("/_lockstep/") {
        return ApiError::new(
            403,
            "PERMISSION_DENIED",
            "With authentication on, this is set when the workspace starts.",
        )
        .into_response();
    }
    if call.path() == "/_lockstep/faults" {
        return faults::admin(&app, &call);
    }
    if let Some(response) = auth::handle(&app, &call) {
        return response;
    }
    if let Some(response) = web::handle(&app, &call).await {
        return response;
    }
    match auth::check(&app, &call) {
        Ok(user) => {
            call.user.clone_from(&user);
            faults::around(app, call, &user, cut).await
        }
        Err(refusal) => *refusal,
    }
}

/// Answers a call by its path.
pub(crate) async fn dispatch(app: App, call: Call) -> Response {
    let path = call.path().to_owned();
    if path.starts_with("/v4/") {
        let writes = call.method != axum::http::Method::GET;
        let response = sheets::handle(app.clone(), call).await;
        if writes && response.status().is_success() {
            drive::flush(&app);
        }
        return response;
    }
    if ["/drive/", "/upload/drive/", "/resumable/upload/drive/"]
        .iter()
        .any(|start| path.starts_with(start))
    {
        return drive::handle(app, call).await;
    }
    not_found(&call)
}

/// Answers an unknown path as Google's front end does: 404 with an HTML page.
pub(crate) fn not_found(call: &Call) -> Response {
    let shown: String = call.path().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let page = format!(
        "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 404 (Not Found)!!1</title>\n  \
         <p><b>404.</b> <ins>That's an error.</ins>\n  <p>The requested URL <code>{shown}</code> was not found on \
         this server.  <ins>That's all we know.</ins>\n"
    );
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = axum::http::StatusCode::NOT_FOUND;
    response.headers_mut().insert(
        axum::http::header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static("text/html; charset=UTF-8"),
    );
    response
}
