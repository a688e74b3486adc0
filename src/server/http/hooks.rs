//! `POST /hooks/{dataset}`: others tell that something changed. A call is durable before it is answered.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::Http;
use crate::{
    error::{Error, Kind},
    tools::Context,
};

/// Takes a call about a dataset in.
pub(super) async fn call(
    State(http): State<Http>,
    Path(dataset): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(rule) = http.hooks.rules.get(&dataset) else {
        return (StatusCode::NOT_FOUND, "no such hook\n").into_response();
    };
    let context = &http.server.context;
    let now = context.clock.now();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let proven = match rule.read(header, &body, now) {
        Ok(proven) => proven,
        Err(error) => return refusal(&error),
    };
    let once = proven.once.as_deref().map(|digest| (digest, rule.window));
    match context.store.take_call(&dataset, &proven.keys, once, now).await {
        Ok(new) => {
            context.pokes.wake(&dataset);
            let told = if new { "taken\n" } else { "taken before\n" };
            (StatusCode::ACCEPTED, told).into_response()
        }
        Err(error) => {
            tracing::error!(%error, dataset, "a call could not be kept");
            (StatusCode::SERVICE_UNAVAILABLE, "the call could not be kept: send it again\n")
                .into_response()
        }
    }
}

/// Takes a message of Drive in: it carries nothing but its headers.
pub(super) async fn drive(State(http): State<Http>, headers: HeaderMap) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(id), Some(token)) = (header("x-goog-channel-id"), header("x-goog-channel-token"))
    else {
        return (StatusCode::BAD_REQUEST, "this is no message of Drive\n").into_response();
    };
    let context = &http.server.context;
    match told(context, id, token, header("x-goog-resource-state")).await {
        Ok(true) => StatusCode::OK.into_response(),
        // Drive gives up on a channel that is answered so.
        Ok(false) => (StatusCode::NOT_FOUND, "no such channel\n").into_response(),
        Err(error) => {
            tracing::error!(%error, "a message of Drive could not be kept");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Returns whether the channel is one of ours.
async fn told(
    context: &Context,
    id: &str,
    token: &str,
    state: Option<&str>,
) -> Result<bool, Error> {
    let Some(channel) = context.store.channel(id).await? else { return Ok(false) };
    // Hashes are compared in constant time.
    if blake3::hash(channel.token.as_bytes()) != blake3::hash(token.as_bytes()) {
        return Ok(false);
    }
    // The first message says that the channel is open, and nothing else.
    if state != Some("sync") {
        context.store.take_call(&channel.dataset, &[], None, context.clock.now()).await?;
        context.pokes.wake(&channel.dataset);
    }
    Ok(true)
}

fn refusal(error: &Error) -> Response {
    let status = match error.kind() {
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::InvalidArgument => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, format!("{error}\n")).into_response()
}
