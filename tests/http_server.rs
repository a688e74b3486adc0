//! The server over HTTP: both revisions, the older pair, foreign pages, limits, and what operators ask for.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    bounded,
    http::{Client, Server, answer, initialize, messages},
    lockstep,
};

const PLAIN: &str = "backend = \"local\"\n[files]\nwritable = true\n";

fn tools(answer: &Value) -> Vec<String> {
    let list = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools: {answer}"));
    list.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_session_of_2025_11_25_lists_calls_and_ends() {
    let server = Server::start(PLAIN);
    let client = server.client(None).initialized().await;
    let listed = client.ask("tools/list", json!({})).await;
    assert!(tools(&listed).contains(&"syncDataset".to_owned()), "{listed}");
    let made = client
        .ask(
            "tools/call",
            json!({"name": "createFile", "arguments": {"type": "spreadsheet", "name": "A"}}),
        )
        .await;
    assert_eq!(made["result"]["structuredContent"]["created"], true, "{made}");
    let ended = client.request(Method::DELETE, "/mcp").send().await.unwrap();
    assert!(ended.status().is_success(), "{ended:?}");
    let gone = client.post(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})).await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_request_of_2026_07_28_needs_no_session_and_gets_json() {
    let server = Server::start(PLAIN);
    let client = server.client(None);
    let listed = client.modern("tools/list", json!({}), json!({})).await;
    assert_eq!(listed.headers()["content-type"], "application/json");
    assert!(listed.headers().get("mcp-session-id").is_none());
    let listed = answer(&messages(listed).await);
    assert!(tools(&listed).contains(&"syncDataset".to_owned()), "{listed}");
    let wrong = json!({"name": "findFiles", "arguments": {"nmae": "x"}});
    let wrong = answer(&messages(client.modern("tools/call", wrong, json!({})).await).await);
    assert_eq!(wrong["result"]["isError"], true, "{wrong}");
    assert!(wrong["result"].get("structuredContent").is_none(), "{wrong}");
}

/// Copies the real aircraft into the folder, and makes a spreadsheet for them.
async fn fleet(server: &Server, client: &Client) -> Value {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/planes.csv");
    std::fs::copy(source, server.folder.path().join("planes.csv")).unwrap();
    let arguments =
        json!({"name": "createFile", "arguments": {"type": "spreadsheet", "name": "Fleet"}});
    let made = answer(&messages(client.modern("tools/call", arguments, json!({})).await).await);
    let sheet = made["result"]["structuredContent"]["id"].clone();
    assert!(sheet.is_string(), "{made}");
    json!({"name": "syncDataset", "arguments": {
        "left": {"file": "planes.csv"}, "right": {"spreadsheetId": sheet},
        "key": ["tailnum"], "nulls": ["NA"], "mode": "apply",
    }})
}

fn assert_progress(heard: &[Value]) {
    let steps: Vec<f64> = heard
        .iter()
        .filter(|message| message["method"] == "notifications/progress")
        .map(|message| {
            assert_eq!(message["params"]["progressToken"], "p", "{message}");
            message["params"]["progress"].as_f64().unwrap()
        })
        .collect();
    assert!(!steps.is_empty(), "no progress was told");
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    let answer = answer(heard);
    assert_eq!(answer["result"]["structuredContent"]["state"], "applied", "{answer}");
}

#[tokio::test]
async fn progress_flows_on_the_stream_of_the_call_in_both_revisions() {
    let server = Server::start(PLAIN);
    let client = server.client(None);
    let call = fleet(&server, &client).await;
    let modern = client.modern("tools/call", call, json!({"progressToken": "p"})).await;
    assert_eq!(modern.headers()["content-type"], "text/event-stream");
    assert_progress(&messages(modern).await);
    let legacy = client.clone().initialized().await;
    let mut call = fleet(&server, &client).await;
    call["_meta"] = json!({"progressToken": "p"});
    let message = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": call});
    assert_progress(&messages(legacy.post(&message).await).await);
}

