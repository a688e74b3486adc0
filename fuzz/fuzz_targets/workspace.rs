//! Requests to the embedded workspace: any of them is answered, and none is the workspace's own fault.
//!
//! An input is one or more requests, parted by a NUL: a line `METHOD PATH`, then the body. `{id}` in them is a
//! spreadsheet that is there.
#![no_main]

use std::cell::RefCell;

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use lockstep_workspace::Workspace;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

const NEW: &str = r#"{"properties":{"title":"T"},"sheets":[{"properties":{"sheetId":0,"title":"S"},
"data":[{"rowData":[{"values":[{"userEnteredValue":{"stringValue":"id"}},{"userEnteredValue":{"stringValue":"n"}}]},
{"values":[{"userEnteredValue":{"stringValue":"a"}},{"userEnteredValue":{"numberValue":1}}]}]}]}]}"#;

/// How many inputs one workspace takes; making one costs more than a thousand requests.
const SHARED: u32 = 500;

struct Bench {
    runtime: Runtime,
    workspace: Workspace,
    taken: u32,
}

impl Bench {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let workspace = Workspace::in_memory().expect("a workspace");
        Self { runtime, workspace, taken: 0 }
    }
}

thread_local! {
    static BENCH: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

libfuzzer_sys::fuzz_target!(|input: &str| {
    BENCH.with_borrow_mut(|bench| {
        if bench.as_ref().is_some_and(|bench| bench.taken >= SHARED) {
            *bench = None;
        }
        let bench = bench.get_or_insert_with(Bench::new);
        bench.taken += 1;
        // Each input has a spreadsheet of its own.
        bench.runtime.block_on(play(&bench.workspace, input));
    });
});

async fn play(workspace: &Workspace, input: &str) {
    let made = send(workspace, "POST", "/v4/spreadsheets", NEW).await.expect("a good request");
    let id = made.1.split("\"spreadsheetId\":").nth(1).and_then(|rest| rest.split('"').nth(1));
    let id = id.expect("an id").to_owned();
    for request in input.split('\0').take(4) {
        let request = request.replace("{id}", &id);
        let (line, body) = request.split_once('\n').unwrap_or((&request, ""));
        let Some((method, path)) = line.split_once(' ') else { continue };
        if path.contains("_lockstep") {
            continue; // Faults that a test orders are answers as ordered.
        }
        if let Some((status, answer)) = send(workspace, method, path, body).await {
            assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "{line}: {answer}");
        }
    }
}

/// Returns the answer to a request; `None` where no client could send it.
async fn send(workspace: &Workspace, method: &str, path: &str, body: &str) -> Option<(StatusCode, String)> {
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1");
    let request = request.header("content-type", "application/json").body(Body::from(body.to_owned())).ok()?;
    let Ok(answer) = workspace.router().oneshot(request).await;
    let status = answer.status();
    // Streams for those who watch do not end.
    let read = to_bytes(answer.into_body(), 1 << 24);
    let bytes = tokio::time::timeout(std::time::Duration::from_secs(1), read).await.ok()?.ok()?;
    Some((status, String::from_utf8_lossy(&bytes).into_owned()))
}
