//! Faults around a request.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header;
use axum::response::Response;

use super::bodies;
use super::cut::Cut;
use super::editor::{self, spreadsheet_of};
use super::plan::Effect;
use super::quota::Exceeded;
use super::rules::is_write;
use crate::app::App;
use crate::http::{self, Call};

/// Answers a call, with what faults do before and after it.
pub(crate) async fn around(app: App, call: Call, user: &str, cut: Option<Cut>) -> Response {
    let path = call.path().to_owned();
    let decision = {
        let mut state = app.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.decide(&call, user, app.now_ms())
    };
    if let Some(exceeded) = decision.exceeded {
        return bodies::rate_limit(&path, exceeded);
    }
    let request = Met { app: &app, path: &path, write: is_write(&call), cut, seed: decision.seed };
    for effect in &decision.before {
        if let Some(answer) = request.happens(effect, None).await {
            return answer;
        }
    }
    let mut response = http::dispatch(app.clone(), call).await;
    for effect in &decision.after {
        match request.happens(effect, Some(response)).await {
            Some(answer) => response = answer,
            None => return Response::new(Body::empty()),
        }
    }
    response
}

/// Is a request that faults met.
struct Met<'a> {
    app: &'a App,
    path: &'a str,
    write: bool,
    cut: Option<Cut>,
    seed: u64,
}

impl Met<'_> {
    /// Lets one effect happen; returns the answer to give, which before the request is `None` when
    /// it goes on.
    async fn happens(&self, effect: &Effect, response: Option<Response>) -> Option<Response> {
        match effect {
            Effect::Latency { milliseconds } => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                response
            }
            Effect::RateLimit => Some(bodies::rate_limit(
                self.path,
                Exceeded { write: self.write, per_user: true, limit: 60 },
            )),
            Effect::Internal => Some(bodies::internal(self.path)),
            Effect::Unavailable => Some(bodies::unavailable(self.path)),
            Effect::Html { status } => Some(bodies::html(*status)),
            Effect::Reset => {
                match &self.cut {
                    Some(cut) => {
                        cut.now();
                        Some(Response::new(Body::empty()))
                    }
                    // A router without our listener cannot cut; this is the nearest it can do.
                    None => Some(bodies::html(502)),
                }
            }
            Effect::Truncate => match response {
                Some(response) => Some(self.truncate(response).await),
                None => None,
            },
            Effect::Editor { edit } => {
                if let Some(id) = spreadsheet_of(self.path) {
                    editor::edit(self.app, &id, *edit, self.seed).await;
                }
                response
            }
            Effect::Requests { requests } => {
                if let Some(id) = spreadsheet_of(self.path) {
                    editor::send(self.app, &id, requests.clone()).await;
                }
                response
            }
        }
    }

    /// Breaks an answer off in its middle; without a connection to cut, the body is just short.
    async fn truncate(&self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        let Ok(bytes) = to_bytes(body, usize::MAX).await else {
            return bodies::internal(self.path);
        };
        let half = bytes.len() / 2;
        match &self.cut {
            Some(cut) => {
                cut.in_body(u64::try_from(half).unwrap_or(u64::MAX));
                Response::from_parts(parts, Body::from(bytes))
            }
            None => {
                parts.headers.remove(header::CONTENT_LENGTH);
                Response::from_parts(parts, Body::from(bytes.slice(..half)))
            }
        }
    }
}
