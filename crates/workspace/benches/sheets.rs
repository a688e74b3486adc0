//! What reading and writing large sheets costs over HTTP, as ratios against the plain alternatives
//! in the same run: `cargo bench -p lockstep-workspace --bench sheets`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench is run by people and stops where it fails"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lockstep_workspace::Workspace;
use serde_json::{Value, json};

const FILE: &str = "LOCKSTEP_BENCH_WORKSPACE_FILE";
const ROWS: usize = 50_000;
const COLUMNS: usize = 20;

#[tokio::main]
async fn main() {
    if let Ok(path) = std::env::var(FILE) {
        return serve(path.as_ref()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.db");
    // The server is a process of its own, so that its memory can be told.
    let mut server = Command::new(std::env::current_exe().unwrap())
        .env(FILE, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim().to_owned();
    let memory = |name: &str| memory(server.id(), name);
    let client = reqwest::Client::new();

    let new = post(&client, &format!("{url}/v4/spreadsheets"), &json!({"sheets": [
        {"properties": {"title": "Wide", "gridProperties": {"rowCount": ROWS, "columnCount": COLUMNS}}},
        {"properties": {"title": "Cells", "gridProperties": {"rowCount": 10_000, "columnCount": 10}}}
    ]}))
    .await;
    let id = new["spreadsheetId"].as_str().unwrap().to_owned();
    let cells = new["sheets"][1]["properties"]["sheetId"].as_i64().unwrap();
    println!("memory at start: {} MB", memory("VmRSS"));

    // Fill 50,000 x 20 with mixed texts and numbers.
    let start = Instant::now();
    for chunk in 0..10 {
        let first = chunk * ROWS / 10;
        let rows: Vec<Vec<Value>> = (first..first + ROWS / 10)
            .map(|row| (0..COLUMNS).map(|column| value(row, column)).collect())
            .collect();
        let path =
            format!("{url}/v4/spreadsheets/{id}/values/Wide!A{}?valueInputOption=RAW", first + 1);
        let answer = client.put(path).json(&json!({ "values": rows })).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    println!("values.update of 1,000,000 cells in 10 calls: {}", show(start.elapsed()));
    println!("memory after it: {} MB, peak {} MB", memory("VmRSS"), memory("VmHWM"));

    // values.get against reading the same blobs from the file. Both warm, best of five.
    let raw = best(5, || async { raw_read(&path) }).await;
    for (what, query) in
        [("formatted", ""), ("unformatted", "?valueRenderOption=UNFORMATTED_VALUE")]
    {
        let path = format!("{url}/v4/spreadsheets/{id}/values/Wide{query}");
        let read =
            || async { client.get(&path).send().await.unwrap().bytes().await.unwrap().len() };
        let bytes = read().await;
        let took = best(5, || async { assert_eq!(read().await, bytes) }).await;
        println!(
            "values.get {ROWS} x {COLUMNS} {what}: {} for {} MB, {:.1} times the raw read ({})",
            show(took),
            bytes / 1_000_000,
            took.as_secs_f64() / raw.as_secs_f64(),
            show(raw)
        );
    }

    // 100,000 cells in one batchUpdate, against a request a row.
    let row = |row: usize| json!({"values": (0..10).map(|column| json!({"userEnteredValue": {"numberValue": row * 10 + column}})).collect::<Vec<_>>()});
    let batch = format!("{url}/v4/spreadsheets/{id}:batchUpdate");
    let rows: Vec<Value> = (0..10_000).map(row).collect();
    let body = json!({"requests": [{"updateCells": {"start": {"sheetId": cells}, "rows": rows, "fields": "userEnteredValue"}}]});
    let one = timed(|| post(&client, &batch, &body)).await;
    let requests: Vec<Value> = (0..100_000)
        .map(|cell| json!({"updateCells": {"start": {"sheetId": cells, "rowIndex": (cell * 7919) % 10_000, "columnIndex": cell % 10},
            "rows": [{"values": [{"userEnteredValue": {"numberValue": cell}}]}], "fields": "userEnteredValue"}}))
        .collect();
    let body = json!({ "requests": requests });
    let many = timed(|| post(&client, &batch, &body)).await;
    let start = Instant::now();
    for index in 0..200 {
        let body = json!({"requests": [{"updateCells": {"start": {"sheetId": cells, "rowIndex": index}, "rows": [row(index)], "fields": "userEnteredValue"}}]});
        post(&client, &batch, &body).await;
    }
    let loop_all = start.elapsed() * 50;
    println!(
        "batchUpdate of 100,000 cells: {} as one request, {} as 100,000 requests in one batch, {} as a call a row (200 measured, times 50): {:.0} times",
        show(one),
        show(many),
        show(loop_all),
        loop_all.as_secs_f64() / one.as_secs_f64()
    );

    // A row in the middle of the long sheet.
    let insert = json!({"requests": [{"insertDimension": {"range": {"sheetId": 0, "dimension": "ROWS", "startIndex": 25_000, "endIndex": 25_001}}}]});
    println!(
        "insertDimension in the middle of {ROWS} rows: {}",
        show(timed(|| post(&client, &batch, &insert)).await)
    );
    println!("memory at the end: {} MB, peak {} MB", memory("VmRSS"), memory("VmHWM"));
    server.kill().unwrap();
    server.wait().unwrap();
}

async fn serve(path: &Path) {
    let workspace = Workspace::open(path).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    workspace.serve(listener, std::future::pending()).await.unwrap();
}

fn value(row: usize, column: usize) -> Value {
    match column % 4 {
        0 => json!(format!("N{row:05}-{column}")),
        1 => json!(row * 31 + column),
        2 => json!((row as f64).mul_add(0.37, column as f64)),
        _ => json!("a middling text"),
    }
}

fn raw_read(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT data FROM blocks").unwrap();
    let bytes: usize = statement
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .unwrap()
        .map(|data| data.unwrap().len())
        .sum();
    assert!(bytes > 1_000_000);
}

async fn post(client: &reqwest::Client, url: &str, body: &Value) -> Value {
    let answer = client.post(url).json(body).send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn timed<T, F: Future<Output = T>>(work: impl Fn() -> F) -> Duration {
    let start = Instant::now();
    work().await;
    start.elapsed()
}

async fn best<F: Future<Output = ()>>(times: usize, mut work: impl FnMut() -> F) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..times {
        let start = Instant::now();
        work().await;
        least = least.min(start.elapsed());
    }
    least
}

fn show(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Returns a figure of a process in MB; 0 where there is no /proc.
fn memory(process: u32, name: &str) -> u64 {
    std::fs::read_to_string(format!("/proc/{process}/status"))
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .trim_start_matches(':')
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(0)
        / 1024
}
