//! A session spoken in lines of JSON-RPC: what stdio and the older HTTP+SSE pair have in common.

use std::io;

use rmcp::{ServiceExt, transport::async_rw::AsyncRwTransport};
use tokio::{
    io::{AsyncBufReadExt, BufReader, DuplexStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{Server, frames::MAX_LINE};

/// How much may wait in each direction, in bytes.
const BUFFER: usize = 256 * 1024;

/// The far end of a session.
#[derive(Debug)]
pub(super) struct Lines {
    /// Takes the client's lines; dropped when the client has no more to say.
    pub(super) input: DuplexStream,
    /// Gives the server's lines.
    pub(super) output: Output,
    /// Ends with the session.
    pub(super) session: JoinHandle<io::Result<()>>,
}

/// The lines that a server says.
#[derive(Debug)]
pub(super) struct Output(BufReader<DuplexStream>);

impl Output {
    /// Returns the next line with its newline; `None` after the last.
    pub(super) async fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        match self.0.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line),
        }
    }
}

/// Starts a session that goes on until its input ends, or until `stop`.
pub(super) fn start(server: Server, stop: CancellationToken) -> Lines {
    let (input, from_client) = tokio::io::duplex(BUFFER);
    let (to_client, output) = tokio::io::duplex(BUFFER);
    let transport = AsyncRwTransport::new_server(from_client, to_client)
        .with_max_line_length(MAX_LINE.saturating_add(1));
    let session = tokio::spawn(async move {
        match server.serve_with_ct(transport, stop).await {
            Ok(running) => running.waiting().await.map(|_| ()).map_err(io::Error::other),
            Err(error) => Err(io::Error::other(error)),
        }
    });
    Lines { input, output: Output(BufReader::new(output)), session }
}
