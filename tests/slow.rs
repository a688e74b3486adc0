//! Calls that wait for somebody slow: they say so once a second, and a read ends when nobody wants it any more.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    http::{Server, answer, messages},
    session::Session,
};

/// A service that takes its time.
struct Slow {
    url: String,
    /// How many requests it has taken.
    taken: Arc<AtomicUsize>,
    /// How many of them went away before they were answered.
    gone: Arc<AtomicUsize>,
}

impl Slow {
    /// Starts one that answers each request after `pause` with an empty list of files.
    fn new(pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (taken, gone) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let slow = Self { url, taken: Arc::clone(&taken), gone: Arc::clone(&gone) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (taken, gone) = (Arc::clone(&taken), Arc::clone(&gone));
                thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {
                    }
                    taken.fetch_add(1, Ordering::SeqCst);
                    stream.set_read_timeout(Some(pause)).unwrap();
                    if matches!(stream.read(&mut [0]), Ok(0)) {
                        gone.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    let body = "{\"files\":[]}";
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                    let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
                });
            }
        });
        slow
    }

    fn settings(&self) -> String {
        format!("[workspace]\nurl = \"{}\"\n", self.url)
    }
}

async fn until(what: &AtomicUsize, why: &str) {
    let began = Instant::now();
    while what.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "{why}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn asked(slow: &Slow) {
    until(&slow.taken, "the service was not asked").await;
}

/// The request must go away long before its answer would come.
async fn left(slow: &Slow, how: &str) {
    until(&slow.gone, &format!("{how}: the read goes on for nobody")).await;
}

const MINUTE: Duration = Duration::from_secs(60);

fn find(meta: Value) -> Value {
    json!({"name": "findFiles", "arguments": {}, "_meta": meta})
}

fn told(heard: &[Value]) {
    let steps: Vec<f64> = heard
        .iter()
        .filter(|message| message["method"] == "notifications/progress")
        .map(|message| message["params"]["progress"].as_f64().unwrap())
        .collect();
    assert!(steps.len() >= 2, "a call of more than two seconds said too little: {heard:?}");
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
}

#[tokio::test]
async fn a_call_over_a_second_says_so_on_every_transport() {
    let slow = Slow::new(Duration::from_millis(2_500));
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("lockstep.toml"), slow.settings()).unwrap();
    let mut session = Session::initialized(folder.path());
    let params = find(json!({"progressToken": "p"}));
    session.send(&json!({"jsonrpc": "2.0", "id": "f", "method": "tools/call", "params": params}));
    let mut heard = Vec::new();
    loop {
        let message = session.message();
        if message["id"] == "f" {
            assert_eq!(message["result"]["structuredContent"]["files"], json!([]), "{message}");
            break;
        }
        heard.push(message);
    }
    told(&heard);
    let server = Server::start(&slow.settings());
    let client = server.client(None);
    let modern = client.modern("tools/call", find(json!({})), json!({"progressToken": "p"})).await;
    let modern = messages(modern).await;
    assert_eq!(answer(&modern)["result"]["structuredContent"]["files"], json!([]));
    told(&modern);
    let legacy = client.initialized().await;
    let call = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params});
    told(&messages(legacy.post(&call).await).await);
}

#[tokio::test]
async fn a_read_ends_with_the_client_of_2026_07_28_that_goes_away() {
    let slow = Slow::new(MINUTE);
    let server = Server::start(&slow.settings());
    let client = server.client(None);
    for meta in [json!({}), json!({"progressToken": "p"})] {
        slow.taken.store(0, Ordering::SeqCst);
        slow.gone.store(0, Ordering::SeqCst);
        let (hasty, said) = (client.clone(), meta.clone());
        let begun =
            tokio::spawn(async move { hasty.modern("tools/call", find(json!({})), said).await });
        asked(&slow).await;
        begun.abort();
        let _ = begun.await;
        left(&slow, &format!("a client that left, {meta}")).await;
    }
}

#[tokio::test]
async fn a_read_ends_when_its_call_is_cancelled() {
    let cancel = |id: &str| json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}});
    let call =
        json!({"jsonrpc": "2.0", "id": "f", "method": "tools/call", "params": find(json!({}))});
    let slow = Slow::new(MINUTE);
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("lockstep.toml"), slow.settings()).unwrap();
    let mut session = Session::initialized(folder.path());
    session.send(&call);
    asked(&slow).await;
    session.send(&cancel("f"));
    left(&slow, "stdio").await;
    let slow = Slow::new(MINUTE);
    let server = Server::start(&slow.settings());
    let client = server.client(None).initialized().await;
    let caller = client.clone();
    let begun = tokio::spawn(async move { caller.post(&call).await });
    asked(&slow).await;
    assert!(client.post(&cancel("f")).await.status().is_success());
    left(&slow, "a session over HTTP").await;
    begun.abort();
}
