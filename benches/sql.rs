//! What keeping a PostgreSQL table and a sheet in step costs: time, API calls, rows read, peak memory.
//!
//! `cargo bench --bench sql [-- ROWS]`: a table of 100,000 x 10 into an empty sheet, both ways; then 1 % of the rows are
//! changed in the database and flow; then nothing is changed. The workspace runs in a process of its own, so that the
//! memory is Lockstep's alone; PostgreSQL is the machine's, in a folder of the suite.
//!
//! Times are also told as ratios against two programs in the same run: `psql`, which copies the table out and into
//! another table (what moving the bytes alone costs), and the script that people write instead (`psql`, then Python's
//! csv and urllib, which writes the whole sheet each time and compares nothing). Memory is the peak of the resident set
//! above what was resident before the call, as a ratio to two sizes of the data: the bytes of its cells as values that are
//! held once (ten [`Value`](lockstep_engine::value::Value)s a row, and the texts that they own), and the bytes of its text
//! as PostgreSQL writes a row. `PHASES=1` tells the peak of each phase.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    dead_code,
    missing_docs
)]

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};

use lockstep::{
    app::App,
    config::Config,
    progress::{Progress, Step},
    tools,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

#[path = "../tests/support/postgres.rs"]
mod postgres;
#[path = "../tests/support/require.rs"]
mod require;
#[path = "../tests/support/server.rs"]
mod server;

async fn call(app: &App, name: &str, arguments: Value, progress: Progress) -> Value {
    let tool = tools::find(name).unwrap();
    let context = app.context().for_call(progress);
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    tool.call(&context, arguments).await.unwrap()
}

/// Serves a workspace until its stdin ends, and says where.
async fn workspace(path: &str) {
    let workspace = lockstep_workspace::Workspace::open(std::path::Path::new(path)).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}/", listener.local_addr().unwrap());
    let closed = async {
        let _ =
            tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    };
    workspace.serve(listener, closed).await.unwrap();
}

/// Returns a line of this process's memory, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Forgets the peak; returns what is resident now.
fn forget_peak() -> u64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    memory("VmRSS")
}

/// The peaks of the phases of a call.
#[derive(Default)]
struct Phases {
    name: String,
    peak: u64,
    of: Vec<(String, u64)>,
}

impl Phases {
    /// Ends the phase in hand.
    fn begin(&mut self, name: &str) {
        let peak = memory("VmHWM");
        self.peak = self.peak.max(peak);
        match self.of.iter_mut().find(|(known, _)| *known == self.name) {
            Some((_, most)) => *most = (*most).max(peak),
            None => self.of.push((self.name.clone(), peak)),
        }
        self.name = name.to_owned();
        forget_peak();
    }
}

/// What people write themselves: everything out of the database, everything into the sheet.
const SCRIPT: &str = r#"
import csv, io, json, subprocess, sys, urllib.parse, urllib.request
psql, url, base, book = sys.argv[1:5]
out = subprocess.run([psql, url, '-qc', 'COPY (SELECT * FROM stock ORDER BY id) TO STDOUT CSV HEADER'],
                     capture_output=True, check=True, text=True).stdout
rows = list(csv.reader(io.StringIO(out)))
at = urllib.parse.quote("'script'!A1")
for first in range(0, len(rows), 10000):
    body = json.dumps({'values': rows[first:first + 10000]}).encode()
    ask = urllib.request.Request(f'{base}v4/spreadsheets/{book}/values/{at}:append?valueInputOption=USER_ENTERED',
                                 body, {'content-type': 'application/json'}, method='POST')
    urllib.request.urlopen(ask).read()
"#;

/// Runs a program that must succeed; returns its seconds.
fn timed(mut command: Command) -> f64 {
    let started = Instant::now();
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    started.elapsed().as_secs_f64()
}

