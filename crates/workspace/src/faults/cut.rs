//! Connections that can be cut: before the answer, or in its middle.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Is the mark of a connection that is whole.
const WHOLE: u64 = u64::MAX;

/// Cuts the connection it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Cut {
    /// How many bytes of a body may still leave; [`WHOLE`] when all may.
    left: Arc<AtomicU64>,
}

impl Cut {
    /// Lets nothing more leave: the peer sees a reset.
    pub(super) fn now(&self) {
        self.left.store(0, Ordering::Release);
    }

    /// Lets the head of the next answer and so many bytes of its body leave.
    pub(super) fn in_body(&self, bytes: u64) {
        self.left.store(bytes.max(1), Ordering::Release);
    }
}

/// Accepts connections that can be cut.
pub(crate) struct CutListener(pub(crate) TcpListener);

/// Is a connection that can be cut.
pub(crate) struct CutStream {
    stream: TcpStream,
    cut: Cut,
    /// Whether the head of the answer that is cut has left.
    in_body: bool,
}

impl Listener for CutListener {
    type Io = CutStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The trait's own implementation waits and tries again when accepting fails.
        let (stream, address) = <TcpListener as Listener>::accept(&mut self.0).await;
        let _ = stream.set_nodelay(true);
        let cut = Cut { left: Arc::new(AtomicU64::new(WHOLE)) };
        (CutStream { stream, cut, in_body: false }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, CutListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CutListener>) -> Self {
        stream.io().cut.clone()
    }
}

impl CutStream {
    fn broken(&self) -> io::Error {
        // Closing with unsent data waiting makes it a reset, not an orderly end.
        let _ = self.stream.set_zero_linger();
        io::Error::from(io::ErrorKind::ConnectionReset)
    }

    /// Returns how much of some bytes may leave, `None` when nothing may.
    fn allowed(&mut self, bytes: &[u8]) -> Option<usize> {
        let left = self.cut.left.load(Ordering::Acquire);
        if left == WHOLE {
            return Some(bytes.len());
        }
        if left == 0 {
            return None;
        }
        let head = if self.in_body {
            0
        } else {
            match bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => end + 4,
                None => return Some(bytes.len()),
            }
        };
        self.in_body = true;
        let body = u64::try_from(bytes.len().saturating_sub(head)).unwrap_or(u64::MAX).min(left);
        self.cut.left.store(left - body, Ordering::Release);
        Some(head + usize::try_from(body).unwrap_or(0))
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.left.load(Ordering::Acquire) == 0 {
            return Poll::Ready(Err(self.broken()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(length) = self.allowed(bytes) else {
            return Poll::Ready(Err(self.broken()));
        };
        let Some(part) = bytes.get(..length) else {
            return Poll::Ready(Err(self.broken()));
        };
        Pin::new(&mut self.stream).poll_write(context, part)
    }

    /// Sends several buffers at once while the connection is whole: a long answer is not copied
    /// together first.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.cut.left.load(Ordering::Acquire) == WHOLE {
            return Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        }
        // Before a cut every byte is counted, a buffer at a time.
        let first = buffers.iter().find(|buffer| !buffer.is_empty());
        self.poll_write(context, first.map_or(&[], |buffer| buffer))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
