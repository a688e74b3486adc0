//! Long answers are sent while they are written.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::sink::{Piece, Sink, gather};
use crate::fields::Mask;
use crate::http::{ApiError, json, raw_json};

/// Is how many pieces may wait for the network; what is written ahead of it is bounded by them.
const AHEAD: usize = 8;

/// Is a piece of an answer, or what went wrong in the middle of it.
type Told = Result<Bytes, ApiError>;

/// Is an answer whose first pieces were waited for.
struct Pieces {
    first: Option<Told>,
    second: Option<Told>,
    rest: Receiver<Told>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let first = self.first.take();
        let piece = match first.or_else(|| self.second.take()) {
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

/// Answers with the JSON text of a message that a closure writes, beside the async threads. A short
/// text, and one that a mask cuts, is sent whole.
pub(super) async fn stream(
    message: &'static str,
    mask: Option<Mask>,
    pretty: bool,
    write: impl FnOnce(&mut Sink<'_>) -> Result<(), ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    if let Some(mask) = mask {
        let text = tokio::task::spawn_blocking(move || gather(write))
            .await
            .map_err(ApiError::internal)??;
        hold(message, &text)?;
        return Ok(json(200, &mask.apply(serde_json::from_slice(&text)?), pretty));
    }
    let (sender, mut rest) = channel(AHEAD);
    tokio::task::spawn_blocking(move || produce(&sender, message, pretty, write));
    let first = rest.recv().await.ok_or_else(|| ApiError::internal("no answer was written"))??;
    match rest.recv().await {
        None => Ok(raw_json(200, first)),
        second => {
            let mut response = raw_json(200, Bytes::new());
            let pieces = Pieces { first: Some(Ok(first)), second, rest };
            *response.body_mut() = Body::from_stream(pieces);
            Ok(response)
        }
    }
}

fn produce(
    sender: &Sender<Told>,
    message: &str,
    pretty: bool,
    write: impl FnOnce(&mut Sink<'_>) -> Result<(), ApiError>,
) {
    // A reader that went away takes nothing more.
    let gone = || ApiError::new(499, "CANCELLED", "The reader of the answer has gone.");
    let mut all = Vec::new();
    let mut full = |piece: Piece| {
        if cfg!(debug_assertions) {
            all.extend_from_slice(piece.as_ref());
        }
        sender.blocking_send(Ok(piece.into_bytes())).map_err(|_| gone())
    };
    let mut out = Sink::new(&mut full);
    let result = write(&mut out).and_then(|()| {
        if pretty {
            out.raw(b"\n");
        }
        out.hand_on()
    });
    if let Err(error) = result.and_then(|()| hold(message, &all)) {
        let _ = sender.blocking_send(Err(error));
    }
}

/// Refuses a text that is no message of its type. Only debug builds look, so every test does.
fn hold(message: &str, text: &[u8]) -> Result<(), ApiError> {
    if cfg!(debug_assertions) && !super::fits(&serde_json::from_slice(text)?, message) {
        return Err(ApiError::internal(format!("an answer is no {message}")));
    }
    Ok(())
}
