//! An HTTP/1.1 server over raw TCP: it records what it was sent, and can misbehave on the wire.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::Build;
use crate::{Backoff, Config, Google, Quota, Timeouts};

/// What the stub does with a request.
pub(super) enum Answer {
    Json(u16, String),
    /// Status, content type, further header lines, body.
    Raw(u16, &'static str, String, String),
    /// 200 with a length, and only half of the body.
    Truncated(String),
    /// Closes the connection without a word.
    Reset,
    Hang,
}

/// A recorded request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Path and query as they came, still encoded.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Asked {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(super) fn params(&self, name: &str) -> Vec<String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| {
                let value = value.replace('+', " ");
                percent_decode_str(&value).decode_utf8().unwrap().into_owned()
            })
            .collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Script = dyn Fn(&Asked, usize) -> Answer + Send + Sync;

pub(super) struct Stub {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Starts a server that asks `script` (request, number from 0) what to answer.
    pub(super) async fn start(
        script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let record = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&record)));
            }
        });
        Self { url, asked }
    }

    /// Starts a server that gives the same JSON to everybody.
    pub(super) async fn always(json: &'static str) -> Self {
        Self::start(move |_, _| Answer::Json(200, json.into())).await
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// A client of this stub, impatient enough for tests.
    pub(super) fn google(&self) -> Google {
        Google::new(self.config()).unwrap()
    }

    pub(super) fn config(&self) -> Config {
        Config {
            timeouts: Timeouts {
                connect: Duration::from_secs(2),
                token: Duration::from_millis(300),
                read: Duration::from_millis(300),
                write: Duration::from_millis(300),
            },
            backoff: Backoff {
                attempts: 3,
                base: Duration::from_millis(1),
                cap: Duration::from_millis(4),
                ..Backoff::default()
            },
            quota: Quota { window: Duration::from_millis(20), ..Quota::default() },
            ..Config::local(&self.url)
        }
    }

    pub(super) fn build(&self) -> Build {
        let config = self.config();
        Build {
            sheets_url: config.sheets_url,
            drive_url: config.drive_url,
            timeouts: config.timeouts,
            backoff: config.backoff,
            quota: config.quota,
            user_agent: config.user_agent,
            access: config.access,
        }
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, record: Arc<Mutex<Vec<Asked>>>) {
    while let Some(asked) = read(&mut stream).await {
        let number = {
            let mut record = record.lock().unwrap();
            record.push(asked.clone());
            record.len() - 1
        };
        match script(&asked, number) {
            Answer::Json(status, body) => {
                let kind = "application/json; charset=UTF-8";
                write(&mut stream, status, kind, "", &body, body.len()).await;
            }
            Answer::Raw(status, kind, headers, body) => {
                write(&mut stream, status, kind, &headers, &body, body.len()).await;
            }
            Answer::Truncated(body) => {
                let half = body.get(..body.len() / 2).unwrap();
                write(&mut stream, 200, "application/json", "", half, body.len()).await;
                return;
            }
            Answer::Reset => return,
            Answer::Hang => tokio::time::sleep(Duration::from_secs(30)).await,
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        // A TLS handshake: this is no server for it.
        if bytes.first() == Some(&0x16) {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut asked = Asked { method, target, headers, body: bytes[head..].to_vec() };
    let length = asked.header("content-length").map_or(0, |text| text.parse().unwrap());
    while asked.body.len() < length {
        if stream.read_buf(&mut asked.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(asked)
}

async fn write(
    stream: &mut TcpStream,
    status: u16,
    kind: &str,
    headers: &str,
    body: &str,
    length: usize,
) {
    let text = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    let _ = stream.write_all(text.as_bytes()).await;
}
