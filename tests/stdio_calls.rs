//! Long calls over raw pipes: progress, cancellation, signals, and clients that go away.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{bounded, lockstep, session::Session};

/// The rows of assets/planes.csv, without its header.
const PLANES: u64 = 3322;

/// How long the server may take to end by itself.
const END: Duration = Duration::from_secs(20);

/// A data folder with the real aircraft in it, and a spreadsheet to sync them to.
struct Fleet {
    folder: TempDir,
    sheet: String,
}

impl Fleet {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/planes.csv");
        fs::copy(source, folder.path().join("planes.csv")).unwrap();
        let mut session = Session::initialized(folder.path());
        let made = session.call("createFile", json!({"type": "spreadsheet", "name": "Fleet"}));
        let sheet = made["result"]["structuredContent"]["id"].as_str();
        let sheet = sheet.unwrap_or_else(|| panic!("no spreadsheet: {made}")).to_owned();
        Self { folder, sheet }
    }

    fn arguments(&self) -> Value {
        json!({
            "left": {"file": "planes.csv"},
            "right": {"spreadsheetId": self.sheet},
            "key": ["tailnum"],
            "nulls": ["NA"],
            "mode": "apply",
        })
    }

    fn request(&self) -> Value {
        json!({
            "jsonrpc": "2.0", "id": "sync", "method": "tools/call",
            "params": {
                "name": "syncDataset",
                "arguments": self.arguments(),
                "_meta": {"progressToken": "token"},
            },
        })
    }

    /// Syncs to the end, twice: whatever happened before, every row is there once then.
    fn assert_ends_in_step(&self, after: &str) {
        let mut session = Session::initialized(self.folder.path());
        let first = session.call("syncDataset", self.arguments());
        let report = &first["result"]["structuredContent"];
        assert!(
            ["applied", "inStep"].contains(&report["state"].as_str().unwrap_or("")),
            "{after}: {first}"
        );
        let second = session.call("syncDataset", self.arguments());
        let report = &second["result"]["structuredContent"];
        assert_eq!(report["state"], "inStep", "{after}: {second}");
        assert_eq!(report["counts"]["unchanged"], PLANES, "{after}: {second}");
        let beyond = json!({"spreadsheetId": self.sheet, "cursor": (PLANES + 2).to_string()});
        let beyond = session.call("readSheet", beyond);
        assert_eq!(beyond["result"]["structuredContent"]["rows"], json!([]), "{after}: {beyond}");
    }
}

#[test]
fn progress_rises_and_ends_before_the_answer() {
    let fleet = Fleet::new();
    let mut session = Session::initialized(fleet.folder.path());
    session.send(&fleet.request());
    let mut steps = Vec::new();
    let answer = loop {
        let message = session.message();
        if message.get("id").is_some() {
            break message;
        }
        if message["method"] == "notifications/resources/list_changed" {
            continue;
        }
        assert_eq!(message["method"], "notifications/progress", "{message}");
        assert_eq!(message["params"]["progressToken"], "token", "{message}");
        steps.push(message["params"].clone());
    };
    assert_eq!(answer["result"]["structuredContent"]["state"], "applied", "{answer}");
    assert!(!steps.is_empty(), "no progress was told");
    let done: Vec<f64> = steps.iter().filter_map(|step| step["progress"].as_f64()).collect();
    assert!(
        done.windows(2).all(|pair| pair[0] < pair[1]),
        "the protocol wants rising progress: {steps:?}"
    );
    assert!(
        steps.iter().any(|step| step["total"].is_number()),
        "how much is to be written: {steps:?}"
    );
    for step in &steps {
        if let Some(total) = step["total"].as_f64() {
            assert!(step["progress"].as_f64().is_some_and(|done| done <= total), "{step}");
        }
    }
    session.send(&json!({"jsonrpc": "2.0", "id": "after", "method": "ping"}));
    loop {
        let message = session.message();
        if message["id"] == "after" {
            break;
        }
        assert_ne!(message["method"], "notifications/progress", "progress after the answer");
    }
}

#[test]
fn a_cancelled_call_is_not_answered_and_harms_nothing() {
    for pause in [0, 30, 200] {
        let fleet = Fleet::new();
        let mut session = Session::initialized(fleet.folder.path());
        session.send(&fleet.request());
        thread::sleep(Duration::from_millis(pause));
        session.send(&json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": "sync", "reason": "changed my mind"},
        }));
        // An answer may have been on its way when the notification came; none may be lost or doubled.
        session.send(&json!({"jsonrpc": "2.0", "id": "after", "method": "ping"}));
        let mut answered = 0;
        loop {
            let message = session.message();
            match message["id"].as_str() {
                Some("after") => break,
                Some("sync") => answered += 1,
                _ => {}
            }
        }
        assert!(answered <= 1);
        drop(session);
        fleet.assert_ends_in_step(&format!("cancelled after {pause} ms"));
    }
}

