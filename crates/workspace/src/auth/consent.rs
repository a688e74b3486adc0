//! The consent page of the installed flow.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::tokens::{Asked, Code};
use super::{field, form, scope};
use crate::app::App;
use crate::http::Call;
use crate::web::{escape, page};

/// Asks a person whether an application may have what it wants.
pub(super) fn ask(app: &App, call: &Call) -> Response {
    let refuse = |title: &str, text: String| page(400, title, &format!("<p>{}</p>", escape(&text)));
    let param = |name: &str| call.param(name).filter(|value| !value.is_empty());
    let mut state = app.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let client = param("client_id").unwrap_or_default();
    if !state.clients.iter().any(|known| known.client_id == client) {
        return refuse(
            "Error 401: invalid_client",
            format!("The OAuth client was not found: {client}"),
        );
    }
    if param("response_type") != Some("code") {
        return refuse(
            "Error 400: unsupported_response_type",
            "response_type must be code".to_owned(),
        );
    }
    let redirect = param("redirect_uri").unwrap_or_default();
    if !is_loopback(redirect) {
        return refuse(
            "Error 400: redirect_uri_mismatch",
            format!("Only addresses of this machine are taken: {redirect}"),
        );
    }
    let Some(wanted) = param("scope") else {
        return refuse(
            "Error 400: invalid_request",
            "Missing required parameter: scope".to_owned(),
        );
    };
    let challenge = match (param("code_challenge"), param("code_challenge_method")) {
        (None, _) => None,
        (Some(challenge), Some("S256")) => Some(challenge.to_owned()),
        _ => {
            return refuse(
                "Error 400: invalid_request",
                "code_challenge_method must be S256".to_owned(),
            );
        }
    };
    let items: String = wanted
        .split_whitespace()
        .map(|one| format!("<li>{}</li>", escape(scope::words(one))))
        .collect();
    let asked = Asked {
        client_id: client.to_owned(),
        redirect_uri: redirect.to_owned(),
        scope: wanted.to_owned(),
        state: param("state").map(str::to_owned),
        challenge,
    };
    let ticket = state.ask(asked, app.now_ms() / 1000);
    let body = format!(
        "<p><strong>{}</strong> wants to use this workspace as <strong>{}</strong>. It would be able to:</p>\
         <ul>{items}</ul>\
         <form method=\"post\" action=\"/o/oauth2/consent\">\
         <input type=\"hidden\" name=\"ticket\" value=\"{}\">\
         <button name=\"decision\" value=\"allow\">Allow</button> \
         <button name=\"decision\" value=\"deny\">Deny</button></form>",
        escape(client),
        escape(&app.options.owner),
        escape(&ticket),
    );
    page(200, "Allow access?", &body)
}

/// Takes the decision, and sends the browser back to the application.
pub(super) fn decide(app: &App, call: &Call) -> Response {
    let form = form(call);
    let mut state = app.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = app.now_ms() / 1000;
    let Some(asked) = field(&form, "ticket").and_then(|ticket| state.asked(ticket, now)) else {
        return page(
            400,
            "This request is over",
            "<p>Go back to the application and start again.</p>",
        );
    };
    let mut query = match field(&form, "decision") {
        Some("allow") => {
            let code =
                state.code(Code { asked: asked.clone(), user: app.options.owner.clone() }, now);
            format!("code={}&scope={}", encode(&code), encode(&asked.scope))
        }
        _ => "error=access_denied".to_owned(),
    };
    if let Some(state) = &asked.state {
        query = format!("state={}&{query}", encode(state));
    }
    let joint = if asked.redirect_uri.contains('?') { '&' } else { '?' };
    let target = format!("{}{joint}{query}", asked.redirect_uri);
    let mut response = page(303, "Back to the application", "");
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(target) = HeaderValue::from_str(&target) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Returns whether an address is one of this machine: what installed applications listen on.
fn is_loopback(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        _ => authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
        && !address.chars().any(|c| c.is_control() || c.is_whitespace())
}
