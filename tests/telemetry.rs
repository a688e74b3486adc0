//! Traces and metrics: what a collector gets, and that nothing depends on one.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::Uri};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    trace::v1::Span,
};
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{lockstep, session::Session};

/// What somebody else's trace is called, and the span in it that calls us.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

pub(crate) type Got = Arc<Mutex<Vec<(String, Bytes)>>>;

/// Starts a collector; returns its address and what it gets.
pub(crate) async fn collector() -> (String, Got) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    collector_on(listener)
}

fn collector_on(listener: tokio::net::TcpListener) -> (String, Got) {
    let got = Got::default();
    let take = async |State(got): State<Got>, uri: Uri, body: Bytes| {
        got.lock().unwrap().push((uri.path().to_owned(), body));
    };
    let app = Router::new().fallback(take).with_state(Arc::clone(&got));
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, got)
}

/// Syncs a file into a sheet within the trace, then ends the server; returns the report.
fn sync(data: &Path, endpoint: Option<&str>) -> Value {
    std::fs::write(data.join("goods.csv"), "id,name\n1,Geheimnis\n2,Pear\n").unwrap();
    let mut command = lockstep(data);
    for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED"] {
        command.env_remove(name);
    }
    if let Some(endpoint) = endpoint {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    }
    let mut session = Session::start_command(command);
    session.initialize();
    let made = session.call(
        "createFile",
        json!({"type": "spreadsheet", "name": "Fleet", "sheets": [{"title": "goods"}]}),
    );
    let id = &made["result"]["structuredContent"]["id"];
    let arguments = json!({"name": "goods", "left": {"file": "goods.csv"}, "key": ["id"],
        "right": {"spreadsheetId": id, "sheet": "goods"}, "mode": "apply"});
    let params = json!({"name": "syncDataset", "arguments": arguments,
        "_meta": {"traceparent": format!("00-{TRACE}-{PARENT}-01")}});
    let report = session.request("tools/call", params)["result"]["structuredContent"].clone();
    session.close();
    let ended = session.ended(Duration::from_secs(20));
    assert!(ended.status.success(), "{}", ended.stderr);
    report
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_and_its_google_calls_are_one_trace_under_the_callers_span() {
    let (url, got) = collector().await;
    let report = tokio::task::spawn_blocking(move || {
        let folder = TempDir::new().unwrap();
        sync(folder.path(), Some(&url))
    });
    assert_eq!(report.await.unwrap()["state"], "applied");
    let got = got.lock().unwrap();
    let spans: Vec<Span> = got
        .iter()
        .filter(|(path, _)| path == "/v1/traces")
        .flat_map(|(_, body)| {
            ExportTraceServiceRequest::decode(body.clone()).unwrap().resource_spans
        })
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .filter(|span| hex(&span.trace_id) == TRACE)
        .collect();
    let named = |name: &str| -> Vec<&Span> { spans.iter().filter(|s| s.name == name).collect() };
    let [tool] = named("tools/call syncDataset")[..] else { panic!("{spans:#?}") };
    assert_eq!(hex(&tool.parent_span_id), PARENT);
    let [run] = named("run")[..] else { panic!("{spans:#?}") };
    assert_eq!(run.parent_span_id, tool.span_id);
    let write = spans.iter().filter(|span| span.name.to_lowercase().contains("batchupdate"));
    let write: Vec<&Span> = write.collect();
    assert!(!write.is_empty(), "{spans:#?}");
    assert!(write.iter().all(|span| span.parent_span_id == run.span_id));

    let names: Vec<String> = got
        .iter()
        .filter(|(path, _)| path == "/v1/metrics")
        .flat_map(|(_, body)| {
            ExportMetricsServiceRequest::decode(body.clone()).unwrap().resource_metrics
        })
        .flat_map(|resource| resource.scope_metrics)
        .flat_map(|scope| scope.metrics)
        .map(|metric| metric.name)
        .collect();
    for name in [
        "lockstep.runs",
        "lockstep.run.seconds",
        "lockstep.google.calls",
        "lockstep.google.call.seconds",
    ] {
        assert!(names.iter().any(|one| one == name), "{name}: {names:?}");
    }
    let told = got.iter().any(|(_, body)| body.windows(9).any(|piece| piece == b"Geheimnis"));
    assert!(!told, "a cell left the house");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_to_a_collector_that_nobody_named() {
    // Where collectors listen, and where a client sends to that is on by default.
    let Ok(listener) = tokio::net::TcpListener::bind("127.0.0.1:4318").await else {
        println!("skipped: somebody else listens on port 4318");
        return;
    };
    let (_, got) = collector_on(listener);
    let report = tokio::task::spawn_blocking(|| {
        let folder = TempDir::new().unwrap();
        sync(folder.path(), None)
    });
    assert_eq!(report.await.unwrap()["state"], "applied");
    assert!(got.lock().unwrap().is_empty(), "it was told");
}

#[test]
fn without_a_collector_nothing_changes_and_one_that_is_gone_holds_nothing_up() {
    let folder = TempDir::new().unwrap();
    assert_eq!(sync(folder.path(), None)["state"], "applied");
    let folder = TempDir::new().unwrap();
    // Nobody listens on the discard port of a test machine.
    assert_eq!(sync(folder.path(), Some("http://127.0.0.1:9"))["state"], "applied");
}

#[test]
fn a_protocol_that_is_not_spoken_is_told_and_the_server_serves() {
    let folder = TempDir::new().unwrap();
    let mut command = lockstep(folder.path());
    command
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let mut session = Session::start_command(command);
    session.initialize();
    session.close();
    let ended = session.ended(Duration::from_secs(20));
    assert!(ended.stderr.contains("only http/protobuf is spoken"), "{}", ended.stderr);
}
