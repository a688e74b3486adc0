//! Tokens as Google gives and checks them: service accounts, the installed flow with a consent
//! page, scopes. Off by default: a workspace on loopback trusts its machine.
//!
//! Tokens live in memory; a restart is like a revocation, and clients ask for new ones.

mod admin;
mod check;
mod client;
mod consent;
mod grant;
mod jwt;
mod scope;
mod tokens;

pub(crate) use check::check;
pub(crate) use tokens::State;

pub use client::{AuthError, OAuthClient, ServiceAccount};

use axum::http::Method;
use axum::response::Response;

use crate::app::App;
use crate::http::Call;

/// Answers the calls that give tokens and consent; `None` for any other path.
pub(crate) fn handle(app: &App, call: &Call) -> Option<Response> {
    match (call.method.clone(), call.path()) {
        (Method::POST, "/token" | "/oauth2/v4/token") => Some(grant::token(app, call)),
        (Method::POST, "/revoke") => Some(grant::revoke(app, call)),
        (Method::GET, "/o/oauth2/auth" | "/o/oauth2/v2/auth") => Some(consent::ask(app, call)),
        (Method::POST, "/o/oauth2/consent") => Some(consent::decide(app, call)),
        (Method::PUT, "/_lockstep/service-accounts") => Some(admin::service_account(app, call)),
        (Method::PUT, "/_lockstep/oauth-clients") => Some(admin::client(app, call)),
        _ => None,
    }
}

/// Returns the fields of a form body.
fn form(call: &Call) -> Vec<(String, String)> {
    crate::http::parse_query(&String::from_utf8_lossy(&call.body))
}

/// Returns a field of a form.
fn field<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}
