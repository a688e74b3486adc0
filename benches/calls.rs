//! What a sync costs beside the naive loop: API calls, bytes on the wire and wall time.
//!
//! `cargo bench --bench calls [-- ROWS CHANGED]`: a sheet of 50,000 x 10 of which 10,000 rows have one changed cell.
//! Both ways go through a counting proxy to the same embedded workspace, in the same run. The naive loop is the kindest
//! one: it knows which row every change belongs to without reading anything, and makes one write call a row.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    missing_docs
)]

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lockstep::{
    app::App,
    config::{Backend, Config},
    progress::Progress,
    tools,
};
use lockstep_google::{CellFields, CellWrite, Config as GoogleConfig, Google, Request};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

#[derive(Default)]
struct Meter {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Meter {
    fn take(&self) -> (u64, u64) {
        (self.sent.swap(0, Ordering::Relaxed), self.received.swap(0, Ordering::Relaxed))
    }
}

/// Passes bytes on and counts them.
async fn proxy(to: std::net::SocketAddr, meter: Arc<Meter>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let _ = client.set_nodelay(true);
            let server = TcpStream::connect(to).await.unwrap();
            let _ = server.set_nodelay(true);
            let (client_read, client_write) = client.into_split();
            let (server_read, server_write) = server.into_split();
            for (mut from, mut into, up) in
                [(client_read, server_write, true), (server_read, client_write, false)]
            {
                let meter = Arc::clone(&meter);
                tokio::spawn(async move {
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(count) = from.read(&mut buffer).await {
                        let counter = if up { &meter.sent } else { &meter.received };
                        counter.fetch_add(count as u64, Ordering::Relaxed);
                        if count == 0 || into.write_all(&buffer[..count]).await.is_err() {
                            break;
                        }
                    }
                    let _ = into.shutdown().await;
                });
            }
        }
    });
    address
}

fn csv(rows: usize, changed: usize) -> String {
    let mut text = String::from("id,name,email,amount,price,qty,created,updated,active,note\n");
    let every = rows.checked_div(changed).unwrap_or(usize::MAX).max(1);
    for n in 0..rows {
        let qty = if changed > 0 && n % every == 0 { n % 900 + 1 } else { n % 900 };
        let _ = writeln!(
            text,
            "r{n:06},name {n},user{n}@example.com,{}.{:02},{}.5,{qty},2024-{:02}-{:02},2024-01-01T00:00:{:02},{},note {n}",
            n * 7 % 10_000,
            n % 100,
            n % 1000,
            n % 12 + 1,
            n % 28 + 1,
            n % 60,
            n % 3 == 0
        );
    }
    text
}

struct Cost {
    calls: u64,
    sent: u64,
    received: u64,
    wall: Duration,
}

fn row(name: &str, cost: &Cost, base: &Cost) {
    println!(
        "{name:26} {:>9} {:>12} {:>12} {:>9.2} s   calls 1/{:.0}, bytes 1/{:.1}, wall 1/{:.1}",
        cost.calls,
        cost.sent,
        cost.received,
        cost.wall.as_secs_f64(),
        base.calls as f64 / cost.calls.max(1) as f64,
        (base.sent + base.received) as f64 / (cost.sent + cost.received).max(1) as f64,
        base.wall.as_secs_f64() / cost.wall.as_secs_f64(),
    );
}

async fn call(app: &App, name: &str, arguments: Value) -> Value {
    let tool = tools::find(name).unwrap();
    let context = app.context().for_call(Progress::silent());
    match tool.call(&context, arguments.as_object().unwrap().clone()).await {
        Ok(value) => value,
        Err(error) => panic!("{name}: {error}"),
    }
}

async fn bench(rows: usize, changed: usize) {
    let folder = tempfile::tempdir().unwrap();
    let workspace = lockstep_workspace::Workspace::open(&folder.path().join("w.db")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { workspace.serve(listener, std::future::pending()).await });
    let meter = Arc::new(Meter::default());
    let url = format!("http://{}/", proxy(address, Arc::clone(&meter)).await);

    let mut config = Config { backend: Backend::Google, ..Config::default() };
    config.google.sheets_url = Some(url.clone());
    config.google.drive_url = Some(url.clone());
    config.google.token_env = Some("PATH".into());
    config.files.root = folder.path().to_owned();
    let app = App::start(&config).await.unwrap();
    let book = call(
        &app,
        "createFile",
        json!({"type": "spreadsheet", "name": "b", "sheets": [{"title": "s"}]}),
    )
    .await;
    let id = book["id"].as_str().unwrap();
    let dataset = |mode: &str| json!({"left": {"file": "data.csv"}, "right": {"spreadsheetId": id, "sheet": "s"}, "key": ["id"], "mode": mode});
    let write =
        |changed| std::fs::write(folder.path().join("data.csv"), csv(rows, changed)).unwrap();
    let measured = |report: &Value, start: Instant, (sent, received): (u64, u64)| Cost {
        calls: report["calls"]["reads"].as_u64().unwrap()
            + report["calls"]["writes"].as_u64().unwrap(),
        sent,
        received,
        wall: start.elapsed(),
    };

    write(0);
    meter.take();
    let start = Instant::now();
    let first = call(&app, "syncDataset", dataset("apply")).await;
    let first_cost = measured(&first, start, meter.take());
    write(changed);
    let start = Instant::now();
    let synced = call(&app, "syncDataset", dataset("apply")).await;
    let sync_cost = measured(&synced, start, meter.take());
    assert_eq!(synced["counts"]["update"], json!(changed), "{}", synced["counts"]);
    let start = Instant::now();
    let again = call(&app, "syncDataset", dataset("apply")).await;
    let again_cost = measured(&again, start, meter.take());
    assert_eq!(again["state"], "inStep");

    let google = Google::new(GoogleConfig::local(&url)).unwrap();
    let sheet = google.spreadsheet(id).await.unwrap().sheets[0].id;
    meter.take();
    let before = google.calls();
    let start = Instant::now();
    let every = rows / changed;
    for n in (0..rows).step_by(every).take(changed) {
        let request = Request::UpdateCells {
            sheet,
            row: u32::try_from(n + 1).unwrap(),
            column: 5,
            rows: vec![vec![CellWrite::number((n % 900) as f64)]],
            fields: CellFields::Values,
        };
        google.batch_update(id, &[request], &[]).await.unwrap();
    }
    let calls = google.calls();
    let (sent, received) = meter.take();
    let naive = Cost {
        calls: calls.reads + calls.writes - before.reads - before.writes,
        sent,
        received,
        wall: start.elapsed(),
    };
    println!("\n{changed} changed cells of {rows} x 10\n");
    println!(
        "{:26} {:>9} {:>12} {:>12} {:>11}   against the naive loop",
        "", "calls", "sent", "received", "wall"
    );
    row("naive: one call a row", &naive, &naive);
    row("syncDataset: the changes", &sync_cost, &naive);
    row("syncDataset: nothing new", &again_cost, &naive);
    row("syncDataset: first, all", &first_cost, &naive);
    println!(
        "\nAt Google's 60 writes a minute the naive loop takes {} minutes.",
        naive.calls.div_ceil(60)
    );
    assert!(naive.calls >= 100 * sync_cost.calls, "fewer than 100 times fewer calls");
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let rows = sizes.first().copied().unwrap_or(50_000);
    let changed = sizes.get(1).copied().unwrap_or(10_000);
    tokio::runtime::Runtime::new().unwrap().block_on(bench(rows, changed));
}
