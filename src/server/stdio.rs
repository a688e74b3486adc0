//! The stdio transport: JSON-RPC lines on stdin and stdout, logs on stderr.

use std::{io, time::Duration};

use rmcp::transport::io::stdio_pipes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{
    Server,
    frames::{Frame, Frames, MAX_LINE},
    lines::{self, Lines},
};

/// How long calls in flight may go on after the client closed its side.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves one client on stdin and stdout until it closes, or until `stop`.
///
/// # Errors
/// A transport that fails before the session starts.
pub async fn serve(server: Server, stop: CancellationToken) -> io::Result<()> {
    let (mut stdin, mut stdout) = stdio_pipes();
    let silent = server.session.followed.silent.clone().drop_guard();
    let Lines { input, mut output, session } = lines::start(server, stop.clone());
    let (lines, mut queue) = tokio::sync::mpsc::channel::<Vec<u8>>(64);

    let answers = lines.clone();
    let reader = tokio::spawn(async move {
        let _silent = silent;
        let mut input = input;
        let mut frames = Frames::new(MAX_LINE);
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            let count = match stdin.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            for frame in frames.feed(buffer.get(..count).unwrap_or_default()) {
                match frame {
                    Frame::Line(line) => {
                        if input.write_all(&line).await.is_err() {
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
        while let Some(line) = output.line().await {
            if lines.send(line).await.is_err() {
                return;
            }
        }
    });
    let writer = tokio::spawn(async move {
        while let Some(line) = queue.recv().await {
            if stdout.write_all(&line).await.is_err() || stdout.flush().await.is_err() {
                return;
            }
        }
    });

    let outcome = match session.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
        // A client that leaves before it said anything, or an operator's signal, is no failure.
        Err(_) if stop.is_cancelled() || reader.is_finished() => Ok(()),
        outcome => outcome,
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
