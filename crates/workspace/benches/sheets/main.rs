//! What reading and writing large sheets costs over HTTP, as ratios against the plain alternatives
//! in the same run: `cargo bench -p lockstep-workspace --bench sheets`.
//!
//! values.get is compared with **reading the SQLite file raw**: a program that opens the same file,
//! selects every stored block of cells and touches every byte of them. It decodes nothing and sends
//! nothing; the server finds the cells, turns a million values into text as JSON and sends them
//! through a socket. *Cold* is the first read after opening: for the raw read a new connection, for
//! the server a new process whose first read of cells it is. *Warm* is the best of several more: the
//! raw read then has its connection and SQLite's page cache, the server its cache of blocks. The
//! file itself is in the system's page cache in all cases. *Copied* is the same program with each
//! block copied to the heap and no byte of it looked at. The client counts the bytes of the
//! answer as they arrive and keeps none. The **naive loop** asks for one row a call.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench is run by people and stops where it fails"
)]

mod raw;
mod server;

use std::path::Path;
use std::time::{Duration, Instant};

use lockstep_workspace::Workspace;
use serde_json::{Value, json};

use self::raw::Raw;
use self::server::{FILE, Server};

const ROWS: usize = 50_000;
const COLUMNS: usize = 20;

#[tokio::main]
async fn main() {
    if let Ok(path) = std::env::var(FILE) {
        return serve(path.as_ref()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.db");
    let mut server = Server::start(&path);
    let url = server.url.clone();
    let client = reqwest::Client::new();

    let new = post(&client, &format!("{url}/v4/spreadsheets"), &json!({"sheets": [
        {"properties": {"title": "Wide", "gridProperties": {"rowCount": ROWS, "columnCount": COLUMNS}}},
        {"properties": {"title": "Cells", "gridProperties": {"rowCount": 10_000, "columnCount": 10}}}
    ]}))
    .await;
    let id = new["spreadsheetId"].as_str().unwrap().to_owned();
    let cells = new["sheets"][1]["properties"]["sheetId"].as_i64().unwrap();
    println!("memory at start: {} MB", server.memory("VmRSS"));

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
    println!("memory after it: {} MB, peak {} MB", server.memory("VmRSS"), server.memory("VmHWM"));

    read_all(&path, &mut server, &client, &id).await;

    // 100,000 cells in one batchUpdate, against a request a row; each in a process of its own.
    let row = |row: usize| json!({"values": (0..10).map(|column| json!({"userEnteredValue": {"numberValue": row * 10 + column}})).collect::<Vec<_>>()});
    let rows: Vec<Value> = (0..10_000).map(row).collect();
    let body = json!({"requests": [{"updateCells": {"start": {"sheetId": cells}, "rows": rows, "fields": "userEnteredValue"}}]});
    let one = update(&mut server, &client, &id, &body, "one request of 100,000 cells").await;
    let requests: Vec<Value> = (0..100_000)
        .map(|cell| json!({"updateCells": {"start": {"sheetId": cells, "rowIndex": (cell * 7919) % 10_000, "columnIndex": cell % 10},
            "rows": [{"values": [{"userEnteredValue": {"numberValue": cell}}]}], "fields": "userEnteredValue"}}))
        .collect();
    let body = json!({ "requests": requests });
    update(&mut server, &client, &id, &body, "100,000 requests of one cell").await;
    let batch = format!("{}/v4/spreadsheets/{id}:batchUpdate", server.url);
    let start = Instant::now();
    for index in 0..200 {
        let body = json!({"requests": [{"updateCells": {"start": {"sheetId": cells, "rowIndex": index}, "rows": [row(index)], "fields": "userEnteredValue"}}]});
        post(&client, &batch, &body).await;
    }
    let naive = start.elapsed() * 50;
    println!(
        "the 100,000 cells as a call a row: {} (200 measured, times 50), {:.0} times the one request",
        show(naive),
        naive.as_secs_f64() / one.as_secs_f64()
    );

    // A row in the middle of the long sheet.
    let insert = json!({"requests": [{"insertDimension": {"range": {"sheetId": 0, "dimension": "ROWS", "startIndex": 25_000, "endIndex": 25_001}}}]});
    println!(
        "insertDimension in the middle of {ROWS} rows: {}",
        show(timed(|| post(&client, &batch, &insert)).await)
    );
    println!(
        "memory at the end: {} MB, peak {} MB",
        server.memory("VmRSS"),
        server.memory("VmHWM")
    );
    long_and_linked(&mut server, &client).await;
    server.stop();
}

/// Measures values.get of the wide sheet, cold and warm.
async fn read_all(path: &Path, server: &mut Server, client: &reqwest::Client, id: &str) {
    let mut raw = Raw::open(path);
    let raw_cold = raw.read();
    let raw_warm = (0..7).map(|_| raw.read()).min().unwrap();
    let raw_cold = (0..4).map(|_| Raw::open(path).read()).chain([raw_cold]).min().unwrap();
    let copied = (0..7).map(|_| raw.copy()).min().unwrap();
    println!(
        "reading the SQLite file raw: {} cold, {} warm; its blocks only copied: {}",
        show(raw_cold),
        show(raw_warm),
        show(copied)
    );
    for (what, query) in [
        ("formatted", ""),
        ("unformatted", "?valueRenderOption=UNFORMATTED_VALUE"),
        ("formatted, not indented", "?prettyPrint=false"),
    ] {
        let mut cold = Duration::MAX;
        for _ in 0..3 {
            server.restart();
            // The connection and the head of the book; no cells.
            let head = format!("{}/v4/spreadsheets/{id}?fields=spreadsheetId", server.url);
            client.get(head).send().await.unwrap().bytes().await.unwrap();
            let (time, _) =
                drain(client, &format!("{}/v4/spreadsheets/{id}/values/Wide{query}", server.url))
                    .await;
            cold = cold.min(time);
        }
        let url = format!("{}/v4/spreadsheets/{id}/values/Wide{query}", server.url);
        let mut warm = Duration::MAX;
        let mut bytes = 0;
        for _ in 0..7 {
            let (time, length) = drain(client, &url).await;
            warm = warm.min(time);
            bytes = length;
        }
        println!(
            "values.get {ROWS} x {COLUMNS} {what}, {} MB: cold {}, {:.1} times the raw read; warm {}, {:.1} times",
            bytes / 1_000_000,
            show(cold),
            cold.as_secs_f64() / raw_cold.as_secs_f64(),
            show(warm),
            warm.as_secs_f64() / raw_warm.as_secs_f64(),
        );
        if query.is_empty() {
            let start = Instant::now();
            for row in 1..=200 {
                drain(
                    client,
                    &format!("{}/v4/spreadsheets/{id}/values/Wide!{row}:{row}", server.url),
                )
                .await;
            }
            let naive = start.elapsed() * 250;
            println!(
                "as a call a row: {} (200 measured, times 250), {:.0} times the one call",
                show(naive),
                naive.as_secs_f64() / warm.as_secs_f64()
            );
        }
    }
    println!(
        "memory after the reads: {} MB, peak {} MB",
        server.memory("VmRSS"),
        server.memory("VmHWM")
    );
}

/// Measures an append to a long sheet, and a write in a book of many formulas.
async fn long_and_linked(server: &mut Server, client: &reqwest::Client) {
    const LONG: usize = 500_000;
    const FORMULAS: usize = 100_000;
    let new = post(client, &format!("{}/v4/spreadsheets", server.url), &json!({"sheets": [
        {"properties": {"title": "Long", "gridProperties": {"rowCount": LONG, "columnCount": 4}}},
        {"properties": {"title": "Linked", "gridProperties": {"rowCount": FORMULAS, "columnCount": 4}}}
    ]}))
    .await;
    let id = new["spreadsheetId"].as_str().unwrap().to_owned();
    let put = async |server: &Server, range: String, mode: &str, rows: Vec<Value>| {
        let path =
            format!("{}/v4/spreadsheets/{id}/values/{range}?valueInputOption={mode}", server.url);
        let start = Instant::now();
        let answer = client.put(path).json(&json!({ "values": rows })).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        start.elapsed()
    };
    for part in 0..10 {
        let first = part * LONG / 10;
        let rows =
            (first..first + LONG / 10).map(|row| json!([row, "text", row, "more"])).collect();
        put(server, format!("Long!A{}", first + 1), "RAW", rows).await;
    }
    server.restart();
    for what in ["the first", "the next"] {
        let path =
            format!("{}/v4/spreadsheets/{id}/values/Long:append?valueInputOption=RAW", server.url);
        let body = json!({"values": [[1, 2, 3, 4]]});
        let took = timed(|| post(client, &path, &body)).await;
        println!("values.append to {LONG} rows, {what} after opening: {}", show(took));
    }
    for part in 0..10 {
        let first = part * FORMULAS / 10;
        let rows = (first + 1..=first + FORMULAS / 10)
            .map(|row| {
                json!([row, format!("=A{row}*2"), "", if row == 1 { "=SUM(B:B)" } else { "" }])
            })
            .collect();
        put(server, format!("Linked!A{}", first + 1), "USER_ENTERED", rows).await;
    }
    server.restart();
    for what in ["the first", "the next"] {
        let took = put(server, "Linked!A50000".to_owned(), "RAW", vec![json!([7])]).await;
        println!(
            "a cell of a book of {FORMULAS} formulas, two of which read it, {what} after opening: {}",
            show(took)
        );
    }
    println!("memory after it: {} MB, peak {} MB", server.memory("VmRSS"), server.memory("VmHWM"));
}

/// Sends a batchUpdate to a new server and tells its time and what memory it took at most.
async fn update(
    server: &mut Server,
    client: &reqwest::Client,
    id: &str,
    body: &Value,
    what: &str,
) -> Duration {
    server.restart();
    client
        .get(format!("{}/v4/spreadsheets/{id}?fields=spreadsheetId", server.url))
        .send()
        .await
        .unwrap();
    let before = server.memory("VmHWM");
    let text = serde_json::to_vec(body).unwrap();
    let megabytes = text.len() / 1_000_000;
    let start = Instant::now();
    let answer = client
        .post(format!("{}/v4/spreadsheets/{id}:batchUpdate?prettyPrint=false", server.url))
        .header("content-type", "application/json")
        .body(text)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
    let took = start.elapsed();
    println!(
        "batchUpdate, {what}, {megabytes} MB: {}, memory from {before} MB to a peak of {} MB",
        show(took),
        server.memory("VmHWM")
    );
    took
}

/// Reads an answer to its end; returns the time it took and its length.
async fn drain(client: &reqwest::Client, url: &str) -> (Duration, usize) {
    let start = Instant::now();
    let mut answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut length = 0;
    while let Some(chunk) = answer.chunk().await.unwrap() {
        length += chunk.len();
    }
    (start.elapsed(), length)
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

fn show(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
