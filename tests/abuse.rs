//! Hostile messages on every transport: no panic, no leak, every well-formed request answered.
//!
//! A tenth of the messages in CI, all 10,000 a transport with `tests/run --full`.

mod hostile;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::hostile::{hostile, request_id};
use crate::support::{
    http::{Client, Server, answer, initialize, messages},
    session::{Session, modern_meta},
};

fn count() -> usize {
    if env::var_os("LOCKSTEP_FULL").is_some() { 10_000 } else { 1_000 }
}

/// How much the server may grow while it is abused, in KiB: caches and allocator slack, not a leak a message.
const SLACK: u64 = 24 * 1024;

/// Returns what a process holds in memory, in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn stdio_survives() {
    for handshake in [true, false] {
        let folder = TempDir::new().unwrap();
        let mut session = Session::start(folder.path());
        if handshake {
            session.initialize();
        }
        let mut random = StdRng::seed_from_u64(7);
        let mut after_warm_up = 0;
        let (mut open, mut asked) = (BTreeMap::new(), 0);
        for number in 0..count() {
            let mut line = hostile(&mut random);
            if let Some(id) = request_id(&line) {
                open.insert(
                    id,
                    String::from_utf8_lossy(&line).chars().take(400).collect::<String>(),
                );
                asked += 1;
            }
            line.push(b'\n');
            session.send_bytes(&line);
            if number % 20 == 0 {
                let id = format!("fine-{number}");
                let params = if handshake { json!({}) } else { json!({"_meta": modern_meta()}) };
                session.send(
                    &json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params}),
                );
                loop {
                    let message = session.message();
                    message["id"].as_u64().map(|id| open.remove(&id));
                    if message["id"] == id.as_str() {
                        assert!(
                            message["result"]["tools"].is_array(),
                            "message {number}: {message}"
                        );
                        break;
                    }
                }
            }
            if number == count() / 3 {
                after_warm_up = resident(session.pid());
            }
        }
        while !open.is_empty() {
            let message = session.answer_or_none();
            let message =
                message.unwrap_or_else(|| panic!("of {asked} requests not answered: {open:#?}"));
            message["id"].as_u64().map(|id| open.remove(&id));
        }
        let grown = resident(session.pid()).saturating_sub(after_warm_up);
        println!(
            "stdio, handshake {handshake}: {} messages, all {asked} well-formed requests answered, grew by {grown} KiB from {after_warm_up} KiB",
            count()
        );
        assert!(grown < SLACK, "grew by {grown} KiB from {after_warm_up} KiB");
        session.close();
        let log = session.ended(Duration::from_secs(30)).stderr;
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// Sends a request as bytes, and cuts the connection somewhere.
fn cut(address: &str, body: &[u8], random: &mut StdRng) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let whole = [head.as_bytes(), body].concat();
    let sent = random.random_range(0..=whole.len());
    let _ = stream.write_all(&whole[..sent]);
    if random.random_bool(0.3) {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(5)));
        let _ = stream.read(&mut [0; 64]);
    }
}

async fn fine(client: &Client, number: usize) {
    let listed = client.modern("tools/list", json!({}), json!({})).await;
    assert_eq!(listed.status(), StatusCode::OK, "after message {number}");
    assert!(answer(&messages(listed).await)["result"]["tools"].is_array());
}

