//! A real S3 service (moto) as a child, and a way to it on which somebody else can be first.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::programs;

/// A bucket `lake` that somebody else writes, too.
pub(super) struct Bucket {
    pub(super) port: u16,
    child: Child,
    talk: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Bucket {
    /// Starts the service; `None` to skip.
    pub(super) fn start() -> Option<Arc<Self>> {
        let mut command = programs::remote("s3_server.py")?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (asks, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut answers = BufReader::new(answers);
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("the S3 service says {line:?}"));
        Some(Arc::new(Self { port, child, talk: Mutex::new((asks, answers)) }))
    }

    fn ask(&self, ask: &Value) -> Value {
        let mut talk = self.talk.lock().unwrap();
        writeln!(talk.0, "{ask}").unwrap();
        let mut line = String::new();
        talk.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub(super) fn put(&self, key: &str, text: &str) {
        self.ask(&json!({"put": key, "text": text}));
    }

    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.ask(&json!({"get": key})).as_str().map(str::to_owned)
    }

    /// Returns what the operator says of it, reached at a port.
    pub(super) fn connection(port: u16, more: &str) -> String {
        format!(
            "kind = \"s3\"\nbucket = \"lake\"\nroot = \"team\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
             region = \"us-east-1\"\naccessKeyId = \"test\"\nsecretAccessKey = \"secret-of-test\"\n{more}"
        )
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What happens when the client begins to write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Race {
    /// Somebody else writes first.
    First,
    /// The service gets the request, and its answer is lost.
    Deaf,
}

/// Opens a way to the service; the next write on it meets the race, somebody else writing this text.
pub(super) async fn way(bucket: Arc<Bucket>, key: &'static str) -> (u16, Arc<Mutex<Next>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let next: Arc<Mutex<Next>> = Arc::default();
    let serving = next.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, bucket.clone(), key, serving.clone()));
        }
    });
    (port, next)
}

/// The race that the next write meets, with the text that somebody else writes.
pub(super) type Next = Option<(Race, String)>;

async fn serve(client: TcpStream, bucket: Arc<Bucket>, key: &'static str, next: Arc<Mutex<Next>>) {
    let server = TcpStream::connect(("127.0.0.1", bucket.port)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let deaf = std::sync::atomic::AtomicBool::new(false);
    let there = async {
        let mut room = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_client.read(&mut room).await {
            if room.starts_with(b"PUT ") {
                let race = next.lock().unwrap().take();
                if let Some((Race::First, text)) = &race {
                    let (bucket, text) = (bucket.clone(), text.clone());
                    let put = tokio::task::spawn_blocking(move || bucket.put(key, &text));
                    put.await.unwrap();
                }
                let lost = race.is_some_and(|(race, _)| race == Race::Deaf);
                deaf.store(lost, std::sync::atomic::Ordering::SeqCst);
            }
            if to_server.write_all(&room[..length]).await.is_err() {
                return;
            }
        }
    };
    let back = async {
        let mut room = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut room).await {
            // The service has done it: the connection breaks instead of its answer.
            if deaf.load(std::sync::atomic::Ordering::SeqCst) {
                return;
            }
            if to_client.write_all(&room[..length]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = there => {}, () = back => {} }
}
