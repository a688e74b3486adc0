//! `PUT /_lockstep/service-accounts` and `PUT /_lockstep/oauth-clients`: who may ask for tokens.

use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::client::{OAuthClient, ServiceAccount};
use crate::app::App;
use crate::http::{ApiError, Call, json as answer};

/// Makes a service account known by its key file.
pub(super) fn service_account(app: &App, call: &Call) -> Response {
    match ServiceAccount::from_key_file(&String::from_utf8_lossy(&call.body)) {
        Ok(account) => {
            let shown = json!({ "email": account.email });
            app.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add_account(account);
            answer(200, &shown, true)
        }
        Err(error) => ApiError::invalid(error.to_string()).into_response(),
    }
}

/// Makes an OAuth client known.
pub(super) fn client(app: &App, call: &Call) -> Response {
    match serde_json::from_slice::<OAuthClient>(&call.body) {
        Ok(client) => {
            let shown = json!({ "client_id": client.client_id });
            app.auth.lock().unwrap_or_else(std::sync::PoisonError::into_inner).add_client(client);
            answer(200, &shown, true)
        }
        Err(error) => {
            ApiError::invalid(format!("The client cannot be read: {error}")).into_response()
        }
    }
}