#[tokio::test]
async fn streamable_http_survives() {
    let server = Server::start("");
    let address = server.listening.url.trim_start_matches("http://").to_owned();
    let client = server.client(None);
    let session = client.clone().initialized().await;
    let mut random = StdRng::seed_from_u64(8);
    let (mut after_warm_up, mut answered) = (0, 0);
    for number in 0..count() {
        let body = hostile(&mut random);
        let mut request = match random.random_range(0..3) {
            0 => session.request(Method::POST, "/mcp"),
            1 => client.request(Method::POST, "/mcp").header("mcp-session-id", "nobody"),
            _ => client.request(Method::POST, "/mcp"),
        };
        request = request.header("content-type", "application/json");
        if random.random_bool(0.4) {
            request = request
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/call");
        }
        // A session that a hostile message opened, and a stream that never ends, are dropped with the response.
        let response = request.body(body.clone()).timeout(Duration::from_secs(20)).send().await;
        let response =
            response.unwrap_or_else(|error| panic!("message {number}: {error}: {body:?}"));
        let status = response.status();
        assert!(
            status != StatusCode::INTERNAL_SERVER_ERROR,
            "message {number}: {:?}",
            String::from_utf8_lossy(&body)
        );
        match request_id(&body).filter(|_| status == StatusCode::OK) {
            Some(id) => {
                let text = response.text().await;
                let text = text.unwrap_or_else(|error| panic!("message {number}: {error}"));
                let said = format!("\"id\":{id}");
                assert!(text.contains(&said), "message {number}: {text:.400}");
                answered += 1;
            }
            None => drop(response),
        }
        if number % 10 == 0 {
            cut(&address, &body, &mut random);
        }
        if number % 20 == 0 {
            fine(&client, number).await;
        }
        if number == count() / 3 {
            after_warm_up = resident(server.listening.child.id());
        }
    }
    let listed = session.ask("tools/list", json!({})).await;
    assert!(listed["result"]["tools"].is_array(), "the session lives: {listed}");
    let grown = resident(server.listening.child.id()).saturating_sub(after_warm_up);
    println!(
        "Streamable HTTP: {} messages, each answered by a status, {answered} well-formed requests by a message, grew by {grown} KiB from {after_warm_up} KiB",
        count()
    );
    assert!(grown < SLACK, "grew by {grown} KiB from {after_warm_up} KiB");
    let log = server.listening.killed();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn the_older_pair_survives() {
    let server = Server::start("");
    let client = server.client(None);
    let mut stream = client.request(Method::GET, "/sse").send().await.unwrap();
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let endpoint = first.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
    // Whatever comes is drained, so that only a missing answer can hold the session up.
    let (found, mut answers) = tokio::sync::mpsc::unbounded_channel::<String>();
    let open: Arc<Mutex<BTreeMap<u64, String>>> = Arc::default();
    let waiting = Arc::clone(&open);
    tokio::spawn(async move {
        let mut text = String::new();
        while let Ok(Some(chunk)) = stream.chunk().await {
            text.push_str(&String::from_utf8_lossy(&chunk));
            while let Some((event, rest)) = text.split_once("\n\n") {
                if event.contains("\"fine-") {
                    let _ = found.send(event.to_owned());
                }
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let message = data.and_then(|data| serde_json::from_str::<Value>(data).ok());
                if let Some(id) = message.and_then(|message| message["id"].as_u64()) {
                    waiting.lock().unwrap().remove(&id);
                }
                text = rest.to_owned();
            }
        }
    });
    let post = async |body: Vec<u8>| {
        client.request(Method::POST, &endpoint).body(body).send().await.unwrap().status()
    };
    post(initialize("2024-11-05").to_string().into_bytes()).await;
    post(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string().into_bytes())
        .await;
    let mut random = StdRng::seed_from_u64(9);
    let mut after_warm_up = 0;
    let mut asked = 0;
    for number in 0..count() {
        let body = hostile(&mut random);
        if let Some(id) = request_id(&body) {
            let said = String::from_utf8_lossy(&body).chars().take(400).collect();
            open.lock().unwrap().insert(id, said);
            asked += 1;
        }
        let status = post(body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "message {number}");
        if number % 20 == 0 {
            let id = format!("fine-{number}\"");
            let ask =
                json!({"jsonrpc": "2.0", "id": format!("fine-{number}"), "method": "tools/list"});
            post(ask.to_string().into_bytes()).await;
            let event = tokio::time::timeout(Duration::from_secs(30), answers.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("message {number}: no answer")).unwrap();
            assert!(
                event.contains(&id) && event.contains("syncDataset"),
                "message {number}: {event:.200}"
            );
        }
        if number == count() / 3 {
            after_warm_up = resident(server.listening.child.id());
        }
    }
    for _ in 0..100 {
        if open.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let missing = open.lock().unwrap().clone();
    assert!(missing.is_empty(), "of {asked} requests not answered: {missing:#?}");
    let grown = resident(server.listening.child.id()).saturating_sub(after_warm_up);
    println!(
        "the older pair: {} messages, all {asked} well-formed requests answered, grew by {grown} KiB from {after_warm_up} KiB",
        count()
    );
    assert!(grown < SLACK, "grew by {grown} KiB from {after_warm_up} KiB");
    let log = server.listening.killed();
    assert!(!log.contains("panicked"), "{log}");
}

/// Opens `many` sessions at once, uses each, and closes it.
async fn crowd(server: &Server, many: usize) {
    let tasks: Vec<_> = (0..many)
        .map(|_| {
            let client = server.client(None);
            tokio::spawn(async move {
                let session = client.initialized().await;
                let listed = session.ask("tools/list", json!({})).await;
                assert!(listed["result"]["tools"].is_array());
                session
            })
        })
        .collect();
    let mut sessions = Vec::new();
    for task in tasks {
        sessions.push(task.await.unwrap());
    }
    for session in sessions {
        let ended = session.request(Method::DELETE, "/mcp").send().await.unwrap();
        assert!(ended.status().is_success());
    }
}

#[tokio::test]
async fn five_hundred_sessions_at_once_leave_nothing_behind() {
    let server = Server::start("");
    let pid = server.listening.child.id();
    crowd(&server, 500).await;
    crowd(&server, 500).await;
    // What a crowd at once needs is kept by the allocator; what single sessions left behind would add up.
    crowd(&server, 50).await;
    let before = resident(pid);
    for _ in 0..20 {
        crowd(&server, 50).await;
    }
    let grown = resident(pid).saturating_sub(before);
    println!("1,000 sessions more: grew by {grown} KiB from {before} KiB");
    assert!(grown < SLACK / 2, "grew by {grown} KiB from {before} KiB");
    let metrics = server.client(None).request(Method::GET, "/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("lockstep_http_sessions 0"), "{metrics}");
}
