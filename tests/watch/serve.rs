//! The process around the worker: it takes up what is stored, ends when it is told to, and tells who listens.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::hooks;
use crate::support::{bounded, http::messages, lockstep};

/// The service as it is handed to people.
const UNIT: &str = include_str!("../../examples/lockstep-watch.service");

fn folder() -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), "[files]\nwritable = true\n").unwrap();
    folder
}

/// Calls a tool in a process of its own.
fn call(folder: &Path, tool: &str, arguments: &Value) -> Value {
    let output = lockstep(folder).args(["call", tool]).arg(arguments.to_string()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn arrives(path: &Path, text: &str) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if std::fs::read_to_string(path).is_ok_and(|found| found.contains(text)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Ends a process as systemd does, and returns whether it ended well and in time.
fn ends_well(mut child: Child) -> bool {
    bounded::signal("TERM", &child.id().to_string());
    let status = bounded::wait(&mut child, Duration::from_secs(20));
    child.kill().unwrap();
    child.wait().unwrap();
    status.is_some_and(|status| status.success())
}

#[test]
fn a_stored_watch_goes_on_in_whatever_server_starts() {
    let folder = folder();
    let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&a, "sku,qty\nA,1\n").unwrap();
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"},
        "key": ["sku"], "direction": "both"});
    call(folder.path(), "syncDataset", &dataset);
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0.5});
    call(folder.path(), "watchDataset", &start);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!b.exists(), "no server runs");

    let line = UNIT.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let unit: Vec<&str> = line.split_whitespace().skip(1).collect();
    assert_eq!(unit, ["serve", "--watch-only"]);
    let kinds = [unit, vec!["serve"], vec!["serve", "--http", "127.0.0.1:0"]];
    for (number, arguments) in (10..).zip(kinds) {
        std::fs::write(&a, format!("sku,qty\nA,{number}\n")).unwrap();
        let mut command = lockstep(folder.path());
        // A service has nobody on stdin; a client keeps its pipe open.
        let stdin = if arguments == ["serve"] { Stdio::piped() } else { Stdio::null() };
        command.args(&arguments).stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let arrived = arrives(&b, &format!("A,{number}\n"));
        // While it runs it finds what changes.
        std::fs::write(&a, format!("sku,qty\nA,{}\n", number * 10)).unwrap();
        let followed = arrives(&b, &format!("A,{}\n", number * 10));
        assert!(ends_well(child), "{arguments:?} did not end well");
        assert!(arrived && followed, "{arguments:?}: {arrived} {followed}");
    }
}

#[test]
fn systemd_takes_the_unit() {
    let folder = tempfile::TempDir::new().unwrap();
    let unit = folder.path().join("lockstep-watch.service");
    std::fs::write(&unit, UNIT.replace("/usr/local/bin/lockstep", crate::support::BINARY)).unwrap();
    let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        println!("skipped: there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let about: Vec<&str> = said.lines().filter(|line| line.contains("lockstep-watch")).collect();
    assert!(output.status.success() && about.is_empty(), "{said}");
}

/// Returns the next piece of a stream.
async fn next(stream: &mut reqwest::Response) -> String {
    let chunk = tokio::time::timeout(Duration::from_secs(30), stream.chunk()).await;
    let chunk = chunk.expect("the stream is silent").unwrap().expect("the stream ended");
    String::from_utf8(chunk.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_2026_07_28_hears_of_a_watch() {
    let folder = folder();
    std::fs::write(folder.path().join("a.csv"), "sku,qty\nA,1\n").unwrap();
    let server = hooks::start(folder.path(), 0, "[files]\nwritable = true\n");
    let client = hooks::client(&server).await;
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"},
        "key": ["sku"], "direction": "both"});
    let tool = async |name: &str, arguments: Value| {
        let call = json!({"name": name, "arguments": arguments});
        let answers = messages(client.modern("tools/call", call, json!({})).await).await;
        assert_ne!(answers[0]["result"]["isError"], true, "{answers:?}");
    };
    tool("syncDataset", dataset).await;
    let uri = "lockstep://watches/stock";
    let listen = json!({"notifications": {"resourceSubscriptions": [uri]}});
    let mut stream = client.modern("subscriptions/listen", listen, json!({})).await;
    let mut heard = String::new();
    while !heard.contains("acknowledged") {
        heard.push_str(&next(&mut stream).await);
    }
    tool("watchDataset", json!({"action": "start", "dataset": "stock", "pollSeconds": 0.5})).await;
    while !heard.contains("notifications/resources/updated") {
        heard.push_str(&next(&mut stream).await);
    }
    let told = heard;
    assert!(told.contains(uri), "{told}");
    // That was the start, or the first look; a later change is heard of, too.
    hooks::eventually("the first look", async || {
        std::fs::read_to_string(folder.path().join("b.csv"))
            .is_ok_and(|there| there.contains("A,1"))
    })
    .await;
    let quiet = tokio::time::timeout(Duration::from_secs(2), async {
        loop {
            stream.chunk().await.unwrap().unwrap();
        }
    });
    assert!(quiet.await.is_err(), "nothing changes");
    std::fs::write(folder.path().join("a.csv"), "sku,qty\nA,2\n").unwrap();
    let told = next(&mut stream).await;
    assert!(told.contains("notifications/resources/updated") && told.contains(uri), "{told}");
}

#[tokio::test]
async fn a_client_hears_of_what_another_process_watches() {
    let folder = folder();
    let (a, b) = (folder.path().join("a.csv"), folder.path().join("b.csv"));
    std::fs::write(&a, "sku,qty\nA,1\n").unwrap();
    let dataset = json!({"name": "stock", "left": {"file": "a.csv"}, "right": {"file": "b.csv"},
        "key": ["sku"], "direction": "both"});
    call(folder.path(), "syncDataset", &dataset);
    let start = json!({"action": "start", "dataset": "stock", "pollSeconds": 0.5});
    call(folder.path(), "watchDataset", &start);
    let mut command = lockstep(folder.path());
    command.args(["serve", "--watch-only"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().unwrap();
    assert!(arrives(&b, "A,1"), "the first process watches");

    let server = hooks::start(folder.path(), 0, "[files]\nwritable = true\n");
    let client = hooks::client(&server).await;
    let uri = "lockstep://watches/stock";
    let listen = json!({"notifications": {"resourceSubscriptions": [uri]}});
    let mut stream = client.modern("subscriptions/listen", listen, json!({})).await;
    assert!(next(&mut stream).await.contains("acknowledged"));
    // What was there before is no news: by now it is known here.
    tokio::time::sleep(Duration::from_secs(3)).await;
    std::fs::write(&a, "sku,qty\nA,2\n").unwrap();
    let told = next(&mut stream).await;
    assert!(told.contains("notifications/resources/updated") && told.contains(uri), "{told}");
    assert!(ends_well(child));
}
