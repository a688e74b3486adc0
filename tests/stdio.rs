//! `lockstep serve` over raw pipes: what every client meets before it meets a tool.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::session::{Session, modern_meta};

/// How long the server may take to end by itself (its drain is 5 s, on an idle machine far less).
const END: Duration = Duration::from_secs(20);

fn folder() -> TempDir {
    TempDir::new().unwrap()
}

fn modern(method: &str, id: i64, mut params: Value) -> Value {
    params["_meta"] = modern_meta();
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn tool_names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("no tools in {answer}"));
    tools.iter().filter_map(|tool| tool["name"].as_str()).collect()
}

const TOOLS: [&str; 13] = [
    "appendRows",
    "createFile",
    "describeSpreadsheet",
    "findFiles",
    "healthReport",
    "readSheet",
    "resolveConflicts",
    "rollbackSync",
    "syncDataset",
    "syncHistory",
    "updateCells",
    "verifyDataset",
    "watchDataset",
];

/// Panics unless the session still serves requests.
fn assert_serves(session: &mut Session) {
    assert_eq!(tool_names(&session.request("tools/list", json!({}))), TOOLS);
}

fn error_of(answer: &Value) -> (i64, &str) {
    let code = answer["error"]["code"].as_i64();
    let code = code.unwrap_or_else(|| panic!("no error in {answer}"));
    (code, answer["error"]["message"].as_str().unwrap_or_default())
}

#[test]
fn initialize_is_answered_with_who_we_are() {
    let data = folder();
    let mut session = Session::start(data.path());
    let result = session.initialize();
    assert_eq!(result["protocolVersion"], "2025-11-25");
    assert_eq!(result["serverInfo"]["name"], "lockstep");
    assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(result["capabilities"]["tools"].is_object(), "{result}");
    assert!(result["instructions"].as_str().is_some_and(|text| text.contains("syncDataset")));
    assert_serves(&mut session);
}

#[test]
fn an_older_client_gets_its_own_revision_and_a_newer_one_ours() {
    for (asked, answered) in
        [("2025-06-18", "2025-06-18"), ("2024-11-05", "2024-11-05"), ("2099-01-01", "2025-11-25")]
    {
        let data = folder();
        let mut session = Session::start(data.path());
        let answer = session.request(
            "initialize",
            json!({
                "protocolVersion": asked,
                "capabilities": {},
                "clientInfo": {"name": "raw", "version": "1"},
            }),
        );
        assert_eq!(answer["result"]["protocolVersion"], answered, "asked for {asked}: {answer}");
    }
}

