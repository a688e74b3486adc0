//! What healthReport costs over a month of runs, beside one `select count(*)` over them in the same store.
//!
//! `cargo bench --bench health [-- RUNS]`: 100 datasets, one run a minute for 30 days (4,320,000 runs). The runs and
//! their roll-ups are written by SQL, in the form in which runs leave them; the report is timed at the tool.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    missing_docs
)]

use std::{collections::BTreeMap, path::Path, time::Instant};

use lockstep::{app::App, config::Config, progress::Progress, tools};
use rusqlite::Connection;
use serde_json::{Value, json};

const DATASETS: i64 = 100;
const TIMES: usize = 7;

async fn call(app: &App, name: &str, arguments: Value) -> Value {
    let tool = tools::find(name).unwrap();
    let context = app.context().for_call(Progress::silent());
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    tool.call(&context, arguments).await.unwrap()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Writes the runs, and what the store rolls them up to.
fn fill(path: &Path, runs: i64, rollup: &Value, facts: &Value) {
    let mut db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000").unwrap();
    let (minutes, now) = (runs / DATASETS, now());
    let tx = db.transaction().unwrap();
    tx.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
         INSERT INTO runs (id, dataset, plan, kind, state, caller, started, finished, fence, columns,
             sensitive, counts)
         SELECT printf('bench-%012d', i), printf('dataset-%03d', i % 100), printf('%064x', i), 'sync', 'applied',
             'syncDataset', (?2 - (?3 - i / 100) * 60) * 1000000, (?2 - (?3 - i / 100) * 60 + 1) * 1000000, i,
             '[\"id\",\"name\",\"price\"]', '[]', '{\"right\":{\"update\":3}}' FROM n",
        (runs, now, minutes),
    )
    .unwrap();
    for (grain, each) in [(3_600i64, 60u64), (86_400, 1_440)] {
        let mut sum = rollup.clone();
        for value in sum.as_object_mut().unwrap().values_mut() {
            let scaled = |value: &Value| json!(value.as_u64().unwrap() * each);
            *value = match value.take() {
                Value::Object(bins) => {
                    bins.iter().map(|(bin, count)| (bin.clone(), scaled(count))).collect()
                }
                count => scaled(&count),
            };
        }
        let first = (now - minutes * 60) / grain;
        for bucket in first..=now / grain {
            for dataset in 0..DATASETS {
                tx.execute(
                    "INSERT INTO run_rollups (grain, bucket, dataset, data) VALUES (?1, ?2, ?3, ?4)",
                    (grain, bucket * grain * 1_000_000, format!("dataset-{dataset:03}"), sum.to_string()),
                )
                .unwrap();
            }
        }
    }
    for dataset in 0..DATASETS {
        tx.execute(
            "INSERT INTO dataset_health (dataset, facts) VALUES (?1, ?2)",
            (format!("dataset-{dataset:03}"), facts.to_string()),
        )
        .unwrap();
    }
    tx.commit().unwrap();
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[tokio::main]
async fn main() {
    let runs: i64 =
        std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(4_320_000);
    let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut config = Config::default();
    config.workspace.data = Some(data.path().to_owned());
    config.files.root = files.path().to_owned();
    config.files.writable = true;
    let app = App::start(&config).await.unwrap();
    // One real run shows what the store keeps of it.
    std::fs::write(files.path().join("a.csv"), "id,name,price\n1,a,2\n2,b,3\n3,c,4\n").unwrap();
    let side = |file: &str| json!({"file": file});
    let real = json!({"name": "real", "left": side("a.csv"), "right": side("b.csv"), "key": ["id"], "mode": "apply"});
    call(&app, "syncDataset", real).await;
    let path = data.path().join("lockstep.db");
    let (rollup, facts): (Value, Value) = {
        let db = Connection::open(&path).unwrap();
        let text = |sql: &str| -> Value {
            let text: String = db.query_row(sql, [], |row| row.get(0)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        (
            text("SELECT data FROM run_rollups WHERE grain = 3600"),
            text("SELECT facts FROM dataset_health"),
        )
    };
    let begun = Instant::now();
    fill(&path, runs, &rollup, &facts);
    println!("{runs} runs written in {:.0} s", begun.elapsed().as_secs_f64());
    let mut found: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    let db = Connection::open(&path).unwrap();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let count: i64 = db.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
        found.entry("count(*)").or_default().push(begun.elapsed().as_secs_f64());
        assert!(count >= runs);
        for window in ["24h", "7d", "30d"] {
            let begun = Instant::now();
            let report = call(&app, "healthReport", json!({"window": window})).await;
            found.entry(window).or_default().push(begun.elapsed().as_secs_f64());
            let seen = report["metrics"]["runs"].as_f64().unwrap();
            assert!(seen > 0.0 && report["more"] == 91, "{report:#}");
        }
    }
    let floor = median(found.get_mut("count(*)").unwrap());
    for (name, times) in &mut found {
        let time = median(times);
        println!("{name:>9}: {:8.1} ms, {:5.2} x count(*)", time * 1e3, time / floor);
    }
    app.stop().await;
}
