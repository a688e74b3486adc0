//! Sends the notifications that wait in the outbox.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::channel::{self, Message};
use super::watch::target;
use crate::app::App;

/// How long one notification may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How often one is tried; Google tries again with growing pauses after 500, 502, 503 and 504.
const ATTEMPTS: u32 = 4;

/// Sends what waits, in the background, in order. Called after every request that wrote.
pub(crate) fn flush(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        // One at a time, so that messages leave in the order of their numbers.
        let _turn = app.push.lock().await;
        let waits = app
            .store
            .read(|session| {
                Ok(session
                    .sql()
                    .query_row("SELECT EXISTS(SELECT 1 FROM outbox)", [], |row| row.get(0))?)
            })
            .await;
        if !matches!(waits, Ok(true)) {
            return;
        }
        // Taken out before they are sent: a message is told at most once, as a hint, not a promise.
        match app.store.write(|session| channel::take(session.sql())).await {
            Ok(messages) => {
                for message in messages {
                    deliver(&message).await;
                }
            }
            Err(error) => tracing::warn!(?error, "workspace: the outbox could not be read"),
        }
    });
}

async fn deliver(message: &Message) {
    for attempt in 0..ATTEMPTS {
        match tokio::time::timeout(LIMIT, post(message)).await {
            Ok(Ok(status)) if !matches!(status, 500 | 502 | 503 | 504) => return,
            outcome => tracing::debug!(
                ?outcome,
                address = message.address,
                "workspace: notification not taken"
            ),
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
}

/// Posts an empty body with the message's headers, and returns the status of the answer.
async fn post(message: &Message) -> std::io::Result<u16> {
    let invalid =
        |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, what.to_owned());
    let (authority, path) =
        target(&message.address).ok_or_else(|| invalid("not a loopback address"))?;
    let mut head = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 0\r\nConnection: close\r\n\
         User-Agent: APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)\r\n\
         Accept: */*\r\n"
    );
    for (name, value) in &message.headers {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    // The status line is all that counts.
    (&mut stream).take(64).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    text.split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| invalid("no HTTP answer"))
}