#[tokio::test]
async fn a_client_that_goes_away_half_writes_nothing() {
    let server = Server::start(PLAIN);
    let client = server.client(None);
    let call = fleet(&server, &client).await;
    for pause in [1, 40, 150] {
        let hasty = client.clone();
        let (params, meta) = (call.clone(), json!({"progressToken": "p"}));
        let begun = tokio::spawn(async move { hasty.modern("tools/call", params, meta).await });
        tokio::time::sleep(Duration::from_millis(pause)).await;
        begun.abort();
        let _ = begun.await;
    }
    // Whatever was begun, a call that waits for its end finds every row there once.
    let finished =
        answer(&messages(client.modern("tools/call", call.clone(), json!({})).await).await);
    let state = finished["result"]["structuredContent"]["state"].as_str().unwrap_or_default();
    assert!(["applied", "inStep"].contains(&state), "{finished}");
    let again = answer(&messages(client.modern("tools/call", call, json!({})).await).await);
    assert_eq!(again["result"]["structuredContent"]["state"], "inStep", "{again}");
    assert_eq!(again["result"]["structuredContent"]["counts"]["unchanged"], 3322, "{again}");
}

#[tokio::test]
async fn a_cancelled_call_of_a_session_stops_and_harms_nothing() {
    let server = Server::start(PLAIN);
    let plain = server.client(None);
    let call = fleet(&server, &plain).await;
    let client = plain.clone().initialized().await;
    let message = json!({"jsonrpc": "2.0", "id": "sync", "method": "tools/call", "params": call});
    let caller = client.clone();
    let begun = tokio::spawn(async move { caller.post(&message).await });
    tokio::time::sleep(Duration::from_millis(60)).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": {"requestId": "sync", "reason": "enough"}});
    assert_eq!(client.post(&cancel).await.status(), StatusCode::ACCEPTED);
    begun.abort();
    let finished =
        answer(&messages(plain.modern("tools/call", call.clone(), json!({})).await).await);
    assert!(finished["result"]["structuredContent"]["state"].is_string(), "{finished}");
    let again = answer(&messages(plain.modern("tools/call", call, json!({})).await).await);
    assert_eq!(again["result"]["structuredContent"]["counts"]["unchanged"], 3322, "{again}");
}

#[tokio::test]
async fn foreign_pages_and_names_are_refused_everywhere() {
    let server = Server::start("[http]\norigins = [\"https://app.example\"]\n");
    let client = server.client(None);
    for path in ["/mcp", "/sse", "/messages", "/healthz", "/readyz", "/metrics", "/nowhere"] {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost.evil.example"),
            ("host", "evil.example"),
        ] {
            let request = client.request(Method::GET, path).header(name, value);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path} {name}: {value}");
            assert!(response.headers().get("access-control-allow-origin").is_none(), "{path}");
        }
    }
    for origin in ["https://app.example", "http://localhost:5173"] {
        let served = client.request(Method::GET, "/healthz").header("origin", origin);
        let served = served.send().await.unwrap();
        assert_eq!(served.status(), StatusCode::OK);
        assert_eq!(served.headers()["access-control-allow-origin"], origin);
    }
    let preflight = client
        .request(Method::OPTIONS, "/mcp")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,mcp-session-id");
    let preflight = preflight.send().await.unwrap();
    assert_eq!(preflight.status(), StatusCode::OK);
    let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("mcp-session-id"), "{allowed}");
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let server = Server::start("[http]\nmaxBodyBytes = 10000\n");
    let client = server.client(None);
    let large =
        json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"a": "x".repeat(20_000)}});
    assert_eq!(client.post(&large).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let (mut stream, endpoint) = open(&client).await;
    let response =
        client.request(Method::POST, &endpoint).body(large.to_string()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let sent = client.request(Method::POST, &endpoint).body(initialize("2024-11-05").to_string());
    assert_eq!(sent.send().await.unwrap().status(), StatusCode::ACCEPTED);
    assert_eq!(stream.next().await.1["id"], 1);
}

/// The events of a stream.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    /// Returns the name and the data of the next event.
    async fn raw(&mut self) -> (String, String) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let value = event.lines().find_map(|line| line.strip_prefix(name));
                    value.map(|value| value.trim().to_owned())
                };
                let found = field("event:").zip(field("data:"));
                self.text = rest.to_owned();
                if let Some(found) = found {
                    return found;
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.response.chunk()).await;
            let chunk = chunk.expect("no event within 30 s").unwrap().expect("the stream ended");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn next(&mut self) -> (String, Value) {
        let (name, data) = self.raw().await;
        assert_eq!(name, "message", "{data}");
        (name, serde_json::from_str(&data).unwrap())
    }
}

