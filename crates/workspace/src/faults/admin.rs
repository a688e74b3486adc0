//! `/_lockstep/faults`: GET shows, PUT sets, DELETE clears.
//!
//! Only PUT and DELETE change anything: a page in a browser cannot send those to another origin
//! without being allowed to, and nothing here allows it.

use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::plan::Faults;
use super::rules::State;
use crate::app::App;
use crate::http::{ApiError, Call, json as answer};

/// Answers a call of the admin endpoint.
pub(crate) fn handle(app: &App, call: &Call) -> Response {
    let mut state = app.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match call.method {
        Method::GET => {}
        Method::DELETE => *state = State::new(Faults::default()),
        Method::PUT => match serde_json::from_slice::<Faults>(&call.body) {
            Ok(faults) => match faults.problem() {
                None => *state = State::new(faults),
                Some(problem) => return ApiError::invalid(problem).into_response(),
            },
            Err(error) => {
                return ApiError::invalid(format!("The faults cannot be read: {error}"))
                    .into_response();
            }
        },
        _ => {
            return ApiError::new(405, "INVALID_ARGUMENT", "Use GET, PUT or DELETE.")
                .into_response();
        }
    }
    answer(200, &shown(&state), true)
}

/// Returns the faults with how often each rule was met and happened.
fn shown(state: &State) -> Value {
    let counts: Vec<Value> = state
        .counts
        .iter()
        .map(|(met, happened)| json!({ "met": met, "happened": happened }))
        .collect();
    json!({ "faults": state.faults, "counts": counts })
}