#[cfg(unix)]
#[test]
fn a_stop_signal_in_the_middle_of_a_sync_ends_it_cleanly() {
    for pause in [0, 30, 200] {
        let fleet = Fleet::new();
        let mut session = Session::initialized(fleet.folder.path());
        session.send(&fleet.request());
        thread::sleep(Duration::from_millis(pause));
        session.terminate();
        let ended = session.ended(END);
        assert!(ended.status.success(), "after {pause} ms: {ended:?}");
        fleet.assert_ends_in_step(&format!("stopped after {pause} ms"));
    }
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_a_sync_harms_nothing() {
    let fleet = Fleet::new();
    let mut child = lockstep(fleet.folder.path())
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"},
    }});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    writeln!(stdin, "{hello}\n{ready}\n{}", fleet.request()).unwrap();
    // Nobody will ever read the answers, and nothing more comes.
    drop(child.stdout.take());
    drop(stdin);
    let status = bounded::wait(&mut child, END);
    if status.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(status.is_some(), "the server outlives its client");
    fleet.assert_ends_in_step("the client went away");
}

#[test]
fn a_kill_in_the_middle_of_a_sync_loses_nothing() {
    for pause in [60, 150, 300] {
        let fleet = Fleet::new();
        let mut session = Session::initialized(fleet.folder.path());
        session.send(&fleet.request());
        thread::sleep(Duration::from_millis(pause));
        // Dropping a session kills its process.
        drop(session);
        fleet.assert_ends_in_step(&format!("killed after {pause} ms"));
    }
}

#[test]
fn two_servers_share_one_data_folder() {
    let folder = TempDir::new().unwrap();
    let mut first = Session::initialized(folder.path());
    let made = first.call("createFile", json!({
        "type": "spreadsheet", "name": "Log", "sheets": [{"title": "Log", "values": [["who", "n"]]}],
    }));
    let sheet = made["result"]["structuredContent"]["id"].clone();
    let second = Session::initialized(folder.path());
    let writers = [("first", first), ("second", second)].map(|(who, mut session)| {
        let sheet = sheet.clone();
        thread::spawn(move || {
            for n in 0..15 {
                let rows = json!([{"who": who, "n": n}]);
                let answer =
                    session.call("appendRows", json!({"spreadsheetId": sheet, "rows": rows}));
                assert_eq!(
                    answer["result"]["structuredContent"]["appended"], 1,
                    "{who} {n}: {answer}"
                );
            }
            session
        })
    });
    let [mut session, _other] = writers.map(|writer| writer.join().unwrap());
    let read =
        session.call("readSheet", json!({"spreadsheetId": sheet, "as": "rows", "cursor": "2"}));
    let rows = read["result"]["structuredContent"]["rows"].as_array().cloned().unwrap_or_default();
    let there: BTreeSet<String> = rows.iter().map(|row| row["cells"].to_string()).collect();
    let wanted: BTreeSet<String> = ["first", "second"]
        .iter()
        .flat_map(|who| (0..15).map(move |n| json!([who, n]).to_string()))
        .collect();
    assert_eq!(there, wanted);
    assert_eq!(rows.len(), 30, "{read}");
}

#[test]
fn two_servers_may_sync_the_same_sheet() {
    let fleet = Fleet::new();
    let mut sessions = [(); 2].map(|()| Session::initialized(fleet.folder.path()));
    for session in &mut sessions {
        session.send(&fleet.request());
    }
    for session in &mut sessions {
        // One of them may find that the other was faster; it must say so, not write again.
        let answer = session.answer_to(&json!("sync"));
        let result = &answer["result"];
        let state = result["structuredContent"]["state"].as_str().unwrap_or_default();
        let refused = result["content"][0]["text"].as_str().unwrap_or_default();
        let honest = ["applied", "inStep"].contains(&state)
            || refused.starts_with("stalePlan")
            || refused.starts_with("changed")
            || refused.contains("is being synced by process");
        assert!(honest, "{answer}");
    }
    drop(sessions);
    fleet.assert_ends_in_step("two syncs at once");
}

#[test]
fn many_requests_at_once_are_each_answered_once() {
    let data = TempDir::new().unwrap();
    let mut session = Session::initialized(data.path());
    let started = Instant::now();
    let mut wanted = BTreeSet::new();
    for id in 0..400 {
        let method = if id % 8 == 0 { "tools/list" } else { "ping" };
        session.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}}));
        wanted.insert(id);
    }
    while !wanted.is_empty() {
        let answer = session.message();
        let id = answer["id"].as_i64().unwrap_or(-1);
        assert!(wanted.remove(&id), "answered twice, or never asked: {answer}");
        assert!(started.elapsed() < Duration::from_secs(60), "{} are not answered", wanted.len());
    }
}