/// Opens the older pair, and returns the stream and where to post.
async fn open(client: &Client) -> (Events, String) {
    let response = client.request(Method::GET, "/sse").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = Events { response, text: String::new() };
    let (name, endpoint) = events.raw().await;
    assert_eq!(name, "endpoint");
    (events, endpoint)
}

#[tokio::test]
async fn the_older_pair_answers_on_its_stream() {
    let server = Server::start(PLAIN);
    let client = server.client(None);
    let (mut stream, endpoint) = open(&client).await;
    let post = async |body: String| {
        client.request(Method::POST, &endpoint).body(body).send().await.unwrap().status()
    };
    // Whitespace in a message is no end of it.
    let pretty = serde_json::to_string_pretty(&initialize("2024-11-05")).unwrap();
    assert_eq!(post(pretty).await, StatusCode::ACCEPTED);
    let (_, initialized) = stream.next().await;
    assert_eq!(initialized["result"]["protocolVersion"], "2024-11-05", "{initialized}");
    post(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string()).await;
    post(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).to_string()).await;
    let (_, listed) = stream.next().await;
    assert!(tools(&listed).contains(&"syncDataset".to_owned()), "{listed}");
    for (bad, code) in
        [("{\"id\":5,", -32700), ("[]", -32600), ("{\"jsonrpc\":\"2.0\",\"id\":5}", -32600)]
    {
        assert_eq!(post(bad.to_owned()).await, StatusCode::ACCEPTED);
        assert_eq!(stream.next().await.1["error"]["code"], code, "{bad}");
    }
    let nowhere =
        client.request(Method::POST, "/messages?sessionId=nobody").body("{}").send().await;
    assert_eq!(nowhere.unwrap().status(), StatusCode::NOT_FOUND);
    drop(stream);
    for _ in 0..100 {
        if post("{}".into()).await == StatusCode::NOT_FOUND {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the session outlives its stream");
}

#[tokio::test]
async fn operators_learn_how_it_is() {
    let server = Server::start(PLAIN);
    let client = server.client(None).initialized().await;
    let text = async |path: &str| {
        client.request(Method::GET, path).send().await.unwrap().text().await.unwrap()
    };
    assert_eq!(text("/healthz").await, "ok\n");
    assert_eq!(text("/readyz").await, "ready\n");
    client.ask("tools/call", json!({"name": "findFiles", "arguments": {}})).await;
    client.ask("tools/call", json!({"name": "findFiles", "arguments": {"limit": 0}})).await;
    let metrics = text("/metrics").await;
    for line in [
        "lockstep_tool_calls_total{tool=\"findFiles\",outcome=\"ok\"} 1",
        "lockstep_tool_calls_total{tool=\"findFiles\",outcome=\"invalidArgument\"} 1",
        "lockstep_tool_call_seconds_count{tool=\"findFiles\"} 2",
        "lockstep_tool_calls_in_flight 0",
        "lockstep_http_sessions 1",
        "lockstep_http_requests_total{route=\"/mcp\",status=\"200\"} 3",
    ] {
        assert!(
            metrics.lines().any(|found| found.starts_with(line)),
            "{line} is not in\n{metrics}"
        );
    }
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}

#[test]
fn an_address_that_others_reach_is_refused_without_auth() {
    let folder = TempDir::new().unwrap();
    let mut command = lockstep(folder.path());
    command.args(["serve", "--http", "0.0.0.0:0"]);
    let ended = bounded::finish(command, Duration::from_secs(20));
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("[auth]") && ended.stderr.contains("Next:"), "{}", ended.stderr);
}

#[cfg(unix)]
#[tokio::test]
async fn a_stopped_server_ends_its_streams_and_itself() {
    let mut server = Server::start(PLAIN);
    let client = server.client(None);
    let (mut stream, _) = open(&client).await;
    let _session = server.client(None).initialized().await;
    bounded::signal("TERM", &server.listening.child.id().to_string());
    let status = bounded::wait(&mut server.listening.child, Duration::from_secs(20));
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    while let Ok(Some(_)) = stream.response.chunk().await {}
}
