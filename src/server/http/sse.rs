//! The older pair of revision 2024-11-05: `GET /sse` streams what the server says, `POST /messages` takes what the
//! client says. The same handlers answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    sync::mpsc,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Http,
    body::{Feed, Guarded},
    sessions::{Admission, MOST, Use},
};
use crate::{
    principal::Principal,
    server::{
        frames::{Frame, whole},
        lines::{self, Lines},
    },
};

/// How often a silent stream says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a message may wait for a session that does not take it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way in to an open session.
#[derive(Clone, Debug)]
struct Inlet {
    input: Arc<tokio::sync::Mutex<DuplexStream>>,
    answers: mpsc::Sender<Bytes>,
}

/// The open streams by session id.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<String, Inlet>>>);

impl Streams {
    fn find(&self, id: &str) -> Option<Inlet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn insert(&self, id: &str, inlet: Inlet) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), inlet);
    }

    fn remove(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// An open stream; the session ends when its client is gone.
struct Open {
    http: Http,
    id: String,
    _using: Use,
    _stop: DropGuard,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.http.streams.remove(&self.id);
        self.http.sessions.closed(&self.id);
    }
}

/// Answers `GET /sse`.
pub(super) async fn stream(
    State(http): State<Http>,
    Extension(principal): Extension<Principal>,
) -> Response {
    if http.sessions.count() >= MOST {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open\n").into_response();
    }
    let id = uuid::Uuid::new_v4().to_string();
    let stop = http.stop.child_token();
    let using = http.sessions.opened(&id, &principal.subject);
    let server = http.server.for_session(principal);
    let Lines { input, output, session: _ } = lines::start(server, stop.clone());
    let (events, feed) = mpsc::channel::<Bytes>(64);
    let input = Arc::new(tokio::sync::Mutex::new(input));
    http.streams.insert(&id, Inlet { input, answers: events.clone() });
    let endpoint = event("endpoint", format!("/messages?sessionId={id}").as_bytes());
    let _ = events.try_send(endpoint);
    tokio::spawn(forward(output, events, stop.clone()));
    let open = Open { http, id, _using: using, _stop: stop.drop_guard() };
    let mut response =
        Response::new(Body::new(Guarded { body: Body::new(Feed(feed)), guard: open }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Turns the server's lines into events until either side is gone.
async fn forward(mut output: lines::Output, events: mpsc::Sender<Bytes>, stop: CancellationToken) {
    let mut beat = tokio::time::interval(KEEP_ALIVE);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beat.tick().await;
    // The line is read in a task of its own: a reading that is cut off would lose what it has.
    let (lines_in, mut lines) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Some(line) = output.line().await {
            if lines_in.send(line).await.is_err() {
                return;
            }
        }
    });
    loop {
        let bytes = tokio::select! {
            line = lines.recv() => match line {
                Some(line) => event("message", line.strip_suffix(b"\n").unwrap_or(&line)),
                None => break,
            },
            _ = beat.tick() => Bytes::from_static(b": still here\n\n"),
        };
        if events.send(bytes).await.is_err() {
            break;
        }
    }
    stop.cancel();
}

/// Returns an event; `data` is one line.
fn event(name: &str, data: &[u8]) -> Bytes {
    let mut bytes = format!("event: {name}\ndata: ").into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

/// The query of `POST /messages`.
#[derive(Debug, Deserialize)]
pub(super) struct Address {
    #[serde(rename = "sessionId", alias = "session_id")]
    session: String,
}

/// Answers `POST /messages?sessionId=…`; the answer to the message itself comes on the stream.
pub(super) async fn message(
    State(http): State<Http>,
    Extension(principal): Extension<Principal>,
    Query(address): Query<Address>,
    body: Bytes,
) -> Response {
    let unknown =
        || (StatusCode::NOT_FOUND, "there is no such session: open one at /sse\n").into_response();
    let Admission::Welcome(_using) = http.sessions.admit(&address.session, &principal.subject)
    else {
        return unknown();
    };
    let Some(inlet) = http.streams.find(&address.session) else { return unknown() };
    let sent = match whole(&body) {
        Frame::Line(line) => {
            let write = async {
                let mut input = inlet.input.lock().await;
                input.write_all(&line).await.is_ok()
            };
            tokio::time::timeout(PATIENCE, write).await
        }
        Frame::Answer(answer) => {
            let bytes = event("message", answer.to_string().as_bytes());
            let send = async { inlet.answers.send(bytes).await.is_ok() };
            tokio::time::timeout(PATIENCE, send).await
        }
    };
    match sent {
        Ok(true) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Ok(false) => unknown(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the session does not take messages now\n")
            .into_response(),
    }
}