#[test]
fn the_revision_without_a_handshake_is_served() {
    let data = folder();
    let mut session = Session::start(data.path());
    session.send(&modern("server/discover", 1, json!({})));
    let answer = session.answer_to(&json!(1));
    let versions = answer["result"]["supportedVersions"].as_array().cloned().unwrap_or_default();
    assert!(versions.contains(&json!("2026-07-28")), "{answer}");
    session.send(&modern("tools/list", 2, json!({})));
    assert_eq!(tool_names(&session.answer_to(&json!(2))), TOOLS);
    let call =
        json!({"name": "createFile", "arguments": {"type": "spreadsheet", "name": "Modern"}});
    session.send(&modern("tools/call", 3, call));
    let answer = session.answer_to(&json!(3));
    assert_ne!(answer["result"]["isError"], json!(true), "{answer}");
    assert!(answer["result"]["structuredContent"].is_object(), "{answer}");
    session.send(&modern("tools/call", 4, json!({"name": "noSuchTool", "arguments": {}})));
    assert_eq!(error_of(&session.answer_to(&json!(4))).0, -32602);
    // Once the revision is chosen, a request that does not name it is refused, not guessed at.
    session.send(&json!({"jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {}}));
    assert_eq!(error_of(&session.answer_to(&json!(5))).0, -32602);
    session.close();
    assert!(session.ended(END).status.success());
}

#[test]
fn the_end_of_input_ends_the_process() {
    for handshake in [false, true] {
        let data = folder();
        let mut session = Session::start(data.path());
        if handshake {
            session.initialize();
        }
        session.close();
        let ended = session.ended(END);
        assert!(ended.status.success(), "handshake {handshake}: {ended:?}");
        assert_eq!(ended.rest, Vec::<Value>::new());
    }
}

#[test]
fn a_client_that_listens_and_leaves_is_not_waited_for() {
    let data = folder();
    let mut session = Session::start(data.path());
    let listen = json!({"notifications": {"resourcesListChanged": true}});
    session.send(&modern("subscriptions/listen", 1, listen));
    assert_eq!(session.message()["method"], "notifications/subscriptions/acknowledged");
    session.close();
    let ended = session.ended(END);
    assert!(ended.status.success(), "{ended:?}");
    // Whom rmcp waited for in vain gets no answer any more.
    assert!(ended.rest.iter().any(|line| line["id"] == 1), "{ended:?}");
}

#[test]
fn calls_in_flight_are_answered_before_the_process_ends() {
    let data = folder();
    let mut session = Session::initialized(data.path());
    for id in 0..8 {
        session.send(&json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {
            "name": "createFile",
            "arguments": {"type": "spreadsheet", "name": format!("In flight {id}")},
        }}));
    }
    session.close();
    let ended = session.ended(END);
    assert!(ended.status.success(), "{ended:?}");
    let mut answered: Vec<i64> =
        ended.rest.iter().filter_map(|answer| answer["id"].as_i64()).collect();
    answered.sort_unstable();
    assert_eq!(answered, (0..8).collect::<Vec<_>>(), "{:?}", ended.rest);
    for answer in &ended.rest {
        assert_ne!(answer["result"]["isError"], json!(true), "{answer}");
    }
    // What was answered was done.
    let mut next = Session::initialized(data.path());
    let found = next.call("findFiles", json!({"contains": "flight"}));
    let files =
        found["result"]["structuredContent"]["files"].as_array().cloned().unwrap_or_default();
    assert_eq!(files.len(), 8, "{found}");
}

#[cfg(unix)]
#[test]
fn a_stop_signal_ends_the_process_at_once_and_cleanly() {
    for handshake in [false, true] {
        let data = folder();
        let mut session = Session::start(data.path());
        if handshake {
            session.initialize();
        } else {
            // The handler must be in place: a request that is answered proves that the server is up.
            session.send(&modern("server/discover", 1, json!({})));
            session.answer_to(&json!(1));
        }
        session.terminate();
        let ended = session.ended(Duration::from_secs(5));
        assert!(ended.status.success(), "handshake {handshake}: {ended:?}");
        assert_eq!(ended.rest, Vec::<Value>::new());
    }
}

/// Returns a request of about 17 MiB, more than the 16 MiB that are served.
fn oversized(id: &str, id_first: bool) -> Vec<u8> {
    let long = "x".repeat(17 * 1024 * 1024);
    let params = format!(
        r#""method":"tools/call","params":{{"name":"updateCells","arguments":{{"id":"inner","text":"{long}"}}}}"#
    );
    let line = if id_first {
        format!(r#"{{"jsonrpc":"2.0","id":{id},{params}}}"#)
    } else {
        format!(r#"{{"jsonrpc":"2.0",{params},"id":{id}}}"#)
    };
    (line + "\n").into_bytes()
}

#[test]
fn an_oversized_request_is_answered_with_its_own_id() {
    let data = folder();
    let mut session = Session::initialized(data.path());
    for (id, id_first) in [("71", true), ("72", false), (r#""a\"b""#, false)] {
        session.send_bytes(&oversized(id, id_first));
        let answer = session.answer_to(&serde_json::from_str(id).unwrap());
        let (code, message) = error_of(&answer);
        assert_eq!(code, -32600, "{answer}");
        assert!(message.contains("bytes") && message.contains("16777216"), "{message}");
        assert_serves(&mut session);
    }
}

#[test]
fn an_oversized_first_request_does_not_end_the_session() {
    let data = folder();
    let mut session = Session::start(data.path());
    session.send_bytes(&oversized("1", true));
    assert_eq!(error_of(&session.answer_to(&json!(1))).0, -32600);
    session.initialize();
    assert_serves(&mut session);
}

#[test]
fn what_is_no_request_is_answered() {
    let data = folder();
    let mut session = Session::initialized(data.path());
    for (line, id, code) in [
        ("hello", Value::Null, -32700),
        (r#"{"jsonrpc":"2.0","id":5,"method":"tools/list""#, json!(5), -32700),
        ("[]", Value::Null, -32600),
        ("42", Value::Null, -32600),
        (r#"{"hello":"world"}"#, Value::Null, -32600),
        (r#"{"jsonrpc":"1.0","id":6,"method":"tools/list"}"#, json!(6), -32600),
        (r#"{"jsonrpc":"2.0","id":7}"#, json!(7), -32600),
        (r#"{"jsonrpc":"2.0","id":8,"method":17}"#, json!(8), -32600),
    ] {
        session.send_bytes(format!("{line}\n").as_bytes());
        let answer = session.answer_or_none();
        let answer = answer.unwrap_or_else(|| panic!("no answer to {line}"));
        assert_eq!(error_of(&answer).0, code, "{line} was answered {answer}");
        let answered = answer.get("id").cloned().unwrap_or_default();
        assert_eq!(answered, id, "{line} was answered {answer}");
        assert_serves(&mut session);
    }
    // Blank lines are nothing, and get nothing.
    session.send_bytes(b"\n  \r\n");
    assert_serves(&mut session);
}

#[test]
fn bytes_that_are_no_text_and_nesting_without_end_are_answered() {
    let data = folder();
    let mut session = Session::initialized(data.path());
    session.send_bytes(b"\xff\xfe\n");
    assert_eq!(error_of(&session.answer_to(&Value::Null)).0, -32700);
    session.send_bytes(format!("{}\n", "[".repeat(100_000)).as_bytes());
    assert_eq!(error_of(&session.answer_to(&Value::Null)).0, -32700);
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
    let call = r#""method":"tools/call","params":{"name":"findFiles","arguments":"#;
    session.send_bytes(format!("{{\"jsonrpc\":\"2.0\",\"id\":4,{call}{deep}}}}}\n").as_bytes());
    let answer = session.answer_or_none().expect("no answer to a request nested 5000 deep");
    assert_eq!(answer.get("id"), Some(&json!(4)), "{answer}");
    error_of(&answer);
    assert_serves(&mut session);
}

#[test]
fn a_request_in_two_halves_is_one_request() {
    let data = folder();
    let mut session = Session::initialized(data.path());
    session.send_bytes(br#"{"jsonrpc":"2.0","id":1,"#);
    std::thread::sleep(Duration::from_millis(50));
    session.send_bytes(
        b"\"method\":\"ping\"}\r\n{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n",
    );
    // Requests are served side by side, so their answers may come in any order.
    let mut answered = [session.message(), session.message()].map(|answer| {
        assert_eq!(answer["result"], json!({}), "{answer}");
        answer["id"].as_i64()
    });
    answered.sort_unstable();
    assert_eq!(answered, [Some(1), Some(2)]);
}

#[test]
fn unknown_tools_methods_and_arguments_are_answered() {
    let data = folder();
    let mut session = Session::initialized(data.path());
    let answer = session.call("readSheets", json!({}));
    let (code, message) = error_of(&answer);
    assert_eq!(code, -32602, "{answer}");
    assert!(message.contains("readSheets") && message.contains("\"readSheet\""), "{message}");

    assert_eq!(error_of(&session.request("tools/destroy", json!({}))).0, -32601);

    let answer = session.call("findFiles", json!({"nmae": "x"}));
    let result = &answer["result"];
    assert_eq!(result["isError"], json!(true), "{answer}");
    assert!(result.get("structuredContent").is_none(), "{answer}");
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("nmae") && text.contains("\"name\""), "{text}");

    session.send(&json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call"}));
    assert_eq!(error_of(&session.answer_to(&json!(9))).0, -32602, "a call without params");
    for params in [json!({"name": "findFiles", "arguments": []}), json!({"name": 7}), json!({})] {
        let answer = session.request("tools/call", params.clone());
        assert_eq!(error_of(&answer).0, -32602, "{params} was answered {answer}");
    }
    assert_serves(&mut session);
}

/// Uses every kind of answer once: lists, results, failures, refusals.
fn exercise(session: &mut Session) {
    session.initialize();
    assert_serves(session);
    session.call("createFile", json!({"type": "spreadsheet", "name": "Logs"}));
    session.call("readSheet", json!({"spreadsheetId": "nowhere"}));
    session.call("noSuchTool", json!({}));
    session.send_bytes(b"not json\n");
    session.answer_to(&Value::Null);
}

fn logged(data: &Path, level: &str) -> String {
    let mut session = Session::start_with_log(data, level);
    exercise(&mut session);
    session.close();
    let ended = session.ended(END);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.rest, Vec::<Value>::new());
    ended.stderr
}

#[test]
fn logs_go_to_stderr_and_never_to_stdout() {
    let data = folder();
    // Session refuses every line of stdout that is no JSON-RPC.
    let trace = logged(data.path(), "trace");
    assert!(trace.contains("DEBUG") || trace.contains("TRACE"), "no logs on stderr:\n{trace}");
    assert!(logged(data.path(), "info").contains("INFO"), "a failed call is logged at info");
    assert_eq!(logged(data.path(), "off"), "");
}
