//! Long answers are sent while they are written.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::render::Sink;
use crate::fields::Mask;
use crate::http::{ApiError, json, raw_json};

/// Is how many pieces may wait for the network; what is written ahead of it is bounded by them.
const AHEAD: usize = 8;

/// Is a piece of an answer, or what went wrong in the middle of it.
type Piece = Result<Bytes, ApiError>;

struct Pieces {
    first: Option<Piece>,
    rest: Receiver<Piece>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = match self.first.take() {
            Some(piece) => Poll::Ready(Some(piece)),
            None => self.rest.poll_recv(context),
        };
        // The head is gone already: a fault now breaks the connection, so that nobody takes the
        // half for the whole.
        piece.map(|piece| {
            piece.map(|piece| piece.map_err(|error| std::io::Error::other(error.message)))
        })
    }
}

/// Answers with the JSON text that a closure writes, beside the async threads. A short text, and
/// one that a mask cuts, is sent whole.
pub(super) async fn stream(
    mask: Option<Mask>,
    pretty: bool,
    write: impl FnOnce(&mut Sink<'_>) -> Result<(), ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    if let Some(mask) = mask {
        let text = tokio::task::spawn_blocking(move || {
            let mut out = Sink { text: Vec::new(), full: &mut |_| {} };
            write(&mut out).map(|()| out.text)
        })
        .await
        .map_err(ApiError::internal)??;
        return Ok(json(200, &mask.apply(serde_json::from_slice(&text)?), pretty));
    }
    let (sender, mut rest) = channel(AHEAD);
    tokio::task::spawn_blocking(move || produce(&sender, pretty, write));
    let first = rest.recv().await.ok_or_else(|| ApiError::internal("no answer was written"))??;
    match rest.recv().await {
        None => Ok(raw_json(200, first.into())),
        Some(second) => {
            let both = second.map(|second| Bytes::from([first, second].concat()));
            let mut response = raw_json(200, Vec::new());
            *response.body_mut() = Body::from_stream(Pieces { first: Some(both), rest });
            Ok(response)
        }
    }
}

fn produce(
    sender: &Sender<Piece>,
    pretty: bool,
    write: impl FnOnce(&mut Sink<'_>) -> Result<(), ApiError>,
) {
    // A reader that went away takes nothing more; the rest is written for nobody, and soon done.
    let mut full = |text: &mut Vec<u8>| {
        let capacity = text.capacity();
        let piece = std::mem::replace(text, Vec::with_capacity(capacity));
        let _ = sender.blocking_send(Ok(piece.into()));
    };
    let mut out = Sink { text: Vec::new(), full: &mut full };
    let result = write(&mut out);
    let mut text = out.text;
    if pretty {
        text.push(b'\n');
    }
    let _ = sender.blocking_send(result.map(|()| text.into()));
}