/// Returns how many rows the server has read of the table.
async fn rows_read(database: &postgres::Database) -> i64 {
    // The counters are sent when a session ends or a second has passed.
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let sql = "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::text FROM pg_stat_user_tables \
               WHERE relname = 'stock'";
    database.texts(sql).await[0][0].as_ref().unwrap().parse().unwrap()
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, path] = arguments.as_slice()
        && word == "workspace"
    {
        return workspace(path).await;
    }
    let rows: u32 = arguments.first().map_or(100_000, |rows| rows.parse().unwrap());
    let Some(database) = postgres::database().await else { return };
    let columns = "c2 text, c3 text, c4 int, c5 numeric(12, 2), c6 bool, c7 date, c8 timestamp, c9 text, \
                   updated_at timestamptz";
    database
        .run(format!(
            "CREATE TABLE stock (id int PRIMARY KEY, {columns}); CREATE INDEX ON stock (updated_at); \
             INSERT INTO stock SELECT g, 'name of ' || g, md5(g::text), g % 1000, g / 100.0, g % 2 = 0, \
             date '2024-01-01' + g % 365, timestamp '2024-01-01' + g * interval '1 second', 'city ' || g % 77, \
             timestamptz '2024-01-01' + g * interval '1 second' FROM generate_series(1, {rows}) g; ANALYZE stock"
        ))
        .await;
    let bytes = database.texts("SELECT sum(octet_length(s::text))::text FROM stock s").await;
    let bytes: u64 = bytes[0][0].as_ref().unwrap().parse().unwrap();
    let texts = "octet_length(c2) + octet_length(c3) + octet_length(c9)";
    let texts = database.texts(&format!("SELECT sum({texts})::text FROM stock")).await;
    let texts: u64 = texts[0][0].as_ref().unwrap().parse().unwrap();
    let cell = size_of::<lockstep_engine::value::Value>() as u64;
    let held = u64::from(rows) * 10 * cell + texts;
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("workspace")
        .arg(folder.path().join("workspace.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let mut config = Config::default();
    config.workspace.url = Some(url.trim().to_owned());
    config.workspace.data = Some(folder.path().to_owned());
    let connection = format!("kind = \"postgres\"\nurl = \"{}\"\nwritable = true", database.url);
    config.connections.insert("shop".into(), toml::from_str(&connection).unwrap());
    let app = App::start(&config).await.unwrap();
    let sheets = json!([{"title": "stock"}, {"title": "script"}]);
    let made = call(
        &app,
        "createFile",
        json!({"type": "spreadsheet", "name": "stock", "sheets": sheets}),
        Progress::silent(),
    )
    .await;
    let arguments = json!({
        "name": "bench", "left": {"connection": "shop", "table": "stock", "cursor": "updated_at"},
        "right": {"spreadsheetId": made["id"], "sheet": "stock"}, "key": ["id"], "direction": "both",
        "deletes": "delete", "mode": "apply", "sample": 0,
    });
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("{rows} x 10, {:.1} MiB of text, {:.1} MiB of values", mib(bytes), mib(held));
    let psql = || {
        let mut command = Command::new("sh");
        let script =
            "psql \"$1\" -qc 'COPY stock TO STDOUT' | psql \"$1\" -qc 'COPY copy FROM STDIN'";
        command.args(["-c", script, "sh", &database.url]);
        command
    };
    database.run("CREATE TABLE copy (LIKE stock)").await;
    let copied = timed(psql());
    let script = {
        let mut command = Command::new("python3");
        let book = made["id"].as_str().unwrap();
        command.args(["-c", SCRIPT, "psql", &database.url, url.trim(), book]);
        timed(command)
    };
    println!(
        "psql, COPY out and in: {copied:.2} s; the script, all rows into a sheet: {script:.2} s"
    );
    let change = format!(
        "UPDATE stock SET c4 = c4 + 1, updated_at = timestamptz '2030-01-01' + id * interval '1 millisecond' \
         WHERE id % 100 = 7 AND id <= {rows}"
    );
    for (what, sql) in
        [("first sync", ""), ("1 % changed", change.as_str()), ("nothing changed", "")]
    {
        if !sql.is_empty() {
            database.run(sql).await;
        }
        let before = rows_read(&database).await;
        let resident = forget_peak();
        let phases = Arc::new(Mutex::new(Phases::default()));
        let own = Arc::clone(&phases);
        let sink = move |step: Step| own.lock().unwrap().begin(&step.message);
        let progress = match std::env::var_os("PHASES") {
            Some(_) => Progress::new(CancellationToken::new(), Some(Arc::new(sink))),
            None => Progress::silent(),
        };
        let started = Instant::now();
        let report = call(&app, "syncDataset", arguments.clone(), progress).await;
        let took = started.elapsed().as_secs_f64();
        phases.lock().unwrap().begin("");
        let more = phases.lock().unwrap().peak.saturating_sub(resident);
        let read = rows_read(&database).await - before;
        let (counts, left) = (&report["counts"], &report["sides"][0]);
        println!(
            "{what}: {took:.2} s ({:.1} x psql, {:.2} x the script), {} inserted, {} updated, {} read calls, {} write \
             calls, read {} with {} rows, {read} rows read in PostgreSQL, peak {} MiB above {} ({:.1} x the values, {:.1} x the text)",
            took / copied,
            took / script,
            counts["insert"],
            counts["update"],
            report["calls"]["reads"],
            report["calls"]["writes"],
            left["read"],
            left["rowsRead"],
            more >> 20,
            resident >> 20,
            more as f64 / held as f64,
            more as f64 / bytes as f64,
        );
        if std::env::var_os("PHASES").is_some() {
            for (name, peak) in &phases.lock().unwrap().of {
                println!("    {name}: {} MiB", peak.saturating_sub(resident) >> 20);
            }
        }
    }
    app.stop().await;
    drop(child.stdin.take());
    child.wait().unwrap();
}
