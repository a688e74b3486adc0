//! The token endpoint.

use axum::response::Response;
use base64::Engine as _;
use serde_json::{Value, json};

use super::jwt;
use super::tokens::{Grant, LIFE, State};
use super::{field, form};
use crate::app::App;
use crate::http::{Call, json as answer};

/// Is an error of the token endpoint: status, code and description.
struct Refused(u16, &'static str, String);

fn refused<T>(
    status: u16,
    code: &'static str,
    description: impl Into<String>,
) -> Result<T, Refused> {
    Err(Refused(status, code, description.into()))
}

/// Answers a request for a token.
pub(super) fn token(app: &App, call: &Call) -> Response {
    let form = form(call);
    let mut state = app.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = app.now_ms() / 1000;
    let result = match field(&form, "grant_type") {
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => assertion(&mut state, &form, now),
        Some("authorization_code") => code(&mut state, &form, now),
        Some("refresh_token") => refresh(&mut state, &form, now),
        Some(other) => {
            refused(400, "unsupported_grant_type", format!("Invalid grant_type: {other}"))
        }
        None => refused(400, "invalid_request", "Required parameter is missing: grant_type"),
    };
    match result {
        Ok(body) => answer(200, &body, true),
        Err(Refused(status, code, description)) => {
            answer(status, &json!({ "error": code, "error_description": description }), true)
        }
    }
}

/// Answers a revocation.
pub(super) fn revoke(app: &App, call: &Call) -> Response {
    let form = form(call);
    let token = field(&form, "token").or_else(|| call.param("token")).unwrap_or_default();
    let mut state = app.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if state.revoke(token) {
        answer(200, &json!({}), true)
    } else {
        answer(
            400,
            &json!({ "error": "invalid_token", "error_description": "Token expired or revoked" }),
            true,
        )
    }
}

fn assertion(state: &mut State, form: &[(String, String)], now: i64) -> Result<Value, Refused> {
    let Some(text) = field(form, "assertion") else {
        return refused(400, "invalid_request", "Required parameter is missing: assertion");
    };
    let assertion = match jwt::verify(text, &state.accounts, now) {
        Ok(assertion) => assertion,
        Err(description) => return refused(400, "invalid_grant", description),
    };
    if assertion.scope.trim().is_empty() {
        return refused(400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.");
    }
    let token = state.access(Grant { user: assertion.email, scope: assertion.scope }, now);
    Ok(json!({ "access_token": token, "expires_in": LIFE, "token_type": "Bearer" }))
}

/// Returns the id of the client that a form names, its secret checked.
fn client<'a>(state: &State, form: &'a [(String, String)]) -> Result<&'a str, Refused> {
    let id = field(form, "client_id").unwrap_or_default();
    let Some(known) = state.clients.iter().find(|client| client.client_id == id) else {
        return refused(401, "invalid_client", "The OAuth client was not found.");
    };
    if field(form, "client_secret") != Some(known.client_secret.as_str()) {
        return refused(401, "invalid_client", "The provided client secret is invalid.");
    }
    Ok(id)
}

fn code(state: &mut State, form: &[(String, String)], now: i64) -> Result<Value, Refused> {
    let client = client(state, form)?;
    let Some(code) = field(form, "code").and_then(|code| state.exchange(code, now)) else {
        return refused(400, "invalid_grant", "Malformed auth code.");
    };
    if code.asked.client_id != client {
        return refused(401, "unauthorized_client", "Unauthorized");
    }
    if field(form, "redirect_uri") != Some(code.asked.redirect_uri.as_str()) {
        return refused(400, "redirect_uri_mismatch", "Bad Request");
    }
    if let Some(challenge) = &code.asked.challenge {
        let verifier = field(form, "code_verifier").unwrap_or_default();
        let digest = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
        let found = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_ref());
        if found != *challenge {
            return refused(400, "invalid_grant", "Invalid code verifier.");
        }
    }
    let grant = Grant { user: code.user, scope: code.asked.scope };
    let refresh = state.refresh(grant.clone(), client);
    let token = state.access(grant.clone(), now);
    Ok(json!({
        "access_token": token,
        "expires_in": LIFE,
        "refresh_token": refresh,
        "scope": grant.scope,
        "token_type": "Bearer",
    }))
}

fn refresh(state: &mut State, form: &[(String, String)], now: i64) -> Result<Value, Refused> {
    let client = client(state, form)?;
    let Some(grant) = field(form, "refresh_token").and_then(|token| state.refreshed(token, client))
    else {
        return refused(400, "invalid_grant", "Token has been expired or revoked.");
    };
    let scope = grant.scope.clone();
    let token = state.access(grant, now);
    Ok(json!({ "access_token": token, "expires_in": LIFE, "scope": scope, "token_type": "Bearer" }))
}
