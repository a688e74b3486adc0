//! The stdio transport: JSON-RPC lines on stdin and stdout, logs on stderr.

use std::{io, time::Duration};

use rmcp::{ServiceExt, transport::async_rw::AsyncRwTransport, transport::io::stdio_pipes};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::{
    Server,
    frames::{Frame, Frames, MAX_LINE},
};

/// How long calls in flight may go on after the client closed its side.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves one client on stdin and stdout until it closes, or until `stop`.
///
/// # Errors
/// A transport that fails before the session starts.
pub async fn serve(server: Server, stop: CancellationToken) -> io::Result<()> {
    let (mut input, mut output) = stdio_pipes();
    let (to_service, from_client) = tokio::io::duplex(256 * 1024);
    let (to_client, from_service) = tokio::io::duplex(256 * 1024);
    let (lines, mut queue) = tokio::sync::mpsc::channel::<Vec<u8>>(64);

    let answers = lines.clone();
    let reader = tokio::spawn(async move {
        let mut to_service = to_service;
        let mut frames = Frames::new(MAX_LINE);
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            let count = match input.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            for frame in frames.feed(buffer.get(..count).unwrap_or_default()) {
                match frame {
                    Frame::Line(line) => {
                        if to_service.write_all(&line).await.is_err() {
                            return;
                        }
                    }
                    Frame::Answer(answer) => {
                        let mut line = answer.to_string().into_bytes();
                        line.push(b'\n');
                        if answers.send(line).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    });
    let forwarder = tokio::spawn(async move {
        let mut from_service = BufReader::new(from_service);
        loop {
            let mut line = Vec::new();
            match from_service.read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if lines.send(line).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    let writer = tokio::spawn(async move {
        while let Some(line) = queue.recv().await {
            if output.write_all(&line).await.is_err() || output.flush().await.is_err() {
                return;
            }
        }
    });

    let transport = AsyncRwTransport::new_server(from_client, to_client)
        .with_max_line_length(MAX_LINE.saturating_add(1));
    let outcome = match server.serve_with_ct(transport, stop.clone()).await {
        Ok(running) => running.waiting().await.map(|_| ()).map_err(io::Error::other),
        // A client that leaves before it said anything, or an operator's signal, is no failure.
        Err(_) if stop.is_cancelled() || reader.is_finished() => Ok(()),
        Err(error) => Err(io::Error::other(error)),
    };
    reader.abort();
    let drained = tokio::time::timeout(DRAIN, async {
        let _ = forwarder.await;
        let _ = reader.await;
        let _ = writer.await;
    });
    if drained.await.is_err() {
        tracing::warn!("the client did not take the last answers within {} s", DRAIN.as_secs());
    }
    outcome
}
